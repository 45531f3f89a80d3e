package jobs_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/jobs"
	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
	"github.com/mindspace-app/mindspace/platform/queue"
	"github.com/mindspace-app/mindspace/platform/reseal"
	"github.com/mindspace-app/mindspace/platform/secret"
	"github.com/mindspace-app/mindspace/services/auth"
)

// rotated gives a keyring, and the same with a key that encrypts after a while.
func rotated(t *testing.T, in time.Duration) (before, after *secret.Keyring) {
	t.Helper()
	before, err := secret.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	after, _, err = before.RotateAEAD(time.Now().Add(in))
	if err != nil {
		t.Fatal(err)
	}
	return before, after
}

// reseals runs one job for a key and waits until it is in a state.
func reseals(t *testing.T, pool *pgxpool.Pool, keys *secret.Keyring, log *bytes.Buffer, key uint32, want string) {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	if log != nil {
		logger = slog.New(slog.NewTextHandler(log, nil))
	}
	workers := jobs.Workers(jobs.Needs{Pool: pool, Keyring: keys, Sealed: append(auth.Sealed(), audit.Sealed()...), Logger: logger})
	client, err := queue.NewWorker(pool, queue.Config{Workers: workers})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second is not taken, as the first is waiting
		if err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			_, err := client.InsertTx(t.Context(), tx, jobs.ResealArgs{KeyID: key}, nil)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = queue.Stop(context.Background(), client, time.Second) }()
	var state string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		var jobs int
		var attempted bool
		err := pool.QueryRow(t.Context(), "SELECT count(*) OVER (), state::text, attempted_at IS NOT NULL FROM river.river_job WHERE kind = 'keys_reseal'").Scan(&jobs, &state, &attempted)
		if err != nil || jobs != 1 {
			t.Fatalf("%d jobs, %v", jobs, err)
		}
		if attempted && state == want {
			return
		}
		select {
		case <-t.Context().Done():
			t.Fatal("ended")
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatalf("the job is %s", state)
}

// What services have sealed opens with what they declare: the bindings agree. A job that did something comes back; one that finds nothing is done.
func TestWorkerSealsAnewWhatServicesHaveSealed(t *testing.T) {
	t.Parallel()
	pool, quiet := pgtest.New(t, migrations.FS), slog.New(slog.DiscardHandler)
	before, after := rotated(t, 0)
	signing := auth.NewSigningKeys(pool, before, time.Now, quiet)
	was, err := signing.SigningKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	person, record := uuid.New(), audit.Entry{Action: "test.thing.done", SubjectType: "thing", SubjectID: "1", Before: "what was"}
	record.Person = person
	if err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error { return audit.New(before).Record(t.Context(), tx, record) }); err != nil {
		t.Fatal(err)
	}
	reseals(t, pool, after, nil, after.PrimaryID(), "scheduled")
	counts, err := reseal.Remaining(t.Context(), pool, append(auth.Sealed(), audit.Sealed()...))
	if err != nil || len(counts) != 2 {
		t.Fatalf("%+v, %v", counts, err)
	}
	for _, c := range counts {
		if c.KeyID != after.PrimaryID() {
			t.Errorf("left: %+v", c)
		}
	}
	// A process without the old key reads all of it.
	only, err := after.Prune(before.PrimaryID())
	if err != nil {
		t.Fatal(err)
	}
	if key, err := auth.NewSigningKeys(pool, only, time.Now, quiet).SigningKey(t.Context()); err != nil || key.ID != was.ID {
		t.Errorf("the signing key is %v, %v", key.ID, err)
	}
	var id uuid.UUID
	if err := pool.QueryRow(t.Context(), "SELECT id FROM audit.records WHERE person_id = $1", person).Scan(&id); err != nil {
		t.Fatal(err)
	}
	if said, _, err := audit.New(only).Reveal(t.Context(), pool, id); err != nil || string(said) != `"what was"` {
		t.Errorf("the record says %s, %v", said, err)
	}
	if _, err := pool.Exec(t.Context(), "UPDATE river.river_job SET state = 'available', scheduled_at = now() WHERE kind = 'keys_reseal'"); err != nil {
		t.Fatal(err)
	}
	reseals(t, pool, after, nil, after.PrimaryID(), "completed")
}

func TestWorkerWaitsForTheKey(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t, migrations.FS)
	before, after := rotated(t, time.Hour)
	if _, err := auth.NewSigningKeys(pool, before, time.Now, slog.New(slog.DiscardHandler)).SigningKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	next := after.Keys()[1].ID
	reseals(t, pool, after, nil, next, "scheduled")
	counts, err := reseal.Remaining(t.Context(), pool, auth.Sealed())
	if err != nil || len(counts) != 1 || counts[0].KeyID != before.PrimaryID() {
		t.Errorf("%+v, %v", counts, err)
	}
}

// A process that does not have the key says so, and the job waits for one that does.
func TestWorkerWithoutTheKeyNamesIt(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t, migrations.FS)
	before, after := rotated(t, 0)
	reseals(t, pool, before, nil, after.PrimaryID(), "retryable")
	var said string
	if err := pool.QueryRow(t.Context(), "SELECT errors[1]::text FROM river.river_job WHERE kind = 'keys_reseal'").Scan(&said); err != nil {
		t.Fatal(err)
	}
	if missing := (&secret.MissingKeyError{ID: after.PrimaryID()}).Error(); !strings.Contains(said, missing) {
		t.Errorf("%q does not say %q", said, missing)
	}
}

// A value that cannot be opened is told of with its table and key, never with what it holds.
func TestWorkerTellsOfWhatDoesNotOpen(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t, migrations.FS)
	before, after := rotated(t, 0)
	lost, err := secret.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, keys := range []*secret.Keyring{before, lost} {
		if err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			return audit.New(keys).Record(t.Context(), tx, audit.Entry{Action: "test.thing.done", SubjectType: "thing", SubjectID: "1", Person: uuid.New(), Before: "x"})
		}); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	reseals(t, pool, after, &log, after.PrimaryID(), "retryable")
	counts, err := reseal.Remaining(t.Context(), pool, audit.Sealed())
	if err != nil || len(counts) != 2 {
		t.Fatalf("%+v, %v", counts, err)
	}
	for _, want := range []string{"table=audit.person_keys", "column=wrapped_key", "key_missing=true", "rows=1"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %s: %s", want, &log)
		}
	}
}
