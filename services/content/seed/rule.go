package seed

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/services/content/sound"
)

const (
	minSeconds, maxSeconds            = 60, 2700
	maxTags                           = 6
	maxName, maxTitle, maxDescription = 40, 80, 600
)

var (
	codePattern = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	slugPattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
)

// arrange puts courses and meditations into the order of their positions and gives each meditation the id and the category of its course.
func (d *Data) arrange() {
	slices.SortStableFunc(d.Courses, func(a, b Course) int { return cmp.Compare(a.Position, b.Position) })
	slices.SortStableFunc(d.Meditations, func(a, b Meditation) int { return cmp.Compare(a.Position, b.Position) })
	courses := map[string]Course{}
	for _, c := range d.Courses {
		courses[c.Slug] = c
	}
	for i, m := range d.Meditations {
		d.Meditations[i].CourseID = courses[m.Course].ID
		if m.Category == "" {
			d.Meditations[i].Category = courses[m.Course].Category
		}
	}
}

// Validate reports everything that is wrong with the catalogue, all at once.
func (d *Data) Validate() error {
	c := check{ids: map[uuid.UUID]string{}, names: map[string]bool{}, categories: map[string]bool{}}
	tags, sounds := c.vocabulary(d)
	courses := c.courses(d)
	c.meditations(d, courses, tags, sounds)
	return errors.Join(c.faults...)
}

// check collects what is wrong while it walks through the catalogue.
type check struct {
	faults []error
	// ids says who has each id.
	ids map[uuid.UUID]string
	// names are the codes, slugs and titles seen, each with its kind.
	names map[string]bool
	// categories are the codes of categories.
	categories map[string]bool
}

// that notes a fault of a subject unless the condition holds.
func (c *check) that(holds bool, subject, format string, args ...any) {
	if !holds {
		c.faults = append(c.faults, fmt.Errorf("%s: %s", subject, fmt.Sprintf(format, args...)))
	}
}

// vocabulary checks categories, tags and voices, and returns the codes of the tags and the sounds of each voice.
func (c *check) vocabulary(d *Data) (tags map[string]bool, sounds map[string][]string) {
	tags, sounds = map[string]bool{}, map[string][]string{}
	for _, g := range d.Categories {
		subject := "category " + g.Code
		c.code(subject, g.Code)
		c.localised(subject, "name", maxName, g.Names)
		c.categories[g.Code] = true
	}
	for _, t := range d.Tags {
		subject := "tag " + t.Code
		c.code(subject, t.Code)
		c.localised(subject, "name", maxName, t.Names)
		tags[t.Code] = true
	}
	for _, v := range d.Voices {
		subject := "voice " + v.Code
		c.code(subject, v.Code)
		c.localised(subject, "name", maxName, v.Names)
		c.that(len(v.Sounds) > 0, subject, "has no sound")
		for _, code := range v.Sounds {
			_, err := sound.Describe(code)
			c.that(err == nil, subject, "%v", err)
		}
		sounds[v.Code] = v.Sounds
	}
	return tags, sounds
}

// courses checks the courses, and returns the position of each slug.
func (c *check) courses(d *Data) map[string]int {
	positions := map[string]int{}
	for i, course := range d.Courses {
		subject := "course " + course.Slug
		c.identity(subject, course.ID, course.Slug)
		c.texts(subject, course.Texts)
		c.that(course.Position == i+1, subject, "position %d, want %d", course.Position, i+1)
		c.that(c.categories[course.Category], subject, "there is no category %q", course.Category)
		positions[course.Slug] = course.Position
	}
	return positions
}

