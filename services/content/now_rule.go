package content

import (
	"cmp"
	"slices"
	"time"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
)

const (
	// nowCourses and nowFavourites are how many proposals courses and favourites may take, so that there is something else too.
	nowCourses, nowFavourites = 2, 3
	// nowRest is how long what was practised is not proposed again.
	nowRest = 3 * 24 * time.Hour
	// nowUnderWay is for how long after its last practice a course counts as being taken.
	nowUnderWay = 30 * 24 * time.Hour
	// nowTurn is by how many places those that fit equally well move on each day: as many as a list has when nobody says how many.
	nowTurn = 5
)

// history is what somebody has practised and likes; the zero value is that of somebody unknown.
type history struct {
	// practised is when meditations were practised last, by id.
	practised map[string]time.Time
	// courses are those that were practised.
	courses []courseHistory
	// favourites are ids, newest first.
	favourites []string
}

// courseHistory is what somebody has finished of a course.
type courseHistory struct {
	id string
	// finished are ids of meditations.
	finished  map[string]bool
	completed bool
	last      time.Time
}

// proposal is a meditation and why it is proposed.
type proposal struct {
	meditation *contentv1.Meditation
	reason     contentv1.ForNowReason
}

// timeOfDay is the part of the day: morning from 05:00, day from 11:00, evening from 17:00, night from 22:00, by the clock on the wall.
func timeOfDay(local time.Time) contentv1.TimeOfDay {
	switch hour := local.Hour(); {
	case hour < 5 || hour >= 22:
		return contentv1.TimeOfDay_TIME_OF_DAY_NIGHT
	case hour < 11:
		return contentv1.TimeOfDay_TIME_OF_DAY_MORNING
	case hour < 17:
		return contentv1.TimeOfDay_TIME_OF_DAY_DAY
	default:
		return contentv1.TimeOfDay_TIME_OF_DAY_EVENING
	}
}

// shelf is what fits a part of the day: tags and categories.
type shelf struct{ tags, categories []string }

var shelves = map[contentv1.TimeOfDay]shelf{
	contentv1.TimeOfDay_TIME_OF_DAY_MORNING: {tags: []string{"morning", "breath", "gratitude"}, categories: []string{"basics", "movement"}},
	contentv1.TimeOfDay_TIME_OF_DAY_DAY:     {tags: []string{"work", "short", "stress", "walking", "travel"}, categories: []string{"focus"}},
	contentv1.TimeOfDay_TIME_OF_DAY_EVENING: {tags: []string{"evening", "gratitude", "relationships", "recovery"}, categories: []string{"calm", "kindness"}},
	contentv1.TimeOfDay_TIME_OF_DAY_NIGHT:   {tags: []string{"sleep"}, categories: []string{"sleep"}},
}

// fit is how well a meditation fits: one point for each tag and for the category; 0 is not at all.
func (s shelf) fit(m *contentv1.Meditation) int {
	points := 0
	for _, tag := range m.GetTags() {
		if slices.Contains(s.tags, tag) {
			points++
		}
	}
	if slices.Contains(s.categories, m.GetCategory()) {
		points++
	}
	return points
}

