package content

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/locale"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// GetPlayback tells where the sound of a published meditation is: that of the text in which it is shown, or else the meditation's own.
// Faults: NotFound (MEDITATION_NOT_FOUND, SOUND_NOT_FOUND).
func (s *Service) GetPlayback(ctx context.Context, req *contentv1.GetPlaybackRequest) (*contentv1.GetPlaybackResponse, error) {
	id, err := uid.Parse("meditationId", req.GetMeditationId())
	if err != nil {
		return nil, err
	}
	row, err := getMeditation(ctx, contentdb.New(s.Pool), id, locale.Of(req.GetLocale()))
	if err != nil {
		return nil, err
	}
	if row.MediaID == nil {
		return nil, fault.NotFound("meditation %s has no sound", id).WithReason("SOUND_NOT_FOUND")
	}
	m, err := s.medium(ctx, *row.MediaID)
	if err != nil {
		return nil, err
	}
	until := linksUntil(s.now())
	link, err := s.mediaURL(ctx, m, until)
	if err != nil {
		return nil, err
	}
	return &contentv1.GetPlaybackResponse{
		Url: link, ExpiresAt: timestamppb.New(until), SizeBytes: m.SizeBytes, Sha256: hex.EncodeToString(m.Sha256), DurationSeconds: row.DurationSeconds,
		ContentType: m.ContentType, FileDurationSeconds: m.DurationSeconds, Loops: m.Loops,
	}, nil
}

// medium gives what is known of a sound. Faults: NotFound (SOUND_NOT_FOUND).
func (s *Service) medium(ctx context.Context, id uuid.UUID) (contentdb.ContentMedium, error) {
	return s.media.Get(ctx, id.String(), func(ctx context.Context) (contentdb.ContentMedium, error) {
		m, err := contentdb.New(s.Pool).GetMedia(ctx, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return m, fault.NotFound("there is no sound %s", id).WithReason("SOUND_NOT_FOUND")
		}
		if err != nil {
			return m, fmt.Errorf("get media: %w", err)
		}
		return m, nil
	})
}
