package auth

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	"github.com/mindspace-app/mindspace/platform/postgres"
)

// DemoPassword is the password of every demo login. It is public: production lets none of them in.
const DemoPassword = "demo-Password-1"

// DemoLogin is one of the demo's accounts.
type DemoLogin struct {
	ID          uuid.UUID
	Email, Name string
	Roles       []string
	// For says who it shows.
	For string
}

// DemoLogins are the accounts that the demo has.
func DemoLogins() []DemoLogin {
	return []DemoLogin{
		{ID: uuid.MustParse("01980000-0000-7000-8000-00000000a0a0"), Email: "ana@demo.test", Name: "Ana", For: "a person"},
		{ID: uuid.MustParse("01980000-0000-7000-8000-000000005a5a"), Email: "staff@demo.test", Name: "Sam", Roles: RoleNames(), For: "staff, all roles"},
		{ID: uuid.MustParse("01980000-0000-7000-8000-00000000e7e7"), Email: "reviewer@demo.test", Name: "Rea", Roles: []string{"editor", "nutritionist"}, For: "staff, the second person"},
	}
}

// SeedDemo makes the demo's accounts; those that are there stay as they are. changed tells whether any was missing.
func (s *Service) SeedDemo(ctx context.Context) (changed bool, err error) {
	for _, login := range DemoLogins() {
		made, err := s.seedLogin(ctx, login)
		if err != nil {
			return changed, fmt.Errorf("seed %s: %w", login.Name, err)
		}
		changed = changed || made
	}
	return changed, nil
}

func (s *Service) seedLogin(ctx context.Context, login DemoLogin) (made bool, err error) {
	there, err := findAccount(ctx, authdb.New(s.Pool), login.Email)
	if err != nil || there != nil {
		return false, err
	}
	hash, err := s.Hasher.Hash(ctx, DemoPassword)
	if err != nil {
		return false, err
	}
	err = postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		q, now := authdb.New(tx), s.now()
		n, err := q.InsertAccount(ctx, authdb.InsertAccountParams{
			ID: login.ID, Email: login.Email, EmailVerifiedAt: &now, PasswordHash: &hash, PasswordSetAt: &now,
			DisplayName: login.Name, Locale: "en", TimeZone: "Europe/Belgrade", Demo: true, CreatedAt: now,
		})
		if err != nil || n == 0 {
			return err
		}
		made = true
		for _, role := range login.Roles {
			if _, err := q.GrantRole(ctx, authdb.GrantRoleParams{AccountID: login.ID, Role: role, GrantedAt: now}); err != nil {
				return err
			}
		}
		return nil
	})
	return made, err
}
