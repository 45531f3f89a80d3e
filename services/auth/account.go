package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	policyv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/policy/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
)

// account is a person's account with the staff roles that it has.
type account authdb.GetAccountRow

// getAccount gives an account that is known to exist: its id comes from a session or a row that refers to it.
func getAccount(ctx context.Context, q *authdb.Queries, id uuid.UUID) (*account, error) {
	row, err := q.GetAccount(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fault.Unauthenticated("this account is gone").WithReason("ACCOUNT_GONE")
	}
	if err != nil {
		return nil, fmt.Errorf("get account: %w", err)
	}
	a := account(row)
	return &a, nil
}

// findAccount gives the account of an address, nil when there is none.
func findAccount(ctx context.Context, q *authdb.Queries, email string) (*account, error) {
	row, err := q.GetAccountByEmail(ctx, email)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // no account is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("find account: %w", err)
	}
	a := account(row)
	return &a, nil
}

// admit refuses who has proved who they are and still may not come in.
func (s *Service) admit(a *account) error {
	switch {
	case a.AuthAccount.State == stateSuspended:
		return errSuspended
	case a.AuthAccount.Demo && !s.Demo:
		return errDemoAccount
	case s.RequireVerifiedEmail && a.AuthAccount.EmailVerifiedAt == nil:
		return errEmailUnverified
	}
	return nil
}

const (
	stateActive    = "active"
	stateSuspended = "suspended"
)

var (
	errSuspended       = fault.Denied("this account is suspended").WithReason("ACCOUNT_SUSPENDED")
	errEmailUnverified = fault.Precondition("verify the e-mail address first: a mail says how").WithReason("EMAIL_UNVERIFIED")
	errDemoAccount     = fault.Denied("this is a login of the demo; its password is public").WithReason("DEMO_ACCOUNT")
)

// roleNames are the staff roles as the database has them.
var roleNames = map[policyv1.Role]string{
	policyv1.Role_ROLE_ADMIN:        "admin",
	policyv1.Role_ROLE_EDITOR:       "editor",
	policyv1.Role_ROLE_NUTRITIONIST: "nutritionist",
	policyv1.Role_ROLE_SUPPORT:      "support",
	policyv1.Role_ROLE_ANALYST:      "analyst",
}

// roles reads staff roles; one that this build does not know, since a newer one granted it, does not count.
func roles(names []string) []policyv1.Role {
	var known []policyv1.Role
	for _, name := range names {
		for role, its := range roleNames {
			if its == name {
				known = append(known, role)
			}
		}
	}
	return known
}
