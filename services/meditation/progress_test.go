package meditation_test

import (
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
)

// listen records a meditation that was practised for some minutes of its ten, hours ago.
func (r *rig) listen(p *authtest.Person, meditation uuid.UUID, hoursAgo, minutes int) *meditationv1.Session {
	r.t.Helper()
	one := told(r.Clock.Now().Add(-time.Duration(hoursAgo)*time.Hour), minutes)
	one.MeditationId = meditation.String()
	result := record(r.t, r.as(p), one)[0]
	if result.GetError() != nil {
		r.t.Fatal(result)
	}
	return result.GetSession()
}

// progress is what other domains are told.
func (r *rig) progress(p *authtest.Person, recent int32, courses ...uuid.UUID) *meditationv1.GetProgressResponse {
	r.t.Helper()
	req := &meditationv1.GetProgressRequest{Recent: recent}
	for _, id := range courses {
		req.CourseIds = append(req.CourseIds, id.String())
	}
	res, err := r.practice(p).GetProgress(r.t.Context(), req)
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

func TestProgress(t *testing.T) {
	t.Parallel()
	r := newPracticeRig(t)
	ana, ben := r.Register("ana@example.test"), r.Register("ben@example.test")
	course, lessons := r.catalogue.course, r.catalogue.lessons
	if res := r.progress(ana, 100, course); len(res.GetCourses()) != 0 || len(res.GetRecent()) != 0 {
		t.Errorf("before anything: %v", res)
	}
	r.listen(ana, lessons[2], 9, 10)
	r.listen(ana, lessons[0], 8, 8)         // four fifths finish it
	last := r.listen(ana, lessons[1], 7, 7) // less does not
	r.listen(ana, r.catalogue.alone, 6, 10)
	r.listen(ana, lessons[0], 10, 10)
	running, err := r.as(ana).StartSession(t.Context(), &meditationv1.StartSessionRequest{ClientId: uuid.NewString(), MeditationId: lessons[1].String()})
	if err != nil {
		t.Fatal(err)
	}
	res := r.progress(ana, 100, uuid.New(), course, course)
	if len(res.GetCourses()) != 1 {
		t.Fatalf("courses: %v", res)
	}
	want := []string{lessons[0].String(), lessons[2].String()}
	slices.Sort(want)
	if c := res.GetCourses()[0]; c.GetCourseId() != course.String() || !slices.Equal(c.GetFinishedMeditationIds(), want) || c.CompletedAt != nil ||
		!c.GetLastPracticedAt().AsTime().Equal(last.GetStartedAt().AsTime()) {
		t.Errorf("progress: %v, want %v finished, last %v", c, want, last.GetStartedAt())
	}
	var recent []string
	for _, one := range res.GetRecent() {
		recent = append(recent, one.GetMeditationId())
	}
	latest := []string{r.catalogue.alone.String(), lessons[1].String(), lessons[0].String(), lessons[2].String()}
	if !slices.Equal(recent, latest) {
		t.Errorf("recent: %v, want %v", recent, latest)
	}
	if res := r.progress(ana, 2); len(res.GetCourses()) != 0 || len(res.GetRecent()) != 2 || res.GetRecent()[1].GetMeditationId() != latest[1] {
		t.Errorf("two recent ones: %v", res)
	}
	// What is deleted counts no longer, and nobody sees another's.
	for _, s := range []*meditationv1.Session{last, running.GetSession()} {
		if _, err := r.as(ana).DeleteSession(t.Context(), &meditationv1.DeleteSessionRequest{SessionId: s.GetId()}); err != nil {
			t.Fatal(err)
		}
	}
	if res := r.progress(ana, 100, course); len(res.GetRecent()) != 3 || !res.GetCourses()[0].GetLastPracticedAt().AsTime().Equal(last.GetStartedAt().AsTime().Add(-time.Hour)) {
		t.Errorf("after deleting: %v", res)
	}
	if res := r.progress(ben, 100, course); len(res.GetCourses()) != 0 || len(res.GetRecent()) != 0 {
		t.Errorf("somebody else: %v", res)
	}
}

// Only the last hundred sessions are looked at, so that a long history costs nothing.
func TestRecentIsBounded(t *testing.T) {
	t.Parallel()
	r := newPracticeRig(t)
	ana := r.Register("ana@example.test")
	r.listen(ana, r.catalogue.alone, 300, 10)
	var sessions []*meditationv1.RecordedSession
	for n := range 99 {
		one := told(r.Clock.Now().Add(-time.Duration(n+2)*time.Hour), 5)
		one.MeditationId = r.catalogue.lessons[n%2].String()
		sessions = append(sessions, one)
	}
	record(t, r.as(ana), sessions...)
	if got := len(r.progress(ana, 100).GetRecent()); got != 3 {
		t.Errorf("%d of a hundred sessions", got)
	}
	r.listen(ana, r.catalogue.lessons[0], 1, 5)
	if got := len(r.progress(ana, 100).GetRecent()); got != 2 {
		t.Errorf("%d when it is the hundred and first", got)
	}
}

func TestProgressRefuses(t *testing.T) {
	t.Parallel()
	r := newPracticeRig(t)
	ana, nobody := r.Register("ana@example.test"), meditationv1connect.NewPracticeServiceClient(r.Client(""))
	if _, err := nobody.GetProgress(t.Context(), &meditationv1.GetProgressRequest{}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("nobody: %v", err)
	}
	many := make([]string, 101)
	for i := range many {
		many[i] = uuid.NewString()
	}
	for _, test := range []struct {
		field string
		req   *meditationv1.GetProgressRequest
	}{
		{"courseIds[1]", &meditationv1.GetProgressRequest{CourseIds: []string{uuid.NewString(), "sleep"}}},
		{"courseIds", &meditationv1.GetProgressRequest{CourseIds: many}},
		{"recent", &meditationv1.GetProgressRequest{Recent: -1}},
		{"recent", &meditationv1.GetProgressRequest{Recent: 101}},
	} {
		_, err := r.practice(ana).GetProgress(t.Context(), test.req)
		if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != test.field {
			t.Errorf("%s: %v names %q", test.field, err, wrongField(err))
		}
	}
}
