package jobs_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/riverqueue/river/rivertype"

	"github.com/mindspace-app/mindspace/jobs"
	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
	"github.com/mindspace-app/mindspace/platform/secret"
	"github.com/mindspace-app/mindspace/services/auth"
)

func TestUpkeepOfSignIn(t *testing.T) {
	t.Parallel()
	pool, quiet := pgtest.New(t, migrations.FS), slog.New(slog.DiscardHandler)
	keyring, err := secret.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	// A key that has signed for longer than a key should.
	past := func() time.Time { return time.Now().Add(-31 * 24 * time.Hour) }
	if _, err := auth.NewSigningKeys(pool, keyring, past, quiet).SigningKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), "INSERT INTO auth.guards (key, level, updated_at, locked_until) VALUES ('old', 1, to_timestamp(0), now()), ('new', 1, now(), now())"); err != nil {
		t.Fatal(err)
	}
	client := startWorker(t, pool, jobs.Needs{Pool: pool, Keys: auth.NewSigningKeys(pool, keyring, time.Now, quiet), Logger: quiet})
	for range 2 { // it may run twice
		if job := work(t, pool, client, jobs.AuthUpkeepArgs{}); job.State != rivertype.JobStateCompleted {
			t.Fatalf("it ended %s: %v", job.State, job.Errors)
		}
		var keys, guards int
		if err := pool.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM auth.signing_keys), (SELECT count(*) FROM auth.guards)").Scan(&keys, &guards); err != nil {
			t.Fatal(err)
		}
		if keys != 2 || guards != 1 {
			t.Errorf("%d keys and %d guards, want 2 and 1", keys, guards)
		}
	}
}
