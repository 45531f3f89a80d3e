package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
)

// ScaleAccount is the account of a made-up person, to measure with. All of them have [DemoPassword], and production lets none of them in.
type ScaleAccount struct {
	ID uuid.UUID
	// Email is canonical.
	Email, DisplayName string
	Locale, TimeZone   string
	CreatedAt          time.Time
}

// TakenEmails tells which of the addresses have accounts.
func TakenEmails(ctx context.Context, pool *pgxpool.Pool, emails []string) (map[string]bool, error) {
	found, err := authdb.New(pool).ListTakenEmails(ctx, emails)
	if err != nil {
		return nil, fmt.Errorf("list taken addresses: %w", err)
	}
	taken := make(map[string]bool, len(found))
	for _, email := range found {
		taken[email] = true
	}
	return taken, nil
}

// CopyScale stores made-up accounts in the caller's transaction and gives the number of rows. hash is that of [DemoPassword], made once. An address
// or an id that is taken fails it.
func CopyScale(ctx context.Context, tx pgx.Tx, accounts []ScaleAccount, hash string) (int64, error) {
	columns := []string{
		"id", "email", "email_verified_at", "password_hash", "password_set_at", "display_name", "locale", "time_zone", "demo", "created_at",
	}
	n, err := tx.CopyFrom(ctx, pgx.Identifier{"auth", "accounts"}, columns, pgx.CopyFromSlice(len(accounts), func(i int) ([]any, error) {
		a := &accounts[i]
		return []any{a.ID, a.Email, a.CreatedAt, hash, a.CreatedAt, a.DisplayName, a.Locale, a.TimeZone, true, a.CreatedAt}, nil
	}))
	if err != nil {
		return 0, fmt.Errorf("copy accounts: %w", err)
	}
	return n, nil
}
