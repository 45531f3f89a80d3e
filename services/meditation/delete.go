package meditation

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/meditationdb"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// DeleteSession leaves a tombstone of a session, counts its day anew and tells others. Deleting it again does nothing.
// Faults: Invalid (sessionId), NotFound (SESSION_NOT_FOUND).
func (s *Service) DeleteSession(ctx context.Context, req *meditationv1.DeleteSessionRequest) (*meditationv1.DeleteSessionResponse, error) {
	me := identity.CallerFrom(ctx).UserID
	id, err := uid.Parse("sessionId", req.GetSessionId())
	if err != nil {
		return nil, err
	}
	err = postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		row, change, err := lockSession(ctx, meditationdb.New(tx), me, id)
		if err != nil || row.State == stateDeleted {
			return err
		}
		return s.bury(ctx, tx, &row, change)
	})
	s.practice.Invalidate(context.WithoutCancel(ctx), me.String()) // whatever became of the commit
	if err != nil {
		return nil, err
	}
	return &meditationv1.DeleteSessionResponse{}, nil
}

// bury makes a tombstone of a session. The session is locked.
func (s *Service) bury(ctx context.Context, tx pgx.Tx, row *meditationdb.MeditationSession, change int64) error {
	q := meditationdb.New(tx)
	if err := q.DeleteSession(ctx, meditationdb.DeleteSessionParams{UserID: row.UserID, ID: row.ID, Change: change, Now: s.now()}); err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	if err := q.DeleteNote(ctx, meditationdb.DeleteNoteParams{UserID: row.UserID, ClientID: row.ClientID}); err != nil {
		return fmt.Errorf("delete note: %w", err)
	}
	if err := recountDay(ctx, q, row); err != nil {
		return err
	}
	if row.State != stateRunning && row.PracticedSeconds > 0 { // else it was in no streak
		if err := q.DeleteStreakRecords(ctx, meditationdb.DeleteStreakRecordsParams{UserID: row.UserID, RuleVersion: RuleVersion}); err != nil {
			return fmt.Errorf("delete streak records: %w", err)
		}
	}
	if _, err := s.Queue.InsertTx(ctx, tx, SessionDeleted{UserID: row.UserID, SessionID: row.ID}, nil); err != nil {
		return fmt.Errorf("tell that a session was deleted: %w", err)
	}
	return nil
}
