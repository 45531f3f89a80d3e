package meditation

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/platform/uid"
)

// Scale makes up the practice of many persons, to measure with. It is the same whenever it is made up again: as if each session had been sent
// when it ended, and recorded. There are no notes and no positions, and nobody has completed a course.
type Scale struct {
	// Seed begins the random numbers.
	Seed uint64
	// Until is when practice ends; nothing is made up after it.
	Until time.Time
	// Meditations are those of the catalogue; those of a course follow each other.
	Meditations []ScaleMeditation
	// Zones are where people travel to.
	Zones []*time.Location
}

// ScaleMeditation is a meditation that can be practised.
type ScaleMeditation struct {
	ID uuid.UUID
	// CourseID is uuid.Nil when it stands alone.
	CourseID uuid.UUID
	Seconds  int32
}

// ScalePerson is a made-up person, as far as practice goes.
type ScalePerson struct {
	ID uuid.UUID
	// Number is another one for each person.
	Number uint64
	Zone   *time.Location
	// DayStartHour is 0 to 23.
	DayStartHour int
	// Since is when they signed up: they practise from then on.
	Since time.Time
	// Expected is how many sessions they have on average over all numbers; a person's own number may be far from it.
	Expected float64
}

// ScalePractice is what one made-up person has practised.
type ScalePractice struct {
	person ScalePerson
	// entries are in the order in which they ended.
	entries []entry
	days    []scaleDay
}

// scaleDay is a row of meditation.days.
type scaleDay struct {
	date              Day
	sessions, seconds int32
}

// Sessions is how many sessions there are.
func (p *ScalePractice) Sessions() int { return len(p.entries) }

// Practice makes up what a person has practised.
func (s *Scale) Practice(p ScalePerson) ScalePractice {
	r := rand.New(rand.NewPCG(s.Seed, p.Number)) //nolint:gosec // made-up data that is the same each time
	h := newHabit(r, s, p)
	first, last := DateOf(p.Since, p.Zone, p.DayStartHour), DateOf(s.Until, p.Zone, p.DayStartHour)-1
	practice := ScalePractice{person: p}
	if last < first {
		return practice
	}
	before := first - 1
	for _, date := range h.dates(first, last, longTailed(r, p.Expected)) {
		if e := h.entry(date, date == before); !e.endedAt.After(s.Until) {
			practice.entries = append(practice.entries, e)
		}
		before = date
	}
	slices.SortStableFunc(practice.entries, func(a, b entry) int { return a.endedAt.Compare(b.endedAt) })
	for i := range practice.entries {
		e := &practice.entries[i]
		e.id, e.client = uid.At(e.endedAt, r.Uint64(), r.Uint64()), randomID(r)
	}
	practice.days = countDays(practice.entries)
	return practice
}

// randomID is an id as phones make them: of random bits alone.
func randomID(r *rand.Rand) uuid.UUID {
	id := uid.At(time.UnixMilli(r.Int64N(1<<47)), r.Uint64(), r.Uint64())
	id[6] = id[6]&0x0f | 0x40
	return id
}

// countDays sums up sessions by local date; made-up days stay far below what the columns hold.
func countDays(entries []entry) []scaleDay {
	days := make([]scaleDay, 0, len(entries))
	for i := range entries {
		if entries[i].practiced > 0 {
			days = append(days, scaleDay{date: entries[i].date, sessions: 1, seconds: entries[i].practiced})
		}
	}
	slices.SortStableFunc(days, func(a, b scaleDay) int { return cmp.Compare(a.date, b.date) })
	sums := days[:0]
	for _, d := range days {
		if n := len(sums); n > 0 && sums[n-1].date == d.date {
			sums[n-1].sessions++
			sums[n-1].seconds += d.seconds
		} else {
			sums = append(sums, d)
		}
	}
	return sums
}

// reached are the longest streak and the milestones that the practice amounts to.
func (p *ScalePractice) reached() (longest int32, milestones []milestone) {
	var streak Streak
	var all practice
	for _, d := range p.days {
		streak.Practise(d.date)
		all.sessions, all.seconds = all.sessions+int64(d.sessions), all.seconds+int64(d.seconds)
	}
	return streak.Longest(), all.missing(&streak)
}
