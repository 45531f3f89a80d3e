package meditation_test

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/mindspace-app/mindspace/services/meditation"
)

// history draws practice dates as they come: days in a row and gaps between them, long enough for freezes to be earned, used up and lost.
func history(t *rapid.T) (dates []meditation.Day, today meditation.Day) {
	at := meditation.Day(rapid.IntRange(-800, 20_000).Draw(t, "first"))
	for range rapid.IntRange(0, 8).Draw(t, "rows") {
		for range rapid.OneOf(rapid.IntRange(1, 5), rapid.IntRange(6, 8), rapid.IntRange(9, 24)).Draw(t, "row") {
			dates = append(dates, at)
			at++
		}
		at += meditation.Day(rapid.IntRange(1, 4).Draw(t, "gap"))
	}
	// The last date is before today, today, or, for who travels, up to two days after.
	last := at
	if len(dates) > 0 {
		last = dates[len(dates)-1]
	}
	return dates, last + meditation.Day(rapid.IntRange(-2, 5).Draw(t, "today"))
}

// standing is all that a streak tells.
type standing struct {
	days, longest, total, held int32
	frozen, all                []meditation.Day
}

func standingOf(s meditation.Streak) standing {
	return standing{s.Days(), s.Longest(), s.PracticeDays(), s.Held(), s.Frozen(), s.AllFrozen()}
}

func (s standing) equal(o standing) bool {
	return s.days == o.days && s.longest == o.longest && s.total == o.total && s.held == o.held && slices.Equal(s.frozen, o.frozen) && slices.Equal(s.all, o.all)
}

// walk is the rule a second time, as a person would go through a calendar: date by date until the last that is over or practised.
func walk(dates []meditation.Day, today meditation.Day) standing {
	var s standing
	if len(dates) == 0 {
		return s
	}
	practised := map[meditation.Day]bool{}
	for _, d := range dates {
		practised[d] = true
	}
	for d := dates[0]; d < today || d <= dates[len(dates)-1]; d++ {
		switch {
		case practised[d]:
			s.days, s.total = s.days+1, s.total+1
			s.longest = max(s.longest, s.days)
			row := 1
			for practised[d-meditation.Day(row)] {
				row++
			}
			if row%7 == 0 && s.held < 2 {
				s.held++
			}
		case s.days == 0:
		case s.held > 0:
			s.held--
			s.frozen, s.all = append(s.frozen, d), append(s.all, d)
		default:
			s.days, s.frozen = 0, nil
		}
	}
	return s
}

// walkTo is walk, but that today can still be practised when later dates were.
func walkTo(dates []meditation.Day, today meditation.Day) standing {
	s := walk(dates, today)
	now := walk(slices.DeleteFunc(slices.Clone(dates), func(d meditation.Day) bool { return d > today }), today)
	if now.days > s.days {
		now.longest, now.total = s.longest, s.total
		return now
	}
	return s
}

func TestStreakIsWhatACalendarShows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		dates, today := history(t)
		if got, want := standingOf(meditation.StreakOf(dates, today)), walkTo(dates, today); !got.equal(want) {
			t.Fatalf("%v at %v: %+v, want %+v", dates, today, got, want)
		}
	})
}

func TestStreakIsTheSameInAnyOrderOfArrival(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		dates, today := history(t)
		want := standingOf(meditation.StreakOf(dates, today))
		// Sessions arrive in batches, in any order, some of them twice; what counts is the set of their dates.
		arriving := rapid.Permutation(slices.Concat(dates, dates[:len(dates)/2])).Draw(t, "arriving")
		known := map[meditation.Day]bool{}
		for len(arriving) > 0 {
			batch := rapid.IntRange(1, len(arriving)).Draw(t, "batch")
			for _, d := range arriving[:batch] {
				known[d] = true
			}
			arriving = arriving[batch:]
			// Whatever was told meanwhile leaves nothing behind.
			_ = meditation.StreakOf(slices.Sorted(maps.Keys(known)), today)
		}
		if got := standingOf(meditation.StreakOf(slices.Sorted(maps.Keys(known)), today)); !got.equal(want) {
			t.Fatalf("%+v, want %+v", got, want)
		}
		// Dates that repeat change nothing.
		var s meditation.Streak
		for _, d := range dates {
			s.Practise(d)
			s.Practise(d)
		}
		if len(dates) > 0 && today >= dates[len(dates)-1] {
			if got := standingOf(s.At(today)); !got.equal(want) {
				t.Fatalf("each date twice: %+v, want %+v", got, want)
			}
		}
	})
}

