package meditation_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
	"github.com/mindspace-app/mindspace/services/meditation"
)

// calendar asks for a calendar.
func (r *rig) calendar(p *authtest.Person, from, to string, period meditationv1.Period) []*meditationv1.CalendarPoint {
	r.t.Helper()
	res, err := r.as(p).GetCalendar(r.t.Context(), &meditationv1.GetCalendarRequest{FromDate: from, ToDate: to, Period: period})
	if err != nil {
		r.t.Fatal(err)
	}
	return res.GetPoints()
}

func TestCalendar(t *testing.T) {
	t.Parallel()
	r := newPracticeRig(t)
	r.atNoon()
	ana, ben := r.Register("ana@example.test"), r.Register("ben@example.test")
	r.practise(ana, -31, -9, -8, -7, -6, -5, -4, -3, -1, -1)
	points := r.calendar(ana, "", "", meditationv1.Period_PERIOD_UNSPECIFIED)
	if len(points) != 30 || points[0].GetDate() != (r.today()-29).String() || points[29].GetDate() != r.today().String() {
		t.Fatalf("%d points: %v", len(points), points)
	}
	for i, p := range points {
		want := &meditationv1.CalendarPoint{Date: (r.today() - 29 + meditation.Day(i)).String()}
		switch day := i - 29; {
		case day == -1:
			want.Sessions, want.Minutes, want.PracticeDays = 2, 20, 1
		case day == -2:
			want.FrozenDays = 1
		case day >= -9 && day <= -3:
			want.Sessions, want.Minutes, want.PracticeDays = 1, 10, 1
		}
		if p.String() != want.String() {
			t.Errorf("%v, want %v", p, want)
		}
	}
	for _, p := range r.calendar(ben, "", "", meditationv1.Period_PERIOD_DAY) {
		if p.GetPracticeDays() != 0 || p.GetFrozenDays() != 0 {
			t.Errorf("somebody else has %v", p)
		}
	}
	// What was frozen before the span is not in it.
	if first := r.calendar(ana, (r.today() - 1).String(), "", meditationv1.Period_PERIOD_WEEK)[0]; first.GetFrozenDays() != 0 || first.GetPracticeDays() != 1 {
		t.Errorf("the span begins with %v", first)
	}
	// Where the person is, today may be another date, and so is the end of the calendar.
	r.people.set("Pacific/Kiritimati", 0)
	if points := r.calendar(ana, "", "", meditationv1.Period_PERIOD_DAY); points[29].GetDate() != (r.today() + 1).String() {
		t.Errorf("it ends on %v", points[29])
	}
	r.people.set("UTC", 13)
	if points := r.calendar(ana, "", "", meditationv1.Period_PERIOD_DAY); points[29].GetDate() != (r.today() - 1).String() {
		t.Errorf("it ends on %v", points[29])
	}
}

// Weeks begin on Monday, also over the end of a year; what is cut off by the span is not summed up.
func TestCalendarPeriods(t *testing.T) {
	t.Parallel()
	r := newPracticeRig(t)
	ana := r.Register("ana@example.test")
	var sessions []*meditationv1.RecordedSession
	for day := time.Date(2019, 12, 20, 9, 0, 0, 0, time.UTC); day.Before(time.Date(2020, 3, 10, 0, 0, 0, 0, time.UTC)); day = day.AddDate(0, 0, 1) {
		one := told(day, 1)
		one.EndedAt = timestamppb.New(day.Add(90 * time.Second))
		sessions = append(sessions, one)
	}
	record(t, r.as(ana), sessions...)
	for _, test := range []struct {
		from, to string
		period   meditationv1.Period
		want     string
	}{
		{"2019-12-28", "2020-01-08", meditationv1.Period_PERIOD_WEEK, "2019-12-28: 2 in 3 min, 2019-12-30: 7 in 10 min, 2020-01-06: 3 in 4 min, "},
		{"2020-01-31", "2020-03-01", meditationv1.Period_PERIOD_MONTH, "2020-01-31: 1 in 1 min, 2020-02-01: 29 in 43 min, 2020-03-01: 1 in 1 min, "},
		{"2019-12-01", "2019-12-31", meditationv1.Period_PERIOD_MONTH, "2019-12-01: 12 in 18 min, "},
		{"2020-02-28", "2020-03-01", meditationv1.Period_PERIOD_DAY, "2020-02-28: 1 in 1 min, 2020-02-29: 1 in 1 min, 2020-03-01: 1 in 1 min, "},
		{"2020-02-29", "2020-02-29", meditationv1.Period_PERIOD_WEEK, "2020-02-29: 1 in 1 min, "},
	} {
		var got string
		for _, p := range r.calendar(ana, test.from, test.to, test.period) {
			if p.GetSessions() != p.GetPracticeDays() {
				t.Errorf("one a day: %v", p)
			}
			got += fmt.Sprintf("%s: %d in %d min, ", p.GetDate(), p.GetSessions(), p.GetMinutes())
		}
		if got != test.want {
			t.Errorf("%s to %s by %v:\n%s, want\n%s", test.from, test.to, test.period, got, test.want)
		}
	}
	// Two freezes are held on 9 March, and stand in for the 10th and the 11th.
	if points := r.calendar(ana, "2020-03-01", "2020-03-10", meditationv1.Period_PERIOD_MONTH); len(points) != 1 || points[0].GetFrozenDays() != 1 || points[0].GetPracticeDays() != 9 {
		t.Errorf("the span ends with a frozen day: %v", points)
	}
	if points := r.calendar(ana, "2015-03-01", "2025-03-08", meditationv1.Period_PERIOD_DAY); len(points) != 3661 {
		t.Errorf("the longest span has %d points", len(points))
	}
}

