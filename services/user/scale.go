package user

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// ScaleProfile is what a made-up person has set, to measure with.
type ScaleProfile struct {
	ID uuid.UUID
	// DayStartHour is 0 to 23.
	DayStartHour int
	// Imperial tells in which units they think.
	Imperial bool
	// CountryCode is ISO 3166-1 alpha-2.
	CountryCode string
	UpdatedAt   time.Time
}

// CopyScale stores made-up profiles in the caller's transaction and gives the number of rows. A person who has one already fails it.
func CopyScale(ctx context.Context, tx pgx.Tx, profiles []ScaleProfile) (int64, error) {
	columns := []string{"user_id", "day_start_hour", "units", "country_code", "updated_at"}
	n, err := tx.CopyFrom(ctx, pgx.Identifier{"users", "profiles"}, columns, pgx.CopyFromSlice(len(profiles), func(i int) ([]any, error) {
		p, units := &profiles[i], "metric"
		if p.Imperial {
			units = "imperial"
		}
		return []any{p.ID, int16(p.DayStartHour), units, p.CountryCode, p.UpdatedAt}, nil //nolint:gosec // an hour of the day
	}))
	if err != nil {
		return 0, fmt.Errorf("copy profiles: %w", err)
	}
	return n, nil
}
