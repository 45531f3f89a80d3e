package meditation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/meditationdb"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// Heartbeat keeps how far a session is, and the position in its meditation. What was heard never goes back, so heartbeats may come late, twice or in any
// order. One that has ended is given as it is. Faults: Invalid (sessionId, practicedSeconds, positionSeconds, at), NotFound (SESSION_NOT_FOUND).
func (s *Service) Heartbeat(ctx context.Context, req *meditationv1.HeartbeatRequest) (*meditationv1.HeartbeatResponse, error) {
	me := identity.CallerFrom(ctx).UserID
	id, err := uid.Parse("sessionId", req.GetSessionId())
	if err != nil {
		return nil, err
	}
	q := meditationdb.New(s.Pool)
	row, err := getSession(ctx, q, me, id)
	if err != nil {
		return nil, err
	}
	if row.State == stateRunning {
		if row, err = s.hear(ctx, q, row, req); err != nil {
			return nil, err
		}
	}
	session, err := s.withNote(ctx, q, &row)
	if err != nil {
		return nil, err
	}
	return &meditationv1.HeartbeatResponse{Session: session}, nil
}

// hear stores what is heard of a session that was under way, and gives it as it is then. The session and the position are stored one after the other:
// each bears to be sent again.
func (s *Service) hear(ctx context.Context, q *meditationdb.Queries, row meditationdb.MeditationSession, req *meditationv1.HeartbeatRequest) (meditationdb.MeditationSession, error) {
	now := s.now()
	at, practiced, err := heard(&row, now, req)
	if err != nil {
		return row, err
	}
	if req.PositionSeconds != nil {
		if row.MeditationID == nil {
			return row, fault.Invalid("positionSeconds is told of the timer").WithField("positionSeconds", "must be missing for the open-ended timer")
		}
		_, err := q.SavePositions(ctx, meditationdb.SavePositionsParams{
			UserID: row.UserID, MeditationIds: []uuid.UUID{*row.MeditationID}, PositionSeconds: []int32{req.GetPositionSeconds()},
			Ats: []time.Time{earlier(at, now)},
		})
		if err != nil {
			return row, fmt.Errorf("save position: %w", err)
		}
	}
	changed, err := q.HearOfSession(ctx, meditationdb.HearOfSessionParams{UserID: row.UserID, ID: row.ID, PracticedSeconds: practiced, SeenAt: at})
	if errors.Is(err, pgx.ErrNoRows) {
		return getSession(ctx, q, row.UserID, row.ID) // it has ended meanwhile
	}
	if err != nil {
		return row, fmt.Errorf("hear of session: %w", err)
	}
	return changed, nil
}

// heard checks what a phone tells of a session that is under way: when it was, and how much had been practised. Both stay within a session's longest
// time. Faults: Invalid (at, practicedSeconds).
func heard(row *meditationdb.MeditationSession, now time.Time, req *meditationv1.HeartbeatRequest) (time.Time, int32, error) {
	at, err := heardAt(row, now, req.GetAt())
	if err != nil {
		return at, 0, err
	}
	if latest := row.StartedAt.Add(maxLength); at.After(latest) {
		at = latest
	}
	whole := wholeSeconds(row.StartedAt, at)
	practiced := req.GetPracticedSeconds()
	switch {
	case req.PracticedSeconds == nil:
		return at, whole, nil
	case practiced > whole+int32(maxAhead/time.Second):
		return at, 0, fault.Invalid("practicedSeconds is more than the time since the start").
			WithField("practicedSeconds", "must be at most the seconds since the start")
	}
	return at, min(practiced, whole), nil
}

// heardAt is the moment of a heartbeat: the one that is told, or now. A start by a phone's clock may be after now by ours. Fault: Invalid (at).
func heardAt(row *meditationdb.MeditationSession, now time.Time, told *timestamppb.Timestamp) (time.Time, error) {
	if told == nil {
		return later(now, row.StartedAt), nil
	}
	at := stored(told.AsTime()).Add(skewOfRow(row))
	switch {
	case !told.IsValid() || at.Before(row.StartedAt):
		return at, fault.Invalid("at is before the start").WithField("at", "must not be before the start of the session")
	case at.After(now.Add(maxAhead)):
		return at, fault.Invalid("at is in the future").WithField("at", "must not be in the future")
	}
	return at, nil
}
