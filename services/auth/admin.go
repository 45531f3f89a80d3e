package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1/authv1connect"
	policyv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/policy/v1"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// Admin is mindspace.auth.v1.AuthAdminService.
type Admin struct {
	Options
	keys  *SigningKeys
	audit *audit.Log
}

var _ authv1connect.AuthAdminServiceHandler = (*Admin)(nil)

// NewAdmin returns the service beside the one that signs people in.
func NewAdmin(s *Service, keys *SigningKeys, log *audit.Log) *Admin {
	return &Admin{Options: s.Options, keys: keys, audit: log}
}

// staffPlace is where a page of staff ends.
type staffPlace struct {
	Email string `json:"e"`
}

// ListStaff returns the accounts that have staff roles. Faults: Invalid (pageToken).
func (m *Admin) ListStaff(ctx context.Context, req *authv1.ListStaffRequest) (*authv1.ListStaffResponse, error) {
	const scope = "ListStaff"
	size, after := cursor.PageSize(req.GetPageSize()), staffPlace{}
	if err := m.Cursors.Resume(scope, req.GetPageToken(), &after); err != nil {
		return nil, err
	}
	rows, err := authdb.New(m.Pool).ListStaff(ctx, authdb.ListStaffParams{AfterEmail: after.Email, PageSize: size + 1})
	if err != nil {
		return nil, fmt.Errorf("list staff: %w", err)
	}
	res := &authv1.ListStaffResponse{}
	rows, res.NextPageToken, err = cursor.Cut(m.Cursors, scope, rows, size, func(last authdb.ListStaffRow) any { return staffPlace{Email: last.Email} })
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		res.Staff = append(res.Staff, &authv1.StaffMember{
			UserId: row.ID.String(), Email: row.Email, DisplayName: row.DisplayName, Roles: roles(row.Roles), SecondFactor: row.SecondFactor,
		})
	}
	return res, nil
}

// GrantRole gives an account a staff role. Faults: NotFound, Precondition (EMAIL_UNVERIFIED).
func (m *Admin) GrantRole(ctx context.Context, req *authv1.GrantRoleRequest) (*authv1.GrantRoleResponse, error) {
	caller := identity.CallerFrom(ctx).UserID
	err := m.changeRole(ctx, req.GetUserId(), "auth.role.granted", func(q *authdb.Queries, a *account) error {
		if err := m.trustworthy(a); err != nil {
			return err
		}
		_, err := q.GrantRole(ctx, authdb.GrantRoleParams{AccountID: a.AuthAccount.ID, Role: roleNames[req.GetRole()], GrantedBy: &caller, GrantedAt: m.now()})
		return err
	})
	return &authv1.GrantRoleResponse{}, err
}

// trustworthy refuses to make staff of an account whose address nobody has proved: a stranger may have registered it, with a password of theirs.
func (o Options) trustworthy(a *account) error {
	if a.AuthAccount.EmailVerifiedAt == nil && !o.Demo {
		return fault.Precondition("the address of this account is not verified, so it may be somebody else's: have its owner verify it or reset the password first").
			WithReason("EMAIL_UNVERIFIED")
	}
	return nil
}

// RevokeRole takes a staff role away. Faults: NotFound, Precondition (LAST_ADMIN).
func (m *Admin) RevokeRole(ctx context.Context, req *authv1.RevokeRoleRequest) (*authv1.RevokeRoleResponse, error) {
	err := m.changeRole(ctx, req.GetUserId(), "auth.role.revoked", func(q *authdb.Queries, a *account) error {
		if req.GetRole() == policyv1.Role_ROLE_ADMIN {
			if err := keepLastAdmin(ctx, q, a.AuthAccount.ID); err != nil {
				return err
			}
		}
		_, err := q.RevokeRole(ctx, authdb.RevokeRoleParams{AccountID: a.AuthAccount.ID, Role: roleNames[req.GetRole()]})
		return err
	})
	return &authv1.RevokeRoleResponse{}, err
}

// keepLastAdmin refuses to leave an installation without an administrator who can sign in, and goes on to. The account is locked.
func keepLastAdmin(ctx context.Context, q *authdb.Queries, id uuid.UUID) error {
	admins, err := q.LockAdmins(ctx)
	if err != nil {
		return fmt.Errorf("lock administrators: %w", err)
	}
	if !slices.Contains(admins, id) {
		return nil
	}
	others, err := q.CountOtherAdmins(ctx, id)
	if err != nil {
		return fmt.Errorf("count administrators: %w", err)
	}
	if others == 0 {
		return fault.Precondition("this is the last administrator: make another one first").WithReason("LAST_ADMIN")
	}
	return nil
}

