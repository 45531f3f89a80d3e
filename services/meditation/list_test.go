package meditation_test

import (
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
)

// pages goes through the whole history, and gives the ids in order.
func (p *phone) pages(req *meditationv1.ListSessionsRequest) (ids []string) {
	p.t.Helper()
	for req = proto.CloneOf(req); ; {
		res := p.list(req)
		for _, s := range res.GetSessions() {
			ids = append(ids, s.GetId())
		}
		if req.PageToken = res.GetNextPageToken(); req.PageToken == "" {
			return ids
		}
	}
}

func TestListSessions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	p := r.phone(ana)
	start := r.Clock.Now().Add(-100 * time.Hour).Truncate(24 * time.Hour).Add(10 * time.Hour)
	lesson, alone := r.catalogue.lessons[0].String(), r.catalogue.alone.String()
	// Two of each moment, so that ids decide; told out of order.
	var sessions []*meditationv1.Session
	for i, meditation := range []string{"", lesson, alone, lesson, "", alone, lesson} {
		at := start.Add(time.Duration([]int{5, 0, 5, 48, 24, 24, 0}[i]) * time.Hour)
		sessions = append(sessions, p.practise(meditation, at, 10))
	}
	sessions = append(sessions, p.begin("", start.Add(72*time.Hour)))
	other := r.phone(r.Register("iva@example.test"))
	other.practise(lesson, start, 10)
	p.remove(p.practise(lesson, start, 10))

	slices.SortFunc(sessions, func(a, b *meditationv1.Session) int {
		if c := b.GetStartedAt().AsTime().Compare(a.GetStartedAt().AsTime()); c != 0 {
			return c
		}
		if a.GetId() < b.GetId() {
			return 1
		}
		return -1
	})
	day := func(n int) string { return start.AddDate(0, 0, n).Format(time.DateOnly) }
	const guided, timer = meditationv1.SessionKind_SESSION_KIND_GUIDED, meditationv1.SessionKind_SESSION_KIND_TIMER
	for what, test := range map[string]struct {
		req  *meditationv1.ListSessionsRequest
		want func(*meditationv1.Session) bool
	}{
		"all":             {&meditationv1.ListSessionsRequest{}, func(*meditationv1.Session) bool { return true }},
		"guided":          {&meditationv1.ListSessionsRequest{Kind: guided}, func(s *meditationv1.Session) bool { return s.GetMeditationId() != "" }},
		"timer":           {&meditationv1.ListSessionsRequest{Kind: timer}, func(s *meditationv1.Session) bool { return s.GetMeditationId() == "" }},
		"course":          {&meditationv1.ListSessionsRequest{CourseId: r.catalogue.course.String()}, func(s *meditationv1.Session) bool { return s.GetMeditationId() == lesson }},
		"timer of course": {&meditationv1.ListSessionsRequest{CourseId: r.catalogue.course.String(), Kind: timer}, func(*meditationv1.Session) bool { return false }},
		"from a day":      {&meditationv1.ListSessionsRequest{FromDate: day(1)}, func(s *meditationv1.Session) bool { return s.GetLocalDate() >= day(1) }},
		"to a day":        {&meditationv1.ListSessionsRequest{ToDate: day(1)}, func(s *meditationv1.Session) bool { return s.GetLocalDate() <= day(1) }},
		"one day of course": {
			&meditationv1.ListSessionsRequest{FromDate: day(0), ToDate: day(0), CourseId: r.catalogue.course.String(), Kind: guided},
			func(s *meditationv1.Session) bool { return s.GetLocalDate() == day(0) && s.GetMeditationId() == lesson },
		},
		"another course": {&meditationv1.ListSessionsRequest{CourseId: uuid.NewString()}, func(*meditationv1.Session) bool { return false }},
		"long ago":       {&meditationv1.ListSessionsRequest{FromDate: "1900-01-01", ToDate: "1999-12-31"}, func(*meditationv1.Session) bool { return false }},
		"for ever":       {&meditationv1.ListSessionsRequest{FromDate: "1900-01-01", ToDate: "9999-12-31"}, func(*meditationv1.Session) bool { return true }},
	} {
		var want []string
		for _, s := range sessions {
			if test.want(s) {
				want = append(want, s.GetId())
			}
		}
		for _, size := range []int32{0, 1, 3, 100} {
			test.req.PageSize = size
			if got := p.pages(test.req); !slices.Equal(got, want) {
				t.Errorf("%s, %d a page: %v, want %v", what, size, got, want)
			}
		}
	}
	if got := p.list(&meditationv1.ListSessionsRequest{PageSize: 1}).GetSessions()[0]; !proto.Equal(got, sessions[0]) || got.GetState() != running {
		t.Errorf("the newest: %v, want %v", got, sessions[0])
	}
}

