package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"github.com/mindspace-app/mindspace/services/content"
)

// publishTimeout leaves room for a course, whose title is written into the words of all its meditations.
const publishTimeout = time.Minute

// publishDue publishes the revision of a schedule when its time has come.
type publishDue struct {
	river.WorkerDefaults[content.RevisionDue]
	editing *content.Admin
}

// Timeout bounds an attempt.
func (w *publishDue) Timeout(*river.Job[content.RevisionDue]) time.Duration { return publishTimeout }

// Work publishes it, or nothing when the schedule does not hold any more. Where the service's clock is behind the queue's it comes back.
func (w *publishDue) Work(ctx context.Context, job *river.Job[content.RevisionDue]) error {
	wait, err := w.editing.PublishDue(ctx, job.Args)
	if err != nil || wait == 0 {
		return err
	}
	return river.JobSnooze(wait)
}

// PublishOverdueArgs asks to publish what is scheduled and overdue.
type PublishOverdueArgs struct{}

// Kind is the job's name in the queue.
func (PublishOverdueArgs) Kind() string { return "content_publish_overdue" }

// InsertOpts gives up early: the next period brings another such job.
func (PublishOverdueArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 2} }

// publishOverdue makes up for jobs of schedules that were lost.
type publishOverdue struct {
	river.WorkerDefaults[PublishOverdueArgs]
	editing *content.Admin
}

// Timeout bounds an attempt.
func (w *publishOverdue) Timeout(*river.Job[PublishOverdueArgs]) time.Duration {
	return 5 * time.Minute
}

// Work publishes what is overdue; those that are published already are left out the next time.
func (w *publishOverdue) Work(ctx context.Context, _ *river.Job[PublishOverdueArgs]) error {
	return w.editing.PublishOverdue(ctx)
}

// addContent registers who publishes by schedule.
func addContent(workers *river.Workers, editing *content.Admin) {
	river.AddWorker(workers, &publishDue{editing: editing})
	river.AddWorker(workers, &publishOverdue{editing: editing})
}
