package meditation_test

import (
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
	"github.com/mindspace-app/mindspace/services/meditation"
)

// newPracticeRig is a rig with the service that other domains ask.
func newPracticeRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	meditationv1connect.RegisterPracticeServiceHandler(r.Server.Server, meditation.NewPractice(r.service))
	return r
}

// practice is a client of what other domains ask, on behalf of somebody.
func (r *rig) practice(p *authtest.Person) meditationv1connect.PracticeServiceClient {
	return meditationv1connect.NewPracticeServiceClient(p.Client)
}

// today is the rig's date in UTC.
func (r *rig) today() meditation.Day { return meditation.DateOf(r.Clock.Now(), time.UTC, 0) }

// atNoon moves the clock on to the next noon, so that a test knows which hours of today are over.
func (r *rig) atNoon() {
	now := r.Clock.Now()
	r.Clock.Advance(now.Truncate(24 * time.Hour).Add(36 * time.Hour).Sub(now))
}

// practise records ten minutes in the morning of each of these dates, counted from today.
func (r *rig) practise(p *authtest.Person, dates ...int) {
	r.t.Helper()
	var sessions []*meditationv1.RecordedSession
	for _, d := range dates {
		sessions = append(sessions, told(r.Clock.Now().Truncate(24*time.Hour).AddDate(0, 0, d).Add(8*time.Hour), 10))
	}
	for _, result := range record(r.t, r.as(p), sessions...) {
		if result.GetError() != nil {
			r.t.Fatal(result)
		}
	}
}

// stats are somebody's statistics, by UTC and midnight.
func (r *rig) stats(p *authtest.Person) *meditationv1.Stats {
	r.t.Helper()
	res, err := r.practice(p).GetStats(r.t.Context(), &meditationv1.GetStatsRequest{TimeZone: "UTC"})
	if err != nil {
		r.t.Fatal(err)
	}
	return res.GetStats()
}

// span counts from one number to another.
func span(from, to int) (all []int) {
	for n := from; n <= to; n++ {
		all = append(all, n)
	}
	return all
}

func TestStats(t *testing.T) {
	t.Parallel()
	r := newPracticeRig(t)
	r.atNoon()
	ana, ben := r.Register("ana@example.test"), r.Register("ben@example.test")
	if s := r.stats(ana); s.GetCurrentStreakDays() != 0 || s.GetLongestStreakDays() != 0 || s.GetPracticeDays() != 0 || s.GetTotalMinutes() != 0 || s.GetTotalSessions() != 0 ||
		s.GetFreezesHeld() != 0 || s.GetPracticedToday() || s.GetLastPracticeDate() != "" || s.GetToday() != r.today().String() || len(s.GetMilestones()) != 0 {
		t.Errorf("nobody: %v", s)
	}
	// Seven days, one missed, and two days of which today is one; long ago, eight days with a gap after them.
	r.practise(ana, span(-60, -53)...)
	r.practise(ana, span(-9, -3)...)
	r.practise(ana, -1, 0, 0)
	s := r.stats(ana)
	if s.GetCurrentStreakDays() != 9 || s.GetLongestStreakDays() != 9 || s.GetPracticeDays() != 17 || s.GetTotalSessions() != 18 || s.GetTotalMinutes() != 180 ||
		s.GetFreezesHeld() != 0 || !s.GetPracticedToday() || s.GetLastPracticeDate() != r.today().String() {
		t.Errorf("after two rows: %v", s)
	}
	if want := []string{(r.today() - 2).String()}; !slices.Equal(s.GetFrozenDates(), want) {
		t.Errorf("frozen: %v, want %v", s.GetFrozenDates(), want)
	}
	// Nobody sees another's.
	if s := r.stats(ben); s.GetPracticeDays() != 0 {
		t.Errorf("somebody else: %v", s)
	}
	// The same, seen from the days after.
	for day, want := range []int32{9, 9, 0} {
		if s := r.stats(ana); s.GetCurrentStreakDays() != want || s.GetLongestStreakDays() != 9 || s.GetPracticedToday() != (day == 0) {
			t.Errorf("%d days later: %v", day, s)
		}
		r.Clock.Advance(24 * time.Hour)
		ana = r.Login(ana)
	}
}

// What today is depends on where the person is and when their day begins.
func TestStatsGoByThePersonsDay(t *testing.T) {
	t.Parallel()
	r := newPracticeRig(t)
	r.atNoon()
	ana := r.Register("ana@example.test")
	r.practise(ana, -1, 0)
	for _, test := range []struct {
		zone     string
		dayStart int32
		today    meditation.Day
		current  int32
		already  bool
	}{
		{"UTC", 0, r.today(), 2, true},
		{"", 0, r.today(), 2, true},
		{"Pacific/Kiritimati", 0, r.today() + 1, 2, false},
		{"UTC", 13, r.today() - 1, 2, true},
		{"Etc/GMT+12", 1, r.today() - 1, 2, true},
	} {
		res, err := r.practice(ana).GetStats(t.Context(), &meditationv1.GetStatsRequest{TimeZone: test.zone, DayStartHour: test.dayStart})
		if err != nil {
			t.Fatal(err)
		}
		if s := res.GetStats(); s.GetToday() != test.today.String() || s.GetCurrentStreakDays() != test.current || s.GetPracticedToday() != test.already {
			t.Errorf("%s from %d: %v", test.zone, test.dayStart, s)
		}
	}
}

