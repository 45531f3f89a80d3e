package content

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/platform/locale"
)

const (
	next     = contentv1.ForNowReason_FOR_NOW_REASON_NEXT_IN_COURSE
	liking   = contentv1.ForNowReason_FOR_NOW_REASON_FAVOURITE
	fitting  = contentv1.ForNowReason_FOR_NOW_REASON_TIME_OF_DAY
	whenever = contentv1.ForNowReason_FOR_NOW_REASON_ANY_TIME
)

// midday is on a day on which groups of up to seven begin at their beginning: 420 is divided by all of 1 to 7.
var midday = time.Unix(420*50*24*60*60, 0).UTC().Add(12 * time.Hour)

// small is a catalogue: two courses, and some that stand alone.
func small() []*contentv1.Meditation {
	return []*contentv1.Meditation{
		{Id: "a1", CourseId: "a", CoursePosition: 1, Category: "focus", Tags: []string{"work"}},
		{Id: "a2", CourseId: "a", CoursePosition: 2, Category: "focus"},
		{Id: "b1", CourseId: "b", CoursePosition: 1, Category: "sleep", Tags: []string{"evening", "sleep"}},
		{Id: "b2", CourseId: "b", CoursePosition: 2, Category: "sleep", Tags: []string{"sleep"}},
		{Id: "dawn", Category: "basics", Tags: []string{"breath", "morning"}},
		{Id: "walk", Category: "movement", Tags: []string{"walking"}},
		{Id: "plain"},
	}
}

