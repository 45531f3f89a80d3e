package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"github.com/mindspace-app/mindspace/platform/rpc"
)

// PurgeIdempotencyKeysArgs asks to delete the kept answers that have expired.
type PurgeIdempotencyKeysArgs struct{}

// Kind is the job's name in the queue.
func (PurgeIdempotencyKeysArgs) Kind() string { return "idempotency_keys_purge" }

// InsertOpts gives up early: the next period brings another such job.
func (PurgeIdempotencyKeysArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: 3}
}

type purgeIdempotencyKeys struct {
	river.WorkerDefaults[PurgeIdempotencyKeysArgs]
	answers *rpc.Answers
	logger  *slog.Logger
}

// Timeout leaves room for many keys.
func (w *purgeIdempotencyKeys) Timeout(*river.Job[PurgeIdempotencyKeysArgs]) time.Duration {
	return 5 * time.Minute
}

// Work deletes in small batches.
func (w *purgeIdempotencyKeys) Work(ctx context.Context, _ *river.Job[PurgeIdempotencyKeysArgs]) error {
	n, err := w.answers.Purge(ctx)
	if err != nil {
		return fmt.Errorf("purge idempotency keys: %w", err)
	}
	if n > 0 {
		w.logger.InfoContext(ctx, "idempotency keys purged", "keys", n)
	}
	return nil
}
