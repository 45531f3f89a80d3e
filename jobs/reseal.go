package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/mindspace-app/mindspace/platform/reseal"
	"github.com/mindspace-app/mindspace/platform/secret"
)

// ResealDelay is how long after a key has become primary everything is encrypted under it: by then other processes do so too.
const ResealDelay = 5 * time.Second

// resealAgain is how long after a run that found something to do another one looks whether a process whose clock is behind has written
// under the old key since.
const resealAgain = time.Minute

// ResealArgs asks to encrypt everything that is stored under a key.
type ResealArgs struct {
	// KeyID is the key, by its public number.
	KeyID uint32 `json:"key_id"`
}

// Kind is the job's name in the queue.
func (ResealArgs) Kind() string { return "keys_reseal" }

// InsertOpts lets one such job wait or run for a key.
func (ResealArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: 10, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}}}
}

type resealStored struct {
	river.WorkerDefaults[ResealArgs]
	pool    *pgxpool.Pool
	keys    *secret.Keyring
	columns []reseal.Column
	logger  *slog.Logger
}

// Timeout leaves room for millions of values. What is done by then stays done.
func (w *resealStored) Timeout(*river.Job[ResealArgs]) time.Duration { return time.Hour }

// Work encrypts what is not under the primary key yet, and comes back until there is nothing of that kind. Values that cannot be opened make
// it fail in the end, and hold up no others.
func (w *resealStored) Work(ctx context.Context, job *river.Job[ResealArgs]) error {
	id := job.Args.KeyID
	if !w.keys.Has(id) {
		return fmt.Errorf("encrypt what is stored: %w", &secret.MissingKeyError{ID: id})
	}
	for _, key := range w.keys.Keys() {
		if wait := time.Until(key.From); key.ID == id && wait > 0 {
			return river.JobSnooze(wait + ResealDelay)
		}
	}
	report, err := reseal.Run(ctx, w.pool, w.keys, w.columns, reseal.Batch)
	w.logger.InfoContext(ctx, "stored values encrypted under the primary key",
		"primary_key_id", w.keys.PrimaryID(), "done", report.Done, "skipped", report.Skipped, "failed", len(report.Failed))
	for _, f := range report.Failed {
		w.logger.ErrorContext(ctx, "stored values cannot be opened",
			"table", f.Table, "column", f.Column, "sealed_key_id", f.KeyID, "key_missing", f.Missing, "rows", f.Rows)
	}
	switch {
	case err != nil:
		return fmt.Errorf("encrypt what is stored: %w", err)
	case len(report.Failed) > 0:
		return fmt.Errorf("encrypt what is stored: %d kinds of values cannot be opened, the first: %s", len(report.Failed), report.Failed[0])
	case report.Done+report.Skipped > 0:
		return river.JobSnooze(resealAgain)
	}
	return nil
}

// addReseal registers who encrypts anew what is stored under older keys.
func addReseal(workers *river.Workers, n Needs) {
	river.AddWorker(workers, &resealStored{pool: n.Pool, keys: n.Keyring, columns: n.Sealed, logger: n.Logger})
}
