package content_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/services/content"
)

// URLs of sound say that it never changes: other bytes for the same code are another sound.
func TestSoundThatIsRenderedOtherwise(t *testing.T) {
	t.Parallel()
	r := newEmptyRig(t, memblob.OpenBucket(nil))
	if _, err := r.seeder.Demo(t.Context()); err != nil {
		t.Fatal(err)
	}
	ana := r.Register("ana@example.org")
	id := ids(all(t, r, &contentv1.ListMeditationsRequest{PageSize: 1}))[0]
	link, err := url.Parse(r.play(t, ana, id, "").GetUrl())
	if err != nil {
		t.Fatal(err)
	}
	before := r.mediaRow(t, strings.TrimPrefix(link.Path, content.AudioPath))
	if !strings.Contains(before.BlobKey, hex.EncodeToString(before.Sha256)) {
		t.Fatalf("the key %s does not tell its bytes apart", before.BlobKey)
	}

	// As by a later program, which renders longer.
	file, err := r.blobs.ReadAll(t.Context(), before.BlobKey)
	if err != nil {
		t.Fatal(err)
	}
	file = append(file, 0)
	sum := sha256.Sum256(file)
	key := strings.Replace(before.BlobKey, hex.EncodeToString(before.Sha256), hex.EncodeToString(sum[:]), 1)
	err = r.blobs.WriteAll(t.Context(), key, file, &blob.WriterOptions{Metadata: map[string]string{"size": strconv.Itoa(len(file))}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.blobs.Delete(t.Context(), before.BlobKey); err != nil {
		t.Fatal(err)
	}
	if changed, err := r.seeder.Demo(t.Context()); err != nil || !changed {
		t.Fatalf("changed %v, %v", changed, err)
	}
	if after := r.mediaRow(t, before.ID.String()); after.BlobKey != before.BlobKey || !bytes.Equal(after.Sha256, before.Sha256) {
		t.Errorf("the sound %v became %v", before, after)
	}
	res := r.play(t, ana, id, "")
	if res.GetSha256() != hex.EncodeToString(sum[:]) || strings.Contains(res.GetUrl(), before.ID.String()) {
		t.Errorf("plays %v", res)
	}
	if got := r.fetch(t, http.MethodGet, res.GetUrl()); got.status != http.StatusOK || len(got.body) != len(file) {
		t.Errorf("%d, %d bytes", got.status, len(got.body))
	}
}

// A row of media keeps its bytes, whatever is written under its key.
func TestMediaRowKeepsItsBytes(t *testing.T) {
	t.Parallel()
	r := newEmptyRig(t, memblob.OpenBucket(nil))
	q := contentdb.New(r.pool)
	one := contentdb.UpsertMediaParams{ID: uuid.New(), BlobKey: "a", ContentType: "audio/flac", SizeBytes: 7, Sha256: make([]byte, 32), DurationSeconds: 1, CreatedAt: r.Clock.Now()}
	if _, err := q.UpsertMedia(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	again := one
	again.ID, again.DurationSeconds = uuid.New(), 2
	if id, err := q.UpsertMedia(t.Context(), again); err != nil || id != one.ID {
		t.Errorf("the same bytes, described better: %s, %v", id, err)
	}
	other, longer := again, again
	other.Sha256 = append([]byte{1}, make([]byte, 31)...)
	longer.SizeBytes = 8
	for name, arg := range map[string]contentdb.UpsertMediaParams{"other bytes": other, "another size": longer} {
		if _, err := q.UpsertMedia(t.Context(), arg); !errors.Is(err, pgx.ErrNoRows) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := r.mediaRow(t, one.ID.String()); got.SizeBytes != 7 || got.Sha256[0] != 0 || got.DurationSeconds != 2 {
		t.Errorf("the row is %v", got)
	}
}

func (r *rig) mediaRow(t *testing.T, id string) contentdb.ContentMedium {
	t.Helper()
	row, err := contentdb.New(r.pool).GetMedia(t.Context(), uuid.MustParse(id))
	if err != nil {
		t.Fatal(err)
	}
	return row
}
