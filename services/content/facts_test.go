package content_test

import (
	"slices"
	"testing"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1/contentv1connect"
)

func TestGetFacts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	// Somebody who is signed in, by way of another service of ours.
	facts := contentv1connect.NewFactsServiceClient(r.Register("ana@example.org").Client)
	whole := all(t, r, &contentv1.ListMeditationsRequest{PageSize: 100})
	first, alone := whole[0], whole[len(whole)-1]
	course := ids(all(t, r, &contentv1.ListMeditationsRequest{CourseId: first.GetCourseId(), PageSize: 100}))
	// The first one is not published any more: it is known, and not of its course.
	r.exec(t, "UPDATE content.meditations SET published_at = NULL WHERE id = $1", first.GetId())
	r.service.CatalogueChanged(t.Context())
	ask := func(ids ...string) map[string]*contentv1.Fact {
		t.Helper()
		res, err := facts.GetFacts(t.Context(), &contentv1.GetFactsRequest{MeditationIds: ids})
		if err != nil {
			t.Fatal(err)
		}
		byID := map[string]*contentv1.Fact{}
		for _, fact := range res.GetFacts() {
			if byID[fact.GetMeditationId()] != nil {
				t.Errorf("%s is there twice", fact.GetMeditationId())
			}
			byID[fact.GetMeditationId()] = fact
		}
		return byID
	}
	for range 2 { // what is read, and what is remembered
		got := ask(first.GetId(), alone.GetId(), uuid.NewString(), first.GetId())
		if len(got) != 2 {
			t.Fatalf("%d facts, want 2", len(got))
		}
		if f := got[first.GetId()]; f.GetDurationSeconds() != first.GetDurationSeconds() || f.GetCourseId() != first.GetCourseId() || !slices.Equal(f.GetCourseMeditationIds(), course[1:]) {
			t.Errorf("in a course: %v", f)
		}
		if f := got[alone.GetId()]; f.GetDurationSeconds() != alone.GetDurationSeconds() || f.GetCourseId() != "" || len(f.GetCourseMeditationIds()) != 0 {
			t.Errorf("alone: %v", f)
		}
	}
	// One that was made since is found as well.
	made := uuid.NewString()
	r.exec(t, `INSERT INTO content.meditations (id, slug, position, level, duration_seconds, voice, tags, created_at)
		VALUES ($1, 'made-since', 999, 'beginner', 61, 'bells', '{}', now())`, made)
	if got := ask(made, first.GetId()); len(got) != 2 || got[made].GetDurationSeconds() != 61 {
		t.Errorf("made since: %v", got)
	}
	if got := ask(); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

func TestGetFactsRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, err := r.facts.GetFacts(t.Context(), &contentv1.GetFactsRequest{})
	refused(t, "nobody", err, connect.CodeUnauthenticated, "CREDENTIAL_MISSING")
	facts := contentv1connect.NewFactsServiceClient(r.Register("ana@example.org").Client)
	many := make([]string, 501)
	for i := range many {
		many[i] = uuid.NewString()
	}
	for name, tt := range map[string]struct {
		ids   []string
		field string
	}{"501": {many, "meditationIds"}, "no id": {[]string{"1"}, "meditationIds[0]"}} {
		if _, err := facts.GetFacts(t.Context(), &contentv1.GetFactsRequest{MeditationIds: tt.ids}); wrongField(t, err) != tt.field {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := facts.GetFacts(t.Context(), &contentv1.GetFactsRequest{MeditationIds: many[:500]}); err != nil {
		t.Errorf("500: %v", err)
	}
}