func TestStreakDoesNotLookAhead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		dates, today := history(t)
		if len(dates) == 0 {
			return
		}
		cut := rapid.SampledFrom(dates).Draw(t, "cut") + meditation.Day(rapid.IntRange(0, 3).Draw(t, "after"))
		n, _ := slices.BinarySearch(dates, cut)
		before, all := meditation.StreakOf(dates[:n], cut), meditation.StreakOf(dates, max(today, dates[len(dates)-1], cut))
		until, _ := slices.BinarySearch(all.AllFrozen(), cut)
		if !slices.Equal(before.AllFrozen(), all.AllFrozen()[:until]) {
			t.Fatalf("frozen before %v: %v, later: %v", cut, before.AllFrozen(), all.AllFrozen())
		}
		if before.Longest() > all.Longest() {
			t.Fatalf("the longest before %v was %d, and is %d", cut, before.Longest(), all.Longest())
		}
	})
}

func TestStreakKeepsItsBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		dates, today := history(t)
		s := meditation.StreakOf(dates, today)
		if s.Held() < 0 || s.Held() > 2 {
			t.Fatalf("%d held", s.Held())
		}
		if s.Days() < 0 || s.Days() > s.Longest() || s.Longest() > s.PracticeDays() || int(s.PracticeDays()) != len(dates) {
			t.Fatalf("streak %d, longest %d, days %d of %d", s.Days(), s.Longest(), s.PracticeDays(), len(dates))
		}
		if !slices.IsSorted(s.AllFrozen()) || len(s.Frozen()) > len(s.AllFrozen()) || len(s.AllFrozen()) > len(dates)/7 {
			t.Fatalf("frozen %v of %v, %d days", s.Frozen(), s.AllFrozen(), len(dates))
		}
		for _, d := range s.AllFrozen() {
			if _, practised := slices.BinarySearch(dates, d); practised {
				t.Fatalf("%v is frozen and was practised", d)
			}
		}
		if n := len(dates); n > 0 && dates[n-1] >= today-1 && s.Days() == 0 {
			t.Fatalf("practised on %v, and no streak on %v", dates[n-1], today)
		}
	})
}

// Practising never costs anything: one more date, wherever it is, makes neither a streak nor the longest one shorter; nor, while nothing was practised
// after today, the freezes held fewer. So late sync only mends, and it is as if the date had been practised in time.
func TestStreakIsNeverShorterForOneMoreDay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		dates, today := history(t)
		if len(dates) == 0 {
			return
		}
		less := meditation.StreakOf(dates, today)
		one := meditation.Day(rapid.IntRange(int(dates[0])-9, int(today)+2).Draw(t, "one more"))
		known := map[meditation.Day]bool{one: true}
		for _, d := range dates {
			known[d] = true
		}
		more := meditation.StreakOf(slices.Sorted(maps.Keys(known)), today)
		if more.Days() < less.Days() || more.Longest() < less.Longest() {
			t.Fatalf("%v and %v at %v: streak %d, longest %d; without: %d, %d", dates, one, today, more.Days(), more.Longest(), less.Days(), less.Longest())
		}
		if last := dates[len(dates)-1]; one <= today && last <= today && more.Held() < less.Held() {
			t.Fatalf("%v and %v at %v: %d held; without: %d", dates, one, today, more.Held(), less.Held())
		}
	})
}
