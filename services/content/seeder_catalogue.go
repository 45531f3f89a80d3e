package content

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	"github.com/mindspace-app/mindspace/platform/locale"
	"github.com/mindspace-app/mindspace/services/content/seed"
)

func writeVocabularies(ctx context.Context, q *contentdb.Queries, data *seed.Data) error {
	for _, tag := range data.Tags {
		n := tag.Names
		err := q.UpsertTag(ctx, contentdb.UpsertTagParams{Code: tag.Code, TitleEn: n[locale.English], TitleRu: n[locale.Russian], TitleSr: n[locale.Serbian]})
		if err != nil {
			return fmt.Errorf("write tag %s: %w", tag.Code, err)
		}
	}
	for _, voice := range data.Voices {
		n := voice.Names
		err := q.UpsertVoice(ctx, contentdb.UpsertVoiceParams{Code: voice.Code, TitleEn: n[locale.English], TitleRu: n[locale.Russian], TitleSr: n[locale.Serbian]})
		if err != nil {
			return fmt.Errorf("write voice %s: %w", voice.Code, err)
		}
	}
	return nil
}

// writeCatalogue writes the courses and meditations. media has the ids of sounds by code.
func writeCatalogue(ctx context.Context, q *contentdb.Queries, data *seed.Data, media map[string]uuid.UUID, now time.Time) error {
	for _, c := range data.Courses {
		if err := q.UpsertCourse(ctx, contentdb.UpsertCourseParams{ID: c.ID, Slug: c.Slug, Position: int32(c.Position), CreatedAt: now}); err != nil { //nolint:gosec // a handful of courses
			return fmt.Errorf("write course %s: %w", c.Slug, err)
		}
		for language, text := range c.Texts {
			err := q.UpsertCourseText(ctx, contentdb.UpsertCourseTextParams{CourseID: c.ID, Locale: language, Title: text.Title, Description: text.Description})
			if err != nil {
				return fmt.Errorf("write course %s in %s: %w", c.Slug, language, err)
			}
		}
	}
	keywords := newKeywords(data)
	for _, m := range data.Meditations {
		if err := writeMeditation(ctx, q, m, media, keywords, now); err != nil {
			return fmt.Errorf("write meditation %s: %w", m.Slug, err)
		}
	}
	return nil
}

func writeMeditation(ctx context.Context, q *contentdb.Queries, m seed.Meditation, media map[string]uuid.UUID, k keywords, now time.Time) error {
	sound, ok := media[m.Sound]
	if !ok {
		return fmt.Errorf("there is no sound %q", m.Sound)
	}
	params := contentdb.UpsertMeditationParams{
		ID: m.ID, Slug: m.Slug, Position: int32(m.Position), CoursePosition: int32(m.CoursePosition), Level: string(m.Level), //nolint:gosec // places in a small catalogue
		DurationSeconds: int32(m.DurationSeconds), Voice: m.Voice, Tags: m.Tags, MediaID: &sound, PublishedAt: &now, CreatedAt: now, //nolint:gosec // 2700 at most
	}
	if m.CourseID != uuid.Nil {
		params.CourseID = &m.CourseID
	}
	if err := q.UpsertMeditation(ctx, params); err != nil {
		return err
	}
	for language, text := range m.Texts {
		words := k.of(m, language)
		err := q.UpsertMeditationText(ctx, contentdb.UpsertMeditationTextParams{
			MeditationID: m.ID, Locale: language, Title: text.Title, Description: text.Description, Keywords: words,
			FoldedTitle: locale.Fold(language, text.Title), FoldedKeywords: locale.Fold(language, words), FoldedDescription: locale.Fold(language, text.Description),
		})
		if err != nil {
			return fmt.Errorf("text in %s: %w", language, err)
		}
	}
	return nil
}

// keywords finds the words beside a meditation's own text by which it is searched: the titles of its course and tags.
type keywords struct {
	tags    map[string]seed.Tag
	courses map[string]seed.Course
}

func newKeywords(data *seed.Data) keywords {
	k := keywords{tags: map[string]seed.Tag{}, courses: map[string]seed.Course{}}
	for _, tag := range data.Tags {
		k.tags[tag.Code] = tag
	}
	for _, course := range data.Courses {
		k.courses[course.Slug] = course
	}
	return k
}

func (k keywords) of(m seed.Meditation, language string) string {
	words := make([]string, 0, len(m.Tags)+1)
	for _, code := range m.Tags {
		words = append(words, k.tags[code].Names[language])
	}
	if course, ok := k.courses[m.Course]; ok {
		words = append(words, course.Texts[language].Title)
	}
	return strings.Join(words, ", ")
}