// forNow proposes at most limit meditations of a catalogue, in its order, for a local time:
//
//  1. the next meditation of up to [nowCourses] courses that are under way, latest practised first: the first one that was not finished.
//     A course is under way when it was practised in the last [nowUnderWay] and not completed;
//  2. up to [nowFavourites] favourites: those that fit the time of day first, better ones before others, then newer ones before older;
//  3. what fits the time of day, best first;
//  4. anything else.
//
// Nothing is proposed twice, and nothing that was practised in the last [nowRest], except as the next of a course, since it was not finished then.
// Of 3 and 4, those that fit equally well stand in the order of the catalogue, from another one on each local day, wherever in it that one stands:
// within a day the order stays, and what was practised only drops out. The same question has the same answer.
func forNow(catalogue []*contentv1.Meditation, h history, local time.Time, limit int) []proposal {
	p := &proposals{limit: limit, taken: map[string]bool{}}
	for _, m := range nextInCourses(catalogue, h, local) {
		p.add(m, contentv1.ForNowReason_FOR_NOW_REASON_NEXT_IN_COURSE)
	}
	rests := func(m *contentv1.Meditation) bool {
		last, practised := h.practised[m.GetId()]
		return practised && local.Sub(last) < nowRest
	}
	fitting := shelves[timeOfDay(local)]
	for _, m := range bestFavourites(slices.DeleteFunc(slices.Clone(catalogue), rests), h, fitting) {
		p.add(m, contentv1.ForNowReason_FOR_NOW_REASON_FAVOURITE)
	}
	for _, m := range slices.DeleteFunc(byFit(catalogue, fitting, local), rests) {
		reason := contentv1.ForNowReason_FOR_NOW_REASON_TIME_OF_DAY
		if fitting.fit(m) == 0 {
			reason = contentv1.ForNowReason_FOR_NOW_REASON_ANY_TIME
		}
		p.add(m, reason)
	}
	return p.list
}

// proposals is a list that is being made.
type proposals struct {
	limit int
	taken map[string]bool
	list  []proposal
}

func (p *proposals) add(m *contentv1.Meditation, reason contentv1.ForNowReason) {
	if len(p.list) < p.limit && !p.taken[m.GetId()] {
		p.taken[m.GetId()] = true
		p.list = append(p.list, proposal{meditation: m, reason: reason})
	}
}

func nextInCourses(catalogue []*contentv1.Meditation, h history, local time.Time) []*contentv1.Meditation {
	courses := slices.SortedFunc(slices.Values(h.courses), func(a, b courseHistory) int {
		return cmp.Or(b.last.Compare(a.last), cmp.Compare(a.id, b.id))
	})
	var next []*contentv1.Meditation
	for _, c := range courses {
		if len(next) == nowCourses {
			break
		}
		if c.completed || local.Sub(c.last) > nowUnderWay {
			continue
		}
		var first *contentv1.Meditation
		for _, m := range catalogue {
			if m.GetCourseId() == c.id && !c.finished[m.GetId()] && (first == nil || inCourse(m, first) < 0) {
				first = m
			}
		}
		if first != nil {
			next = append(next, first)
		}
	}
	return next
}

// inCourse compares meditations of a course by its order, which is that of the queries: by place, then by id.
func inCourse(a, b *contentv1.Meditation) int {
	return cmp.Or(cmp.Compare(a.GetCoursePosition(), b.GetCoursePosition()), cmp.Compare(a.GetId(), b.GetId()))
}

func bestFavourites(fresh []*contentv1.Meditation, h history, fitting shelf) []*contentv1.Meditation {
	age := make(map[string]int, len(h.favourites))
	for i, id := range h.favourites {
		age[id] = i
	}
	var found []*contentv1.Meditation
	for _, m := range fresh {
		if _, ok := age[m.GetId()]; ok {
			found = append(found, m)
		}
	}
	slices.SortStableFunc(found, func(a, b *contentv1.Meditation) int {
		return cmp.Or(cmp.Compare(fitting.fit(b), fitting.fit(a)), cmp.Compare(age[a.GetId()], age[b.GetId()]))
	})
	return found[:min(len(found), nowFavourites)]
}

// byFit gives a catalogue, those that fit best first; each group of equals begins with another one on each local day.
func byFit(catalogue []*contentv1.Meditation, fitting shelf, local time.Time) []*contentv1.Meditation {
	groups := map[int][]*contentv1.Meditation{}
	best := 0
	for _, m := range catalogue {
		fit := fitting.fit(m)
		groups[fit] = append(groups[fit], m)
		best = max(best, fit)
	}
	year, month, date := local.Date()
	day := int(time.Date(year, month, date, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60))
	var all []*contentv1.Meditation
	for fit := best; fit >= 0; fit-- {
		group := groups[fit]
		if len(group) == 0 {
			continue
		}
		from := (day*nowTurn%len(group) + len(group)) % len(group) // before 1970, days are negative
		all = append(append(all, group[from:]...), group[:from]...)
	}
	return all
}
