package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"github.com/mindspace-app/mindspace/services/meditation"
)

// milestonesTimeout is far more than it takes: a few short queries of one person, whose changes take turns.
const milestonesTimeout = 30 * time.Second

// onPractice has a listener work on an event of somebody's practice.
type onPractice[E river.JobArgs] struct {
	river.WorkerDefaults[E]
	listen func(ctx context.Context, event E) error
}

// Timeout bounds an attempt.
func (w *onPractice[E]) Timeout(*river.Job[E]) time.Duration { return milestonesTimeout }

// Work has it listen.
func (w *onPractice[E]) Work(ctx context.Context, job *river.Job[E]) error {
	return w.listen(ctx, job.Args)
}

// unheard is for events to which nobody listens yet: a job of a kind that no worker knows would fail. Whoever listens first takes its place.
func unheard[E river.JobArgs](context.Context, E) error { return nil }

// addPractice registers who listens to what happens in somebody's practice.
func addPractice(workers *river.Workers, m *meditation.Milestones) {
	river.AddWorker(workers, &onPractice[meditation.SessionsRecorded]{listen: m.Advance})
	river.AddWorker(workers, &onPractice[meditation.SessionDeleted]{listen: m.Retreat})
	river.AddWorker(workers, &onPractice[meditation.MilestoneReached]{listen: unheard[meditation.MilestoneReached]})
	river.AddWorker(workers, &onPractice[meditation.CourseCompleted]{listen: unheard[meditation.CourseCompleted]})
}
