package user

import (
	"context"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
)

// GetStats returns the caller's streaks and statistics, which the meditation domain keeps; what today is follows from the caller's profile.
func (s *Service) GetStats(ctx context.Context, _ *userv1.GetStatsRequest) (*userv1.GetStatsResponse, error) {
	me, err := s.GetMe(ctx, &userv1.GetMeRequest{})
	if err != nil {
		return nil, err
	}
	res, err := s.Practice.GetStats(ctx, &meditationv1.GetStatsRequest{TimeZone: me.GetUser().GetTimeZone(), DayStartHour: me.GetUser().GetDayStartHour()})
	if err != nil {
		return nil, fault.FromClient(err)
	}
	return &userv1.GetStatsResponse{Stats: res.GetStats()}, nil
}
