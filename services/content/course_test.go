package content_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1/contentv1connect"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/services/content"
)

// allCourses pages through the courses.
func allCourses(t *testing.T, client contentv1connect.ContentServiceClient, req *contentv1.ListCoursesRequest) []*contentv1.Course {
	t.Helper()
	var found []*contentv1.Course
	for range 100 {
		res, err := client.ListCourses(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, res.GetCourses()...)
		if req.PageToken = res.GetNextPageToken(); req.GetPageToken() == "" {
			return found
		}
	}
	t.Fatal("the pages do not end")
	return nil
}

func TestListCourses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	whole := allCourses(t, r.client, &contentv1.ListCoursesRequest{Locale: "sr"})
	if len(whole) != 6 {
		t.Fatalf("%d courses, want 6", len(whole))
	}
	for _, c := range whole {
		var seconds int32
		meditations := all(t, r, &contentv1.ListMeditationsRequest{CourseId: c.GetId(), PageSize: 100, Locale: "sr"})
		for _, m := range meditations {
			seconds += m.GetDurationSeconds()
			if m.GetCategory() != c.GetCategory() || m.GetCourseTitle() != c.GetTitle() {
				t.Errorf("%q is not of the course %q", m.GetTitle(), c.GetTitle())
			}
		}
		if !slices.Equal(c.GetMeditationIds(), ids(meditations)) || c.GetTotalSeconds() != seconds || int(c.GetMeditationCount()) != len(meditations) {
			t.Errorf("%q has %d meditations of %d s, want %d of %d s", c.GetTitle(), c.GetMeditationCount(), c.GetTotalSeconds(), len(meditations), seconds)
		}
		if c.GetTitle() == "" || c.GetDescription() == "" || c.GetCategory() == "" || c.GetLocale() != "sr" || c.GetProgress() != nil {
			t.Errorf("incomplete, or with somebody's progress: %v", c)
		}
	}
	for _, size := range []int32{1, 4, 6} {
		paged := allCourses(t, r.client, &contentv1.ListCoursesRequest{Locale: "sr", PageSize: size})
		if !slices.EqualFunc(paged, whole, func(a, b *contentv1.Course) bool { return proto.Equal(a, b) }) {
			t.Errorf("pages of %d hold others than one page", size)
		}
	}
	if found := allCourses(t, r.client, &contentv1.ListCoursesRequest{Category: "sleep"}); len(found) != 1 || found[0].GetTitle() != "Good Night" {
		t.Errorf("of the category sleep: %v", found)
	}
	if found := allCourses(t, r.client, &contentv1.ListCoursesRequest{Category: "no_such"}); len(found) != 0 {
		t.Errorf("of an unknown category: %v", found)
	}
}

func TestListCoursesRefusesBadInput(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	page, err := r.client.ListCourses(t.Context(), &contentv1.ListCoursesRequest{PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		req   *contentv1.ListCoursesRequest
		field string
	}{
		"negative size":             {&contentv1.ListCoursesRequest{PageSize: -1}, "pageSize"},
		"size above the limit":      {&contentv1.ListCoursesRequest{PageSize: 101}, "pageSize"},
		"token that is no token":    {&contentv1.ListCoursesRequest{PageToken: "abc"}, "pageToken"},
		"token of another locale":   {&contentv1.ListCoursesRequest{PageToken: page.GetNextPageToken(), Locale: "ru"}, "pageToken"},
		"token of another category": {&contentv1.ListCoursesRequest{PageToken: page.GetNextPageToken(), Category: "sleep"}, "pageToken"},
		"locale that is no tag":     {&contentv1.ListCoursesRequest{Locale: "<>"}, "locale"},
		"category that is no code":  {&contentv1.ListCoursesRequest{Category: "Sleep!"}, "category"},
	} {
		if _, err := r.client.ListCourses(t.Context(), tt.req); wrongField(t, err) != tt.field {
			t.Errorf("%s: %v, want %s", name, err, tt.field)
		}
	}
}

func TestGetCourse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	want := allCourses(t, r.client, &contentv1.ListCoursesRequest{})[1]
	res, err := r.client.GetCourse(t.Context(), &contentv1.GetCourseRequest{Id: want.GetId()})
	if err != nil || !proto.Equal(res.GetCourse(), want) || !slices.Equal(ids(res.GetMeditations()), want.GetMeditationIds()) {
		t.Errorf("got %v, %v; want %v", res, err, want)
	}
	_, err = r.client.GetCourse(t.Context(), &contentv1.GetCourseRequest{Id: uuid.NewString()})
	refused(t, "an unknown course", err, connect.CodeNotFound, "COURSE_NOT_FOUND")
	for _, id := range []string{"", "1", strings.Repeat("f", 10_000)} {
		if _, err := r.client.GetCourse(t.Context(), &contentv1.GetCourseRequest{Id: id}); wrongField(t, err) != "id" {
			t.Errorf("id %.20q: %v", id, err)
		}
	}
	// What is not published is not there, and neither is what belongs to it.
	r.exec(t, "UPDATE content.meditations SET published_at = NULL WHERE id = $1", want.GetMeditationIds()[0])
	r.exec(t, "DELETE FROM content.course_texts WHERE course_id = $1 AND locale = 'en'", want.GetId())
	r.service.CatalogueChanged(t.Context())
	res, err = r.client.GetCourse(t.Context(), &contentv1.GetCourseRequest{Id: want.GetId()})
	if err != nil || !slices.Equal(res.GetCourse().GetMeditationIds(), want.GetMeditationIds()[1:]) || res.GetCourse().GetLocale() != "ru" {
		t.Errorf("got %v, %v; want one meditation fewer, and the Russian text", res, err)
	}
	r.exec(t, "UPDATE content.courses SET published_at = NULL WHERE id = $1", want.GetId())
	r.service.CatalogueChanged(t.Context())
	_, err = r.client.GetCourse(t.Context(), &contentv1.GetCourseRequest{Id: want.GetId()})
	refused(t, "an unpublished course", err, connect.CodeNotFound, "COURSE_NOT_FOUND")
	if left := allCourses(t, r.client, &contentv1.ListCoursesRequest{}); len(left) != 5 {
		t.Errorf("%d courses are listed, want 5", len(left))
	}
}

