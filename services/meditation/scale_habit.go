package meditation

import (
	"math"
	"math/rand/v2"
	"time"
)

const (
	// scaleADay is how many sessions a day a made-up person has at most, on average.
	scaleADay = 4
	// longTail is the deviation of the logarithm of sessions a person: one in a hundred has seven times the mean or more.
	longTail = 1.1
)

// habit is how a made-up person practises.
type habit struct {
	*rand.Rand
	scale  *Scale
	person ScalePerson
	// row is how many sessions follow each other from day to day, on average, and again how many of them share a day with the one before.
	row, again float64
	// quits is the share of the time since sign-up after which nothing comes any more; 1 for a person who goes on.
	quits float64
	// hour is when they practise, and second when they do so again on a day; hours after midnight are above 24.
	hour, second float64
	// guided is the share of sessions with a meditation, and next its place in the catalogue.
	guided float64
	next   int
	// minutes is how long they sit with the timer.
	minutes float64
	// moods is the share of sessions for which they tell how they feel.
	moods float64
	// trips is how often a session is the first one of a journey, away where that leads, and back the date of return.
	trips float64
	away  *time.Location
	back  Day
}

func newHabit(r *rand.Rand, s *Scale, p ScalePerson) *habit {
	h := &habit{Rand: r, scale: s, person: p, quits: 1, guided: 0.2 + 0.8*r.Float64()}
	switch kind := r.Float64(); {
	case kind < 0.2: // daily
		h.row, h.again = 60, 0.15
	case kind < 0.5: // most days
		h.row, h.again = 9, 0.08
	case kind < 0.75: // now and then
		h.row, h.again = 1.6, 0.04
	default: // has stopped
		h.row, h.again, h.quits = 5, 0.08, 0.1+0.8*r.Float64()
	}
	switch when := r.Float64(); {
	case when < 0.5:
		h.hour, h.second = 5.5+3.5*r.Float64(), 20+3*r.Float64()
	case when < 0.65:
		h.hour, h.second = 11.5+2.5*r.Float64(), 17+4*r.Float64()
	default:
		h.hour, h.second = 19+4*r.Float64(), 23
	}
	if p.DayStartHour > 0 { // those who are up late
		h.hour, h.second = 22+4*r.Float64(), 21
	}
	if r.Float64() < 0.25 {
		h.trips = 0.02
	}
	if r.Float64() < 0.4 {
		h.moods = 0.7
	}
	h.minutes = []float64{3, 5, 10, 10, 15, 20, 20, 30, 45}[r.IntN(9)]
	if len(s.Meditations) > 0 {
		h.next = r.IntN(len(s.Meditations))
	}
	return h
}

// longTailed is a number of which the mean is given: many persons have a few sessions, and a few have very many.
func longTailed(r *rand.Rand, mean float64) int {
	return int(mean*math.Exp(longTail*r.NormFloat64()-longTail*longTail/2) + r.Float64())
}

// dates are n local dates from first to last, ascending, or fewer where so many do not fit in: rows of days that follow each other, and gaps between them.
func (h *habit) dates(first, last Day, n int) []Day {
	span := max(1, int(h.quits*float64(last-first+1)))
	dates := make([]Day, min(n, scaleADay*span))
	used, gaps := h.rows(dates)
	slack, all := float64(max(0, span-used)), 0.0
	for _, gap := range gaps {
		all += gap
	}
	longer := 0.0
	for i := range dates {
		longer += gaps[i]
		day := int(dates[i])
		if slack == 0 { // closer together than the habit has it
			day = day * span / used
		} else if all > 0 {
			day += int(slack * longer / all)
		}
		dates[i] = first + Day(min(day, span-1)) //nolint:gosec // a few thousand days
	}
	return dates
}

// rows fills in days, counted from 0, as if there were no gaps, and gives how many days that takes. gaps are their weights, each before its date;
// the last one is before the end.
func (h *habit) rows(dates []Day) (used int, gaps []float64) {
	gaps = make([]float64, len(dates)+1)
	for i := range dates {
		if i == 0 || h.Float64() >= h.again {
			used++
		}
		dates[i] = Day(used - 1)
		if h.Float64() < 1/h.row {
			gaps[i+1] = h.ExpFloat64()
		}
	}
	return used, gaps
}

// entry is a session on a local date, again the second one of it.
func (h *habit) entry(date Day, again bool) entry {
	zone, hour := h.zoneOn(date), h.hour
	if again {
		hour = h.second
	}
	hour = min(max(hour+0.4*h.NormFloat64(), 4), 27.5)
	year, month, day := date.start().Date()
	e := entry{
		startedAt: time.Date(year, month, day, 0, 0, 0, int(hour*float64(time.Hour)), zone).UTC().Truncate(time.Millisecond), zone: zone.String(),
	}
	if e.startedAt.Before(h.person.Since) {
		e.startedAt = h.person.Since.Add(time.Duration(1+h.IntN(3600)) * time.Second).Truncate(time.Millisecond)
	}
	e.date = DateOf(e.startedAt, zone, h.person.DayStartHour)
	pause := time.Duration(h.IntN(1000)) * time.Millisecond
	if h.Float64() < 0.1 {
		pause += time.Duration(h.IntN(180)) * time.Second
	}
	h.practise(&e)
	e.endedAt = e.startedAt.Add(time.Duration(e.practiced)*time.Second + pause)
	if h.Float64() < h.moods {
		e.moodBefore = int16(1 + h.IntN(4))                 //nolint:gosec // 1 to 4
		e.moodAfter = min(5, e.moodBefore+int16(h.IntN(3))) //nolint:gosec // 0 to 2 more
	}
	return e
}

// practise chooses what is practised, and how long: most go on to the end, and then to the next meditation.
func (h *habit) practise(e *entry) {
	if len(h.scale.Meditations) == 0 || h.Float64() >= h.guided {
		e.practiced = int32(60 * min(max(h.minutes*(1+0.2*h.NormFloat64()), 1), 180))
		return
	}
	if h.Float64() < 0.2 {
		h.next = h.IntN(len(h.scale.Meditations))
	}
	m := h.scale.Meditations[h.next]
	e.meditation, e.fact = m.ID, fact{seconds: m.Seconds, course: m.CourseID}
	e.practiced = m.Seconds
	if h.Float64() < 0.15 {
		e.practiced = int32(float64(m.Seconds) * (0.1 + 0.85*h.Float64()))
	}
	if e.finished() {
		h.next = (h.next + 1) % len(h.scale.Meditations)
	}
}

// zoneOn is where the person is on a date.
func (h *habit) zoneOn(date Day) *time.Location {
	if h.away != nil && date < h.back {
		return h.away
	}
	h.away = nil
	if len(h.scale.Zones) > 0 && h.Float64() < h.trips {
		h.away, h.back = h.scale.Zones[h.IntN(len(h.scale.Zones))], date+2+Day(h.IntN(14)) //nolint:gosec // two weeks
		return h.away
	}
	return h.person.Zone
}
