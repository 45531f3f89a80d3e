package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/personal"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// scheduledErasure is an erasure that waits for its time.
type scheduledErasure struct {
	id  uuid.UUID
	due time.Time
	// ended are sessions to be told to Revocations after the commit.
	ended []uuid.UUID
}

// RequestErasure has the caller erased in a while, and signs them out everywhere. With a password, a sign-in of late does not stand in for it:
// a phone left unlocked must not cost the account. Where there is a second factor, the session has to have had it.
// Faults: Unauthenticated (CREDENTIALS_WRONG, SESSION_ENDED), Exhausted (GUESSES_DELAYED), Precondition (SIGN_IN_AGAIN, SECOND_FACTOR_NEEDED, LAST_ADMIN).
func (s *Accounts) RequestErasure(ctx context.Context, req *authv1.RequestErasureRequest) (*authv1.RequestErasureResponse, error) {
	person := identity.CallerFrom(ctx).UserID
	seen, err := getAccount(ctx, authdb.New(s.Pool), person)
	if err != nil {
		return nil, err
	}
	if err := s.hadFactor(ctx, seen); err != nil {
		return nil, err
	}
	if err := s.prove(ctx, seen, req.GetPassword(), seen.AuthAccount.PasswordHash == nil); err != nil {
		return nil, err
	}
	var scheduled *scheduledErasure
	err = postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		current, err := lockedAccount(ctx, authdb.New(tx), person)
		if err != nil {
			return err
		}
		if !samePassword(seen, current) {
			return errCredentialsWrong
		}
		scheduled, err = s.scheduleErasure(ctx, tx, current, func() error { return s.recordEvent(ctx, tx, person, eventErasureRequested, "") })
		if err == nil && current.AuthAccount.ErasureID == nil && !slices.Contains(scheduled.ended, identity.CallerFrom(ctx).SessionID) {
			return errSessionEnded // an ended session, of which this process has not heard
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	s.Revocations.EndSessions(ctx, scheduled.ended...)
	return &authv1.RequestErasureResponse{ErasureId: scheduled.id.String(), EraseAfter: timestamppb.New(scheduled.due)}, nil
}

// scheduleErasure schedules the erasure of a locked account, ends its sessions, and voids sign-ins that wait for their second factor: one that was begun
// before must not call the erasure off. record notes the request. An erasure that is under way already stays as it is.
// Fault: Precondition (LAST_ADMIN).
func (s *Service) scheduleErasure(ctx context.Context, tx pgx.Tx, a *account, record func() error) (*scheduledErasure, error) {
	if a.AuthAccount.ErasureID != nil {
		return &scheduledErasure{id: *a.AuthAccount.ErasureID, due: *a.AuthAccount.EraseAfter}, nil
	}
	q, now, person := authdb.New(tx), s.now(), a.AuthAccount.ID
	if err := keepLastAdmin(ctx, q, person); err != nil {
		return nil, err
	}
	id, err := uuid.NewRandom() // it must not be guessed: whoever knows it may read the receipt
	if err != nil {
		return nil, fmt.Errorf("make an id: %w", err)
	}
	scheduled := &scheduledErasure{id: id, due: now.Add(s.CoolingOff)}
	byStaff := identity.CallerFrom(ctx).UserID != person
	err = errors.Join(
		q.InsertErasure(ctx, authdb.InsertErasureParams{ID: id, AccountID: &person, RequestedAt: now, ByStaff: byStaff, EraseAfter: scheduled.due}),
		q.ScheduleErasure(ctx, authdb.ScheduleErasureParams{ID: person, EraseAfter: scheduled.due, ErasureID: id}),
		q.DeleteChallenges(ctx, person), q.DeleteOidcFlows(ctx, person),
	)
	if err != nil {
		return nil, fmt.Errorf("schedule erasure: %w", err)
	}
	if scheduled.ended, err = s.endSessions(ctx, tx, person, "erased"); err != nil {
		return nil, err
	}
	return scheduled, record()
}

// signedInAgain calls off the erasure that waits for its time, as its person is back.
func (s *Service) signedInAgain(ctx context.Context, tx pgx.Tx, a *account, device string) error {
	if a.AuthAccount.ErasureID == nil {
		return nil
	}
	called, err := s.callOffErasure(ctx, tx, a.AuthAccount.ID)
	if err != nil || !called {
		return err
	}
	return s.recordEvent(ctx, tx, a.AuthAccount.ID, eventErasureCancelled, device)
}

// callOffErasure tells whether there was one to call off. The account is locked.
func (s *Service) callOffErasure(ctx context.Context, tx pgx.Tx, person uuid.UUID) (bool, error) {
	_, err := authdb.New(tx).UnscheduleErasure(ctx, authdb.UnscheduleErasureParams{ID: person, Now: s.now()})
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("call off erasure: %w", err)
	}
	return true, nil
}

// GetErasure tells how an erasure stands, and gives its receipt. Faults: Invalid (erasureId), NotFound.
func (s *Accounts) GetErasure(ctx context.Context, req *authv1.GetErasureRequest) (*authv1.GetErasureResponse, error) {
	id, err := uid.Parse("erasureId", req.GetErasureId())
	if err != nil {
		return nil, err
	}
	row, err := authdb.New(s.Pool).GetErasure(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fault.NotFound("there is no erasure with this id")
	}
	if err != nil {
		return nil, fmt.Errorf("get erasure: %w", err)
	}
	erasure, err := erasureMessage(row)
	if err != nil {
		return nil, err
	}
	return &authv1.GetErasureResponse{Erasure: erasure}, nil
}

// erasureMessage is what a receipt says: nothing of the person.
func erasureMessage(row authdb.AuthErasure) (*authv1.Erasure, error) {
	var touched []personal.Touched
	if err := json.Unmarshal(row.Items, &touched); err != nil {
		return nil, fmt.Errorf("read receipt: %w", err)
	}
	items := make([]*authv1.ErasureItem, 0, len(touched))
	for _, t := range touched {
		items = append(items, &authv1.ErasureItem{Kind: t.Kind, Name: t.Name, Action: t.Action, Count: t.Count, Reason: t.Reason})
	}
	return &authv1.Erasure{
		Id: row.ID.String(), State: erasureState(row), RequestedAt: timestamppb.New(row.RequestedAt), EraseAfter: timestamppb.New(row.EraseAfter),
		CancelledAt: timestampOf(row.CancelledAt), ErasedAt: timestampOf(row.ErasedAt), Items: items, BackupsUntil: timestampOf(row.BackupsUntil),
	}, nil
}

func erasureState(row authdb.AuthErasure) authv1.ErasureState {
	switch {
	case row.CancelledAt != nil:
		return authv1.ErasureState_ERASURE_STATE_CANCELLED
	case row.CompletedAt != nil:
		return authv1.ErasureState_ERASURE_STATE_COMPLETE
	case row.ErasedAt != nil:
		return authv1.ErasureState_ERASURE_STATE_ERASED
	default:
		return authv1.ErasureState_ERASURE_STATE_SCHEDULED
	}
}
