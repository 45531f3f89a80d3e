package meditation_test

import (
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
)

func masked(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }

func TestUpdateSession(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p, start := r.phone(r.Register("ana@example.test")), r.Clock.Now()
	s := p.begin("", start)
	mask := func(paths ...string) *meditationv1.UpdateSessionRequest {
		return &meditationv1.UpdateSessionRequest{UpdateMask: masked(paths...)}
	}
	with := func(req *meditationv1.UpdateSessionRequest, before, after int32, note string) *meditationv1.UpdateSessionRequest {
		req.MoodBefore, req.MoodAfter, req.Note = before, after, note
		return req
	}
	for _, test := range []struct {
		what          string
		req           *meditationv1.UpdateSessionRequest
		before, after int32
		note          string
		changes       int
	}{
		{"what is told", with(mask(), 2, 0, ""), 2, 0, "", 1},
		{"nothing", mask(), 2, 0, "", 0},
		{"the rest", with(mask(), 0, 5, "a thought"), 2, 5, "a thought", 1},
		{"only what is named", with(mask("mood_after"), 1, 3, "another"), 2, 3, "a thought", 1},
		{"the note", with(mask("note", "note"), 0, 0, "another"), 2, 3, "another", 1},
		{"taken back", mask("mood_before", "note"), 0, 3, "", 1},
		{"all of it", mask("mood_before", "mood_after", "note"), 0, 0, "", 1},
	} {
		cursor := p.sync("", 100).GetCursor()
		test.req.SessionId = s.GetId()
		res, err := p.UpdateSession(t.Context(), test.req)
		if err != nil {
			t.Fatal(err)
		}
		want := proto.CloneOf(s)
		want.MoodBefore, want.MoodAfter, want.Note, want.HasNote = test.before, test.after, test.note, test.note != ""
		if !proto.Equal(res.GetSession(), want) || !proto.Equal(p.get(s), want) {
			t.Errorf("%s: %v, want %v", test.what, res, want)
		}
		if got := len(p.sync(cursor, 0).GetChanges()); got != test.changes {
			t.Errorf("%s: %d changes", test.what, got)
		}
		if n := r.count("SELECT count(*) FROM meditation.notes"); (n == 1) != want.GetHasNote() {
			t.Errorf("%s: %d notes", test.what, n)
		}
	}
	// What was told while it was under way stays when it ends.
	if _, err := p.UpdateSession(t.Context(), &meditationv1.UpdateSessionRequest{SessionId: s.GetId(), MoodBefore: 2, Note: "before"}); err != nil {
		t.Fatal(err)
	}
	res, err := p.CompleteSession(t.Context(), &meditationv1.CompleteSessionRequest{SessionId: s.GetId(), MoodAfter: 4})
	if got := res.GetSession(); err != nil || got.GetMoodBefore() != 2 || got.GetMoodAfter() != 4 || got.GetNote() != "before" {
		t.Errorf("completed: %v, %v", res, err)
	}
}

func TestUpdateSessionRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.phone(r.Register("ana@example.test"))
	s := p.practise("", r.Clock.Now().Add(-time.Hour), 5)
	for what, test := range map[string]struct {
		req   *meditationv1.UpdateSessionRequest
		field string
	}{
		"no id":       {&meditationv1.UpdateSessionRequest{SessionId: "1"}, "sessionId"},
		"no mood":     {&meditationv1.UpdateSessionRequest{SessionId: s.GetId(), MoodBefore: 6}, "moodBefore"},
		"minus one":   {&meditationv1.UpdateSessionRequest{SessionId: s.GetId(), MoodAfter: -1}, "moodAfter"},
		"a novel":     {&meditationv1.UpdateSessionRequest{SessionId: s.GetId(), Note: string(make([]byte, 4001))}, "note"},
		"its minutes": {&meditationv1.UpdateSessionRequest{SessionId: s.GetId(), UpdateMask: masked("practiced_seconds")}, "updateMask"},
	} {
		_, err := p.UpdateSession(t.Context(), test.req)
		if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != test.field {
			t.Errorf("%s: %v, names %q", what, err, wrongField(err))
		}
	}
	iva := r.phone(r.Register("iva@example.test"))
	_, err := iva.UpdateSession(t.Context(), &meditationv1.UpdateSessionRequest{SessionId: s.GetId(), MoodBefore: 1})
	refused(t, "another person's", err, connect.CodeNotFound, "SESSION_NOT_FOUND")
	_, err = iva.GetSession(t.Context(), &meditationv1.GetSessionRequest{SessionId: s.GetId()})
	refused(t, "getting another person's", err, connect.CodeNotFound, "SESSION_NOT_FOUND")
	if _, err := p.GetSession(t.Context(), &meditationv1.GetSessionRequest{SessionId: "1"}); wrongField(err) != "sessionId" {
		t.Errorf("getting no id: %v", err)
	}
	p.remove(s)
	_, err = p.UpdateSession(t.Context(), &meditationv1.UpdateSessionRequest{SessionId: s.GetId(), MoodBefore: 1})
	refused(t, "deleted", err, connect.CodeNotFound, "SESSION_NOT_FOUND")
	_, err = p.GetSession(t.Context(), &meditationv1.GetSessionRequest{SessionId: s.GetId()})
	refused(t, "getting a deleted one", err, connect.CodeNotFound, "SESSION_NOT_FOUND")
}
