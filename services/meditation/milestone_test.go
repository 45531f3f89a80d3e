package meditation_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/platform/cache"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
	"github.com/mindspace-app/mindspace/services/meditation"
)

// milestones is a worker's: a service of its own that asks no other domain, and hears of no cache but its own.
func (r *rig) milestones() *meditation.Milestones {
	return meditation.NewMilestones(meditation.New(meditation.Options{
		Pool: r.Pool, Queue: r.Queue, Cache: cache.NewStore(nil, cache.Config{Logger: r.Logger}), Now: r.Clock.Now,
	}))
}

// reached are somebody's milestones as "sessions 10", in the order of the answer.
func (r *rig) reached(p *authtest.Person) (all []string) {
	r.t.Helper()
	for _, m := range r.stats(p).GetMilestones() {
		kind := strings.ToLower(strings.TrimPrefix(m.GetKind().String(), "MILESTONE_KIND_"))
		if m.GetReachedAt() == nil {
			r.t.Errorf("%v has no time", m)
		}
		all = append(all, fmt.Sprintf("%s %d", kind, m.GetThreshold()))
	}
	return all
}

// streakRecord is the longest streak that is noted for this version of the rule; -1 when none is.
func (r *rig) streakRecord(person uuid.UUID) (longest int) {
	r.t.Helper()
	err := r.Pool.QueryRow(r.t.Context(), "SELECT coalesce(max(longest_days), -1) FROM meditation.streak_records WHERE user_id = $1 AND rule_version = $2",
		person, meditation.RuleVersion).Scan(&longest)
	if err != nil {
		r.t.Fatal(err)
	}
	return longest
}

