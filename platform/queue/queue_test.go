package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
	"github.com/mindspace-app/mindspace/platform/queue"
	"github.com/mindspace-app/mindspace/platform/telemetry/telemetrytest"
)

// greetArgs are the arguments of the job that most tests run.
type greetArgs struct {
	Name string `json:"name"`
}

func (greetArgs) Kind() string { return "test.greet" }

// patience is far longer than anything here takes on a quiet machine.
const patience = 60 * time.Second

// eventually waits until it is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline, tick := time.After(patience), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-deadline:
			t.Fatalf("not so after %v: %s", patience, what)
		case <-tick.C:
		}
	}
}

func newPool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	return pgtest.New(t, fstest.MapFS{})
}

func newInserter(t *testing.T, pool *pgxpool.Pool) *queue.Client {
	t.Helper()
	client, err := queue.NewInserter(pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// start runs a worker for greetings until the end of the test. The configuration may name other workers.
func start(t *testing.T, pool *pgxpool.Pool, c queue.Config, greet func(context.Context, *river.Job[greetArgs]) error) *queue.Client {
	t.Helper()
	if c.Workers == nil {
		c.Workers = river.NewWorkers()
	}
	river.AddWorker(c.Workers, river.WorkFunc(greet))
	client, err := queue.NewWorker(pool, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := queue.Stop(ctx, client, 0); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return client
}

func insert(ctx context.Context, t *testing.T, client *queue.Client, args river.JobArgs, options *river.InsertOpts) *rivertype.JobRow {
	t.Helper()
	inserted, err := client.Insert(ctx, args, options)
	if err != nil {
		t.Fatal(err)
	}
	return inserted.Job
}

func jobNow(t *testing.T, client *queue.Client, id int64) *rivertype.JobRow {
	t.Helper()
	job, err := client.JobGet(context.WithoutCancel(t.Context()), id)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// wantState waits until the job is in that state and gives it.
func wantState(t *testing.T, client *queue.Client, id int64, state rivertype.JobState) *rivertype.JobRow {
	t.Helper()
	var job *rivertype.JobRow
	eventually(t, fmt.Sprintf("job %d is %s", id, state), func() bool {
		job = jobNow(t, client, id)
		return job.State == state
	})
	return job
}

func TestJobIsPartOfTheTransaction(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	inserter := newInserter(t, pool)
	names := make(chan string, 10)
	start(t, pool, queue.Config{}, func(_ context.Context, job *river.Job[greetArgs]) error {
		names <- job.Args.Name
		return nil
	})
	changedMind := errors.New("changed my mind")
	for name, outcome := range map[string]error{"rolled back": changedMind, "committed": nil} {
		err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			if _, err := inserter.InsertTx(t.Context(), tx, greetArgs{Name: name}, nil); err != nil {
				return err
			}
			return outcome
		})
		if !errors.Is(err, outcome) {
			t.Fatal(err)
		}
	}
	select {
	case name := <-names:
		if name != "committed" {
			t.Fatalf("ran the job of the transaction that was %s", name)
		}
	case <-time.After(patience):
		t.Fatal("the job did not run")
	}
	var n int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM river.river_job").Scan(&n); err != nil || n != 1 {
		t.Errorf("there are %d jobs (%v), want 1", n, err)
	}
}

func TestFailureIsTriedAgainAfterAPause(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	logger, logs := telemetrytest.NewLogs()
	client := start(t, pool, queue.Config{Logger: logger}, func(_ context.Context, job *river.Job[greetArgs]) error {
		if job.Attempt == 1 {
			return errors.New("no such person: ana@demo.test")
		}
		return nil
	})
	id := insert(t.Context(), t, client, greetArgs{Name: "hunter2"}, nil).ID
	job := wantState(t, client, id, rivertype.JobStateCompleted)
	if job.Attempt != 2 || len(job.Errors) != 1 || job.Errors[0].Error != "no such person: [redacted]" {
		t.Errorf("attempt %d, errors %v, want the second attempt and one masked error", job.Attempt, job.Errors)
	}
	if pause := job.AttemptedAt.Sub(job.Errors[0].At); pause < 500*time.Millisecond {
		t.Errorf("tried again after %v, want a pause", pause)
	}
	lines := logs.Lines(t, "job failed and will be tried again")
	if len(lines) != 1 || len(strings.Split(strings.TrimSpace(logs.Text()), "\n")) != 1 {
		t.Fatalf("logged %s, want one line", logs.Text())
	}
	for key, want := range map[string]any{
		"level": "WARN", "job_kind": "test.greet", "job_id": float64(id), "attempt": 1.0, "error": "no such person: [redacted]",
	} {
		if lines[0][key] != want {
			t.Errorf("%s is %v, want %v", key, lines[0][key], want)
		}
	}
	if strings.Contains(logs.Text(), "hunter2") {
		t.Errorf("the arguments are in the log: %s", logs.Text())
	}
}

func TestTheLastFailureDiscardsTheJob(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	logger, logs := telemetrytest.NewLogs()
	client := start(t, pool, queue.Config{Logger: logger}, func(context.Context, *river.Job[greetArgs]) error { return errors.New("no") })
	wantState(t, client, insert(t.Context(), t, client, greetArgs{}, &river.InsertOpts{MaxAttempts: 1}).ID, rivertype.JobStateDiscarded)
	if lines := logs.Lines(t, "job failed for the last time"); len(lines) != 1 || lines[0]["level"] != "ERROR" {
		t.Errorf("logged %s", logs.Text())
	}
}

func TestAttemptsAreLimited(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	if job := insert(t.Context(), t, newInserter(t, pool), greetArgs{}, nil); job.MaxAttempts != queue.MaxAttempts {
		t.Errorf("a job may be tried %d times, want %d", job.MaxAttempts, queue.MaxAttempts)
	}
}

func TestPanicIsAFailureLikeAnyOther(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	logger, logs := telemetrytest.NewLogs()
	client := start(t, pool, queue.Config{Logger: logger}, func(_ context.Context, job *river.Job[greetArgs]) error {
		if job.Attempt == 1 {
			panic("out of luck")
		}
		return nil
	})
	job := wantState(t, client, insert(t.Context(), t, client, greetArgs{}, nil).ID, rivertype.JobStateCompleted)
	if job.Attempt != 2 || job.Errors[0].Error != "panic: out of luck" {
		t.Errorf("attempt %d, errors %v", job.Attempt, job.Errors)
	}
	lines := logs.Lines(t, "job failed and will be tried again")
	if len(lines) != 1 || lines[0]["level"] != "ERROR" || !strings.Contains(fmt.Sprint(lines[0]["stack"]), "TestPanicIsAFailureLikeAnyOther") {
		t.Errorf("logged %s, want one line with the stack", logs.Text())
	}
}

// wrongArgs are of the same kind as greetings and do not fit them.
type wrongArgs struct {
	Name map[string]string `json:"name"`
}

func (wrongArgs) Kind() string { return "test.greet" }

func TestArgumentsThatCannotBeReadCancelTheJob(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	logger, logs := telemetrytest.NewLogs()
	client := start(t, pool, queue.Config{Logger: logger}, func(context.Context, *river.Job[greetArgs]) error {
		t.Error("the job ran without its arguments")
		return nil
	})
	id := insert(t.Context(), t, newInserter(t, pool), wrongArgs{Name: map[string]string{"a": "hunter2"}}, nil).ID
	job := wantState(t, client, id, rivertype.JobStateCancelled)
	if job.Attempt != 1 || len(job.Errors) != 1 || !strings.Contains(job.Errors[0].Error, `field "name" should be a string`) {
		t.Errorf("attempt %d, errors %v", job.Attempt, job.Errors)
	}
	if lines := logs.Lines(t, "job cancelled"); len(lines) != 1 || strings.Contains(logs.Text(), "hunter2") {
		t.Errorf("logged %s, want one line without the arguments", logs.Text())
	}
}

func TestBadJSONFromElsewhereIsNoReasonToCancel(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	client := start(t, pool, queue.Config{}, func(_ context.Context, job *river.Job[greetArgs]) error {
		if job.Attempt == 1 {
			return json.Unmarshal([]byte("{"), &job.Args) // what a partner may answer
		}
		return nil
	})
	wantState(t, client, insert(t.Context(), t, client, greetArgs{}, nil).ID, rivertype.JobStateCompleted)
}

func TestAWorkerMaySnoozeAndCancel(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	logger, logs := telemetrytest.NewLogs()
	client := start(t, pool, queue.Config{Logger: logger}, func(_ context.Context, job *river.Job[greetArgs]) error {
		if job.Args.Name == "later" {
			return river.JobSnooze(time.Hour)
		}
		return river.JobCancel(errors.New("nobody is there"))
	})
	wantState(t, client, insert(t.Context(), t, client, greetArgs{Name: "later"}, nil).ID, rivertype.JobStateScheduled)
	wantState(t, client, insert(t.Context(), t, client, greetArgs{Name: "never"}, nil).ID, rivertype.JobStateCancelled)
	if n := strings.Count(logs.Text(), "\n"); n != 1 || len(logs.Lines(t, "job cancelled")) != 1 {
		t.Errorf("logged %s, want the cancellation alone", logs.Text())
	}
}

func TestJobIsLimitedInTime(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	client := start(t, pool, queue.Config{JobTimeout: 50 * time.Millisecond}, func(ctx context.Context, _ *river.Job[greetArgs]) error {
		<-ctx.Done()
		return ctx.Err()
	})
	job := wantState(t, client, insert(t.Context(), t, client, greetArgs{}, &river.InsertOpts{MaxAttempts: 1}).ID, rivertype.JobStateDiscarded)
	if got := job.Errors[0].Error; got != context.DeadlineExceeded.Error() {
		t.Errorf("failed with %q, want the time limit", got)
	}
}

func TestWithoutNotificationsTheQueueIsPolled(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	client := start(t, pool, queue.Config{PollOnly: true}, func(context.Context, *river.Job[greetArgs]) error { return nil })
	wantState(t, client, insert(t.Context(), t, client, greetArgs{}, nil).ID, rivertype.JobStateCompleted)
	var listening int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'LISTEN%'").Scan(&listening); err != nil || listening != 0 {
		t.Errorf("%d sessions listen (%v), want none", listening, err)
	}
}

