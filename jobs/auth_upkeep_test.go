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
	client := startWorker(t, pool, jobs.Needs{Pool: pool, SigningKeys: auth.NewSigningKeys(pool, keyring, time.Now, quiet), Logger: quiet})
	for range 2 { // it may run twice
		if job := work(t, pool, client, jobs.AuthUpkeepArgs{}); job.State != rivertype.JobStateCompleted {
			t.Fatalf("it ended %s: %v", job.State, job.Errors)
		}
		var keys int
		if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM auth.signing_keys").Scan(&keys); err != nil {
			t.Fatal(err)
		}
		if keys != 2 {
			t.Errorf("%d keys, want 2", keys)
		}
	}
}
