package content

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	"github.com/mindspace-app/mindspace/platform/locale"
)

// What readers get and search finds are rows of content.meditation_texts and content.course_texts. Everything that writes them stands here.

// show makes a published revision what readers get in its language. The item is locked.
func show(ctx context.Context, q *contentdb.Queries, r revision, now time.Time) error {
	if r.Kind == kindCourse {
		return showCourse(ctx, q, r, now)
	}
	if err := writeText(ctx, q, contentdb.ListMeditationTextsRow{MeditationID: r.ItemID, Locale: r.Locale, Title: r.Title, Description: r.Description, MediaID: r.MediaID}); err != nil {
		return err
	}
	if err := q.ShowMeditation(ctx, contentdb.ShowMeditationParams{ID: r.ItemID, Now: now}); err != nil {
		return fmt.Errorf("show meditation: %w", err)
	}
	return nil
}

func showCourse(ctx context.Context, q *contentdb.Queries, r revision, now time.Time) error {
	err := q.UpsertCourseText(ctx, contentdb.UpsertCourseTextParams{CourseID: r.ItemID, Locale: r.Locale, Title: r.Title, Description: r.Description})
	if err != nil {
		return fmt.Errorf("write text of course: %w", err)
	}
	if err := q.ShowCourse(ctx, contentdb.ShowCourseParams{ID: r.ItemID, Now: now}); err != nil {
		return fmt.Errorf("show course: %w", err)
	}
	return refreshCourse(ctx, q, r.ItemID, r.Locale)
}

// hide takes the text of a language away from readers. The item is locked.
func hide(ctx context.Context, q *contentdb.Queries, r revision, now time.Time) error {
	if r.Kind == kindCourse {
		if err := q.DeleteCourseText(ctx, contentdb.DeleteCourseTextParams{CourseID: r.ItemID, Locale: r.Locale}); err != nil {
			return fmt.Errorf("delete text of course: %w", err)
		}
		if err := q.ShowCourse(ctx, contentdb.ShowCourseParams{ID: r.ItemID, Now: now}); err != nil {
			return fmt.Errorf("hide course: %w", err)
		}
		return refreshCourse(ctx, q, r.ItemID, r.Locale)
	}
	if err := q.DeleteMeditationText(ctx, contentdb.DeleteMeditationTextParams{MeditationID: r.ItemID, Locale: r.Locale}); err != nil {
		return fmt.Errorf("delete text of meditation: %w", err)
	}
	if err := q.ShowMeditation(ctx, contentdb.ShowMeditationParams{ID: r.ItemID, Now: now}); err != nil {
		return fmt.Errorf("hide meditation: %w", err)
	}
	return nil
}

// refreshCourse writes what the meditations of a course are found by in a language anew: its title is part of that.
func refreshCourse(ctx context.Context, q *contentdb.Queries, course uuid.UUID, language string) error {
	texts, err := q.ListTextsOfCourse(ctx, contentdb.ListTextsOfCourseParams{CourseID: course, Locale: language})
	if err != nil {
		return fmt.Errorf("list texts of course: %w", err)
	}
	for _, text := range texts {
		if err := writeText(ctx, q, contentdb.ListMeditationTextsRow(text)); err != nil {
			return err
		}
	}
	return nil
}

// refreshMeditation writes what a meditation is found by anew, in every language that it has: its tags, or the course, may be others.
func refreshMeditation(ctx context.Context, q *contentdb.Queries, meditation uuid.UUID) error {
	texts, err := q.ListMeditationTexts(ctx, []uuid.UUID{meditation})
	if err != nil {
		return fmt.Errorf("list texts of meditation: %w", err)
	}
	for _, text := range texts {
		if err := writeText(ctx, q, text); err != nil {
			return err
		}
	}
	return nil
}

// refreshAll writes what all meditations are found by anew: titles of the vocabularies are part of that.
func refreshAll(ctx context.Context, q *contentdb.Queries) error {
	after := uuid.Nil
	for {
		ids, err := q.ListMeditationIDs(ctx, contentdb.ListMeditationIDsParams{AfterID: after, AtMost: refreshedAtOnce})
		if err != nil {
			return fmt.Errorf("list ids of meditations: %w", err)
		}
		for _, id := range ids {
			if _, err := (item{kindMeditation, id}).lock(ctx, q); err != nil {
				return err
			}
			if err := refreshMeditation(ctx, q, id); err != nil {
				return err
			}
			after = id
		}
		if len(ids) < refreshedAtOnce {
			return nil
		}
	}
}

// refreshedAtOnce is how many ids of meditations are read at once.
const refreshedAtOnce = 1000

// wordsVersion is part of what a seed is known by: raise it when [indexed], or the query that writes the words, would make
// others of the same text.
const wordsVersion = 2

// indexed gives a text as its words are indexed: folded, and split as queries are. Postgres alone would take "4-7-8" and "stress/anxiety" apart otherwise.
func indexed(language, text string) string {
	return strings.Join(locale.Words(locale.Fold(language, text)), " ")
}

// writeText writes a text of a meditation with the words that it is found by.
func writeText(ctx context.Context, q *contentdb.Queries, t contentdb.ListMeditationTextsRow) error {
	keywords, err := q.GetMeditationKeywords(ctx, contentdb.GetMeditationKeywordsParams{MeditationID: t.MeditationID, Locale: t.Locale})
	if err != nil {
		return fmt.Errorf("get keywords of meditation: %w", err)
	}
	err = q.UpsertMeditationText(ctx, contentdb.UpsertMeditationTextParams{
		MeditationID: t.MeditationID, Locale: t.Locale, Title: t.Title, Description: t.Description, MediaID: t.MediaID, Keywords: keywords,
		FoldedTitle: indexed(t.Locale, t.Title), FoldedKeywords: indexed(t.Locale, keywords), FoldedDescription: indexed(t.Locale, t.Description),
	})
	if err != nil {
		return fmt.Errorf("write text of meditation: %w", err)
	}
	return nil
}
