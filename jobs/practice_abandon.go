package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"github.com/mindspace-app/mindspace/services/meditation"
)

// endAbandoned ends sessions of which nothing is heard any more.
type endAbandoned struct {
	river.WorkerDefaults[meditation.SessionStarted]
	practice *meditation.Service
}

// Timeout is far more than it takes: a few short queries of one person, whose changes take turns.
func (w *endAbandoned) Timeout(*river.Job[meditation.SessionStarted]) time.Duration {
	return 30 * time.Second
}

// Work comes when the session should have ended, and again while something is heard of it.
func (w *endAbandoned) Work(ctx context.Context, job *river.Job[meditation.SessionStarted]) error {
	again, err := w.practice.EndAbandoned(ctx, job.Args)
	if err != nil || again == 0 {
		return err
	}
	return river.JobSnooze(again)
}

// addAbandoned registers it.
func addAbandoned(workers *river.Workers, practice *meditation.Service) {
	river.AddWorker(workers, &endAbandoned{practice: practice})
}
