package user_test

import (
	"context"
	"testing"

	"connectrpc.com/connect/v2"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1/userv1connect"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
)

// practice plays the meditation domain, by its contract: its answer says who asked, and for which day.
type practice struct {
	meditationv1connect.UnimplementedPracticeServiceHandler
}

// GetStats answers with what it was asked; of a day that begins at 23 it does not know.
func (practice) GetStats(ctx context.Context, req *meditationv1.GetStatsRequest) (*meditationv1.GetStatsResponse, error) {
	if req.GetDayStartHour() == 23 {
		return nil, fault.Unavailable("not now").WithReason("RESTING")
	}
	return &meditationv1.GetStatsResponse{Stats: &meditationv1.Stats{
		CurrentStreakDays: 3, LongestStreakDays: 5, PracticeDays: 8, TotalMinutes: 90, TotalSessions: 9,
		Today: req.GetTimeZone(), FreezesHeld: req.GetDayStartHour(), LastPracticeDate: identity.CallerFrom(ctx).UserID.String(),
	}}, nil
}

func TestStats(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	meditationv1connect.RegisterPracticeServiceHandler(r.Server.Server, practice{})
	ana := r.Register("ana@example.org")
	stats := func() *meditationv1.Stats {
		t.Helper()
		res, err := r.as(ana).GetStats(t.Context(), &userv1.GetStatsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return res.GetStats()
	}
	if s := stats(); s.GetCurrentStreakDays() != 3 || s.GetLongestStreakDays() != 5 || s.GetPracticeDays() != 8 || s.GetTotalMinutes() != 90 || s.GetTotalSessions() != 9 {
		t.Errorf("stats: %v", s)
	}
	if s := stats(); s.GetToday() != "UTC" || s.GetFreezesHeld() != 0 || s.GetLastPracticeDate() != ana.ID.String() {
		t.Errorf("it asked for another day or person: %v", s)
	}
	set := func(hour int32) {
		t.Helper()
		if _, err := r.as(ana).UpdateMe(t.Context(), &userv1.UpdateMeRequest{User: &userv1.User{TimeZone: "Asia/Kathmandu", DayStartHour: hour}}); err != nil {
			t.Fatal(err)
		}
	}
	set(4)
	if s := stats(); s.GetToday() != "Asia/Kathmandu" || s.GetFreezesHeld() != 4 {
		t.Errorf("it asked for another day than the person's: %v", s)
	}
	// What the other domain refuses reaches the caller.
	set(23)
	_, err := r.as(ana).GetStats(t.Context(), &userv1.GetStatsRequest{})
	refused(t, "when the other domain is away", err, connect.CodeUnavailable, "RESTING")
	nobody := userv1connect.NewUserServiceClient(r.Client(""))
	if _, err := nobody.GetStats(t.Context(), &userv1.GetStatsRequest{}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("nobody's: %v", err)
	}
}
