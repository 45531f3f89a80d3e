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

// From a session's event to the milestone, and on to those who listen to that: every job is known and ends well.
func TestPracticeIsHeardOf(t *testing.T) {
	t.Parallel()
	pool, quiet := pgtest.New(t, migrations.FS), slog.New(slog.DiscardHandler)
	inserter, err := queue.NewInserter(pool, quiet)
	if err != nil {
		t.Fatal(err)
	}
	service := meditation.New(meditation.Options{Pool: pool, Queue: inserter, Cache: cache.NewStore(nil, cache.Config{Logger: quiet}), Now: time.Now})
	workers := river.NewWorkers()
	addPractice(workers, meditation.NewMilestones(service))
	client, err := queue.NewWorker(pool, queue.Config{Workers: workers, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ended, stop := client.Subscribe(river.EventKindJobCompleted, river.EventKindJobCancelled, river.EventKindJobFailed)
	defer stop()
	if err := client.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = queue.Stop(context.Background(), client, 5*time.Second) })
	person := uuid.Must(uuid.NewV7())
	err = postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), "INSERT INTO meditation.people (user_id, change) VALUES ($1, 1)", person); err != nil {
			return err
		}
		// Three days, three sessions, an hour: three milestones.
		_, err := tx.Exec(t.Context(), "INSERT INTO meditation.days (user_id, local_date, sessions, seconds) SELECT $1, date '2026-03-01' + n, 1, 1200 FROM generate_series(0, 2) n", person)
		if err != nil {
			return err
		}
		for _, event := range []river.JobArgs{
			meditation.SessionsRecorded{UserID: person},
			meditation.SessionDeleted{UserID: person, SessionID: uuid.New()},
			meditation.CourseCompleted{UserID: person, CourseID: uuid.New()},
		} {
			if _, err := client.InsertTx(t.Context(), tx, event, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for range 6 {
		select {
		case one := <-ended:
			if one.Job.State != rivertype.JobStateCompleted || one.Job.Attempt != 1 || one.Job.MaxAttempts != 10 {
				t.Errorf("%s ended %s after %d of %d attempts: %v", one.Job.Kind, one.Job.State, one.Job.Attempt, one.Job.MaxAttempts, one.Job.Errors)
			}
			kinds[one.Job.Kind]++
		case <-time.After(time.Minute):
			t.Fatalf("only %v were worked on", kinds)
		}
	}
	if kinds[meditation.MilestoneReached{}.Kind()] != 3 {
		t.Errorf("worked on: %v", kinds)
	}
	var noted int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM meditation.milestones WHERE user_id = $1", person).Scan(&noted); err != nil || noted != 3 {
		t.Errorf("%d milestones, %v", noted, err)
	}
}
