package meditation

import (
	"context"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/zone"
)

// Practice is mindspace.meditation.v1.PracticeService, which other domains ask for the person for whom they act.
type Practice struct {
	service *Service
}

var _ meditationv1connect.PracticeServiceHandler = (*Practice)(nil)

// NewPractice returns the service beside the one that people use.
func NewPractice(s *Service) *Practice { return &Practice{service: s} }

// GetStats returns the caller's streaks and statistics; the request says how their days go. Fault: Invalid (timeZone).
func (p *Practice) GetStats(ctx context.Context, req *meditationv1.GetStatsRequest) (*meditationv1.GetStatsResponse, error) {
	z, err := zone.Load("timeZone", req.GetTimeZone())
	if err != nil {
		return nil, err
	}
	mine, err := p.service.practiceOf(ctx, identity.CallerFrom(ctx).UserID)
	if err != nil {
		return nil, err
	}
	return &meditationv1.GetStatsResponse{Stats: mine.stats(DateOf(p.service.Now(), z, int(req.GetDayStartHour())))}, nil
}