func TestForNow(t *testing.T) {
	t.Parallel()
	night := midday.Add(11 * time.Hour)
	begun := func(id string, ago time.Duration, finished ...string) courseHistory {
		c := courseHistory{id: id, last: midday.Add(-ago), finished: map[string]bool{}}
		for _, m := range finished {
			c.finished[m] = true
		}
		return c
	}
	completed := begun("a", time.Hour, "a1", "a2")
	completed.completed = true
	for name, tt := range map[string]struct {
		h     history
		local time.Time
		limit int
		want  []string
	}{
		"nobody, midday": {local: midday, limit: 4, want: []string{"a1 time", "a2 time", "walk time", "b1 any"}},
		"nobody, night":  {local: night, limit: 2, want: []string{"b1 time", "b2 time"}},
		"nobody, morning": {
			local: midday.Add(-4 * time.Hour), limit: 2, want: []string{"dawn time", "walk time"},
		},
		"everything there is": {local: night, limit: 20, want: []string{"b1 time", "b2 time", "a1 any", "a2 any", "dawn any", "walk any", "plain any"}},
		"the next of a course": {
			h: history{courses: []courseHistory{begun("a", time.Hour, "a1")}}, local: night, limit: 2, want: []string{"a2 next", "b1 time"},
		},
		"a course from its first gap": {
			h: history{courses: []courseHistory{begun("a", time.Hour, "a2")}}, local: night, limit: 1, want: []string{"a1 next"},
		},
		"the course practised last comes first": {
			h: history{courses: []courseHistory{begun("a", 2*time.Hour, "a1"), begun("b", time.Hour, "b1")}}, local: midday, limit: 3, want: []string{"b2 next", "a2 next", "a1 time"},
		},
		"a course that was left": {
			h: history{courses: []courseHistory{begun("b", 31*24*time.Hour, "b1")}}, local: midday, limit: 1, want: []string{"a1 time"},
		},
		"a completed course": {h: history{courses: []courseHistory{completed}}, local: night, limit: 1, want: []string{"b1 time"}},
		"the next of a course rests for nothing": {
			h:     history{courses: []courseHistory{begun("a", time.Hour)}, practised: map[string]time.Time{"a1": midday.Add(-time.Hour)}},
			local: midday, limit: 2, want: []string{"a1 next", "a2 time"},
		},
		"favourites: those that fit, then newer ones": {
			h: history{favourites: []string{"plain", "dawn", "b2", "gone"}}, local: night, limit: 4, want: []string{"b2 favourite", "plain favourite", "dawn favourite", "b1 time"},
		},
		"favourites leave room": {
			h: history{favourites: []string{"plain", "dawn", "walk", "a1"}}, local: night, limit: 5,
			want: []string{"plain favourite", "dawn favourite", "walk favourite", "b1 time", "b2 time"},
		},
		"what was practised lately": {
			h:     history{favourites: []string{"b1"}, practised: map[string]time.Time{"b1": night.Add(-71 * time.Hour), "b2": night.Add(-73 * time.Hour), "a1": night.Add(time.Hour)}},
			local: night, limit: 3, want: []string{"b2 time", "a2 any", "dawn any"},
		},
		"nothing asked for": {local: midday, limit: 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := told(forNow(small(), tt.h, tt.local, tt.limit)); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	if got := forNow(nil, history{favourites: []string{"x"}, courses: []courseHistory{begun("a", 0)}}, midday, 5); len(got) != 0 {
		t.Errorf("of an empty catalogue: %v", got)
	}
}

// told writes proposals as "<id> <reason>".
func told(list []proposal) []string {
	words := map[contentv1.ForNowReason]string{next: "next", liking: "favourite", fitting: "time", whenever: "any"}
	var texts []string
	for _, p := range list {
		texts = append(texts, p.meditation.GetId()+" "+words[p.reason])
	}
	return texts
}

func TestTimeOfDay(t *testing.T) {
	t.Parallel()
	belgrade, err := time.LoadLocation("Europe/Belgrade")
	if err != nil {
		t.Fatal(err)
	}
	for clock, want := range map[string]contentv1.TimeOfDay{
		"00:00": contentv1.TimeOfDay_TIME_OF_DAY_NIGHT, "04:59": contentv1.TimeOfDay_TIME_OF_DAY_NIGHT,
		"05:00": contentv1.TimeOfDay_TIME_OF_DAY_MORNING, "10:59": contentv1.TimeOfDay_TIME_OF_DAY_MORNING,
		"11:00": contentv1.TimeOfDay_TIME_OF_DAY_DAY, "16:59": contentv1.TimeOfDay_TIME_OF_DAY_DAY,
		"17:00": contentv1.TimeOfDay_TIME_OF_DAY_EVENING, "21:59": contentv1.TimeOfDay_TIME_OF_DAY_EVENING,
		"22:00": contentv1.TimeOfDay_TIME_OF_DAY_NIGHT, "23:59": contentv1.TimeOfDay_TIME_OF_DAY_NIGHT,
	} {
		at, err := time.ParseInLocation("2006-01-02 15:04", "2026-07-01 "+clock, belgrade)
		if err != nil {
			t.Fatal(err)
		}
		if got := timeOfDay(at); got != want {
			t.Errorf("%s: %v, want %v", clock, got, want)
		}
	}
}

// What fits equally well takes turns, day by day, and each of it comes first some day.
func TestForNowTakesTurns(t *testing.T) {
	t.Parallel()
	var catalogue []*contentv1.Meditation
	for n := range 12 {
		catalogue = append(catalogue, &contentv1.Meditation{Id: fmt.Sprint(n), Tags: []string{"sleep"}})
	}
	first := map[string]bool{}
	for day := range 12 {
		at := midday.AddDate(0, 0, day).Add(11 * time.Hour)
		list := forNow(catalogue, history{}, at, 5)
		first[list[0].meditation.GetId()] = true
		if later := forNow(catalogue, history{}, at.Add(30*time.Minute), 5); !slices.Equal(told(list), told(later)) {
			t.Errorf("within a day: %v, then %v", told(list), told(later))
		}
	}
	if len(first) != 12 {
		t.Errorf("%d of 12 come first on twelve days", len(first))
	}
	if list := forNow(catalogue, history{}, time.Date(1900, 1, 1, 23, 0, 0, 0, time.UTC), 20); len(list) != 12 {
		t.Errorf("before 1970: %v", told(list))
	}
}

// Within a day the order stays, whatever is practised: that only drops out.
func TestForNowKeepsItsOrderWithinADay(t *testing.T) {
	t.Parallel()
	var catalogue []*contentv1.Meditation
	for n := range 13 {
		catalogue = append(catalogue, &contentv1.Meditation{Id: fmt.Sprint(n), Tags: []string{"sleep"}})
	}
	rapid.Check(t, func(t *rapid.T) {
		at := midday.AddDate(0, 0, rapid.IntRange(0, 1000).Draw(t, "day")).Add(11 * time.Hour)
		want, h := told(forNow(catalogue, history{}, at, 20)), history{practised: map[string]time.Time{}}
		for _, n := range rapid.SliceOfDistinct(rapid.IntRange(0, 12), rapid.ID).Draw(t, "practised") {
			h.practised[fmt.Sprint(n)] = at
		}
		want = slices.DeleteFunc(want, func(one string) bool {
			_, practised := h.practised[strings.TrimSuffix(one, " time")]
			return practised
		})
		if got := told(forNow(catalogue, h, at, 20)); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

// Where places in a course tie, the next one is the same as in the course itself, by id.
func TestNextOfTiedPlaces(t *testing.T) {
	t.Parallel()
	catalogue := []*contentv1.Meditation{{Id: "c2", CourseId: "c", CoursePosition: 1}, {Id: "c3", CourseId: "c", CoursePosition: 2}, {Id: "c1", CourseId: "c", CoursePosition: 1}}
	if got := told(forNow(catalogue, history{courses: []courseHistory{{id: "c", last: midday}}}, midday, 1)); !slices.Equal(got, []string{"c1 next"}) {
		t.Errorf("got %v", got)
	}
}

// Whatever the history: no more than asked for, nothing twice, reasons in their order, the same each time.
func TestForNowHoldsForAnyHistory(t *testing.T) {
	t.Parallel()
	order := []contentv1.ForNowReason{next, liking, fitting, whenever}
	rapid.Check(t, func(t *rapid.T) {
		catalogue := small()
		id := rapid.Custom(func(t *rapid.T) string { return rapid.SampledFrom(catalogue).Draw(t, "meditation").GetId() })
		ago := rapid.Custom(func(t *rapid.T) time.Time {
			return midday.Add(-time.Duration(rapid.IntRange(-48, 1000).Draw(t, "hours")) * time.Hour)
		})
		h := history{favourites: rapid.SliceOfDistinct(id, rapid.ID).Draw(t, "favourites"), practised: rapid.MapOf(id, ago).Draw(t, "practised")}
		for _, course := range []string{"a", "b", "gone"} {
			h.courses = append(h.courses, courseHistory{
				id: course, last: ago.Draw(t, "last"), completed: rapid.Bool().Draw(t, "completed"), finished: rapid.MapOf(id, rapid.Just(true)).Draw(t, "finished"),
			})
		}
		local, limit := midday.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "minutes"))*time.Minute), rapid.IntRange(0, 20).Draw(t, "limit")
		list := forNow(catalogue, h, local, limit)
		if len(list) > limit {
			t.Fatalf("%d proposals, and %d were asked for", len(list), limit)
		}
		seen, at := map[string]bool{}, 0
		for _, p := range list {
			if seen[p.meditation.GetId()] {
				t.Fatalf("%s is there twice", p.meditation.GetId())
			}
			seen[p.meditation.GetId()] = true
			if place := slices.Index(order, p.reason); place < at {
				t.Fatalf("out of order: %v", told(list))
			} else {
				at = place
			}
			if last, ok := h.practised[p.meditation.GetId()]; ok && p.reason != next && local.Sub(last) < nowRest {
				t.Fatalf("%s was practised lately", p.meditation.GetId())
			}
		}
		if again := forNow(small(), h, local, limit); !slices.Equal(told(again), told(list)) {
			t.Fatalf("%v, then %v", told(list), told(again))
		}
	})
}

func TestEveryReasonHasASentence(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, language := range locale.All() {
		for _, reason := range []contentv1.ForNowReason{next, liking, whenever} {
			text := reasonText(language, proposal{reason: reason, meditation: &contentv1.Meditation{CourseTitle: "X"}}, 0)
			if text == "" || seen[text] {
				t.Errorf("%s, %v: %q", language, reason, text)
			}
			seen[text] = true
		}
		for now := contentv1.TimeOfDay_TIME_OF_DAY_MORNING; now <= contentv1.TimeOfDay_TIME_OF_DAY_NIGHT; now++ {
			text := reasonText(language, proposal{reason: fitting}, now)
			if text == "" || seen[text] {
				t.Errorf("%s, %v: %q", language, now, text)
			}
			seen[text] = true
		}
	}
}
