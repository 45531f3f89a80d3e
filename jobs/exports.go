package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"github.com/mindspace-app/mindspace/services/user"
)

const (
	// exportTimeout is far more than the longest history takes: 10,000 rows take about a second.
	exportTimeout = 10 * time.Minute
	// failTimeout bounds what is done after the last attempt has used up its own time.
	failTimeout = 30 * time.Second
)

// makeExport makes the file of an export that a person has asked for.
type makeExport struct {
	river.WorkerDefaults[user.ExportRequested]
	exports *user.Exports
}

// Timeout leaves room for a long history and a slow blob store.
func (w *makeExport) Timeout(*river.Job[user.ExportRequested]) time.Duration { return exportTimeout }

// Work makes the file. When the last attempt fails, the person is told so by the state of the export; an attempt that a stop of the program
// interrupts is none.
func (w *makeExport) Work(ctx context.Context, job *river.Job[user.ExportRequested]) error {
	err := w.exports.Build(ctx, job.Args.UserID, job.Args.ExportID)
	if err == nil || job.Attempt < job.MaxAttempts || errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), failTimeout)
	defer cancel()
	return errors.Join(err, w.exports.Fail(ending, job.Args.UserID, job.Args.ExportID))
}

// addExports registers who makes exports.
func addExports(workers *river.Workers, exports *user.Exports) {
	river.AddWorker(workers, &makeExport{exports: exports})
}
