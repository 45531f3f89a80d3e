package meditation

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/meditationdb"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
)

// syncPageSize is how many changes a page has when its caller does not say.
const syncPageSize = 100

// syncPlace is the last change that a phone has heard of.
type syncPlace struct {
	Change int64     `json:"c"`
	ID     uuid.UUID `json:"i"`
}

// SyncSessions tells what has changed since a cursor. Nothing is ever missed: changes of a person are numbered while the person is locked, so whoever sees
// a number sees every lower one. A session that changes while a phone goes through the pages is told again, as its number is then a higher one.
// Fault: Invalid (cursor).
func (s *Service) SyncSessions(ctx context.Context, req *meditationv1.SyncSessionsRequest) (*meditationv1.SyncSessionsResponse, error) {
	me, size := identity.CallerFrom(ctx).UserID, req.GetPageSize()
	if size == 0 {
		size = syncPageSize
	}
	scope := "SyncSessions|" + me.String()
	var after syncPlace
	if s.Cursors.Resume(scope, req.GetCursor(), &after) != nil {
		return nil, errCursor
	}
	rows, err := meditationdb.New(s.Pool).ListChanges(ctx, meditationdb.ListChangesParams{
		UserID: me, AfterChange: after.Change, AfterID: after.ID, PageSize: size + 1,
	})
	if err != nil {
		return nil, fmt.Errorf("list changes of sessions: %w", err)
	}
	if len(rows) == 0 && after.Change > 0 {
		if err := s.checkCursor(ctx, me, after); err != nil {
			return nil, err
		}
	}
	res := &meditationv1.SyncSessionsResponse{HasMore: len(rows) > int(size)}
	if res.HasMore {
		rows = rows[:size]
	}
	for i := range rows {
		change, err := s.sessionChange(&rows[i])
		if err != nil {
			return nil, err
		}
		res.Changes = append(res.Changes, change)
		after = syncPlace{Change: rows[i].MeditationSession.Change, ID: rows[i].MeditationSession.ID}
	}
	res.Cursor, err = s.Cursors.Encode(scope, after)
	return res, err
}

// errCursor is told of a cursor that is none of ours, is of another person, or is ahead of the changes that there are.
var errCursor = fault.Invalid("this cursor cannot be used here").WithReason(cursor.Reason).
	WithFields(fault.Field{Path: "cursor", Description: "must be the cursor of an answer; leave it out to begin anew", Reason: cursor.Reason})

// checkCursor makes sure that a person's changes have come as far as a phone says: after a restore from a backup they have not, and numbers would be
// given again that the phone believes it knows. Fault: Invalid (cursor).
func (s *Service) checkCursor(ctx context.Context, person uuid.UUID, after syncPlace) error {
	change, err := meditationdb.New(s.Pool).GetChange(ctx, person)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("get change: %w", err)
	}
	if after.Change > change {
		return errCursor
	}
	return nil
}

// sessionChange is a session as it is now, with its note, or that it is no more.
func (s *Service) sessionChange(row *meditationdb.ListChangesRow) (*meditationv1.SessionChange, error) {
	session := &row.MeditationSession
	if session.State == stateDeleted {
		return &meditationv1.SessionChange{Change: &meditationv1.SessionChange_Deleted{Deleted: &meditationv1.DeletedSession{
			Id: session.ID.String(), ClientId: session.ClientID.String(), DeletedAt: timestamppb.New(session.UpdatedAt),
		}}}, nil
	}
	message, err := s.opened(session, row.Sealed)
	return &meditationv1.SessionChange{Change: &meditationv1.SessionChange_Session{Session: message}}, err
}