// Travel: a session counts on the date of the place where it was, also when that is tomorrow at home, or yesterday.
func TestStatsSurviveTravel(t *testing.T) {
	t.Parallel()
	r := newPracticeRig(t)
	r.atNoon()
	ana := r.Register("ana@example.test")
	r.practise(ana, -2, -1, 0)
	eastward := told(r.Clock.Now().Add(-time.Hour), 10)
	eastward.TimeZone = "Pacific/Kiritimati"
	if got := record(t, r.as(ana), eastward)[0].GetSession().GetLocalDate(); got != (r.today() + 1).String() {
		t.Fatalf("it counts on %s", got)
	}
	if s := r.stats(ana); s.GetCurrentStreakDays() != 4 || s.GetLastPracticeDate() != (r.today()+1).String() || !s.GetPracticedToday() {
		t.Errorf("eastward: %v", s)
	}
	// Back over the date line, the same date comes twice. It counts once.
	westward := told(r.Clock.Now().Add(-30*time.Minute), 10)
	westward.TimeZone = "Pacific/Honolulu"
	record(t, r.as(ana), westward)
	if s := r.stats(ana); s.GetCurrentStreakDays() != 4 || s.GetPracticeDays() != 4 || s.GetTotalSessions() != 5 {
		t.Errorf("westward: %v", s)
	}
}

// A phone that was offline mends a gap as if it had told in time.
func TestLateSyncMendsAGap(t *testing.T) {
	t.Parallel()
	r := newPracticeRig(t)
	r.atNoon()
	ana, ben := r.Register("ana@example.test"), r.Register("ben@example.test")
	r.practise(ana, slices.Concat(span(-20, -11), span(-8, 0))...)
	if s := r.stats(ana); s.GetCurrentStreakDays() != 9 || s.GetLongestStreakDays() != 10 {
		t.Errorf("with a gap: %v", s)
	}
	r.practise(ana, -9)
	if s := r.stats(ana); s.GetCurrentStreakDays() != 20 || len(s.GetFrozenDates()) != 1 || s.GetFreezesHeld() != 1 {
		t.Errorf("half mended: %v", s)
	}
	r.practise(ana, -10)
	r.practise(ben, span(-20, 0)...)
	late, inTime := r.stats(ana), r.stats(ben)
	if late.GetCurrentStreakDays() != 21 || late.GetFreezesHeld() != 2 || len(late.GetFrozenDates()) != 0 || late.String() != inTime.String() {
		t.Errorf("mended: %v, in time: %v", late, inTime)
	}
}

// A new version of the rule does not take away what the one before has given; what this one gives is its own to judge.
func TestLongestStreakSurvivesANewRule(t *testing.T) {
	t.Parallel()
	r := newPracticeRig(t)
	r.atNoon()
	ana := r.Register("ana@example.test")
	note := func(version, longest int) {
		t.Helper()
		if _, err := r.Pool.Exec(t.Context(), "INSERT INTO meditation.streak_records VALUES ($1, $2, $3)", ana.ID, version, longest); err != nil {
			t.Fatal(err)
		}
	}
	note(0, 4)
	note(meditation.RuleVersion, 99)
	r.practise(ana, -1, 0)
	if s := r.stats(ana); s.GetLongestStreakDays() != 4 || s.GetCurrentStreakDays() != 2 {
		t.Errorf("shorter than before: %v", s)
	}
	r.practise(ana, -2, -3, -4)
	if s := r.stats(ana); s.GetLongestStreakDays() != 5 {
		t.Errorf("longer than before: %v", s)
	}
}

// At most the last hundred frozen dates are told.
func TestFrozenDatesAreBounded(t *testing.T) {
	t.Parallel()
	r := newPracticeRig(t)
	r.atNoon()
	ana := r.Register("ana@example.test")
	var dates []int
	for d := -8 * 105; d < 0; d++ {
		if d%8 != -1 {
			dates = append(dates, d)
		}
	}
	for batch := range slices.Chunk(dates, 500) {
		r.practise(ana, batch...)
	}
	s := r.stats(ana)
	if s.GetCurrentStreakDays() != 7*105 || len(s.GetFrozenDates()) != 100 || s.GetFrozenDates()[99] != (r.today()-1).String() || !slices.IsSorted(s.GetFrozenDates()) {
		t.Errorf("%d frozen, streak %d, last %v", len(s.GetFrozenDates()), s.GetCurrentStreakDays(), s.GetFrozenDates()[99:])
	}
}

func TestStatsRefuse(t *testing.T) {
	t.Parallel()
	r := newPracticeRig(t)
	ana, nobody := r.Register("ana@example.test"), meditationv1connect.NewPracticeServiceClient(r.Client(""))
	if _, err := nobody.GetStats(t.Context(), &meditationv1.GetStatsRequest{TimeZone: "UTC"}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("nobody: %v", err)
	}
	for field, req := range map[string]*meditationv1.GetStatsRequest{
		"timeZone":     {TimeZone: "Mars/Olympus"},
		"dayStartHour": {TimeZone: "UTC", DayStartHour: 24},
	} {
		if _, err := r.practice(ana).GetStats(t.Context(), req); connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}
