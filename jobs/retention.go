package jobs

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/mindspace-app/mindspace/platform/personal"
)

// RetainArgs asks to delete everything that has had its time.
type RetainArgs struct{}

// Kind is the job's name in the queue.
func (RetainArgs) Kind() string { return "retention" }

// InsertOpts gives up early: the next period brings another such job.
func (RetainArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 3} }

type retain struct {
	river.WorkerDefaults[RetainArgs]
	pool     *pgxpool.Pool
	registry *personal.Registry
	logger   *slog.Logger
}

// Timeout leaves room for many rows.
func (w *retain) Timeout(*river.Job[RetainArgs]) time.Duration { return 10 * time.Minute }

// Work follows the rules that every domain has declared.
func (w *retain) Work(ctx context.Context, _ *river.Job[RetainArgs]) error {
	deleted, err := w.registry.Retain(ctx, w.pool, time.Now())
	for table, n := range deleted {
		w.logger.InfoContext(ctx, "what has had its time is deleted", "table", table, "rows", n)
	}
	return err
}
