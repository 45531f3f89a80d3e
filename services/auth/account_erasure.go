package auth

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
)

// errResumeFirst keeps one member of staff from erasing somebody who could not call it off.
var errResumeFirst = fault.Precondition("a suspended person cannot sign in to call an erasure off: resume the account first").WithReason("ACCOUNT_SUSPENDED")

var errNoErasure = fault.Precondition("no erasure of this account is under way").WithReason("NO_ERASURE")

// accountErasure is what the record says of an erasure. Not its id, with which anybody could read the receipt.
type accountErasure struct {
	EraseAfter *time.Time `json:"erase_after"`
}

// RequestAccountErasure starts the erasure of a person who has asked for it by other means. What is under way already stays as it is.
// Faults: Invalid (userId), NotFound, Denied (STAFF_ACCOUNT), Precondition (LAST_ADMIN, ACCOUNT_SUSPENDED).
func (m *AccountAdmin) RequestAccountErasure(ctx context.Context, req *authv1.RequestAccountErasureRequest) (*authv1.RequestAccountErasureResponse, error) {
	var scheduled *scheduledErasure
	_, err := m.actOn(ctx, "auth.erasure.requested", req.GetUserId(), req.GetReason(), func(tx pgx.Tx, a *account) (before, after any, err error) {
		if a.AuthAccount.State == stateSuspended {
			return nil, nil, errResumeFirst
		}
		scheduled, err = m.scheduleErasure(ctx, tx, a, func() error { return m.recordStaffEvent(ctx, tx, a.AuthAccount.ID, eventErasureRequested) })
		if err != nil {
			return nil, nil, err
		}
		return accountErasure{a.AuthAccount.EraseAfter}, accountErasure{&scheduled.due}, nil
	})
	if err != nil {
		return nil, err
	}
	m.Revocations.EndSessions(ctx, scheduled.ended...)
	return &authv1.RequestAccountErasureResponse{ErasureId: scheduled.id.String(), EraseAfter: timestamppb.New(scheduled.due)}, nil
}

// CancelAccountErasure calls an erasure off. Faults: Invalid (userId), NotFound, Denied (STAFF_ACCOUNT), Precondition (NO_ERASURE).
func (m *AccountAdmin) CancelAccountErasure(ctx context.Context, req *authv1.CancelAccountErasureRequest) (*authv1.CancelAccountErasureResponse, error) {
	_, err := m.actOn(ctx, "auth.erasure.cancelled", req.GetUserId(), req.GetReason(), func(tx pgx.Tx, a *account) (before, after any, err error) {
		called, err := m.callOffErasure(ctx, tx, a.AuthAccount.ID)
		if err != nil {
			return nil, nil, err
		}
		if !called {
			return nil, nil, errNoErasure
		}
		return accountErasure{a.AuthAccount.EraseAfter}, accountErasure{}, m.recordStaffEvent(ctx, tx, a.AuthAccount.ID, eventErasureCancelled)
	})
	if err != nil {
		return nil, err
	}
	return &authv1.CancelAccountErasureResponse{}, nil
}
