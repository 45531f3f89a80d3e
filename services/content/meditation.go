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
)

// GetMeditation returns one published meditation in the asked locale. Faults: NotFound.
func (s *Service) GetMeditation(ctx context.Context, req *contentv1.GetMeditationRequest) (*contentv1.GetMeditationResponse, error) {
	id, err := uuid.Parse(req.GetId())
	if err != nil {
		return nil, fault.Invalid("id must be a UUID").WithField("id", "must be a UUID")
	}
	row, err := contentdb.New(s.pool).GetMeditation(ctx, contentdb.GetMeditationParams{ID: id, Locale: locale.Of(req.GetLocale())})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fault.NotFound("there is no meditation %s", id).WithReason("MEDITATION_NOT_FOUND")
	}
	if err != nil {
		return nil, fmt.Errorf("get meditation: %w", err)
	}
	return &contentv1.GetMeditationResponse{Meditation: meditation(row.ContentLocalisedMeditation)}, nil
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
	}
	if row.CourseID != nil {
		m.CourseId = row.CourseID.String()
	}
	return m
}