// Behind PgBouncer in transaction mode nothing is prepared and nobody listens; jobs are inserted and run all the same.
func TestEverythingWorksBehindAPooler(t *testing.T) {
	t.Parallel()
	pool, err := postgres.Open(t.Context(), postgres.Config{URL: pgtest.URL(t, fstest.MapFS{}), MaxConns: 6, Pooler: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if err := queue.Ready(t.Context(), pool); err != nil {
		t.Errorf("not ready: %v", err)
	}
	client := start(t, pool, queue.Config{PollOnly: true}, func(_ context.Context, job *river.Job[greetArgs]) error {
		if job.Attempt == 1 {
			return errors.New("once more")
		}
		return nil
	})
	var id int64
	err = postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		ctx := identity.WithRequest(t.Context(), identity.Request{ID: "r-1"})
		inserted, err := newInserter(t, pool).InsertTx(ctx, tx, greetArgs{Name: "Ana"}, &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}})
		if err == nil {
			id = inserted.Job.ID
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	wantState(t, client, id, rivertype.JobStateCompleted)
}

func TestReady(t *testing.T) {
	t.Parallel()
	if err := queue.Ready(t.Context(), newPool(t)); err != nil {
		t.Errorf("not ready: %v", err)
	}
	empty, err := postgres.Open(t.Context(), postgres.Config{URL: pgtest.Empty(t), MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(empty.Close)
	if err := queue.Ready(t.Context(), empty); err == nil {
		t.Error("ready without River's tables")
	}
}

func TestWrongConfigIsRefused(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	if _, err := queue.NewWorker(pool, queue.Config{}); err == nil {
		t.Error("a worker without workers was accepted")
	}
	c := queue.Config{Workers: river.NewWorkers(), Queues: map[string]river.QueueConfig{"default": {MaxWorkers: -1}}, Logger: slog.New(slog.DiscardHandler)}
	if _, err := queue.NewWorker(pool, c); err == nil {
		t.Error("a queue with fewer than no workers was accepted")
	}
}
