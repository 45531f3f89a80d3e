package content_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1/contentv1connect"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
)

const (
	nextInCourse = contentv1.ForNowReason_FOR_NOW_REASON_NEXT_IN_COURSE
	favourite    = contentv1.ForNowReason_FOR_NOW_REASON_FAVOURITE
	ofTheTime    = contentv1.ForNowReason_FOR_NOW_REASON_TIME_OF_DAY
)

// forNow asks for proposals at a time of 2026-12-31 in UTC, as 15:04.
func forNow(t *testing.T, client contentv1connect.ContentServiceClient, clock, zone string, limit int32) *contentv1.ListForNowResponse {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04", "2026-12-31 "+clock)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.ListForNow(t.Context(), &contentv1.ListForNowRequest{At: timestamppb.New(at), TimeZone: zone, Limit: limit, Locale: "ru"})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestListForNowSignedOut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for clock, want := range map[string]contentv1.TimeOfDay{
		"06:00": contentv1.TimeOfDay_TIME_OF_DAY_MORNING, "12:00": contentv1.TimeOfDay_TIME_OF_DAY_DAY,
		"18:30": contentv1.TimeOfDay_TIME_OF_DAY_EVENING, "23:00": contentv1.TimeOfDay_TIME_OF_DAY_NIGHT,
	} {
		res := forNow(t, r.client, clock, "", 0)
		if res.GetTimeOfDay() != want || len(res.GetItems()) != 5 {
			t.Errorf("%s: %v", clock, res)
		}
		for _, item := range res.GetItems() {
			if item.GetReason() != ofTheTime || item.GetReasonText() == "" || item.GetMeditation().GetLocale() != "ru" {
				t.Errorf("%s: %v", clock, item)
			}
			if want == contentv1.TimeOfDay_TIME_OF_DAY_NIGHT && item.GetMeditation().GetCategory() != "sleep" {
				t.Errorf("for the night: %v", item)
			}
		}
	}
	// The zone decides, not the server's clock: half past eleven at night in India is six in the evening in UTC.
	if res := forNow(t, r.client, "18:00", "Asia/Kolkata", 20); res.GetTimeOfDay() != contentv1.TimeOfDay_TIME_OF_DAY_NIGHT || len(res.GetItems()) != 20 {
		t.Errorf("in India: %v and %d items", res.GetTimeOfDay(), len(res.GetItems()))
	}
	if res, err := r.client.ListForNow(t.Context(), &contentv1.ListForNowRequest{}); err != nil || len(res.GetItems()) != 5 || res.GetTimeOfDay() == 0 {
		t.Errorf("now: %v, %v", res, err)
	}
	if len(r.practice.asked()) != 0 {
		t.Error("practice was asked for nobody")
	}
}

func TestListForNowSignedIn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.org")
	courses := allCourses(t, r.client, &contentv1.ListCoursesRequest{})
	at := time.Date(2026, 12, 30, 20, 0, 0, 0, time.UTC)
	sleep, walking := courses[1].GetMeditationIds(), ids(all(t, r, &contentv1.ListMeditationsRequest{Tag: "walking"}))
	r.practice.tell(&meditationv1.GetProgressResponse{
		Courses: []*meditationv1.CourseProgress{{CourseId: courses[0].GetId(), FinishedMeditationIds: courses[0].GetMeditationIds()[:1], LastPracticedAt: timestamppb.New(at)}},
		Recent:  []*meditationv1.Practiced{{MeditationId: sleep[0], LastStartedAt: timestamppb.New(at)}},
	}, nil)
	r.like(t, ana, walking[0], true)
	res := forNow(t, r.as(ana), "23:00", "", 20)
	items := res.GetItems()
	if items[0].GetReason() != nextInCourse || items[0].GetMeditation().GetId() != courses[0].GetMeditationIds()[1] || !strings.Contains(items[0].GetReasonText(), "«Первые шаги»") {
		t.Errorf("first: %v", items[0])
	}
	if items[1].GetReason() != favourite || items[1].GetMeditation().GetId() != walking[0] || items[2].GetReason() != ofTheTime {
		t.Errorf("then: %v, %v", items[1], items[2])
	}
	if slices.ContainsFunc(items, func(i *contentv1.ListForNowResponse_ForNow) bool { return i.GetMeditation().GetId() == sleep[0] }) {
		t.Error("what was practised yesterday is proposed")
	}
	if asked := r.practice.asked(); len(asked) != 1 || asked[0].person != ana.ID.String() || len(asked[0].courses) != 6 {
		t.Errorf("asked: %v", asked)
	}
	// Without the meditation domain there are favourites and the time of day.
	r.practice.tell(nil, fault.Unavailable("away"))
	if items := forNow(t, r.as(ana), "23:00", "", 20).GetItems(); items[0].GetReason() != favourite || items[1].GetReason() != ofTheTime || len(items) != 20 {
		t.Errorf("practice is away: %v", items)
	}
}

// Whoever does not say where they are is where their profile says, and that is for themselves alone.
func TestListForNowTakesZoneOfProfile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.org")
	if res := forNow(t, r.as(ana), "18:00", "", 1); res.GetTimeOfDay() != contentv1.TimeOfDay_TIME_OF_DAY_EVENING {
		t.Errorf("the user domain is away: %v, want that of UTC", res.GetTimeOfDay())
	}
	r.users.live("Asia/Tokyo")
	for zone, want := range map[string]contentv1.TimeOfDay{
		"": contentv1.TimeOfDay_TIME_OF_DAY_NIGHT, "UTC": contentv1.TimeOfDay_TIME_OF_DAY_EVENING, "America/New_York": contentv1.TimeOfDay_TIME_OF_DAY_DAY,
	} {
		if res := forNow(t, r.as(ana), "18:00", zone, 1); res.GetTimeOfDay() != want {
			t.Errorf("zone %q: %v, want %v", zone, res.GetTimeOfDay(), want)
		}
	}
	if res := forNow(t, r.client, "18:00", "", 1); res.GetTimeOfDay() != contentv1.TimeOfDay_TIME_OF_DAY_EVENING {
		t.Errorf("nobody: %v", res.GetTimeOfDay())
	}
}

func TestListForNowRefusesBadInput(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, tt := range map[string]struct {
		req   *contentv1.ListForNowRequest
		field string
	}{
		"unknown zone":      {&contentv1.ListForNowRequest{TimeZone: "Mars/Olympus"}, "timeZone"},
		"the machine's own": {&contentv1.ListForNowRequest{TimeZone: "Local"}, "timeZone"},
		"a path":            {&contentv1.ListForNowRequest{TimeZone: "../../etc/passwd"}, "timeZone"},
		"no time":           {&contentv1.ListForNowRequest{At: &timestamppb.Timestamp{Seconds: -1 << 60}}, "at"},
		"negative limit":    {&contentv1.ListForNowRequest{Limit: -1}, "limit"},
		"limit too high":    {&contentv1.ListForNowRequest{Limit: 21}, "limit"},
		"locale":            {&contentv1.ListForNowRequest{Locale: "<>"}, "locale"},
	} {
		if _, err := r.client.ListForNow(t.Context(), tt.req); wrongField(t, err) != tt.field {
			t.Errorf("%s: %v, want %s", name, err, tt.field)
		}
	}
	if _, err := contentv1connect.NewContentServiceClient(r.Client(uuid.NewString())).ListForNow(t.Context(), &contentv1.ListForNowRequest{}); err == nil {
		t.Error("a bad token is taken for nobody")
	}
}