// What is added or deleted while somebody goes through the pages shifts none of them.
func TestListSessionsWhileItChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.phone(r.Register("ana@example.test"))
	start := r.Clock.Now().Add(-time.Hour)
	var all []*meditationv1.Session
	for i := range 4 {
		all = append(all, p.practise("", start.Add(minutes(i)), 1))
	}
	first := p.list(&meditationv1.ListSessionsRequest{PageSize: 2})
	p.practise("", start.Add(minutes(20)), 1)
	p.remove(all[2])
	rest := p.list(&meditationv1.ListSessionsRequest{PageSize: 2, PageToken: first.GetNextPageToken()})
	if len(rest.GetSessions()) != 2 || rest.GetSessions()[0].GetId() != all[1].GetId() || rest.GetSessions()[1].GetId() != all[0].GetId() || rest.GetNextPageToken() != "" {
		t.Errorf("the second page: %v", rest)
	}
}

func TestListSessionsRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana, iva := r.phone(r.Register("ana@example.test")), r.phone(r.Register("iva@example.test"))
	start := r.Clock.Now().Add(-time.Hour)
	ana.practise("", start, 1)
	ana.practise("", start, 1)
	token := ana.list(&meditationv1.ListSessionsRequest{PageSize: 1}).GetNextPageToken()
	for what, test := range map[string]struct {
		p     *phone
		req   *meditationv1.ListSessionsRequest
		field string
	}{
		"a negative page":        {ana, &meditationv1.ListSessionsRequest{PageSize: -1}, "pageSize"},
		"a large page":           {ana, &meditationv1.ListSessionsRequest{PageSize: 101}, "pageSize"},
		"another person's token": {iva, &meditationv1.ListSessionsRequest{PageToken: token}, "pageToken"},
		"another query's token":  {ana, &meditationv1.ListSessionsRequest{PageToken: token, Kind: meditationv1.SessionKind_SESSION_KIND_TIMER}, "pageToken"},
		"a made-up token":        {ana, &meditationv1.ListSessionsRequest{PageToken: "AAAA"}, "pageToken"},
		"a cursor of changes":    {ana, &meditationv1.ListSessionsRequest{PageToken: ana.sync("", 0).GetCursor()}, "pageToken"},
		"no date":                {ana, &meditationv1.ListSessionsRequest{FromDate: "2026-02-30"}, "fromDate"},
		"no date either":         {ana, &meditationv1.ListSessionsRequest{ToDate: "today"}, "toDate"},
		"an old date":            {ana, &meditationv1.ListSessionsRequest{ToDate: "0001-01-01"}, "toDate"},
		"backwards":              {ana, &meditationv1.ListSessionsRequest{FromDate: "2026-02-02", ToDate: "2026-02-01"}, "toDate"},
		"no course":              {ana, &meditationv1.ListSessionsRequest{CourseId: "1"}, "courseId"},
		"no kind":                {ana, &meditationv1.ListSessionsRequest{Kind: 7}, "kind"},
	} {
		_, err := test.p.ListSessions(t.Context(), test.req)
		if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != test.field {
			t.Errorf("%s: %v, names %q", what, err, wrongField(err))
		}
	}
	nobody := meditationv1connect.NewMeditationServiceClient(r.Client(""))
	if _, err := nobody.ListSessions(t.Context(), &meditationv1.ListSessionsRequest{}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("nobody: %v", err)
	}
	if got := iva.list(&meditationv1.ListSessionsRequest{}); len(got.GetSessions()) != 0 {
		t.Errorf("another person sees %v", got)
	}
}
