package auth

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
	"github.com/mindspace-app/mindspace/services/auth/password"
)

// NewStaff is a member of staff as the command line names them.
type NewStaff struct {
	Email, DisplayName string
	// Password is for a new account; one that exists keeps its own.
	Password string
	Roles    []string
}

// RoleNames are the staff roles that can be granted, sorted.
func RoleNames() []string {
	names := make([]string, 0, len(roleNames))
	for _, name := range roleNames {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// HasAccount tells whether an address has an account. It is for the command line, whose user may read the database anyway. Faults: Invalid.
func (m *Admin) HasAccount(ctx context.Context, address string) (bool, error) {
	email, err := parseEmail(address)
	if err != nil {
		return false, err
	}
	a, err := findAccount(ctx, authdb.New(m.Pool), email)
	return a != nil, err
}

// CreateStaff grants staff roles from the command line: the way to the first administrator. Whoever can run it holds the database, so the
// address of a new account counts as verified; one that was there before, as existed tells, keeps what it has. Faults: Invalid, Conflict.
func (m *Admin) CreateStaff(ctx context.Context, n NewStaff) (id uuid.UUID, existed bool, err error) {
	email, err := parseEmail(n.Email)
	if err != nil {
		return uuid.Nil, false, err
	}
	if len(n.Roles) == 0 {
		return uuid.Nil, false, fault.Invalid("name at least one role: %s", strings.Join(RoleNames(), ", "))
	}
	for _, role := range n.Roles {
		if !slices.Contains(RoleNames(), role) {
			return uuid.Nil, false, fault.Invalid("%q is no role: there are %s", role, strings.Join(RoleNames(), ", "))
		}
	}
	a, err := findAccount(ctx, authdb.New(m.Pool), email)
	if err != nil {
		return uuid.Nil, false, err
	}
	hash := ""
	if a == nil {
		if hash, err = m.staffPassword(ctx, n, email); err != nil {
			return uuid.Nil, false, err
		}
	}
	err = postgres.InTx(ctx, m.Pool, func(tx pgx.Tx) (err error) {
		id, existed, err = m.createStaff(ctx, tx, n, email, hash)
		return err
	})
	return id, existed, err
}

func (m *Admin) staffPassword(ctx context.Context, n NewStaff, email string) (string, error) {
	if err := password.Check("password", n.Password, password.Owner{Email: email, DisplayName: n.DisplayName}); err != nil {
		return "", err
	}
	return m.Hasher.Hash(ctx, n.Password)
}

func (m *Admin) createStaff(ctx context.Context, tx pgx.Tx, n NewStaff, email, hash string) (id uuid.UUID, existed bool, err error) {
	q, now := authdb.New(tx), m.now()
	if hash == "" {
		id, err = q.GetAccountIDByEmail(ctx, email)
	} else if id, err = uid.New(); err == nil {
		var inserted int64
		inserted, err = q.InsertAccount(ctx, authdb.InsertAccountParams{
			ID: id, Email: email, EmailVerifiedAt: &now, PasswordHash: &hash, PasswordSetAt: &now, DisplayName: oneLine(n.DisplayName),
			Locale: "en", TimeZone: "UTC", CreatedAt: now,
		})
		if err == nil && inserted == 0 {
			return uuid.Nil, false, fault.Conflict("somebody registered with this address just now: try again")
		}
	}
	if err != nil {
		return uuid.Nil, false, fmt.Errorf("make account: %w", err)
	}
	before, err := lockedAccount(ctx, q, id)
	if err != nil {
		return uuid.Nil, false, err
	}
	if err := m.trustworthy(before); err != nil {
		return uuid.Nil, false, err
	}
	for _, role := range n.Roles {
		if _, err := q.GrantRole(ctx, authdb.GrantRoleParams{AccountID: id, Role: role, GrantedAt: now}); err != nil {
			return uuid.Nil, false, fmt.Errorf("grant role: %w", err)
		}
	}
	// The sessions of an account that was there get the roles when they are refreshed, in a quarter of an hour at the latest.
	return id, hash == "", m.recordRoles(ctx, tx, "auth.staff.created", before)
}
