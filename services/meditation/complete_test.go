package meditation_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
	"github.com/mindspace-app/mindspace/services/meditation"
)

func TestCompleteSession(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	p, start := r.phone(ana), r.Clock.Now()
	s := p.begin(r.catalogue.lessons[1].String(), start)
	r.Clock.Advance(minutes(12))
	req := &meditationv1.CompleteSessionRequest{
		SessionId: s.GetId(), EndedAt: timestamppb.New(start.Add(minutes(11))), PracticedSeconds: proto.Int32(480), MoodBefore: 2, MoodAfter: 4, Note: "тихо, a private thought",
	}
	want := proto.CloneOf(s)
	want.State, want.EndedAt, want.PracticedSeconds, want.Finished = completed, req.GetEndedAt(), 480, true
	want.MoodBefore, want.MoodAfter, want.HasNote, want.Note = 2, 4, true, req.GetNote()
	for _, again := range []*meditationv1.CompleteSessionRequest{
		req, req, {SessionId: s.GetId()}, {SessionId: s.GetId(), PracticedSeconds: proto.Int32(480)},
		{SessionId: s.GetId(), EndedAt: req.GetEndedAt(), PracticedSeconds: proto.Int32(480), MoodBefore: 5, Note: "another"},
	} {
		res, err := p.CompleteSession(t.Context(), again)
		if err != nil || !proto.Equal(res.GetSession(), want) {
			t.Fatalf("%v: %v, %v, want %v", again, res, err, want)
		}
	}
	if got := p.get(s); !proto.Equal(got, want) {
		t.Errorf("stored: %v", got)
	}
	if got := fmt.Sprint(days(r, ana)); got != fmt.Sprint(map[string]storedDay{s.GetLocalDate(): {1, 480}}) {
		t.Errorf("days: %v", got)
	}
	// Others hear of it once, with what its course asks for, and with ids only.
	var args []byte
	if err := r.Pool.QueryRow(t.Context(), "SELECT args FROM river.river_job WHERE kind = $1", meditation.SessionsRecorded{}.Kind()).Scan(&args); err != nil {
		t.Fatal(err)
	}
	var event meditation.SessionsRecorded
	if err := json.Unmarshal(args, &event); err != nil {
		t.Fatal(err)
	}
	if n := events(r, ana, event.Kind()); n != 1 || event.UserID != ana.ID || event.SessionIDs[0].String() != s.GetId() || len(event.Courses) != 1 ||
		event.Courses[0].CourseID != r.catalogue.course || len(event.Courses[0].MeditationIDs) != 3 {
		t.Errorf("%d events, %+v", n, event)
	}
	if strings.Contains(string(args)+r.Log.String(), "thought") {
		t.Error("the note is in the queue or the log")
	}
	// Another end is another matter. What is stored is told, but not what was written: a detail travels in headers.
	told := proto.CloneOf(want)
	told.Note = ""
	for what, other := range map[string]*meditationv1.CompleteSessionRequest{
		"another end":         {SessionId: s.GetId(), EndedAt: timestamppb.New(start.Add(minutes(11) + time.Microsecond)), PracticedSeconds: proto.Int32(480)},
		"other practice":      {SessionId: s.GetId(), EndedAt: req.GetEndedAt(), PracticedSeconds: proto.Int32(481)},
		"all of the time":     {SessionId: s.GetId(), EndedAt: req.GetEndedAt()},
		"other practice, now": {SessionId: s.GetId(), PracticedSeconds: proto.Int32(1)},
	} {
		_, err := p.CompleteSession(t.Context(), other)
		refused(t, what, err, connect.CodeAlreadyExists, "SESSION_COMPLETED")
		if got := authtest.Detail[*meditationv1.Session](err); !proto.Equal(got, told) {
			t.Errorf("%s: the stored session is told as %v", what, got)
		}
	}
}

// What is partly practised counts, and finishes nothing; a timer has no end that could be missed.
func TestCompleteSessionInParts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	p, start := r.phone(ana), r.Clock.Now().Add(-time.Hour)
	lesson := r.catalogue.lessons[0].String()
	for _, test := range []struct {
		meditation string
		seconds    int
		finished   bool
	}{{lesson, 479, false}, {lesson, 480, true}, {lesson, 600, true}, {lesson, 0, false}, {"", 1, true}, {r.catalogue.alone.String(), 3000, true}} {
		s := p.begin(test.meditation, start)
		got := p.finish(s, start.Add(time.Duration(test.seconds)*time.Second))
		if got.GetFinished() != test.finished || int(got.GetPracticedSeconds()) != test.seconds {
			t.Errorf("%d seconds: %v", test.seconds, got)
		}
		courses := 0
		if test.finished && test.meditation == lesson {
			courses = 1
		}
		if n := r.count("SELECT coalesce(jsonb_array_length(args -> 'courses'), 0) FROM river.river_job WHERE kind = $1 AND args -> 'session_ids' ->> 0 = $2",
			meditation.SessionsRecorded{}.Kind(), s.GetId()); n != courses {
			t.Errorf("%d seconds: %d courses", test.seconds, n)
		}
	}
	// One without practice is none.
	if n := r.count("SELECT sum(sessions) FROM meditation.days"); n != 5 {
		t.Errorf("%d sessions", n)
	}
}

