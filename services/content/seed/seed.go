// Package seed is the catalogue that a new Mind Space begins with: courses, meditations and their vocabulary, as data in three languages.
// Its ids never change, so that loading it again changes nothing but texts.
//
// No meditation has speech. Bells, tones or ambient sound lead it, and its description says what to do with them.
// The package never touches a database or renders a sound.
package seed

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/google/uuid"
)

//go:embed categories.json tags.json voices.json courses.json meditations/*.json
var files embed.FS

// Locales returns the languages in which every text exists: English, Russian, and Serbian in Latin script.
func Locales() []string { return []string{"en", "ru", "sr"} }

// Data is the whole catalogue.
type Data struct {
	// Categories, Tags and Voices are the vocabularies. The categories stand in their order.
	Categories []Category
	Tags       []Tag
	Voices     []Voice
	// Courses and Meditations stand in the order of their positions.
	Courses     []Course
	Meditations []Meditation
}

// Level is how much practice a meditation expects.
type Level string

// The levels, from the least practice to the most.
const (
	LevelBeginner     Level = "beginner"
	LevelIntermediate Level = "intermediate"
	LevelAdvanced     Level = "advanced"
)

// Text is a title and a description in one language, plain text.
type Text struct {
	Title       string `json:"title"`
	Description string `json:"description"`
}

// Category is the one shelf that a course or meditation stands on.
type Category struct {
	Code string `json:"code"`
	// Names by locale.
	Names map[string]string `json:"names"`
}

// Tag is a theme by which meditations are found.
type Tag struct {
	Code string `json:"code"`
	// Names by locale.
	Names map[string]string `json:"names"`
}

// Voice is what leads a meditation.
type Voice struct {
	Code string `json:"code"`
	// Names by locale.
	Names map[string]string `json:"names"`
	// Sounds are the codes of package sound that this voice may be heard as.
	Sounds []string `json:"sounds"`
}

// Course is a row of meditations that build on each other.
type Course struct {
	ID   uuid.UUID `json:"id"`
	Slug string    `json:"slug"`
	// Position among the courses, from 1.
	Position int `json:"position"`
	// Category is the code of its category.
	Category string `json:"category"`
	// Texts by locale.
	Texts map[string]Text `json:"texts"`
}

// Meditation is one practice.
type Meditation struct {
	ID   uuid.UUID `json:"id"`
	Slug string    `json:"slug"`
	// Position in the catalogue, from 1: by course, then by place in it, last those that stand alone.
	Position int `json:"position"`
	// Course is the slug of its course; empty when it stands alone.
	Course string `json:"course"`
	// CourseID is the id of its course; uuid.Nil when it stands alone.
	CourseID uuid.UUID `json:"-"`
	// CoursePosition is the place within the course, from 1; 0 when it stands alone.
	CoursePosition int `json:"course_position"`
	// Category is the code of its category; in a course it is the course's, and left out in the file.
	Category string `json:"category"`
	Level    Level  `json:"level"`
	// DurationSeconds is how long the practice takes: a whole number of rounds when its sound loops.
	DurationSeconds int `json:"duration_seconds"`
	// Voice is the code of a Voice.
	Voice string `json:"voice"`
	// Sound is a code of package sound. One that does not loop is rung at the beginning and at the end.
	Sound string `json:"sound"`
	// Tags are codes of tags, sorted.
	Tags []string `json:"tags"`
	// Texts by locale.
	Texts map[string]Text `json:"texts"`
}

// Catalogue returns the catalogue, read strictly and validated. The caller owns what it gets.
func Catalogue() (*Data, error) {
	d, err := read(files)
	if err != nil {
		return nil, err
	}
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("seed: the catalogue breaks its rules: %w", err)
	}
	return d, nil
}

// read gathers the catalogue from its files, in the order of positions, and resolves the courses and categories of meditations.
func read(fsys fs.FS) (*Data, error) {
	var d Data
	err := errors.Join(
		decode(fsys, "categories.json", &d.Categories), decode(fsys, "tags.json", &d.Tags), decode(fsys, "voices.json", &d.Voices),
		decode(fsys, "courses.json", &d.Courses),
	)
	names, globErr := fs.Glob(fsys, "meditations/*.json")
	err = errors.Join(err, globErr)
	for _, name := range names {
		err = errors.Join(err, decode(fsys, name, &d.Meditations))
	}
	if err != nil {
		return nil, err
	}
	d.arrange()
	return &d, nil
}

// decode appends the array in a file to a list. Unknown fields and anything after the array are refused.
func decode[T any](fsys fs.FS, name string, list *[]T) error {
	file, err := fsys.Open(name)
	if err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	defer file.Close()
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	var read []T
	if err := decoder.Decode(&read); err != nil {
		return fmt.Errorf("seed: %s: %w", name, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("seed: %s: something follows the list", name)
	}
	*list = append(*list, read...)
	return nil
}