func (c *check) meditations(d *Data, courses map[string]int, tags map[string]bool, sounds map[string][]string) {
	shelves := map[string]string{} // category of each course
	for _, course := range d.Courses {
		shelves[course.Slug] = course.Category
	}
	lengths := map[string]int{} // meditations of each course so far
	last := 0                   // position of the course of the one before; those that stand alone come after every course
	for i, m := range d.Meditations {
		subject := "meditation " + m.Slug
		c.identity(subject, m.ID, m.Slug)
		c.texts(subject, m.Texts)
		c.that(m.Position == i+1, subject, "position %d, want %d", m.Position, i+1)

		c.that(c.categories[m.Category], subject, "there is no category %q", m.Category)
		place := len(d.Courses) + 1
		if m.Course == "" {
			c.that(m.CoursePosition == 0 && m.CourseID == uuid.Nil, subject, "has a place in a course, but no course")
		} else {
			var known bool
			place, known = courses[m.Course]
			c.that(known, subject, "there is no course %q", m.Course)
			c.that(m.Category == shelves[m.Course], subject, "category %q, and that of its course is %q", m.Category, shelves[m.Course])
			lengths[m.Course]++
			c.that(m.CoursePosition == lengths[m.Course], subject, "course position %d, want %d", m.CoursePosition, lengths[m.Course])
		}
		c.that(place >= last, subject, "stands behind a later course")
		last = place

		c.that(slices.Contains([]Level{LevelBeginner, LevelIntermediate, LevelAdvanced}, m.Level), subject, "level %q", m.Level)
		c.tags(subject, m, tags)
		c.duration(subject, m)
		c.that(slices.Contains(sounds[m.Voice], m.Sound), subject, "the voice %q has no sound %q", m.Voice, m.Sound)
	}
	for _, course := range d.Courses {
		c.that(lengths[course.Slug] > 0, "course "+course.Slug, "is empty")
	}
}

// identity checks id and slug, which no other course or meditation may have.
func (c *check) identity(subject string, id uuid.UUID, slug string) {
	c.that(id.Version() == 7 && id.Variant() == uuid.RFC4122, subject, "id %s is not a UUIDv7", id)
	c.that(c.ids[id] == "", subject, "%s has the same id", c.ids[id])
	c.ids[id] = subject
	c.that(slugPattern.MatchString(slug), subject, "malformed slug %q", slug)
	c.unique(subject, "slug", slug)
}

func (c *check) code(subject, code string) {
	c.that(codePattern.MatchString(code), subject, "malformed code %q", code)
	kind, _, _ := strings.Cut(subject, " ")
	c.unique(subject, "code of a "+kind, code)
}

// unique wants a name to be the only one of its kind.
func (c *check) unique(subject, kind, name string) {
	key := kind + " " + name
	c.that(!c.names[key], subject, "%s %q is there twice", kind, name)
	c.names[key] = true
}

func (c *check) tags(subject string, m Meditation, known map[string]bool) {
	c.that(len(m.Tags) > 0 && len(m.Tags) <= maxTags, subject, "has %d tags, want 1 to %d", len(m.Tags), maxTags)
	for i, tag := range m.Tags {
		c.that(known[tag], subject, "there is no tag %q", tag)
		c.that(i == 0 || m.Tags[i-1] < tag, subject, "tag %q is there twice or out of order", tag)
	}
}

func (c *check) duration(subject string, m Meditation) {
	c.that(m.DurationSeconds >= minSeconds && m.DurationSeconds <= maxSeconds, subject,
		"takes %d s, want %d to %d", m.DurationSeconds, minSeconds, maxSeconds)
	info, err := sound.Describe(m.Sound)
	c.that(err == nil, subject, "%v", err)
	if round := int(info.DurationSeconds); err == nil && info.Loop {
		c.that(m.DurationSeconds%round == 0, subject, "takes %d s, which is no whole number of rounds of %d s", m.DurationSeconds, round)
	}
}

// texts checks titles and descriptions, and that no title is there twice in a language.
func (c *check) texts(subject string, texts map[string]Text) {
	titles, descriptions := map[string]string{}, map[string]string{}
	for locale, text := range texts {
		titles[locale], descriptions[locale] = text.Title, text.Description
		c.unique(subject, locale+" title", text.Title)
	}
	c.localised(subject, "title", maxTitle, titles)
	c.localised(subject, "description", maxDescription, descriptions)
}

// localised wants a text in every locale and in no other, each one clean, not too long and in its own script.
func (c *check) localised(subject, kind string, limit int, texts map[string]string) {
	c.that(len(texts) == len(Locales()), subject, "%s in %d locales, want %d", kind, len(texts), len(Locales()))
	for _, locale := range Locales() {
		text := texts[locale]
		what := locale + " " + kind
		c.that(text != "", subject, "no %s", what)
		c.that(utf8.RuneCountInString(text) <= limit, subject, "%s is longer than %d characters", what, limit)
		c.that(text == strings.Join(strings.Fields(text), " "), subject, "%s has stray spaces", what)
		foreign := unicode.Cyrillic
		if locale == "ru" {
			foreign = unicode.Latin
		}
		// A letter of the other script looks the same and is never found by a search.
		c.that(!strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(foreign, r) }), subject, "%s mixes scripts", what)
	}
}
