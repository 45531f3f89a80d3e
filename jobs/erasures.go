package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"github.com/mindspace-app/mindspace/services/auth"
)

// ErasuresArgs asks to erase the persons whose time has come.
type ErasuresArgs struct{}

// Kind is the job's name in the queue.
func (ErasuresArgs) Kind() string { return "erasures" }

// InsertOpts does not try again: the next minute brings another such job.
func (ErasuresArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 1} }

type eraseDue struct {
	river.WorkerDefaults[ErasuresArgs]
	erasures *auth.Erasures
}

// Timeout leaves room for many persons, and for a mail server that is away.
func (w *eraseDue) Timeout(*river.Job[ErasuresArgs]) time.Duration { return 15 * time.Minute }

// Work erases whom it can. Nobody waits for anybody.
func (w *eraseDue) Work(ctx context.Context, _ *river.Job[ErasuresArgs]) error {
	return w.erasures.Sweep(ctx)
}

// addErasures registers it.
func addErasures(workers *river.Workers, e *auth.Erasures) {
	river.AddWorker(workers, &eraseDue{erasures: e})
}
