package meditation_test

import (
	"slices"
	"testing"

	"github.com/mindspace-app/mindspace/services/meditation"
)

// date is a local date from "2026-12-31".
func date(t *testing.T, text string) meditation.Day {
	t.Helper()
	d, err := meditation.ParseDay("date", text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// pattern are practice dates from the first one on: x is practice, a dot none. A bar stands before today, which is after the last date without one.
func pattern(first meditation.Day, text string) (dates []meditation.Day, today meditation.Day) {
	today = first + meditation.Day(len(text))
	at := first
	for _, c := range text {
		switch c {
		case 'x':
			dates = append(dates, at)
		case '|':
			today = at
			continue
		}
		at++
	}
	return dates, today
}

// A person's dates from the first one on, and what they amount to. Frozen dates are counted from the first one, which is 0.
var streaks = []struct {
	what, dates         string
	days, longest, held int32
	living, all         []int
}{
	{what: "nobody", dates: "|"},
	{what: "today is the first day", dates: "|x", days: 1, longest: 1},
	{what: "yesterday was the first day", dates: "x|", days: 1, longest: 1},
	{what: "today is not over", dates: "xxx|", days: 3, longest: 3},
	{what: "yesterday was missed", dates: "xxx.|", longest: 3},
	{what: "yesterday was missed, and today is a new beginning", dates: "xxx.|x", days: 1, longest: 3},
	{what: "six days earn nothing", dates: "xxxxxx.|", longest: 6},
	{what: "seven days earn a freeze", dates: "xxxxxx|x", days: 7, longest: 7, held: 1},
	{what: "seven days, one missed, one more: eight, not nine", dates: "xxxxxxx.|x", days: 8, longest: 8, living: []int{7}, all: []int{7}},
	{what: "a freeze keeps the streak while nothing is practised", dates: "xxxxxxx.|", days: 7, longest: 7, living: []int{7}, all: []int{7}},
	{what: "one freeze is not two", dates: "xxxxxxx..|", longest: 7, all: []int{7}},
	{what: "a used freeze does not come back with a new streak", dates: "xxxxxxx..x.|", longest: 7, all: []int{7}},
	{what: "fourteen days earn two", dates: "xxxxxxxxxxxxx|x", days: 14, longest: 14, held: 2},
	{what: "a third one is lost", dates: "xxxxxxxxxxxxxxxxxxxx|x", days: 21, longest: 21, held: 2},
	{what: "two missed with two held", dates: "xxxxxxxxxxxxxx..|x", days: 15, longest: 15, living: []int{14, 15}, all: []int{14, 15}},
	{what: "three missed with two held end it and use them up", dates: "xxxxxxxxxxxxxx...|x", days: 1, longest: 14, all: []int{14, 15}},
	{what: "after the cap, a freeze that is used can be earned again", dates: "xxxxxxxxxxxxxxxxxxxxx.xxxxxxx|", days: 28, longest: 28, held: 2, living: []int{21}, all: []int{21}},
	{what: "what was practised before the gap counts for no freeze after it", dates: "xxxxxxxxxx.xxxx.|", longest: 14, all: []int{10}},
	{what: "seven days in a row after a frozen one", dates: "xxxxxxx.xxxxxxx.|x", days: 15, longest: 15, living: []int{7, 15}, all: []int{7, 15}},
	{what: "an old streak with frozen days, and a living one with its own", dates: "xxxxxxx..xxxxxxx.|", days: 7, longest: 7, living: []int{16}, all: []int{7, 16}},
	{what: "the longest one is not the last one", dates: "xxxxx..xx|", days: 2, longest: 5},
	{what: "practised tomorrow, by the clock of another place", dates: "xx|xx", days: 4, longest: 4},
	{what: "only tomorrow", dates: "|.x", days: 1, longest: 1},
	{what: "the day after tomorrow", dates: "x|.x", days: 1, longest: 1},
	{what: "today can still be practised, whatever was tomorrow", dates: "xxx|.x", days: 3, longest: 3},
	{what: "today is bridged by a freeze until it is practised", dates: "xxxxxxx|.x", days: 8, longest: 8, living: []int{7}, all: []int{7}},
}

func TestStreakTable(t *testing.T) {
	t.Parallel()
	// The rule knows no calendar: leap days, ends of years and dates before 1970 are dates like others.
	for _, first := range []string{"2026-03-02", "2024-02-24", "2100-02-24", "2025-12-28", "1969-12-25"} {
		from := date(t, first)
		for _, test := range streaks {
			dates, today := pattern(from, test.dates)
			s := meditation.StreakOf(dates, today)
			if s.Days() != test.days || s.Longest() != test.longest || s.Held() != test.held || s.PracticeDays() != int32(len(dates)) {
				t.Errorf("%s from %s: streak %d, longest %d, held %d, days %d; want %d, %d, %d, %d", test.what, first,
					s.Days(), s.Longest(), s.Held(), s.PracticeDays(), test.days, test.longest, test.held, len(dates))
			}
			if got := since(from, s.Frozen()); !slices.Equal(got, test.living) {
				t.Errorf("%s from %s: frozen %v, want %v", test.what, first, got, test.living)
			}
			if got := since(from, s.AllFrozen()); !slices.Equal(got, test.all) {
				t.Errorf("%s from %s: all frozen %v, want %v", test.what, first, got, test.all)
			}
		}
	}
}

func since(first meditation.Day, dates []meditation.Day) (all []int) {
	for _, d := range dates {
		all = append(all, int(d-first))
	}
	return all
}

// 28 February is followed by the 29th in leap years, and by 1 March in others.
func TestStreakOverLeapDays(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		dates []string
		want  int32
	}{
		{[]string{"2024-02-28", "2024-02-29", "2024-03-01"}, 3},
		{[]string{"2024-02-28", "2024-03-01"}, 1},
		{[]string{"2023-02-28", "2023-03-01"}, 2},
		{[]string{"2100-02-28", "2100-03-01"}, 2},
		{[]string{"2025-12-31", "2026-01-01"}, 2},
	} {
		var dates []meditation.Day
		for _, text := range test.dates {
			dates = append(dates, date(t, text))
		}
		if s := meditation.StreakOf(dates, dates[len(dates)-1]); s.Days() != test.want {
			t.Errorf("%v: %d, want %d", test.dates, s.Days(), test.want)
		}
	}
}

// The example in the rule's own words.
func TestStreakAsDays(t *testing.T) {
	t.Parallel()
	var s meditation.Streak
	first := date(t, "2026-12-01")
	for day := range meditation.Day(7) {
		s.Practise(first + day)
	}
	s.Practise(first + 6) // once more on the same date
	s.Practise(first)     // and on one before
	if s.Days() != 7 || s.Held() != 1 || s.PracticeDays() != 7 {
		t.Errorf("on the 7th: %d days, %d held", s.Days(), s.Held())
	}
	on9th := s.At(first + 8)
	if on9th.Days() != 7 || on9th.Held() != 0 || len(on9th.Frozen()) != 1 || on9th.Frozen()[0].String() != "2026-12-08" {
		t.Errorf("on the 9th: %d days, frozen %v", on9th.Days(), on9th.Frozen())
	}
	if s.Held() != 1 || len(s.Frozen()) != 0 {
		t.Error("to look at a later date changes the streak")
	}
	s.Practise(first + 8)
	on11th := s.At(first + 10)
	if s.Days() != 8 || on11th.Days() != 0 || on11th.Longest() != 8 {
		t.Errorf("after the 9th: %d days; on the 11th: %d, longest %d", s.Days(), on11th.Days(), on11th.Longest())
	}
	if again := on9th.At(first + 8); again.Days() != 7 || len(again.Frozen()) != 1 {
		t.Errorf("looked at twice on the 9th: %d days, frozen %v", again.Days(), again.Frozen())
	}
	if again := on11th.At(first + 10); again.Longest() != 8 || len(again.AllFrozen()) != 1 {
		t.Error("to look twice changes the streak")
	}
}

// What was told of a date stays as it was, whatever is practised later.
func TestStreakKeepsWhatItTold(t *testing.T) {
	t.Parallel()
	var s meditation.Streak
	day := date(t, "2026-01-01")
	week := func() {
		for range 7 {
			s.Practise(day)
			day++
		}
	}
	for range 3 {
		week()
		day++ // frozen
	}
	s.Practise(day)
	for range 6 {
		day++
		s.Practise(day)
	}
	told := s.At(day + 2)
	want := slices.Clone(told.Frozen())
	for range 2 {
		day++
		week()
	}
	if got := told.Frozen(); len(want) != 4 || !slices.Equal(got, want) {
		t.Errorf("it was %v, and is %v", want, got)
	}
}
