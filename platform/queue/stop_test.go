package queue_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/mindspace-app/mindspace/platform/queue"
	"github.com/mindspace-app/mindspace/platform/telemetry/telemetrytest"
)

func stop(t *testing.T, client *queue.Client, grace time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return queue.Stop(ctx, client, grace)
}

// runs waits until the job says that it does.
func runs(t *testing.T, started <-chan struct{}) {
	t.Helper()
	select {
	case <-started:
	case <-time.After(patience):
		t.Fatalf("the job does not run after %v", patience)
	}
}

func TestStopLetsRunningJobsFinishAndTakesNoMore(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	started, stopping := make(chan struct{}), make(chan struct{})
	client := start(t, pool, queue.Config{}, func(ctx context.Context, _ *river.Job[greetArgs]) error {
		close(started)
		select {
		case <-stopping:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	first := insert(t.Context(), t, client, greetArgs{}, nil)
	runs(t, started)
	stopped := make(chan error, 1)
	go func() { stopped <- stop(t, client, patience) }()
	// What is inserted from now on may be taken until the worker has heard of the stop; a job for later cannot.
	second := insert(t.Context(), t, newInserter(t, pool), greetArgs{}, &river.InsertOpts{ScheduledAt: time.Now().Add(time.Second)})
	select {
	case err := <-stopped:
		t.Fatalf("stopped with a job still running: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	close(stopping)
	if err := <-stopped; err != nil {
		t.Fatalf("stop: %v", err)
	}
	inserter := newInserter(t, pool)
	if job := jobNow(t, inserter, first.ID); job.State != rivertype.JobStateCompleted {
		t.Errorf("the running job is %s, want completed", job.State)
	}
	if job := jobNow(t, inserter, second.ID); job.Attempt != 0 {
		t.Errorf("the other job is %s after %d attempts, want none", job.State, job.Attempt)
	}
}

// The end of the context that a worker was started with is what SIGTERM does first.
func TestEndOfTheStartContextInterruptsNoJob(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	started, finish := make(chan struct{}), make(chan struct{})
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, _ *river.Job[greetArgs]) error {
		close(started)
		<-finish
		return ctx.Err()
	}))
	client, err := queue.NewWorker(pool, queue.Config{Workers: workers})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := client.Start(ctx); err != nil {
		t.Fatal(err)
	}
	id := insert(t.Context(), t, client, greetArgs{}, nil).ID
	runs(t, started)
	cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- stop(t, client, patience) }()
	close(finish)
	if err := <-stopped; err != nil {
		t.Fatalf("stop: %v", err)
	}
	if job := jobNow(t, newInserter(t, pool), id); job.State != rivertype.JobStateCompleted {
		t.Errorf("the job is %s with %v, want completed", job.State, job.Errors)
	}
}

func TestStubbornJobGoesBackAndAnotherWorkerFinishesIt(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	logger, logs := telemetrytest.NewLogs()
	started := make(chan struct{})
	first := start(t, pool, queue.Config{Logger: logger}, func(ctx context.Context, _ *river.Job[greetArgs]) error {
		close(started)
		<-ctx.Done()
		return errors.New("connection lost") // as a driver may say it, without a word of the context
	})
	id := insert(t.Context(), t, first, greetArgs{}, &river.InsertOpts{MaxAttempts: 1}).ID
	runs(t, started)
	if err := stop(t, first, 0); err != nil {
		t.Fatalf("stop: %v", err)
	}
	job := jobNow(t, newInserter(t, pool), id)
	if job.State != rivertype.JobStateAvailable || job.Attempt != 0 || len(job.Errors) != 0 {
		t.Errorf("the job is %s after %d attempts with %v, want available as if it had never run", job.State, job.Attempt, job.Errors)
	}
	if lines := logs.Lines(t, "job interrupted and available again"); len(lines) != 1 {
		t.Errorf("logged %s", logs.Text())
	}
	second := start(t, pool, queue.Config{}, func(context.Context, *river.Job[greetArgs]) error { return nil })
	wantState(t, second, id, rivertype.JobStateCompleted)
}

func TestStopEndsAlthoughAJobDoesNot(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	started, release := make(chan struct{}), make(chan struct{})
	client := start(t, pool, queue.Config{}, func(context.Context, *river.Job[greetArgs]) error {
		close(started)
		<-release
		return nil
	})
	t.Cleanup(func() { close(release) })
	insert(t.Context(), t, client, greetArgs{}, nil)
	runs(t, started)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := queue.Stop(ctx, client, 10*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stop: %v, want the deadline", err)
	}
}

// A worker that was killed leaves its jobs marked as running.
func TestJobOfADeadWorkerIsTakenOver(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	inserter := newInserter(t, pool)
	lost := insert(t.Context(), t, inserter, greetArgs{}, nil).ID
	alive := insert(t.Context(), t, inserter, greetArgs{}, nil).ID
	for id, since := range map[int64]time.Duration{lost: time.Minute + queue.RescueAfter + time.Second, alive: queue.RescueAfter} {
		if _, err := pool.Exec(t.Context(), `UPDATE river.river_job
			SET state = 'running', attempt = 1, attempted_by = '{gone}', attempted_at = now() - $2::interval WHERE id = $1`, id, since); err != nil {
			t.Fatal(err)
		}
	}
	client := start(t, pool, queue.Config{}, func(context.Context, *river.Job[greetArgs]) error { return nil })
	wantState(t, client, lost, rivertype.JobStateCompleted)
	if job := jobNow(t, client, alive); job.State != rivertype.JobStateRunning {
		t.Errorf("the job that may still run is %s", job.State)
	}
}
