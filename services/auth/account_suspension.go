package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
)

// accountState is what the record says of whether a person may sign in.
type accountState struct {
	State string `json:"state"`
}

// SuspendAccount keeps a person out, and signs them out everywhere.
// Faults: Invalid (userId), NotFound, Denied (STAFF_ACCOUNT), Precondition (LAST_ADMIN).
func (m *AccountAdmin) SuspendAccount(ctx context.Context, req *authv1.SuspendAccountRequest) (*authv1.SuspendAccountResponse, error) {
	var ended []uuid.UUID
	var outdated time.Time
	id, err := m.actOn(ctx, "auth.account.suspended", req.GetUserId(), req.GetReason(), func(tx pgx.Tx, a *account) (before, after any, err error) {
		ended, outdated = nil, time.Time{}
		if a.AuthAccount.State != stateSuspended {
			ended, outdated, err = m.suspend(ctx, tx, a.AuthAccount.ID)
		}
		return accountState{a.AuthAccount.State}, accountState{stateSuspended}, err
	})
	if err != nil {
		return nil, err
	}
	if !outdated.IsZero() {
		m.Revocations.Outdate(ctx, id, outdated)
		m.Revocations.EndSessions(ctx, ended...)
	}
	return &authv1.SuspendAccountResponse{}, nil
}

func (m *AccountAdmin) suspend(ctx context.Context, tx pgx.Tx, person uuid.UUID) (ended []uuid.UUID, outdated time.Time, err error) {
	q := authdb.New(tx)
	if err := keepLastAdmin(ctx, q, person); err != nil {
		return nil, outdated, err
	}
	err = errors.Join(
		q.SetAccountState(ctx, authdb.SetAccountStateParams{ID: person, State: stateSuspended}), q.DeleteChallenges(ctx, person), q.DeleteOidcFlows(ctx, person),
	)
	if err != nil {
		return nil, outdated, fmt.Errorf("suspend account: %w", err)
	}
	// Before the sessions end: it looks at the live ones.
	if outdated, err = m.outdate(ctx, q, person); err != nil {
		return nil, outdated, err
	}
	if ended, err = m.endSessions(ctx, tx, person, "suspended"); err != nil {
		return nil, outdated, err
	}
	return ended, outdated, m.recordStaffEvent(ctx, tx, person, eventAccountSuspended)
}

// ResumeAccount lets a suspended person in again. Faults: Invalid (userId), NotFound, Denied (STAFF_ACCOUNT).
func (m *AccountAdmin) ResumeAccount(ctx context.Context, req *authv1.ResumeAccountRequest) (*authv1.ResumeAccountResponse, error) {
	_, err := m.actOn(ctx, "auth.account.resumed", req.GetUserId(), req.GetReason(), func(tx pgx.Tx, a *account) (before, after any, err error) {
		before, after = accountState{a.AuthAccount.State}, accountState{stateActive}
		if a.AuthAccount.State == stateActive {
			return before, after, nil
		}
		if err := authdb.New(tx).SetAccountState(ctx, authdb.SetAccountStateParams{ID: a.AuthAccount.ID, State: stateActive}); err != nil {
			return nil, nil, fmt.Errorf("resume account: %w", err)
		}
		// What waited, as it could not be called off, waits for as long as if it were asked for now.
		_, err = authdb.New(tx).PostponeErasure(ctx, authdb.PostponeErasureParams{ID: a.AuthAccount.ID, EraseAfter: m.now().Add(m.CoolingOff)})
		if err != nil {
			return nil, nil, fmt.Errorf("postpone erasure: %w", err)
		}
		return before, after, m.recordStaffEvent(ctx, tx, a.AuthAccount.ID, eventAccountResumed)
	})
	if err != nil {
		return nil, err
	}
	return &authv1.ResumeAccountResponse{}, nil
}