func TestCourseProgress(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.org")
	courses := allCourses(t, r.client, &contentv1.ListCoursesRequest{})
	begun, done := courses[0], courses[1]
	at := timestamppb.New(r.Clock.Now().Add(-time.Hour))
	first := begun.GetMeditationIds()
	r.practice.tell(&meditationv1.GetProgressResponse{Courses: []*meditationv1.CourseProgress{
		// One of them is not in the course any more.
		{CourseId: begun.GetId(), FinishedMeditationIds: []string{first[2], uuid.NewString(), first[0]}, LastPracticedAt: at},
		{CourseId: done.GetId(), FinishedMeditationIds: done.GetMeditationIds(), CompletedAt: at, LastPracticedAt: at},
	}}, nil)
	mine := allCourses(t, r.as(ana), &contentv1.ListCoursesRequest{})
	for n, want := range []*contentv1.CourseProgress{
		{FinishedMeditationIds: []string{first[0], first[2]}, FinishedCount: 2, TotalCount: 8, NextMeditationId: first[1], LastPracticedAt: at},
		{FinishedMeditationIds: done.GetMeditationIds(), FinishedCount: 7, TotalCount: 7, CompletedAt: at, LastPracticedAt: at},
		{TotalCount: 7, NextMeditationId: courses[2].GetMeditationIds()[0]},
	} {
		if got := mine[n].GetProgress(); !proto.Equal(got, want) {
			t.Errorf("course %d: %v, want %v", n+1, got, want)
		}
		res, err := r.as(ana).GetCourse(t.Context(), &contentv1.GetCourseRequest{Id: courses[n].GetId()})
		if err != nil || !proto.Equal(res.GetCourse(), mine[n]) {
			t.Errorf("course %d alone: %v, %v", n+1, res, err)
		}
	}
	asked := r.practice.asked()
	if len(asked) != 4 || asked[0].person != ana.ID.String() || len(asked[0].courses) != 6 {
		t.Errorf("asked %v, want once for the page and once for each course, for ana", asked)
	}
	// What was added for one is never another's.
	for _, c := range allCourses(t, r.client, &contentv1.ListCoursesRequest{}) {
		if c.GetProgress() != nil {
			t.Errorf("progress for nobody: %v", c)
		}
	}
	if len(r.practice.asked()) != 0 {
		t.Error("practice was asked for nobody")
	}
}

// When it cannot be told what was practised, the catalogue is there all the same.
func TestCoursesWithoutPractice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.org")
	for name, failure := range map[string]error{"away": fault.Unavailable("away"), "broken": errors.New("it broke")} {
		r.practice.tell(nil, failure)
		courses := allCourses(t, r.as(ana), &contentv1.ListCoursesRequest{})
		if len(courses) != 6 || courses[0].GetProgress() != nil {
			t.Errorf("%s: %v", name, courses)
		}
		res, err := r.as(ana).GetCourse(t.Context(), &contentv1.GetCourseRequest{Id: courses[0].GetId()})
		if err != nil || res.GetCourse().GetProgress() != nil || len(res.GetMeditations()) != 8 {
			t.Errorf("%s: %v, %v", name, res, err)
		}
	}
	without := newRig(t, func(o *content.Options) { o.Practice = nil })
	if courses := allCourses(t, without.as(without.Register("iva@example.org")), &contentv1.ListCoursesRequest{}); len(courses) != 6 || courses[0].GetProgress() != nil {
		t.Errorf("not wired: %v", courses)
	}
}

// Whoever presents a token that is not good (any more) is told, rather than getting an answer without what is theirs.
func TestCoursesRefuseBadTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client := contentv1connect.NewContentServiceClient(r.Client("no.such.token"))
	if _, err := client.ListCourses(t.Context(), &contentv1.ListCoursesRequest{}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("got %v, want unauthenticated", err)
	}
	if _, err := client.ListMeditations(t.Context(), &contentv1.ListMeditationsRequest{}); err != nil {
		t.Errorf("what is the same for everybody: %v", err)
	}
}
