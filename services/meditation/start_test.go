package meditation_test

import (
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
	"github.com/mindspace-app/mindspace/services/meditation"
)

func TestStartSession(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.people.set("Europe/Belgrade", 4)
	ana := r.Register("ana@example.test")
	p, now := r.phone(ana), r.Clock.Now()
	req := &meditationv1.StartSessionRequest{ClientId: uuid.NewString(), MeditationId: r.catalogue.lessons[0].String()}
	res, err := p.StartSession(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	want := &meditationv1.Session{
		Id: res.GetSession().GetId(), ClientId: req.GetClientId(), MeditationId: req.GetMeditationId(), CourseId: r.catalogue.course.String(),
		StartedAt: timestamppb.New(now), TimeZone: "Europe/Belgrade", DayStartHour: 4, LocalDate: res.GetSession().GetLocalDate(),
		Kind: meditationv1.SessionKind_SESSION_KIND_GUIDED, State: running,
	}
	if !proto.Equal(res.GetSession(), want) {
		t.Errorf("got %v, want %v", res.GetSession(), want)
	}
	// It is looked after when it should have ended, ten minutes and half an hour later.
	var due time.Time
	if err := r.Pool.QueryRow(t.Context(), "SELECT scheduled_at FROM river.river_job WHERE kind = $1", meditation.SessionStarted{}.Kind()).Scan(&due); err != nil {
		t.Fatal(err)
	}
	if !due.Equal(now.Add(minutes(40))) {
		t.Errorf("due at %s, started at %s", due, now)
	}
	// The same again, later, is the same session; what is left out is not compared.
	r.Clock.Advance(minutes(3))
	for what, change := range map[string]func(*meditationv1.StartSessionRequest){
		"as it was":      func(*meditationv1.StartSessionRequest) {},
		"with its start": func(q *meditationv1.StartSessionRequest) { q.StartedAt = timestamppb.New(now) },
		"with its zone":  func(q *meditationv1.StartSessionRequest) { q.TimeZone = "Europe/Belgrade" },
	} {
		again := proto.CloneOf(req)
		change(again)
		if res, err := p.StartSession(t.Context(), again); err != nil || !proto.Equal(res.GetSession(), want) {
			t.Errorf("%s: %v, %v", what, res, err)
		}
	}
	for what, change := range map[string]func(*meditationv1.StartSessionRequest){
		"another meditation": func(q *meditationv1.StartSessionRequest) { q.MeditationId = r.catalogue.alone.String() },
		"the timer":          func(q *meditationv1.StartSessionRequest) { q.MeditationId = "" },
		"another start":      func(q *meditationv1.StartSessionRequest) { q.StartedAt = timestamppb.New(now.Add(time.Microsecond)) },
		"another zone":       func(q *meditationv1.StartSessionRequest) { q.TimeZone = "Europe/Vienna" },
	} {
		other := proto.CloneOf(req)
		change(other)
		_, err := p.StartSession(t.Context(), other)
		refused(t, what, err, connect.CodeAlreadyExists, "CLIENT_ID_TAKEN")
		if got := authtest.Detail[*meditationv1.Session](err); !proto.Equal(got, want) {
			t.Errorf("%s: the stored session is told as %v", what, got)
		}
	}
	if n := events(r, ana, meditation.SessionStarted{}.Kind()); n != 1 || len(days(r, ana)) != 0 {
		t.Errorf("%d events, days %v", n, days(r, ana))
	}
	// What has become of it does not matter, unless it was deleted.
	done := p.finish(want, now.Add(minutes(2)))
	if res, err := p.StartSession(t.Context(), req); err != nil || !proto.Equal(res.GetSession(), done) {
		t.Errorf("completed: %v, %v", res, err)
	}
	p.remove(want)
	_, err = p.StartSession(t.Context(), req)
	refused(t, "deleted", err, connect.CodeFailedPrecondition, "SESSION_DELETED")
	// The client ids of another person are of no concern.
	if res, err := r.as(r.Register("iva@example.test")).StartSession(t.Context(), req); err != nil || res.GetSession().GetId() == want.GetId() {
		t.Errorf("another person: %v, %v", res, err)
	}
}

func TestStartSessionRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	now := r.Clock.Now()
	for what, test := range map[string]struct {
		req           *meditationv1.StartSessionRequest
		code          connect.Code
		field, reason string
	}{
		"no client id":       {&meditationv1.StartSessionRequest{}, connect.CodeInvalidArgument, "clientId", "REQUEST_INVALID"},
		"no meditation's id": {&meditationv1.StartSessionRequest{ClientId: uuid.NewString(), MeditationId: "1"}, connect.CodeInvalidArgument, "meditationId", "REQUEST_INVALID"},
		"no meditation": {
			&meditationv1.StartSessionRequest{ClientId: uuid.NewString(), MeditationId: uuid.NewString()}, connect.CodeNotFound, "meditationId", "MEDITATION_NOT_FOUND",
		},
		"the id of none": {
			&meditationv1.StartSessionRequest{ClientId: uuid.NewString(), MeditationId: uuid.Nil.String()}, connect.CodeNotFound, "meditationId", "MEDITATION_NOT_FOUND",
		},
		"a future start": {
			&meditationv1.StartSessionRequest{ClientId: uuid.NewString(), StartedAt: timestamppb.New(now.Add(minutes(5) + time.Second))}, connect.CodeInvalidArgument, "startedAt", "",
		},
		"before 2000": {&meditationv1.StartSessionRequest{ClientId: uuid.NewString(), StartedAt: at(t, "1999-12-31T23:59:59Z")}, connect.CodeInvalidArgument, "startedAt", ""},
		"no time": {
			&meditationv1.StartSessionRequest{ClientId: uuid.NewString(), StartedAt: &timestamppb.Timestamp{Seconds: 1e12}}, connect.CodeInvalidArgument, "startedAt", "",
		},
		"an unknown zone": {&meditationv1.StartSessionRequest{ClientId: uuid.NewString(), TimeZone: "Mars/Olympus"}, connect.CodeInvalidArgument, "timeZone", "TIME_ZONE_UNKNOWN"},
		"the machine's":   {&meditationv1.StartSessionRequest{ClientId: uuid.NewString(), TimeZone: "Local"}, connect.CodeInvalidArgument, "timeZone", "TIME_ZONE_UNKNOWN"},
	} {
		_, err := r.as(ana).StartSession(t.Context(), test.req)
		refused(t, what, err, test.code, test.reason)
		if got := wrongField(err); got != test.field {
			t.Errorf("%s: names %q, want %q", what, got, test.field)
		}
	}
	nobody := meditationv1connect.NewMeditationServiceClient(r.Client(""))
	if _, err := nobody.StartSession(t.Context(), &meditationv1.StartSessionRequest{ClientId: uuid.NewString()}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("nobody: %v", err)
	}
	if n := r.count("SELECT count(*) FROM meditation.sessions"); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

// A phone's clock may be a little ahead, and a start that comes late is taken; neither is looked after at once.
func TestStartSessionByAnotherClock(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	p, now := r.phone(ana), r.Clock.Now()
	for what, start := range map[string]time.Time{"ahead": now.Add(minutes(4)), "last week": now.Add(-7 * 24 * time.Hour)} {
		s := p.begin("", start)
		if !s.GetStartedAt().AsTime().Equal(start) {
			t.Errorf("%s: %v", what, s)
		}
		if n := r.count("SELECT count(*) FROM river.river_job WHERE args ->> 'session_id' = $1 AND scheduled_at >= $2", s.GetId(), now.Add(minutes(30))); n != 1 {
			t.Errorf("%s: looked after at once", what)
		}
	}
}

// A phone that asks several times at once, as it does when answers are lost, begins one session.
func TestStartSessionAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	for range 20 {
		req := &meditationv1.StartSessionRequest{ClientId: uuid.NewString(), MeditationId: r.catalogue.alone.String(), StartedAt: timestamppb.New(r.Clock.Now())}
		answers := make([]*meditationv1.StartSessionResponse, 4)
		var asking sync.WaitGroup
		for i := range answers {
			asking.Go(func() {
				var err error
				if answers[i], err = r.as(ana).StartSession(t.Context(), req); err != nil {
					t.Error(err)
				}
			})
		}
		asking.Wait()
		for _, answer := range answers[1:] {
			if !proto.Equal(answer, answers[0]) {
				t.Fatalf("%v and %v", answer, answers[0])
			}
		}
	}
	if n := events(r, ana, meditation.SessionStarted{}.Kind()); n != 20 || r.count("SELECT count(*) FROM meditation.sessions") != 20 {
		t.Errorf("%d events", n)
	}
}