// A phone's clock that is ahead makes no session end before it began, nor takes away practice.
func TestCompleteSessionByAnotherClock(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p, now := r.phone(r.Register("ana@example.test")), r.Clock.Now()
	for _, practiced := range []*int32{nil, proto.Int32(30)} {
		start := now.Add(minutes(4))
		res, err := p.CompleteSession(t.Context(), &meditationv1.CompleteSessionRequest{SessionId: p.begin("", start).GetId(), PracticedSeconds: practiced})
		if err != nil || res.GetSession().GetEndedAt().AsTime().Before(start) {
			t.Errorf("%v, %v", res, err)
		}
	}
	s := p.begin("", now.Add(minutes(3)))
	r.Clock.Advance(minutes(10))
	res, err := p.CompleteSession(t.Context(), &meditationv1.CompleteSessionRequest{SessionId: s.GetId(), PracticedSeconds: proto.Int32(600)})
	if err != nil || res.GetSession().GetPracticedSeconds() != 600 {
		t.Errorf("%v, %v", res, err)
	}
}

func TestCompleteSessionRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	p, start := r.phone(ana), r.Clock.Now().Add(-40*time.Hour)
	s := p.begin("", start)
	end := func(after time.Duration) *timestamppb.Timestamp { return timestamppb.New(start.Add(after)) }
	for what, test := range map[string]struct {
		req   *meditationv1.CompleteSessionRequest
		field string
	}{
		"no id":                      {&meditationv1.CompleteSessionRequest{}, "sessionId"},
		"ends before it starts":      {&meditationv1.CompleteSessionRequest{EndedAt: end(-time.Microsecond)}, "endedAt"},
		"30 hours":                   {&meditationv1.CompleteSessionRequest{EndedAt: end(30 * time.Hour)}, "endedAt"},
		"now, after more than a day": {&meditationv1.CompleteSessionRequest{}, "endedAt"},
		"no time":                    {&meditationv1.CompleteSessionRequest{EndedAt: &timestamppb.Timestamp{Seconds: 1e12}}, "endedAt"},
		"a negative length":          {&meditationv1.CompleteSessionRequest{EndedAt: end(minutes(5)), PracticedSeconds: proto.Int32(-1)}, "practicedSeconds"},
		"more than there was":        {&meditationv1.CompleteSessionRequest{EndedAt: end(minutes(5)), PracticedSeconds: proto.Int32(301)}, "practicedSeconds"},
		"no mood":                    {&meditationv1.CompleteSessionRequest{EndedAt: end(minutes(5)), MoodBefore: 6}, "moodBefore"},
		"a negative mood":            {&meditationv1.CompleteSessionRequest{EndedAt: end(minutes(5)), MoodAfter: -1}, "moodAfter"},
		"a novel":                    {&meditationv1.CompleteSessionRequest{EndedAt: end(minutes(5)), Note: strings.Repeat("н", 4001)}, "note"},
	} {
		if what != "no id" {
			test.req.SessionId = s.GetId()
		}
		_, err := p.CompleteSession(t.Context(), test.req)
		if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != test.field {
			t.Errorf("%s: %v, names %q", what, err, wrongField(err))
		}
	}
	soon := p.begin("", r.Clock.Now())
	_, err := p.CompleteSession(t.Context(), &meditationv1.CompleteSessionRequest{SessionId: soon.GetId(), EndedAt: timestamppb.New(r.Clock.Now().Add(minutes(6)))})
	if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != "endedAt" {
		t.Errorf("in the future: %v", err)
	}
	iva := r.phone(r.Register("iva@example.test"))
	for what, id := range map[string]string{"another person's": s.GetId(), "nobody's": uuid.NewString()} {
		_, err := iva.CompleteSession(t.Context(), &meditationv1.CompleteSessionRequest{SessionId: id, EndedAt: end(minutes(5))})
		refused(t, what, err, connect.CodeNotFound, "SESSION_NOT_FOUND")
	}
	if got := p.get(s); !proto.Equal(got, s) || len(days(r, ana)) != 0 || events(r, ana, meditation.SessionsRecorded{}.Kind()) != 0 {
		t.Errorf("refused, and changed: %v", got)
	}
	p.remove(s)
	_, err = p.CompleteSession(t.Context(), &meditationv1.CompleteSessionRequest{SessionId: s.GetId(), EndedAt: end(minutes(5))})
	refused(t, "deleted", err, connect.CodeNotFound, "SESSION_NOT_FOUND")
}