func TestMilestonesAreReachedOnce(t *testing.T) {
	t.Parallel()
	r := newPracticeRig(t)
	r.atNoon()
	ana := r.Register("ana@example.test")
	milestones := meditation.NewMilestones(r.service)
	advance := func() {
		t.Helper()
		if err := milestones.Advance(t.Context(), meditation.SessionsRecorded{UserID: ana.ID}); err != nil {
			t.Fatal(err)
		}
	}
	r.practise(ana, 0)
	r.stats(ana) // now the cache has it without the milestone
	advance()
	if got, want := r.reached(ana), []string{"sessions 1"}; !slices.Equal(got, want) || r.streakRecord(ana.ID) != 1 {
		t.Errorf("after one: %v, want %v", got, want)
	}
	r.practise(ana, span(-6, -1)...)
	r.Clock.Advance(time.Second) // so that there is an order
	advance()
	want := []string{"sessions 1", "minutes 60", "streak_days 3", "streak_days 7"}
	if got := r.reached(ana); !slices.Equal(got, want) || r.streakRecord(ana.ID) != 7 {
		t.Errorf("after seven days: %v, want %v", got, want)
	}
	// Delivered again, and many times at once.
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := milestones.Advance(t.Context(), meditation.SessionsRecorded{UserID: ana.ID}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := r.reached(ana); !slices.Equal(got, want) {
		t.Errorf("delivered again: %v, want %v", got, want)
	}
	if n := events(r, ana, meditation.MilestoneReached{}.Kind()); n != len(want) {
		t.Errorf("%d events of %d milestones", n, len(want))
	}
}

// Several events of one person that are worked on at once note each thing once.
func TestMilestonesAtOnce(t *testing.T) {
	t.Parallel()
	r := newPracticeRig(t)
	r.atNoon()
	ana := r.Register("ana@example.test")
	r.practise(ana, span(-29, 0)...)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := r.milestones().Advance(t.Context(), meditation.SessionsRecorded{UserID: ana.ID}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	// 30 days, 30 sessions, 300 minutes.
	want := []string{"minutes 60", "minutes 300", "sessions 1", "sessions 10", "streak_days 3", "streak_days 7", "streak_days 14", "streak_days 30"}
	if got := r.reached(ana); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if n := events(r, ana, meditation.MilestoneReached{}.Kind()); n != len(want) {
		t.Errorf("%d events of %d milestones", n, len(want))
	}
}

// What was reached stays when sessions are deleted; the longest streak goes with them.
func TestMilestonesStay(t *testing.T) {
	t.Parallel()
	r := newPracticeRig(t)
	r.atNoon()
	ana := r.Register("ana@example.test")
	r.practise(ana, -2, -1, 0)
	milestones := r.milestones()
	if err := milestones.Advance(t.Context(), meditation.SessionsRecorded{UserID: ana.ID}); err != nil {
		t.Fatal(err)
	}
	list, err := r.as(ana).ListSessions(t.Context(), &meditationv1.ListSessionsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list.GetSessions() {
		id := s.GetId()
		if _, err := r.as(ana).DeleteSession(t.Context(), &meditationv1.DeleteSessionRequest{SessionId: id}); err != nil {
			t.Fatal(err)
		}
		if err := milestones.Retreat(t.Context(), meditation.SessionDeleted{UserID: ana.ID, SessionID: uuid.MustParse(id)}); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := r.reached(ana), []string{"sessions 1", "streak_days 3"}; !slices.Equal(got, want) || r.streakRecord(ana.ID) != 0 || r.stats(ana).GetLongestStreakDays() != 0 {
		t.Errorf("%v, want %v; %d noted", got, want, r.streakRecord(ana.ID))
	}
}

// Of a person without practice, and of one who was erased in the meantime, nothing is written.
func TestMilestonesOfNobody(t *testing.T) {
	t.Parallel()
	r := newPracticeRig(t)
	ana := r.Register("ana@example.test")
	r.practise(ana, -2, -1)
	for _, table := range []string{"people", "sessions", "days"} {
		if _, err := r.Pool.Exec(t.Context(), "DELETE FROM meditation."+table+" WHERE user_id = $1", ana.ID); err != nil {
			t.Fatal(err)
		}
	}
	for _, person := range []uuid.UUID{ana.ID, uuid.New()} {
		event := meditation.SessionsRecorded{
			UserID: person, Courses: []meditation.CourseFinished{{CourseID: r.catalogue.course, MeditationIDs: r.catalogue.lessons}},
		}
		if err := r.milestones().Advance(t.Context(), event); err != nil {
			t.Fatal(err)
		}
		var rows int
		err := r.Pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM meditation.people) + (SELECT count(*) FROM meditation.milestones)
			+ (SELECT count(*) FROM meditation.course_completions) + (SELECT count(*) FROM meditation.streak_records)`).Scan(&rows)
		if err != nil || rows != 0 || r.streakRecord(person) != -1 {
			t.Errorf("%d rows, %v", rows, err)
		}
	}
}

func TestCourseIsCompletedOnce(t *testing.T) {
	t.Parallel()
	r := newPracticeRig(t)
	ana := r.Register("ana@example.test")
	course, lessons := r.catalogue.course, r.catalogue.lessons
	milestones := r.milestones()
	completed := func(meditations ...uuid.UUID) bool {
		t.Helper()
		event := meditation.SessionsRecorded{UserID: ana.ID, Courses: []meditation.CourseFinished{
			{CourseID: uuid.New(), MeditationIDs: []uuid.UUID{uuid.New()}}, {CourseID: uuid.New()}, {CourseID: course, MeditationIDs: meditations},
		}}
		if err := milestones.Advance(t.Context(), event); err != nil {
			t.Fatal(err)
		}
		courses := r.progress(ana, 0, course).GetCourses()
		return len(courses) > 0 && courses[0].GetCompletedAt() != nil
	}
	r.listen(ana, lessons[0], 9, 10)
	r.listen(ana, lessons[0], 8, 10)
	r.listen(ana, lessons[1], 7, 10)
	r.listen(ana, lessons[2], 6, 5)
	if completed(lessons...) {
		t.Error("completed, and one was not finished")
	}
	last := r.listen(ana, lessons[2], 5, 9)
	if !completed(append(slices.Clone(lessons), lessons[0])...) {
		t.Error("not completed")
	}
	// A course that grows stays completed, and so does one whose sessions are deleted.
	if !completed(append(slices.Clone(lessons), uuid.New())...) {
		t.Error("not completed any more when the course has grown")
	}
	if _, err := r.as(ana).DeleteSession(t.Context(), &meditationv1.DeleteSessionRequest{SessionId: last.GetId()}); err != nil {
		t.Fatal(err)
	}
	if !completed(lessons...) {
		t.Error("not completed any more when a session is deleted")
	}
	r.listen(ana, lessons[2], 4, 9)
	if !completed(lessons...) {
		t.Error("not completed")
	}
	if n := events(r, ana, meditation.CourseCompleted{}.Kind()); n != 1 {
		t.Errorf("%d events", n)
	}
}
