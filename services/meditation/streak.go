package meditation

import "slices"

// RuleVersion is the version of the rule in this file. Whoever changes what a set of practice dates amounts to counts it on: the longest streaks by
// the rule before are kept, see streak_records.
const RuleVersion = 1

const (
	// daysPerFreeze is how many practice days in a row earn a freeze.
	daysPerFreeze = 7
	// maxFreezes is how many are held at most.
	maxFreezes = 2
)

// Streak is the rule by which practice dates amount to streaks. It knows local dates only, neither clock nor zone, and what it says of a set of
// dates is the same in whatever order sessions arrived.
//
//   - A streak is a number of practice days of which each follows the one before, on the next date or with only frozen dates in between.
//     Only practice days are counted.
//   - Seven practice days on consecutive dates earn a freeze, and so do each further seven of the same row. A date without practice ends the row,
//     also when it is frozen. At most two freezes are held; one that is earned while two are held is lost. Nobody starts with one.
//   - A date without practice uses up a freeze, and is frozen; when none is held, the streak ends. So a gap that is longer than the freezes reach
//     uses them up and ends the streak none the less, and a new streak begins without any.
//   - Today is not over, so it is not missed: a streak lives on while its last day is today or yesterday, or freezes stand in for the dates between
//     its last day and today.
//
// An example: practice on the 1st to the 7th earns a freeze. Nothing on the 8th: it is frozen. Practice on the 9th: the streak is 8 days. Nothing on
// the 10th: on the 11th the streak is 0, and the longest is 8.
//
// One more practice day never makes a streak or the longest one shorter; tests hold it to that.
//
// The zero value is a person who has not practised yet.
type Streak struct {
	// next is the first date that has not been judged.
	next Day
	// days are those of the streak that is alive, row the last of them that are on consecutive dates.
	days, row, held int32
	// longest and total are over all dates.
	longest, total int32
	// frozen is every frozen date, ascending; from living on, those of the streak that is alive.
	frozen []Day
	living int
}

// StreakOf is the streak of a person by their practice dates, which ascend, as it stands today. Who travels may have practised on dates after today:
// they count at once. Where they leave out today, which can still be practised, the streak that would be lost by that stands until it is.
// It takes time in proportion to the dates.
func StreakOf(dates []Day, today Day) Streak {
	after, _ := slices.BinarySearch(dates, today+1)
	var s Streak
	for _, date := range dates[:after] {
		s.Practise(date)
	}
	now := s.At(today)
	if after == len(dates) {
		return now
	}
	for _, date := range dates[after:] {
		s.Practise(date)
	}
	if now.days > s.days {
		now.longest, now.total = s.longest, s.total
		return now
	}
	return s
}

// Practise takes the next practice date. The same date again, or one before it, changes nothing.
func (s *Streak) Practise(date Day) {
	if s.total > 0 && date < s.next {
		return
	}
	s.pass(date)
	s.next = date + 1
	s.total++
	s.days++
	s.longest = max(s.longest, s.days)
	s.row++
	if s.row%daysPerFreeze == 0 {
		s.held = min(s.held+1, maxFreezes)
	}
}

// At is the streak as it stands on a date: every date before it has passed.
func (s *Streak) At(today Day) Streak {
	now := *s
	now.frozen = slices.Clip(now.frozen)
	now.pass(today)
	return now
}

// pass lets dates go by without practice, until the one given.
func (s *Streak) pass(until Day) {
	for date := s.next; date < until && s.days > 0; date++ {
		s.row = 0
		if s.held == 0 {
			s.days, s.living = 0, len(s.frozen)
			break
		}
		s.held--
		s.frozen = append(s.frozen, date)
	}
	s.next = max(s.next, until)
}

// Days are the practice days of the streak that is alive; 0 when none is.
func (s *Streak) Days() int32 { return s.days }

// Longest are the practice days of the longest streak ever.
func (s *Streak) Longest() int32 { return s.longest }

// PracticeDays are all of them.
func (s *Streak) PracticeDays() int32 { return s.total }

// Held are the freezes held, 0 to 2.
func (s *Streak) Held() int32 { return s.held }

// Frozen are the frozen dates of the streak that is alive, ascending. They must not be changed.
func (s *Streak) Frozen() []Day { return s.frozen[s.living:] }

// AllFrozen are the frozen dates of every streak there was, ascending. They must not be changed.
func (s *Streak) AllFrozen() []Day { return s.frozen }