// changeRole changes the roles of an account, records what they were and are, and outdates its access tokens.
func (m *Admin) changeRole(ctx context.Context, text, action string, change func(*authdb.Queries, *account) error) error {
	id, err := uid.Parse("userId", text)
	if err != nil {
		return err
	}
	var outdated time.Time
	err = postgres.InTx(ctx, m.Pool, func(tx pgx.Tx) error {
		q := authdb.New(tx)
		before, err := lockedAccount(ctx, q, id)
		if err != nil {
			return err
		}
		if err := change(q, before); err != nil {
			return err
		}
		if outdated, err = m.outdate(ctx, q, id); err != nil {
			return err
		}
		return m.recordRoles(ctx, tx, action, before)
	})
	if err != nil {
		return err
	}
	m.Revocations.Outdate(ctx, id, outdated)
	return nil
}

// recordRoles records what the roles of an account were and are.
func (m *Admin) recordRoles(ctx context.Context, tx pgx.Tx, action string, before *account) error {
	after, err := getAccount(ctx, authdb.New(tx), before.AuthAccount.ID)
	if err != nil {
		return err
	}
	return m.audit.Record(ctx, tx, audit.Entry{
		Action: action, SubjectType: "account", SubjectID: before.AuthAccount.ID.String(), Before: rolesOf(before), After: rolesOf(after),
	})
}

// rolesOf is what the record says of an account's roles.
func rolesOf(a *account) map[string][]string { return map[string][]string{"roles": a.Roles} }

// lockedAccount gives an account that does not change until the end of the transaction. Fault: NotFound.
func lockedAccount(ctx context.Context, q *authdb.Queries, id uuid.UUID) (*account, error) {
	_, err := q.LockAccount(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fault.NotFound("there is no account %s", id)
	}
	if err != nil {
		return nil, fmt.Errorf("lock account: %w", err)
	}
	return getAccount(ctx, q, id)
}

// ResetSecondFactors removes every second factor of someone who has lost theirs. Faults: NotFound.
func (m *Admin) ResetSecondFactors(ctx context.Context, req *authv1.ResetSecondFactorsRequest) (*authv1.ResetSecondFactorsResponse, error) {
	id, err := uid.Parse("userId", req.GetUserId())
	if err != nil {
		return nil, err
	}
	var ended []uuid.UUID
	err = postgres.InTx(ctx, m.Pool, func(tx pgx.Tx) (err error) {
		q := authdb.New(tx)
		if _, err := lockedAccount(ctx, q, id); err != nil {
			return err
		}
		factors, err := q.CountFactors(ctx, id)
		if err != nil {
			return fmt.Errorf("count factors: %w", err)
		}
		if err := errors.Join(removeFactors(ctx, q, id), q.DeleteChallenges(ctx, id), q.DeleteOidcFlows(ctx, id)); err != nil {
			return err
		}
		ended, err = q.EndSessions(ctx, authdb.EndSessionsParams{AccountID: id, Now: m.now(), Reason: "factors_reset"})
		if err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		if err := m.recordStaffEvent(ctx, tx, id, eventFactorsReset); err != nil {
			return err
		}
		return m.audit.Record(ctx, tx, audit.Entry{
			Action: "auth.factors.reset", SubjectType: "account", SubjectID: id.String(), Person: id, Before: factors,
			After: map[string]string{"reason": req.GetReason()},
		})
	})
	if err != nil {
		return nil, err
	}
	m.Revocations.EndSessions(ctx, ended...)
	return &authv1.ResetSecondFactorsResponse{}, nil
}

// RotateSigningKey makes a new key for access tokens.
func (m *Admin) RotateSigningKey(ctx context.Context, _ *authv1.RotateSigningKeyRequest) (*authv1.RotateSigningKeyResponse, error) {
	var id string
	err := postgres.InTx(ctx, m.Pool, func(tx pgx.Tx) (err error) {
		if id, err = m.keys.Rotate(ctx, tx); err != nil {
			return err
		}
		return m.audit.Record(ctx, tx, audit.Entry{Action: "auth.signing_key.rotated", SubjectType: "signing_key", SubjectID: id})
	})
	if err != nil {
		return nil, err
	}
	return &authv1.RotateSigningKeyResponse{KeyId: id}, nil
}
