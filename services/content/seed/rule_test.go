package seed

import (
	"strings"
	"testing"

	"github.com/google/uuid"
)

// Every rule is broken once, in a catalogue that is valid otherwise.
func TestValidateRefuses(t *testing.T) {
	t.Parallel()
	text := func(texts map[string]Text, locale string, change func(*Text)) {
		text := texts[locale]
		change(&text)
		texts[locale] = text
	}
	for _, tt := range []struct {
		name  string
		spoil func(d *Data)
		want  string
	}{
		{"category code malformed", func(d *Data) { d.Categories[0].Code = "Basics" }, `malformed code "Basics"`},
		{"category code twice", func(d *Data) { d.Categories[1].Code = d.Categories[0].Code }, `code of a category "basics" is there twice`},
		{"category name missing", func(d *Data) { delete(d.Categories[0].Names, "ru") }, "no ru name"},
		{"tag code malformed", func(d *Data) { d.Tags[0].Code = "Deep Sleep" }, `malformed code "Deep Sleep"`},
		{"tag code twice", func(d *Data) { d.Tags[1].Code = d.Tags[0].Code }, `code of a tag "sleep" is there twice`},
		{"tag name missing", func(d *Data) { delete(d.Tags[0].Names, "sr") }, "no sr name"},
		{"tag name empty", func(d *Data) { d.Tags[0].Names["ru"] = "" }, "no ru name"},
		{"tag name in another locale", func(d *Data) { d.Tags[0].Names["de"] = "Schlaf" }, "name in 4 locales, want 3"},
		{"tag name too long", func(d *Data) { d.Tags[0].Names["en"] = strings.Repeat("a", 41) }, "longer than 40"},
		{"voice code twice", func(d *Data) { d.Voices[1].Code = d.Voices[0].Code }, `code of a voice "bells" is there twice`},
		{"voice name missing", func(d *Data) { delete(d.Voices[0].Names, "en") }, "no en name"},
		{"voice without sound", func(d *Data) { d.Voices[0].Sounds = nil }, "voice bells: has no sound\n"},
		{"voice with an unknown sound", func(d *Data) { d.Voices[0].Sounds = append(d.Voices[0].Sounds, "thunder") }, `"thunder"`},

		{"course id of another version", func(d *Data) { d.Courses[0].ID = uuid.MustParse("9b2f4c1e-8f5a-4f0e-9d5c-0a1b2c3d4e5f") }, "not a UUIDv7"},
		{"course id twice", func(d *Data) { d.Courses[1].ID = d.Courses[0].ID }, "has the same id"},
		{"course slug malformed", func(d *Data) { d.Courses[0].Slug = "First Steps" }, `malformed slug "First Steps"`},
		{"course slug twice", func(d *Data) { d.Courses[1].Slug = d.Courses[0].Slug }, `slug "first-steps" is there twice`},
		{"course position with a gap", func(d *Data) { d.Courses[5].Position = 7 }, "position 7, want 6"},
		{"course empty", func(d *Data) { d.Courses = append(d.Courses, Course{Slug: "empty", Position: 7}) }, "course empty: is empty"},
		{"course of no category", func(d *Data) { d.Courses[0].Category = "" }, `course first-steps: there is no category ""`},
		{"course of an unknown category", func(d *Data) { d.Courses[0].Category = "anger" }, `there is no category "anger"`},
		{"course description missing", func(d *Data) {
			text(d.Courses[0].Texts, "ru", func(x *Text) { x.Description = "" })
		}, "no ru description"},

		{"meditation without id", func(d *Data) { d.Meditations[0].ID = uuid.Nil }, "not a UUIDv7"},
		{"meditation with the id of a course", func(d *Data) { d.Meditations[0].ID = d.Courses[0].ID }, "course first-steps has the same id"},
		{"meditation slug twice", func(d *Data) { d.Meditations[9].Slug = d.Meditations[0].Slug }, `slug "three-quiet-minutes" is there twice`},
		{"meditation position twice", func(d *Data) { d.Meditations[4].Position = 4 }, "position 4, want 5"},
		{"place in a course with a gap", func(d *Data) { d.Meditations[2].CoursePosition = 4 }, "course position 4, want 3"},
		{"course unknown", func(d *Data) { d.Meditations[0].Course = "lost" }, `there is no course "lost"`},
		{"another category than the course", func(d *Data) { d.Meditations[0].Category = "sleep" }, `category "sleep", and that of its course is "basics"`},
		{"alone, of no category", func(d *Data) { last(d).Category = "" }, `there is no category ""`},
		{"alone, with a place", func(d *Data) { last(d).CoursePosition = 1 }, "has a place in a course, but no course"},
		{"alone, with a course id", func(d *Data) { last(d).CourseID = d.Courses[0].ID }, "has a place in a course, but no course"},
		{"behind a later course", func(d *Data) { last(d).Course, last(d).CoursePosition = "first-steps", 9 }, "stands behind a later course"},
		{"level", func(d *Data) { d.Meditations[0].Level = "expert" }, `level "expert"`},
		{"too short", func(d *Data) { d.Meditations[0].DurationSeconds = 59 }, "takes 59 s, want 60 to 2700"},
		{"too long", func(d *Data) { d.Meditations[0].DurationSeconds = 2701 }, "takes 2701 s"},
		{"half a round", func(d *Data) { d.Meditations[1].DurationSeconds = 330 }, "no whole number of rounds of 60 s"},
		{"voice unknown", func(d *Data) { d.Meditations[0].Voice = "human" }, `the voice "human" has no sound`},
		{"sound of another voice", func(d *Data) { d.Meditations[0].Sound = "rain" }, `has no sound "rain"`},
		{"sound unknown", func(d *Data) { d.Meditations[0].Sound = "thunder" }, `no sound has the code "thunder"`},
		{"no tags", func(d *Data) { d.Meditations[0].Tags = nil }, "has 0 tags"},
		{"too many tags", func(d *Data) {
			d.Meditations[0].Tags = []string{"breath", "calm", "focus", "kindness", "short", "sleep", "work"}
		}, "has 7 tags"},
		{"tag unknown", func(d *Data) { d.Meditations[0].Tags[0] = "anger" }, `there is no tag "anger"`},
		{"tag twice", func(d *Data) { d.Meditations[0].Tags[1] = d.Meditations[0].Tags[0] }, "twice or out of order"},
		{"tags out of order", func(d *Data) { d.Meditations[0].Tags = []string{"short", "breath"} }, "twice or out of order"},

		{"locale missing", func(d *Data) { delete(d.Meditations[0].Texts, "sr") }, "no sr title"},
		{"title empty", func(d *Data) {
			text(d.Meditations[0].Texts, "en", func(x *Text) { x.Title = "" })
		}, "no en title"},
		{"title twice", func(d *Data) { d.Meditations[3].Texts["sr"] = d.Meditations[0].Texts["sr"] }, `sr title "Tri tiha minuta" is there twice`},
		{"title too long", func(d *Data) {
			text(d.Meditations[0].Texts, "ru", func(x *Text) { x.Title = strings.Repeat("ш", 81) })
		}, "ru title is longer than 80"},
		{"description too long", func(d *Data) {
			text(d.Meditations[0].Texts, "en", func(x *Text) { x.Description = strings.Repeat("a", 601) })
		}, "en description is longer than 600"},
		{"stray space", func(d *Data) {
			text(d.Meditations[0].Texts, "en", func(x *Text) { x.Description += " " })
		}, "en description has stray spaces"},
		{"line break", func(d *Data) {
			text(d.Meditations[0].Texts, "en", func(x *Text) { x.Description += "\nMore." })
		}, "en description has stray spaces"},
		{"Latin letter in Russian", func(d *Data) {
			text(d.Meditations[0].Texts, "ru", func(x *Text) { x.Description += " Cон." })
		}, "ru description mixes scripts"},
		{"Cyrillic letter in Serbian", func(d *Data) {
			text(d.Meditations[0].Texts, "sr", func(x *Text) { x.Title += " sаn" })
		}, "sr title mixes scripts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := catalogue(t)
			tt.spoil(d)
			if err := d.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func last(d *Data) *Meditation { return &d.Meditations[len(d.Meditations)-1] }

func TestValidateReportsEverythingAtOnce(t *testing.T) {
	t.Parallel()
	d := catalogue(t)
	d.Meditations[0].Level = "expert"
	d.Courses[0].Texts["sr"] = Text{}
	err := d.Validate()
	if err == nil || !strings.Contains(err.Error(), `level "expert"`) || !strings.Contains(err.Error(), "no sr title") {
		t.Errorf("error %v, want both faults", err)
	}
}
