package content_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/platform/personal"
	"github.com/mindspace-app/mindspace/platform/postgres"
)

// What an editor has written stays when they are erased, and does not say any more that it was theirs; others' does.
func TestErasedEditorIsForgotten(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	other := d.Staff("other@example.org", "editor")
	it, r := d.inState(isInReview)
	if err := revisionCalls["PublishRevision"](t.Context(), d.as(other), r.GetId(), r.GetVersion(), time.Time{}); err != nil {
		t.Fatal(err)
	}
	err := postgres.InTx(t.Context(), d.Pool, func(tx pgx.Tx) error {
		_, err := personal.NewRegistry(d.service.Personal()).Erase(t.Context(), tx, sounds.Bucket, d.editor.ID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if after := d.revision(it, r.GetId()); after.GetAuthorId() != "" || after.GetReviewerId() != other.ID.String() || after.GetPublisherId() != other.ID.String() || after.GetState() != isPublished {
		t.Errorf("after the erasure: %v", after)
	}
	d.same("readers see", d.listed("en"), "Rest")
}
