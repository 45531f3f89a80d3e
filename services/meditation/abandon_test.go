package meditation_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/services/meditation"
)

// personOf is whose session it is.
func (r *rig) personOf(s *meditationv1.Session) uuid.UUID {
	r.t.Helper()
	var person uuid.UUID
	if err := r.Pool.QueryRow(r.t.Context(), "SELECT user_id FROM meditation.sessions WHERE id = $1", s.GetId()).Scan(&person); err != nil {
		r.t.Fatal(err)
	}
	return person
}

func idOf(t *testing.T, s *meditationv1.Session) uuid.UUID {
	t.Helper()
	id, err := uuid.Parse(s.GetId())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// worker is the service of a process that has no other domain to ask.
func (r *rig) worker() *meditation.Service {
	o := r.service.Options
	o.Users, o.Content = nil, nil
	s := *r.service
	s.Options = o
	return &s
}

func TestEndAbandoned(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	p, start, worker := r.phone(ana), r.Clock.Now(), r.worker()
	look := func(s *meditationv1.Session) time.Duration {
		t.Helper()
		again, err := worker.EndAbandoned(t.Context(), meditation.SessionStarted{UserID: ana.ID, SessionID: idOf(t, s)})
		if err != nil {
			t.Fatal(err)
		}
		return again
	}
	lesson, timer, silent := p.begin(r.catalogue.lessons[0].String(), start), p.begin("", start), p.begin("", start)
	if got := look(silent); got != minutes(30) {
		t.Errorf("looked at again in %s", got)
	}
	p.wait(minutes(20))
	for _, s := range []*meditationv1.Session{lesson, timer} {
		p.beat(&meditationv1.HeartbeatRequest{SessionId: s.GetId(), PracticedSeconds: proto.Int32(480), At: timestamppb.New(start.Add(minutes(15)))})
	}
	p.wait(minutes(10) + time.Second)
	if again := look(silent); again != 0 || p.get(silent).GetState() != abandoned || p.get(silent).GetPracticedSeconds() != 0 {
		t.Errorf("nothing was heard of: again in %s, %v", again, p.get(silent))
	}
	if again := look(lesson); again != minutes(15)-time.Second || p.get(lesson).GetState() != running {
		t.Errorf("heard of a while ago: again in %s, %v", again, p.get(lesson))
	}
	p.wait(minutes(15) - 2*time.Second)
	if again := look(lesson); again != time.Minute {
		t.Errorf("heard of nearly half an hour ago: again in %s", again)
	}
	p.wait(minutes(1))
	cursor := p.sync("", 0).GetCursor()
	for _, s := range []*meditationv1.Session{lesson, timer} {
		for range 2 {
			if again := look(s); again != 0 {
				t.Errorf("again in %s", again)
			}
		}
		got := p.get(s)
		want := proto.CloneOf(s)
		want.State, want.EndedAt, want.PracticedSeconds, want.Finished = abandoned, timestamppb.New(start.Add(minutes(15))), 480, s == lesson
		if !proto.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	if got := days(r, ana)[lesson.GetLocalDate()]; got != (storedDay{2, 960}) || events(r, ana, meditation.SessionsRecorded{}.Kind()) != 3 {
		t.Errorf("day %v, %d events", got, events(r, ana, meditation.SessionsRecorded{}.Kind()))
	}
	if res := p.sync(cursor, 0); len(res.GetChanges()) != 2 {
		t.Errorf("changes: %v", res)
	}
	// The phone comes back, and knows better; its course hears of it then.
	done := p.finish(lesson, start.Add(minutes(10)))
	if done.GetState() != completed || done.GetPracticedSeconds() != 600 || days(r, ana)[lesson.GetLocalDate()] != (storedDay{2, 1080}) {
		t.Errorf("completed: %v, %v", done, days(r, ana))
	}
	if n := r.count("SELECT count(*) FROM river.river_job WHERE kind = $1 AND args ? 'courses'", meditation.SessionsRecorded{}.Kind()); n != 1 {
		t.Errorf("%d events with a course", n)
	}
	if again := look(lesson); again != 0 || p.get(lesson).GetState() != completed {
		t.Errorf("looked at once more: %v", p.get(lesson))
	}
}

// Of what is not there any more nothing is written, so that an erased person leaves no trace.
func TestEndAbandonedOfNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	p := r.phone(ana)
	s := p.begin("", r.Clock.Now())
	p.remove(s)
	p.wait(time.Hour)
	stranger := uuid.New()
	for _, person := range []uuid.UUID{ana.ID, stranger} {
		if again, err := r.worker().EndAbandoned(t.Context(), meditation.SessionStarted{UserID: person, SessionID: idOf(t, s)}); again != 0 || err != nil {
			t.Errorf("%s, %v", again, err)
		}
	}
	if n := r.count("SELECT count(*) FROM meditation.people WHERE user_id = $1", stranger); n != 0 || len(days(r, ana)) != 0 {
		t.Error("something was written")
	}
}

// A course whose last lesson was never ended by its phone is completed all the same: the event of the start knows the course.
func TestEndAbandonedTellsOfTheCourse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	p, start := r.phone(ana), r.Clock.Now()
	s := p.begin(r.catalogue.lessons[0].String(), start)
	p.wait(minutes(10))
	p.beat(&meditationv1.HeartbeatRequest{SessionId: s.GetId()})
	p.wait(minutes(31))
	var event meditation.SessionStarted
	var args []byte
	if err := r.Pool.QueryRow(t.Context(), "SELECT args FROM river.river_job WHERE kind = $1", event.Kind()).Scan(&args); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(args, &event); err != nil {
		t.Fatal(err)
	}
	if again, err := r.worker().EndAbandoned(t.Context(), event); again != 0 || err != nil {
		t.Fatalf("again in %s, %v", again, err)
	}
	if n := r.count("SELECT count(*) FROM river.river_job WHERE kind = $1 AND args -> 'courses' -> 0 ->> 'course_id' = $2 AND jsonb_array_length(args -> 'courses' -> 0 -> 'meditation_ids') = 3",
		meditation.SessionsRecorded{}.Kind(), r.catalogue.course.String()); n != 1 {
		t.Errorf("%d events tell of the course", n)
	}
}
