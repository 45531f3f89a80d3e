package content

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/locale"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// GetMeditation returns one published meditation in the asked locale, and whether it is a favourite of the caller. Faults: NotFound.
func (s *Service) GetMeditation(ctx context.Context, req *contentv1.GetMeditationRequest) (*contentv1.GetMeditationResponse, error) {
	id, err := uid.Parse("id", req.GetId())
	if err != nil {
		return nil, err
	}
	q := contentdb.New(s.Pool)
	row, err := getMeditation(ctx, q, id, locale.Of(req.GetLocale()))
	if err != nil {
		return nil, err
	}
	res := &contentv1.GetMeditationResponse{Meditation: meditation(row)}
	if me := person(ctx); me != uuid.Nil {
		res.Favourite, err = q.IsFavourite(ctx, contentdb.IsFavouriteParams{UserID: me, MeditationID: id})
		if err != nil {
			return nil, fmt.Errorf("look for favourite: %w", err)
		}
	}
	return res, nil
}

// getMeditation gives a published meditation. Faults: NotFound (MEDITATION_NOT_FOUND).
func getMeditation(ctx context.Context, q *contentdb.Queries, id uuid.UUID, language string) (contentdb.ContentLocalisedMeditation, error) {
	row, err := q.GetMeditation(ctx, contentdb.GetMeditationParams{ID: id, Locale: language})
	if errors.Is(err, pgx.ErrNoRows) {
		return row.ContentLocalisedMeditation, noMeditation(id)
	}
	if err != nil {
		return row.ContentLocalisedMeditation, fmt.Errorf("get meditation: %w", err)
	}
	return row.ContentLocalisedMeditation, nil
}

func noMeditation(id uuid.UUID) error {
	return fault.NotFound("there is no meditation %s", id).WithReason("MEDITATION_NOT_FOUND")
}

var levels = map[string]contentv1.Level{
	"beginner":     contentv1.Level_LEVEL_BEGINNER,
	"intermediate": contentv1.Level_LEVEL_INTERMEDIATE,
	"advanced":     contentv1.Level_LEVEL_ADVANCED,
}

// meditation is the row as the contract shows it.
func meditation(row contentdb.ContentLocalisedMeditation) *contentv1.Meditation {
	m := &contentv1.Meditation{
		Id:              row.ID.String(),
		Title:           row.Title,
		Description:     row.Description,
		DurationSeconds: row.DurationSeconds,
		Level:           levels[row.Level],
		Tags:            row.Tags,
		CourseTitle:     row.CourseTitle,
		CoursePosition:  row.CoursePosition,
		Voice:           row.Voice,
		Locale:          row.Locale,
		CourseId:        uid.Text(row.CourseID),
	}
	if row.Category != nil {
		m.Category = *row.Category
	}
	return m
}