// A session counts on the local date of its start, in its own zone, by the hour at which the person's day begins.
func TestLocalDate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.phone(r.Register("ana@example.test"))
	for _, test := range []struct {
		start, zone string
		hour        int32
		date        string
	}{
		{"2026-03-28T23:30:00Z", "Europe/Belgrade", 0, "2026-03-29"},
		{"2026-03-29T00:59:59Z", "Europe/Belgrade", 2, "2026-03-28"}, // 01:59, and the clock jumps to 03:00
		{"2026-03-29T01:00:00Z", "Europe/Belgrade", 2, "2026-03-29"},
		{"2026-03-29T01:59:59Z", "Europe/Belgrade", 4, "2026-03-28"}, // 03:59 already
		{"2026-03-29T02:00:00Z", "Europe/Belgrade", 4, "2026-03-29"},
		{"2026-10-25T00:30:00Z", "Europe/Belgrade", 3, "2026-10-24"}, // 02:30, for the first time
		{"2026-10-25T01:30:00Z", "Europe/Belgrade", 3, "2026-10-24"}, // and again
		{"2026-10-25T02:00:00Z", "Europe/Belgrade", 3, "2026-10-25"},
		{"2011-12-30T09:59:59Z", "Pacific/Apia", 0, "2011-12-29"}, // the 30th never was in Samoa
		{"2011-12-30T10:00:00Z", "Pacific/Apia", 0, "2011-12-31"},
		{"2026-06-01T18:29:59Z", "Asia/Kolkata", 0, "2026-06-01"},
		{"2026-06-01T18:30:00Z", "Asia/Kolkata", 0, "2026-06-02"},
		{"2026-06-01T18:14:59Z", "Asia/Kathmandu", 0, "2026-06-01"},
		{"2026-06-01T18:15:00Z", "Asia/Kathmandu", 0, "2026-06-02"},
		{"2026-06-01T22:29:00Z", "Asia/Kolkata", 4, "2026-06-01"},
		{"2026-06-01T22:30:00Z", "Asia/Kolkata", 4, "2026-06-02"},
		{"2026-04-04T14:45:00Z", "Australia/Lord_Howe", 2, "2026-04-04"}, // an hour that is turned back by half
		{"2026-06-01T10:00:00Z", "Pacific/Kiritimati", 0, "2026-06-02"},
		{"2026-06-01T09:59:59Z", "Pacific/Midway", 23, "2026-05-30"},
		{"2000-01-01T00:00:00Z", "America/New_York", 0, "1999-12-31"},
	} {
		r.people.set("UTC", test.hour)
		res, err := p.StartSession(t.Context(), &meditationv1.StartSessionRequest{ClientId: uuid.NewString(), StartedAt: at(t, test.start), TimeZone: test.zone})
		if err != nil {
			t.Fatal(err)
		}
		if got := res.GetSession(); got.GetLocalDate() != test.date || got.GetTimeZone() != test.zone || got.GetDayStartHour() != test.hour {
			t.Errorf("%s in %s, day from %d: %s, want %s", test.start, test.zone, test.hour, got.GetLocalDate(), test.date)
		}
		listed := p.list(&meditationv1.ListSessionsRequest{FromDate: test.date, ToDate: test.date}).GetSessions()
		found := false
		for _, s := range listed {
			found = found || s.GetId() == res.GetSession().GetId()
		}
		if !found {
			t.Errorf("%s in %s, day from %d is not listed on its date", test.start, test.zone, test.hour)
		}
	}
}
