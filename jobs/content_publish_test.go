package jobs_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/mindspace-app/mindspace/jobs"
	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/cache"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
	"github.com/mindspace-app/mindspace/platform/queue"
	"github.com/mindspace-app/mindspace/platform/secret"
	"github.com/mindspace-app/mindspace/services/content"
)

// press is a worker that publishes.
type press struct {
	t      *testing.T
	pool   *pgxpool.Pool
	client *queue.Client
}

func newPress(t *testing.T) *press {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	keys, err := secret.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	p := &press{t: t, pool: pgtest.New(t, migrations.FS)}
	inserter, err := queue.NewInserter(p.pool, quiet)
	if err != nil {
		t.Fatal(err)
	}
	service := content.New(content.Options{
		Pool: p.pool, Keys: keys, Cursors: cursor.New(keys), Cache: cache.NewStore(nil, cache.Config{Logger: quiet}), Logger: quiet, Now: time.Now,
	})
	p.client = startWorker(t, p.pool, jobs.Needs{Pool: p.pool, Content: content.NewAdmin(service, inserter, audit.New(keys)), Logger: quiet})
	return p
}

// schedule schedules a text of a new course, and inserts the job of a schedule of it, which comes at a time of its own.
func (p *press) schedule(at, jobAt time.Time, schedule, jobOf int32) (due content.RevisionDue, job int64) {
	p.t.Helper()
	course := uuid.Must(uuid.NewV7())
	due = content.RevisionDue{RevisionID: uuid.Must(uuid.NewV7()), Schedule: jobOf}
	err := postgres.InTx(p.t.Context(), p.pool, func(tx pgx.Tx) error {
		inserted, err := p.client.InsertTx(p.t.Context(), tx, due, &river.InsertOpts{ScheduledAt: jobAt})
		if err != nil {
			return err
		}
		job = inserted.Job.ID
		if _, err := tx.Exec(p.t.Context(), "INSERT INTO content.courses (id, slug, position, created_at) VALUES ($1, $2, 1, now())", course, course.String()); err != nil {
			return err
		}
		_, err = tx.Exec(p.t.Context(), `INSERT INTO content.revisions (id, kind, item_id, locale, number, state, title, description, publish_at, schedule, job_id, created_at, updated_at)
			VALUES ($1, 'course', $2, 'en', 1, 'scheduled', 'Quiet nights', 'Rest.', $3, $4, $5, now(), now())`, due.RevisionID, course, at, schedule, job)
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return due, job
}

// ended waits until a job has ended, and gives how, and how the revision stands.
func (p *press) ended(due content.RevisionDue, job int64) (row *rivertype.JobRow, state string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	for {
		row, err := p.client.JobGet(ctx, job)
		if err != nil {
			p.t.Fatal(err)
		}
		if row.FinalizedAt != nil {
			if err := p.pool.QueryRow(ctx, "SELECT state FROM content.revisions WHERE id = $1", due.RevisionID).Scan(&state); err != nil {
				p.t.Fatal(err)
			}
			return row, state
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("the job is %s", row.State)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// live is how many courses readers see.
func (p *press) live() (n int) {
	p.t.Helper()
	if err := p.pool.QueryRow(p.t.Context(), "SELECT count(*) FROM content.localised_courses WHERE asked_locale = 'sr'").Scan(&n); err != nil {
		p.t.Fatal(err)
	}
	return n
}

func TestScheduledTextIsPublished(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	at := time.Now().Add(time.Second)
	due, job := p.schedule(at, at, 1, 1)
	if row, state := p.ended(due, job); row.State != rivertype.JobStateCompleted || row.Attempt != 1 || state != "published" || p.live() != 1 {
		t.Errorf("job %s after %d attempts, revision %s, %d live: %v", row.State, row.Attempt, state, p.live(), row.Errors)
	}
	// The same job again, as after a crash, and one of a schedule that does not hold any more.
	if row := work(t, p.pool, p.client, due); row.State != rivertype.JobStateCompleted {
		t.Errorf("again: %s, %v", row.State, row.Errors)
	}
	due, job = p.schedule(at, at, 2, 1)
	if row, state := p.ended(due, job); row.State != rivertype.JobStateCompleted || state != "scheduled" || p.live() != 1 {
		t.Errorf("a job of an older schedule: %s, revision %s, %d live", row.State, state, p.live())
	}
	var records int
	var kind string
	if err := p.pool.QueryRow(t.Context(), "SELECT count(*) OVER (), actor_kind FROM audit.records").Scan(&records, &kind); err != nil || records != 1 || kind != "system" {
		t.Errorf("%d records by %s: %v", records, kind, err)
	}
}

// A job that comes before the time, as where clocks differ, comes back.
func TestScheduledTextIsNotPublishedEarly(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	at := time.Now().Add(2 * time.Second).Truncate(time.Microsecond)
	due, job := p.schedule(at, time.Now(), 1, 1)
	row, state := p.ended(due, job)
	var published time.Time
	if err := p.pool.QueryRow(t.Context(), "SELECT published_at FROM content.revisions WHERE id = $1", due.RevisionID).Scan(&published); err != nil {
		t.Fatal(err)
	}
	if row.State != rivertype.JobStateCompleted || !strings.Contains(string(row.Metadata), `"snoozes": 1`) || state != "published" || published.Before(at) {
		t.Errorf("job %s with %s, revision %s, published at %v, scheduled for %v", row.State, row.Metadata, state, published, at)
	}
}

// A text whose job is lost is published all the same, when it is late enough.
func TestOverdueTextIsPublished(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	// Their jobs come in an hour, which stands for never.
	p.schedule(time.Now().Add(-11*time.Minute), time.Now().Add(time.Hour), 3, 3)
	p.schedule(time.Now().Add(-5*time.Minute), time.Now().Add(time.Hour), 1, 1)
	for range 2 {
		if row := work(t, p.pool, p.client, jobs.PublishOverdueArgs{}); row.State != rivertype.JobStateCompleted || p.live() != 1 {
			t.Errorf("job %s, %d live: %v", row.State, p.live(), row.Errors)
		}
	}
}
