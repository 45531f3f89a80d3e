package meditation

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/meditationdb"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// GetSession returns one session of the caller, with its note. Faults: Invalid (sessionId), NotFound (SESSION_NOT_FOUND).
func (s *Service) GetSession(ctx context.Context, req *meditationv1.GetSessionRequest) (*meditationv1.GetSessionResponse, error) {
	id, err := uid.Parse("sessionId", req.GetSessionId())
	if err != nil {
		return nil, err
	}
	q := meditationdb.New(s.Pool)
	row, err := getSession(ctx, q, identity.CallerFrom(ctx).UserID, id)
	if err != nil {
		return nil, err
	}
	session, err := s.withNote(ctx, q, &row)
	if err != nil {
		return nil, err
	}
	return &meditationv1.GetSessionResponse{Session: session}, nil
}

// errNoSession is told of sessions that never were, are another person's, or were deleted: nobody learns which.
var errNoSession = fault.NotFound("there is no such session").WithReason("SESSION_NOT_FOUND")

// getSession reads a session of a person. Fault: NotFound (SESSION_NOT_FOUND).
func getSession(ctx context.Context, q *meditationdb.Queries, person, id uuid.UUID) (meditationdb.MeditationSession, error) {
	row, err := q.GetSession(ctx, meditationdb.GetSessionParams{UserID: person, ID: id})
	if errors.Is(err, pgx.ErrNoRows) {
		return row, errNoSession
	}
	if err != nil {
		return row, fmt.Errorf("get session: %w", err)
	}
	return row, nil
}

// lockSession makes this transaction the one that changes a person's session, and gives the number of the change. A tombstone is given, too.
// Fault: NotFound (SESSION_NOT_FOUND).
func lockSession(ctx context.Context, q *meditationdb.Queries, person, id uuid.UUID) (row meditationdb.MeditationSession, change int64, err error) {
	if change, err = q.LockPerson(ctx, person); err != nil {
		return row, 0, fmt.Errorf("lock person: %w", err)
	}
	row, err = q.LockSession(ctx, meditationdb.LockSessionParams{UserID: person, ID: id})
	if errors.Is(err, pgx.ErrNoRows) {
		return row, 0, errNoSession
	}
	if err != nil {
		return row, 0, fmt.Errorf("lock session: %w", err)
	}
	return row, change, nil
}
