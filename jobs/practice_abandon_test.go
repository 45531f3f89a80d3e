package jobs

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/cache"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
	"github.com/mindspace-app/mindspace/platform/queue"
	"github.com/mindspace-app/mindspace/services/meditation"
)

// A session of which nothing is heard any more is ended by a process that has no other domain to ask; one that is heard of is looked at again later.
func TestAbandonedSessionsAreEnded(t *testing.T) {
	t.Parallel()
	pool, quiet := pgtest.New(t, migrations.FS), slog.New(slog.DiscardHandler)
	inserter, err := queue.NewInserter(pool, quiet)
	if err != nil {
		t.Fatal(err)
	}
	workers := river.NewWorkers()
	addAbandoned(workers, meditation.New(meditation.Options{
		Pool: pool, Queue: inserter, Cache: cache.NewStore(nil, cache.Config{Logger: quiet}), Now: time.Now,
	}))
	client, err := queue.NewWorker(pool, queue.Config{Workers: workers, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ended, stop := client.Subscribe(river.EventKindJobCompleted, river.EventKindJobCancelled, river.EventKindJobFailed, river.EventKindJobSnoozed)
	defer stop()
	if err := client.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = queue.Stop(context.Background(), client, 5*time.Second) })
	person := uuid.Must(uuid.NewV7())
	// look has a session looked at that was heard of so long ago, and gives what became of the job and of it.
	look := func(heard string) (*rivertype.JobRow, string) {
		t.Helper()
		id := uuid.Must(uuid.NewV7())
		err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), `INSERT INTO meditation.sessions (user_id, id, client_id, state, started_at, practiced_seconds, planned_seconds, time_zone, day_start_hour,
				local_date, finished, seen_at, change, updated_at)
				VALUES ($1, $2, $2, 'running', now() - interval '2 hours', 600, 0, 'UTC', 0, current_date, false, now() - $3::interval, 1, now())`, person, id, heard)
			if err != nil {
				return err
			}
			_, err = client.InsertTx(t.Context(), tx, meditation.SessionStarted{UserID: person, SessionID: id}, nil)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for {
			select {
			case event := <-ended:
				if event.Job.Kind != (meditation.SessionStarted{}).Kind() {
					continue // nobody here listens to what follows from it
				}
				var state string
				if err := pool.QueryRow(t.Context(), "SELECT state FROM meditation.sessions WHERE user_id = $1 AND id = $2", person, id).Scan(&state); err != nil {
					t.Fatal(err)
				}
				return event.Job, state
			case <-time.After(time.Minute):
				t.Fatal("the job did not end")
			}
		}
	}
	if job, state := look("31 minutes"); job.State != rivertype.JobStateCompleted || state != "abandoned" {
		t.Errorf("silent: job %s, session %s, %v", job.State, state, job.Errors)
	}
	job, state := look("10 minutes")
	if again := time.Until(job.ScheduledAt); job.State != rivertype.JobStateScheduled || state != "running" || again > 20*time.Minute || again < 15*time.Minute {
		t.Errorf("heard of: job %s, again in %s, session %s, %v", job.State, again, state, job.Errors)
	}
}
