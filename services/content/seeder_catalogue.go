package content

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	"github.com/mindspace-app/mindspace/platform/locale"
	"github.com/mindspace-app/mindspace/services/content/seed"
)

func writeVocabularies(ctx context.Context, q *contentdb.Queries, data *seed.Data) error {
	for i, category := range data.Categories {
		n := category.Names
		err := q.UpsertCategory(ctx, contentdb.UpsertCategoryParams{
			Code: category.Code, Position: int32(i + 1), TitleEn: n[locale.English], TitleRu: n[locale.Russian], TitleSr: n[locale.Serbian],
		})
		if err != nil {
			return fmt.Errorf("write category %s: %w", category.Code, err)
		}
	}
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

// writeCatalogue writes the courses and meditations, published. media has the ids of sounds by code.
func writeCatalogue(ctx context.Context, q *contentdb.Queries, data *seed.Data, media map[string]uuid.UUID, now time.Time) error {
	for _, c := range data.Courses {
		err := q.UpsertCourse(ctx, contentdb.UpsertCourseParams{
			ID: c.ID, Slug: c.Slug, Position: int32(c.Position), Category: &c.Category, CreatedAt: now, //nolint:gosec // a handful of courses
		})
		if err == nil {
			err = publishTexts(ctx, q, item{kind: kindCourse, id: c.ID}, c.Texts, now)
		}
		if err != nil {
			return fmt.Errorf("write course %s: %w", c.Slug, err)
		}
	}
	for _, m := range data.Meditations {
		if err := writeMeditation(ctx, q, m, media, now); err != nil {
			return fmt.Errorf("write meditation %s: %w", m.Slug, err)
		}
	}
	return nil
}

func writeMeditation(ctx context.Context, q *contentdb.Queries, m seed.Meditation, media map[string]uuid.UUID, now time.Time) error {
	sound, ok := media[m.Sound]
	if !ok {
		return fmt.Errorf("there is no sound %q", m.Sound)
	}
	params := contentdb.UpsertMeditationParams{
		ID: m.ID, Slug: m.Slug, Position: int32(m.Position), CoursePosition: int32(m.CoursePosition), Level: string(m.Level), //nolint:gosec // places in a small catalogue
		DurationSeconds: int32(m.DurationSeconds), Voice: m.Voice, Category: &m.Category, Tags: m.Tags, MediaID: &sound, CreatedAt: now, //nolint:gosec // 2700 at most
	}
	if m.CourseID != uuid.Nil {
		params.CourseID = &m.CourseID
	}
	if err := q.UpsertMeditation(ctx, params); err != nil {
		return err
	}
	return publishTexts(ctx, q, item{kind: kindMeditation, id: m.ID}, m.Texts, now)
}

// publishTexts publishes what the seed says of an item, in every language.
func publishTexts(ctx context.Context, q *contentdb.Queries, of item, texts map[string]seed.Text, now time.Time) error {
	for _, language := range locale.All() {
		if err := publishSeed(ctx, q, of, language, texts[language].Title, texts[language].Description, now); err != nil {
			return fmt.Errorf("text in %s: %w", language, err)
		}
	}
	return nil
}
