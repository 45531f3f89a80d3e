package jobs

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/mindspace-app/mindspace/services/auth"
)

// AuthUpkeepArgs asks to delete what sign-in has no use for any more, and to look after the keys that sign access tokens.
type AuthUpkeepArgs struct{}

// Kind is the job's name in the queue.
func (AuthUpkeepArgs) Kind() string { return "auth_upkeep" }

// InsertOpts gives up early: the next period brings another such job.
func (AuthUpkeepArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 3} }

type authUpkeep struct {
	river.WorkerDefaults[AuthUpkeepArgs]
	pool   *pgxpool.Pool
	keys   *auth.SigningKeys
	logger *slog.Logger
}

// Timeout leaves room for many rows.
func (w *authUpkeep) Timeout(*river.Job[AuthUpkeepArgs]) time.Duration { return 5 * time.Minute }

// Work does both, whether or not the other succeeds.
func (w *authUpkeep) Work(ctx context.Context, _ *river.Job[AuthUpkeepArgs]) error {
	n, err := auth.Purge(ctx, w.pool, time.Now())
	if n > 0 {
		w.logger.InfoContext(ctx, "sign-in data purged", "rows", n)
	}
	return errors.Join(err, w.keys.Maintain(ctx))
}
