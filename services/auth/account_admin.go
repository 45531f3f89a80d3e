package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1/authv1connect"
	policyv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/policy/v1"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// AccountAdmin is mindspace.auth.v1.AccountAdminService.
type AccountAdmin struct {
	*Service
	audit *audit.Log
}

var _ authv1connect.AccountAdminServiceHandler = (*AccountAdmin)(nil)

// NewAccountAdmin returns the service beside the one that signs people in.
func NewAccountAdmin(s *Service, log *audit.Log) *AccountAdmin {
	return &AccountAdmin{Service: s, audit: log}
}

var errStaffAccount = fault.Denied("this account has staff roles: an administrator has to do this").WithReason("STAFF_ACCOUNT")

// GetAnyAccount returns an account as support sees it, and records who looked. Faults: Invalid (userId), NotFound.
func (m *AccountAdmin) GetAnyAccount(ctx context.Context, req *authv1.GetAnyAccountRequest) (*authv1.GetAnyAccountResponse, error) {
	id, err := uid.Parse("userId", req.GetUserId())
	if err != nil {
		return nil, err
	}
	var row authdb.GetAccountDetailsRow
	err = postgres.InTx(ctx, m.Pool, func(tx pgx.Tx) error {
		row, err = authdb.New(tx).GetAccountDetails(ctx, authdb.GetAccountDetailsParams{ID: id, Now: m.now()})
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.NotFound("there is no account %s", id)
		}
		if err != nil {
			return fmt.Errorf("get account details: %w", err)
		}
		return m.audit.Record(ctx, tx, audit.Entry{Action: "auth.account.viewed", SubjectType: "account", SubjectID: id.String(), Person: id})
	})
	if err != nil {
		return nil, err
	}
	return &authv1.GetAnyAccountResponse{Account: detailsMessage(authdb.ListAccountDetailsRow(row))}, nil
}

func detailsMessage(row authdb.ListAccountDetailsRow) *authv1.AccountDetails {
	details := &authv1.AccountDetails{
		Account: accountMessage(row.AuthAccount), State: authv1.AccountState_ACCOUNT_STATE_ACTIVE, Roles: roles(row.Roles), SecondFactor: row.SecondFactor,
		LiveSessions: int32(row.LiveSessions), EraseAfter: timestampOf(row.AuthAccount.EraseAfter), //nolint:gosec // a hundred at most
	}
	if row.AuthAccount.State == stateSuspended {
		details.State = authv1.AccountState_ACCOUNT_STATE_SUSPENDED
	}
	if row.LastSeenAt.Unix() > 0 {
		details.LastSeenAt = timestamppb.New(row.LastSeenAt)
	}
	return details
}

// actOn has somebody's account changed, which is held still meanwhile, and records what was done, and why. A member of staff's is an administrator's
// to change. change gives what the record says beside the reason.
// Faults beside those of change: Invalid (userId), NotFound, Denied (STAFF_ACCOUNT).
func (m *AccountAdmin) actOn(ctx context.Context, action, text, reason string, change func(tx pgx.Tx, a *account) (before, after any, err error)) (uuid.UUID, error) {
	id, err := uid.Parse("userId", text)
	if err != nil {
		return uuid.Nil, err
	}
	return id, postgres.InTx(ctx, m.Pool, func(tx pgx.Tx) error {
		a, err := lockedAccount(ctx, authdb.New(tx), id)
		if err != nil {
			return err
		}
		if len(a.Roles) > 0 && !identity.CallerFrom(ctx).HasAnyRole(policyv1.Role_ROLE_ADMIN) {
			return errStaffAccount
		}
		before, after, err := change(tx, a)
		if err != nil {
			return err
		}
		return m.audit.Record(ctx, tx, audit.Entry{
			Action: action, SubjectType: "account", SubjectID: id.String(), Person: id,
			Before: before, After: map[string]any{"reason": reason, "now": after},
		})
	})
}

// EndAccountSessions signs a person out everywhere. Faults: Invalid (userId), NotFound, Denied (STAFF_ACCOUNT).
func (m *AccountAdmin) EndAccountSessions(ctx context.Context, req *authv1.EndAccountSessionsRequest) (*authv1.EndAccountSessionsResponse, error) {
	var ended []uuid.UUID
	_, err := m.actOn(ctx, "auth.sessions.ended", req.GetUserId(), req.GetReason(), func(tx pgx.Tx, a *account) (before, after any, err error) {
		if ended, err = m.endSessions(ctx, tx, a.AuthAccount.ID, "revoked"); err != nil || len(ended) == 0 {
			return nil, nil, err
		}
		return map[string]int{"live_sessions": len(ended)}, map[string]int{"live_sessions": 0}, m.recordStaffEvent(ctx, tx, a.AuthAccount.ID, eventSessionsEnded)
	})
	if err != nil {
		return nil, err
	}
	m.Revocations.EndSessions(ctx, ended...)
	return &authv1.EndAccountSessionsResponse{Ended: int32(len(ended))}, nil //nolint:gosec // a hundred or so
}
