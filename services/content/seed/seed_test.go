package seed

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mindspace-app/mindspace/services/content/sound"
)

// catalogue fails the test when there is no valid catalogue.
func catalogue(t *testing.T) *Data {
	t.Helper()
	d, err := Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCatalogueIsWorthSeeing(t *testing.T) {
	t.Parallel()
	d := catalogue(t)
	if len(d.Courses) != 6 {
		t.Errorf("%d courses, want 6", len(d.Courses))
	}
	lengths := map[string]int{}
	used := map[string]bool{}
	for _, m := range d.Meditations {
		lengths[m.Course]++
		used["level "+string(m.Level)], used["voice "+m.Voice], used["sound "+m.Sound] = true, true, true
		used["category "+m.Category] = true
		for _, tag := range m.Tags {
			used["tag "+tag] = true
		}
	}
	for _, c := range d.Courses {
		if lengths[c.Slug] < 6 {
			t.Errorf("course %s has %d meditations, want at least 6", c.Slug, lengths[c.Slug])
		}
	}
	if lengths[""] < 3 || len(d.Meditations)-lengths[""] < 42 {
		t.Errorf("%d meditations in courses and %d alone, want at least 42 and 3", len(d.Meditations)-lengths[""], lengths[""])
	}
	wanted := []string{"level beginner", "level intermediate", "level advanced"}
	for _, category := range d.Categories {
		wanted = append(wanted, "category "+category.Code)
	}
	for _, tag := range d.Tags {
		wanted = append(wanted, "tag "+tag.Code)
	}
	for _, voice := range d.Voices {
		wanted = append(wanted, "voice "+voice.Code)
	}
	for _, code := range sound.Codes() {
		wanted = append(wanted, "sound "+code)
	}
	for _, thing := range wanted {
		if !used[thing] {
			t.Errorf("no meditation has the %s", thing)
		}
	}
}

func TestTagsKeepTheirWord(t *testing.T) {
	t.Parallel()
	for _, m := range catalogue(t).Meditations {
		if short := slices.Contains(m.Tags, "short"); short != (m.DurationSeconds <= 300) {
			t.Errorf("%s takes %d s; tagged short: %t", m.Slug, m.DurationSeconds, short)
		}
		if slices.Contains(m.Tags, "beginner_friendly") && m.Level != LevelBeginner {
			t.Errorf("%s is tagged beginner_friendly at level %s", m.Slug, m.Level)
		}
	}
}

// No practice promises an effect on health.
func TestNothingIsPromised(t *testing.T) {
	t.Parallel()
	promise := regexp.MustCompile(`(?i)\b(cures?|heals?|healing|treats?|treatment|therap\w+|clinical\w*|proven|guarantee\w*|insomnia|depress\w+)\b` +
		`|лечит|вылеч|лечеб|исцел|терап|гарант|доказан|бессонниц|депресс` +
		`|(^|\s)leči|izleč|isceljuj|terapij|garant|dokazan|nesanic|depresij`)
	for _, bad := range []string{"It cures you.", "Практика лечит.", "Ovo leči."} {
		if !promise.MatchString(bad) {
			t.Errorf("the pattern misses %q", bad)
		}
	}
	d := catalogue(t)
	all := map[string]map[string]Text{}
	for _, c := range d.Courses {
		all[c.Slug] = c.Texts
	}
	for _, m := range d.Meditations {
		all[m.Slug] = m.Texts
	}
	for slug, texts := range all {
		for locale, text := range texts {
			if found := promise.FindString(text.Title + " " + text.Description); found != "" {
				t.Errorf("%s, %s: %q promises too much", slug, locale, found)
			}
		}
	}
}

func TestCatalogueIsTheSameEveryTimeAndOwned(t *testing.T) {
	t.Parallel()
	first, second := catalogue(t), catalogue(t)
	if !reflect.DeepEqual(first, second) {
		t.Fatal("two readings differ")
	}
	first.Meditations[0].Texts["en"] = Text{Title: "changed"}
	first.Tags[0].Names["en"] = "changed"
	if !reflect.DeepEqual(second, catalogue(t)) {
		t.Error("a change of one reading is seen in another")
	}
}

func TestReadResolvesCourses(t *testing.T) {
	t.Parallel()
	d := catalogue(t)
	courses := map[string]Course{}
	for _, c := range d.Courses {
		courses[c.Slug] = c
	}
	for _, m := range d.Meditations {
		if m.CourseID != courses[m.Course].ID || m.Course != "" && m.Category != courses[m.Course].Category {
			t.Errorf("%s: course id %s and category %q, want those of %q", m.Slug, m.CourseID, m.Category, m.Course)
		}
	}
}

func TestReadIsStrict(t *testing.T) {
	t.Parallel()
	const id = "019b8cbd-b6d0-7e75-a467-126b36715e1a"
	good := map[string]string{
		"categories.json": `[]`, "tags.json": `[]`, "voices.json": `[]`, "courses.json": `[]`, "meditations/a.json": `[{"id": "` + id + `", "slug": "a"}]`,
	}
	for _, tt := range []struct{ name, file, content, want string }{
		{"good", "tags.json", `[]`, ""},
		{"unknown field", "tags.json", `[{"code": "a", "colour": "red"}]`, `tags.json: json: unknown field "colour"`},
		{"unknown field in a text", "courses.json", `[{"texts": {"en": {"subtitle": "x"}}}]`, `unknown field "subtitle"`},
		{"unknown field of a meditation", "meditations/a.json", `[{"coursePosition": 1}]`, `unknown field "coursePosition"`},
		{"something after the list", "voices.json", `[] []`, "voices.json: something follows the list"},
		{"half a file", "voices.json", `[{"code": "a"`, "voices.json: unexpected EOF"},
		{"wrong type", "courses.json", `[{"position": "1"}]`, "courses.json: json: cannot unmarshal string"},
		{"malformed id", "meditations/a.json", `[{"id": "1"}]`, "meditations/a.json: invalid UUID"},
		{"missing file", "tags.json", "", "open tags.json"},
	} {
		fsys := fstest.MapFS{}
		for name, content := range good {
			fsys[name] = &fstest.MapFile{Data: []byte(content)}
		}
		fsys[tt.file] = &fstest.MapFile{Data: []byte(tt.content)}
		if tt.content == "" {
			delete(fsys, tt.file)
		}
		d, err := read(fsys)
		switch {
		case tt.want == "" && (err != nil || len(d.Meditations) != 1 || d.Meditations[0].ID.String() != id):
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}
