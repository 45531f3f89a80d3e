package content

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
)

// longestSchedule is how far ahead a revision can be scheduled.
const longestSchedule = 365 * 24 * time.Hour

// ScheduleRevision has a revision in review published later, just as it is. Faults beside those of move: Invalid (publishAt).
func (a *Admin) ScheduleRevision(ctx context.Context, req *contentv1.ScheduleRevisionRequest) (*contentv1.ScheduleRevisionResponse, error) {
	at, now := req.GetPublishAt().AsTime().Truncate(time.Microsecond), a.now()
	if !at.After(now) || at.Sub(now) > longestSchedule {
		return nil, fault.Invalid("the time has to be later than now, and within a year").WithField("publishAt", "must be later than now, and within a year")
	}
	after, err := a.move(ctx, "content.revision.scheduled", stateInReview, req, func(tx pgx.Tx, q *contentdb.Queries, row revision) (revision, error) {
		row.State, row.PublishAt, row.ReviewerID, row.PublisherID = stateScheduled, &at, caller(ctx), caller(ctx)
		row.Schedule++
		job, err := a.queue.InsertTx(ctx, tx, RevisionDue{RevisionID: row.ID, Schedule: row.Schedule}, &river.InsertOpts{ScheduledAt: at})
		if err != nil {
			return row, fmt.Errorf("insert job of schedule: %w", err)
		}
		row.JobID = &job.Job.ID
		return write(ctx, q, row, a.now())
	})
	if err != nil {
		return nil, err
	}
	return &contentv1.ScheduleRevisionResponse{Revision: after}, nil
}

// CancelSchedule puts a scheduled revision back into review. A job that runs already finds it so, and does nothing. Faults: those of move.
func (a *Admin) CancelSchedule(ctx context.Context, req *contentv1.CancelScheduleRequest) (*contentv1.CancelScheduleResponse, error) {
	after, err := a.move(ctx, "content.revision.unscheduled", stateScheduled, req, func(tx pgx.Tx, q *contentdb.Queries, row revision) (revision, error) {
		if _, err := a.queue.JobCancelTx(ctx, tx, *row.JobID); err != nil && !errors.Is(err, rivertype.ErrNotFound) {
			return row, fmt.Errorf("cancel job of schedule: %w", err)
		}
		row.State, row.PublishAt, row.JobID, row.PublisherID = stateInReview, nil, nil, nil
		return write(ctx, q, row, a.now())
	})
	if err != nil {
		return nil, err
	}
	return &contentv1.CancelScheduleResponse{Revision: after}, nil
}

const (
	// overdueAfter is how late a scheduled revision has to be for its job to be taken for lost.
	overdueAfter = 10 * time.Minute
	// overdueAtOnce is how many are published in one go, those that are latest first.
	overdueAtOnce = 100
)

// PublishOverdue publishes the revisions whose time came [overdueAfter] ago and that no job has published: it was lost, or has failed for good.
// One that cannot be published keeps no other from it; the errors of all are returned.
func (a *Admin) PublishOverdue(ctx context.Context) error {
	rows, err := contentdb.New(a.Pool).ListOverdueRevisions(ctx, contentdb.ListOverdueRevisionsParams{Before: a.now().Add(-overdueAfter), AtMost: overdueAtOnce})
	if err != nil {
		return fmt.Errorf("list overdue revisions: %w", err)
	}
	var failed []error
	for _, row := range rows {
		a.Logger.WarnContext(ctx, "a scheduled text is overdue", "revision", row.ID)
		if _, err := a.PublishDue(ctx, RevisionDue{RevisionID: row.ID, Schedule: row.Schedule}); err != nil {
			failed = append(failed, fmt.Errorf("publish revision %s: %w", row.ID, err))
		}
	}
	return errors.Join(failed...)
}

// PublishDue publishes a revision that is still scheduled by the schedule with that number, when its time has come; before, it tells how long to wait.
// For one that was cancelled, scheduled anew or published it does nothing, so it bears to be called late and twice. The system does it, which the record says.
func (a *Admin) PublishDue(ctx context.Context, due RevisionDue) (wait time.Duration, err error) {
	// The job carries on the request of whoever scheduled it, who does not call now.
	ctx = identity.WithRequest(identity.WithCaller(ctx, identity.Caller{}), identity.Request{})
	var published bool
	err = postgres.InTx(ctx, a.Pool, func(tx pgx.Tx) error {
		wait, published = 0, false
		q := contentdb.New(tx)
		before, err := lockedRevision(ctx, q, due.RevisionID)
		if fault.KindOf(err) == fault.KindNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		if before.State != stateScheduled || before.Schedule != due.Schedule {
			return nil
		}
		if wait = before.PublishAt.Sub(a.now()); wait > 0 {
			return nil
		}
		after, err := a.publish(ctx, tx, q, before)
		if err != nil {
			return err
		}
		published = true
		return a.record(ctx, tx, "content.revision.published", &before, after)
	})
	if err != nil {
		return 0, err
	}
	if published {
		a.service.catalogueChanged(ctx)
	}
	return max(wait, 0), nil
}