func TestCalendarRefuses(t *testing.T) {
	t.Parallel()
	r := newPracticeRig(t)
	ana, nobody := r.Register("ana@example.test"), meditationv1connect.NewMeditationServiceClient(r.Client(""))
	if _, err := nobody.GetCalendar(t.Context(), &meditationv1.GetCalendarRequest{}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("nobody: %v", err)
	}
	for _, test := range []struct {
		field, from, to string
		period          meditationv1.Period
	}{
		{"fromDate", "2026-02-29", "", 0},
		{"fromDate", "tomorrow", "", 0},
		{"fromDate", "1899-12-31", "1900-01-01", 0},
		{"fromDate", "2026-02-02", "2026-02-01", 0},
		{"fromDate", "9999-12-31", "", 0},
		{"toDate", "", "2026-13-01", 0},
		{"toDate", "2015-03-01", "2025-03-09", 0},
		{"toDate", "1900-01-01", "9999-12-31", meditationv1.Period_PERIOD_MONTH},
		{"period", "", "", 9},
	} {
		_, err := r.as(ana).GetCalendar(t.Context(), &meditationv1.GetCalendarRequest{FromDate: test.from, ToDate: test.to, Period: test.period})
		if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != test.field {
			t.Errorf("%q to %q: %v names %q, want %q", test.from, test.to, err, wrongField(err), test.field)
		}
	}
}

// counted is what a span of dates amounts to.
type counted struct{ sessions, days, seconds int32 }

// Whatever is recorded, in whatever order and pieces, from wherever, and deleted again: days, weeks, months and totals are what counting the sessions
// one by one gives, and the streak is that of their dates.
func TestStatisticsAreARecount(t *testing.T) {
	t.Parallel()
	r := newPracticeRig(t)
	r.atNoon()
	r.people.set("UTC", 4)
	person := 0
	zones := []string{"UTC", "Europe/Belgrade", "Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Honolulu", "Australia/Lord_Howe"}
	rapid.Check(t, func(rt *rapid.T) {
		person++
		p := r.Register(fmt.Sprintf("p%d@example.test", person))
		now := r.Clock.Now()
		var sessions []*meditationv1.RecordedSession
		for range rapid.IntRange(1, 60).Draw(rt, "sessions") {
			start := now.Add(-time.Duration(rapid.IntRange(3600, 60*86400).Draw(rt, "seconds ago")) * time.Second)
			one := told(start, 0)
			one.EndedAt = timestamppb.New(start.Add(time.Duration(rapid.IntRange(0, 3600).Draw(rt, "seconds")) * time.Second))
			one.TimeZone = rapid.SampledFrom(zones).Draw(rt, "zone")
			sessions = append(sessions, one)
		}
		// Batches overlap: some sessions are sent again, with others.
		for len(sessions) > 0 {
			n := rapid.IntRange(1, len(sessions)).Draw(rt, "batch")
			record(t, r.as(p), sessions[:n]...)
			sessions = sessions[n-rapid.IntRange(0, 1).Draw(rt, "again")*(n/2):]
		}
		deleted := rapid.IntRange(0, 3).Draw(rt, "deleted")
		list, err := r.as(p).ListSessions(t.Context(), &meditationv1.ListSessionsRequest{PageSize: 100})
		if err != nil {
			rt.Fatal(err)
		}
		rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "which"), 0)).Shuffle(len(list.GetSessions()), func(i, j int) {
			list.Sessions[i], list.Sessions[j] = list.Sessions[j], list.Sessions[i]
		})
		for _, s := range list.GetSessions()[:min(deleted, len(list.GetSessions()))] {
			if _, err := r.as(p).DeleteSession(t.Context(), &meditationv1.DeleteSessionRequest{SessionId: s.GetId()}); err != nil {
				rt.Fatal(err)
			}
		}
		recount(rt, r, p)
	})
}

