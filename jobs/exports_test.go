package jobs

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/cache"
	"github.com/mindspace-app/mindspace/platform/personal"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
	"github.com/mindspace-app/mindspace/platform/queue"
	"github.com/mindspace-app/mindspace/platform/secret"
	"github.com/mindspace-app/mindspace/services/user"
)

// exportShop is a worker that makes exports; its table fails as often as the test says.
type exportShop struct {
	pool   *pgxpool.Pool
	client *queue.Client
	blobs  *blob.Bucket
	person uuid.UUID
}

func newExportShop(t *testing.T, open func(context.Context, personal.Row) error) *exportShop {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	keys, err := secret.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	s := &exportShop{pool: pgtest.New(t, migrations.FS), blobs: memblob.OpenBucket(nil), person: uuid.Must(uuid.NewV7())}
	t.Cleanup(func() { _ = s.blobs.Close() })
	service := user.New(user.Options{
		Pool: s.pool, Keys: keys, Blobs: s.blobs, Cache: cache.NewStore(nil, cache.Config{Logger: quiet}), Logger: quiet, Now: time.Now,
	})
	registry := personal.NewRegistry(personal.Domain{Name: "user", Tables: []personal.Table{{Name: "users.profiles", What: "x", Owner: "user_id", Open: open}}})
	workers := river.NewWorkers()
	addExports(workers, user.NewExports(service, registry))
	if s.client, err = queue.NewWorker(s.pool, queue.Config{Workers: workers, Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	if err := s.client.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = queue.Stop(context.Background(), s.client, 5*time.Second) })
	if _, err := s.pool.Exec(t.Context(), "INSERT INTO users.profiles VALUES ($1, 4, 'metric', 'RS', now())", s.person); err != nil {
		t.Fatal(err)
	}
	return s
}

// make asks for an export and gives how its job and it ended; attempts is how often it is tried.
func (s *exportShop) make(t *testing.T, attempts int) (*rivertype.JobRow, string) {
	t.Helper()
	ended, stop := s.client.Subscribe(river.EventKindJobCompleted, river.EventKindJobCancelled, river.EventKindJobFailed)
	defer stop()
	id := uuid.Must(uuid.NewV7())
	err := postgres.InTx(t.Context(), s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), "INSERT INTO users.exports (user_id, id, requested_at) VALUES ($1, $2, now())", s.person, id); err != nil {
			return err
		}
		_, err := s.client.InsertTx(t.Context(), tx, user.ExportRequested{UserID: s.person, ExportID: id}, &river.InsertOpts{MaxAttempts: attempts})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case event := <-ended:
		var state string
		if err := s.pool.QueryRow(t.Context(), "SELECT state FROM users.exports WHERE id = $1", id).Scan(&state); err != nil {
			t.Fatal(err)
		}
		return event.Job, state
	case <-time.After(time.Minute):
		t.Fatal("the job did not end")
		return nil, ""
	}
}

func TestExportIsMade(t *testing.T) {
	t.Parallel()
	s := newExportShop(t, nil)
	if job, state := s.make(t, 0); job.State != rivertype.JobStateCompleted || state != "ready" || job.MaxAttempts != 5 {
		t.Errorf("job %s of %d attempts, export %s", job.State, job.MaxAttempts, state)
	}
}

// The last attempt ends the export, the ones before do not.
func TestExportThatCannotBeMade(t *testing.T) {
	t.Parallel()
	s := newExportShop(t, func(context.Context, personal.Row) error { return errors.New("key lost") })
	if job, state := s.make(t, 1); job.State != rivertype.JobStateDiscarded || state != "failed" {
		t.Errorf("the last attempt: job %s, export %s", job.State, state)
	}
	if job, state := s.make(t, 2); job.State == rivertype.JobStateDiscarded || state != "pending" {
		t.Errorf("the first attempt: job %s, export %s", job.State, state)
	}
	list := s.blobs.List(nil)
	if object, err := list.Next(t.Context()); err == nil {
		t.Errorf("a file stayed: %s", object.Key)
	}
}
