package meditation_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
	"github.com/mindspace-app/mindspace/services/meditation"
)

// rounds is how often a race is run.
const rounds = 25

// atOnce does all of it at the same time.
func atOnce(all ...func()) {
	var ready, running sync.WaitGroup
	ready.Add(len(all))
	for _, do := range all {
		running.Go(func() {
			ready.Done()
			ready.Wait()
			do()
		})
	}
	running.Wait()
}

// A phone that did not get the answer asks again: all get the same, and others hear of it once.
func TestCompleteTwiceAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	p, start := r.phone(ana), r.Clock.Now().Add(-time.Hour)
	for round := range rounds {
		s := p.begin(r.catalogue.lessons[0].String(), start.Add(time.Duration(round)*time.Second))
		req := &meditationv1.CompleteSessionRequest{SessionId: s.GetId(), EndedAt: timestamppb.New(start.Add(minutes(20))), MoodAfter: 4, Note: "a thought"}
		var answers [3]*meditationv1.CompleteSessionResponse
		var errs [3]error
		ask := func(i int) func() {
			return func() { answers[i], errs[i] = p.CompleteSession(t.Context(), req) }
		}
		atOnce(ask(0), ask(1), ask(2))
		for i := range answers {
			if errs[i] != nil || !proto.Equal(answers[i], answers[0]) || answers[i].GetSession().GetNote() != "a thought" {
				t.Fatalf("%v, %v; %v", answers[i], errs[i], answers[0])
			}
		}
	}
	if n := events(r, ana, meditation.SessionsRecorded{}.Kind()); n != rounds {
		t.Errorf("%d events", n)
	}
	if got, want := days(r, ana), recounted(r, ana); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("days %v, want %v", got, want)
	}
}

// Two phones that end a session differently: one does, and the other is told how.
func TestCompleteDifferentlyAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	p, start := r.phone(ana), r.Clock.Now().Add(-time.Hour)
	for range rounds {
		s := p.begin("", start)
		var errs [2]error
		end := func(i int) func() {
			return func() {
				_, errs[i] = p.CompleteSession(t.Context(), &meditationv1.CompleteSessionRequest{SessionId: s.GetId(), EndedAt: timestamppb.New(start.Add(minutes(1 + i)))})
			}
		}
		atOnce(end(0), end(1))
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("%v and %v", errs[0], errs[1])
		}
		for _, err := range errs {
			if err != nil {
				refused(t, "the second", err, connect.CodeAlreadyExists, "SESSION_COMPLETED")
				if stored := authtest.Detail[*meditationv1.Session](err); !proto.Equal(stored, p.get(s)) {
					t.Errorf("told %v, stored is %v", stored, p.get(s))
				}
			}
		}
	}
	if got, want := days(r, ana), recounted(r, ana); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("days %v, want %v", got, want)
	}
}

// Whichever of completing and deleting comes first, it is deleted in the end, and counts nowhere.
func TestCompleteAndDeleteAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	p, start := r.phone(ana), r.Clock.Now().Add(-time.Hour)
	for range rounds {
		s := p.begin("", start)
		atOnce(func() {
			_, err := p.CompleteSession(t.Context(), &meditationv1.CompleteSessionRequest{SessionId: s.GetId(), EndedAt: timestamppb.New(start.Add(minutes(5))), Note: "a thought"})
			if err != nil && connect.CodeOf(err) != connect.CodeNotFound {
				t.Error(err)
			}
		}, func() { p.remove(s) }, func() {
			_, err := p.UpdateSession(t.Context(), &meditationv1.UpdateSessionRequest{SessionId: s.GetId(), Note: "another thought"})
			if err != nil && connect.CodeOf(err) != connect.CodeNotFound {
				t.Error(err)
			}
		})
	}
	if len(days(r, ana)) != 0 || r.count("SELECT count(*) FROM meditation.notes") != 0 || events(r, ana, meditation.SessionDeleted{}.Kind()) != rounds {
		t.Errorf("days %v, %d notes, %d events", days(r, ana), r.count("SELECT count(*) FROM meditation.notes"), events(r, ana, meditation.SessionDeleted{}.Kind()))
	}
	if n := r.count("SELECT count(*) FROM meditation.sessions WHERE state <> 'deleted' OR has_note"); n != 0 {
		t.Errorf("%d are left", n)
	}
}

// Whichever of the phone and the worker comes first, the phone's end is what stays.
func TestCompleteAndAbandonAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	p, start, worker := r.phone(ana), r.Clock.Now().Add(-2*time.Hour), r.worker()
	for range rounds {
		s := p.begin("", start)
		p.beat(&meditationv1.HeartbeatRequest{SessionId: s.GetId(), At: timestamppb.New(start.Add(minutes(2)))})
		atOnce(func() { p.finish(s, start.Add(minutes(5))) }, func() {
			if again, err := worker.EndAbandoned(t.Context(), meditation.SessionStarted{UserID: ana.ID, SessionID: idOf(t, s)}); again != 0 || err != nil {
				t.Errorf("again in %s, %v", again, err)
			}
		}, func() {
			// What is heard of after the end does not change it.
			p.beat(&meditationv1.HeartbeatRequest{SessionId: s.GetId(), At: timestamppb.New(start.Add(minutes(60)))})
		})
		if got := p.get(s); got.GetState() != completed || got.GetPracticedSeconds() != 300 {
			t.Errorf("%v", got)
		}
	}
	if got, want := days(r, ana), recounted(r, ana); fmt.Sprint(got) != fmt.Sprint(want) || len(got) != 1 {
		t.Errorf("days %v, want %v", got, want)
	}
}

// A session that a phone completes and sends as a whole at the same time is one, and counts once.
func TestCompleteAndRecordAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	p, start := r.phone(ana), r.Clock.Now().Add(-2*time.Hour)
	for range rounds {
		s := p.begin("", start)
		whole := told(start, 5)
		whole.ClientId = s.GetClientId()
		atOnce(func() { p.finish(s, start.Add(minutes(5))) }, func() {
			if got := record(t, p, whole)[0]; got.GetError() != nil || got.GetSession().GetId() != s.GetId() {
				t.Errorf("%v", got)
			}
		})
	}
	if got, want := days(r, ana), recounted(r, ana); fmt.Sprint(got) != fmt.Sprint(want) || got[start.Format(time.DateOnly)].sessions != rounds {
		t.Errorf("days %v, want %v", got, want)
	}
}