// recount compares what is told with the rows of the sessions.
func recount(rt *rapid.T, r *rig, p *authtest.Person) {
	rows, err := r.Pool.Query(r.t.Context(), `SELECT local_date::text, practiced_seconds FROM meditation.sessions
		WHERE user_id = $1 AND state IN ('completed', 'abandoned') AND practiced_seconds > 0 ORDER BY local_date`, p.ID)
	if err != nil {
		rt.Fatal(err)
	}
	defer rows.Close()
	var all counted
	var dates []meditation.Day
	byPeriod := map[meditationv1.Period]map[string]counted{1: {}, 2: {}, 3: {}}
	for rows.Next() {
		var text string
		var seconds int32
		if err := rows.Scan(&text, &seconds); err != nil {
			rt.Fatal(err)
		}
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			rt.Fatal(err)
		}
		first := int32(0)
		if d := date(r.t, text); len(dates) == 0 || dates[len(dates)-1] != d {
			dates, first = append(dates, d), 1
		}
		monday := day
		for monday.Weekday() != time.Monday {
			monday = monday.AddDate(0, 0, -1)
		}
		for period, start := range map[meditationv1.Period]string{1: text, 2: monday.Format(time.DateOnly), 3: text[:8] + "01"} {
			sum := byPeriod[period][start]
			byPeriod[period][start] = counted{sum.sessions + 1, sum.days + first, sum.seconds + seconds}
		}
		all = counted{all.sessions + 1, all.days + first, all.seconds + seconds}
	}
	if err := rows.Err(); err != nil {
		rt.Fatal(err)
	}
	s := r.stats(p)
	streak := meditation.StreakOf(dates, date(r.t, s.GetToday()))
	if s.GetTotalSessions() != all.sessions || s.GetPracticeDays() != all.days || s.GetTotalMinutes() != all.seconds/60 ||
		s.GetCurrentStreakDays() != streak.Days() || s.GetLongestStreakDays() != streak.Longest() || s.GetFreezesHeld() != streak.Held() {
		rt.Fatalf("%v, counted %+v, streak %d, longest %d", s, all, streak.Days(), streak.Longest())
	}
	// A span of whole weeks and months that has them all.
	from := r.Clock.Now().AddDate(0, -4, 0)
	for from.Day() != 1 || from.Weekday() != time.Monday {
		from = from.AddDate(0, 0, -1)
	}
	frozen := map[meditationv1.Period]int32{}
	for period, want := range byPeriod {
		for _, point := range r.calendar(p, from.Format(time.DateOnly), r.Clock.Now().AddDate(0, 0, 3).Format(time.DateOnly), period) {
			if got := (counted{point.GetSessions(), point.GetPracticeDays(), want[point.GetDate()].seconds}); got != want[point.GetDate()] || point.GetMinutes() != got.seconds/60 {
				rt.Fatalf("%v by %v, counted %+v", point, period, want[point.GetDate()])
			}
			delete(want, point.GetDate())
			frozen[period] += point.GetFrozenDays()
		}
		if len(want) > 0 {
			rt.Fatalf("by %v there is nothing about %v", period, want)
		}
	}
	if n := int32(len(streak.AllFrozen())); frozen[1] != n || frozen[2] != n || frozen[3] != n {
		rt.Fatalf("frozen %v, want %d", frozen, n)
	}
}
