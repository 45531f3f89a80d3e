package postgres_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
)

func pending(t *testing.T, url string, fsys fstest.MapFS) []string {
	t.Helper()
	states, err := postgres.Status(t.Context(), url, fsys)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range postgres.Pending(states) {
		names = append(names, m.Name)
	}
	return names
}

// Eight processes start at once on an empty database. One migration builds an index concurrently, which waits for every
// other transaction: those who wait for the lock must not be in one.
func TestMigrateConcurrently(t *testing.T) {
	t.Parallel()
	fsys := maps.Clone(shelf)
	fsys["00003_shelf_index.sql"] = &fstest.MapFile{Data: []byte(`-- +goose NO TRANSACTION
-- +goose Up
CREATE INDEX CONCURRENTLY books_title ON shelf.books (title);
-- +goose Down
DROP INDEX shelf.books_title;
`)}
	url := pgtest.Empty(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if err := postgres.Migrate(t.Context(), url, fsys, nil); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if left := pending(t, url, fsys); left != nil {
		t.Errorf("pending after all: %v", left)
	}
	pool := open(t, postgres.Config{URL: url})
	for _, query := range []string{"SELECT count(*) FROM shelf.books", "SELECT count(*) FROM river.river_job"} {
		var n int
		if err := pool.QueryRow(t.Context(), query).Scan(&n); err != nil {
			t.Errorf("%s: %v", query, err)
		}
	}
	var twice, locks int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) - count(DISTINCT version_id) FROM goose_db_version").Scan(&twice); err != nil || twice != 0 {
		t.Errorf("%d migrations were applied twice (%v)", twice, err)
	}
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&locks); err != nil || locks != 0 {
		t.Errorf("%d locks are left (%v)", locks, err)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	first := fstest.MapFS{"00001_shelf.sql": shelf["00001_shelf.sql"]}

	queue, err := postgres.QueueMigrations()
	if err != nil || len(queue) == 0 {
		t.Fatalf("the queue brings %d migrations (%v)", len(queue), err)
	}
	if got := pending(t, url, shelf); len(got) != 2+len(queue) || got[0] != "00001_shelf.sql" || got[1] != "00002_shelf_authors.sql" {
		t.Errorf("pending in an empty database: %v", got)
	}
	pool := open(t, postgres.Config{URL: url})
	var tables int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'river')").Scan(&tables); err != nil || tables != 0 {
		t.Errorf("asking for the status made %d tables (%v)", tables, err)
	}

	if err := postgres.Migrate(t.Context(), url, first, nil); err != nil {
		t.Fatal(err)
	}
	if got := pending(t, url, first); got != nil {
		t.Errorf("pending: %v", got)
	}
	if got := pending(t, url, shelf); !slices.Equal(got, []string{"00002_shelf_authors.sql"}) {
		t.Errorf("pending for a newer program: %v", got)
	}
	if err := postgres.Migrate(t.Context(), url, shelf, nil); err != nil {
		t.Fatal(err)
	}

	// An older program sees what it does not know, and nothing that it would have to do.
	states, err := postgres.PoolStatus(t.Context(), pool, first)
	if err != nil {
		t.Fatal(err)
	}
	if got := states[1]; got.Set != postgres.SetSchema || got.Version != 2 || got.Name != "" || got.Pending() {
		t.Errorf("the unknown migration is %+v", got)
	}
	if left := postgres.Pending(states); len(left) != 0 {
		t.Errorf("pending for the older program: %v", left)
	}
	if err := postgres.Migrate(t.Context(), url, first, nil); err != nil {
		t.Errorf("the older program: %v", err)
	}
}

func TestMigrateOnlyTheQueue(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	if err := postgres.Migrate(t.Context(), url, fstest.MapFS{}, nil); err != nil {
		t.Fatal(err)
	}
	if left := pending(t, url, fstest.MapFS{}); left != nil {
		t.Errorf("pending: %v", left)
	}
}

func TestMigrateStopsAtAFailure(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	broken := maps.Clone(shelf)
	broken["00003_broken.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nCREATE TABLE shelf.half (id int);\nSELECT 1 / 0;\n-- +goose Down\n")}
	err := postgres.Migrate(t.Context(), url, broken, nil)
	if err == nil || !strings.Contains(err.Error(), "00003_broken.sql") {
		t.Fatalf("got %v, want an error that names the file", err)
	}
	pool := open(t, postgres.Config{URL: url})
	var half, authors bool
	if err := pool.QueryRow(t.Context(), "SELECT to_regclass('shelf.half') IS NOT NULL, to_regclass('shelf.authors') IS NOT NULL").Scan(&half, &authors); err != nil {
		t.Fatal(err)
	}
	if half || !authors {
		t.Errorf("half-applied: %v, those before it: %v", half, authors)
	}
	// Mended, it goes on; the failure has left no lock.
	if err := postgres.Migrate(t.Context(), url, shelf, nil); err != nil {
		t.Error(err)
	}
}

func TestMigrateWaitsNoLongerThanItsContext(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	pool := open(t, postgres.Config{URL: url})
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(t.Context(), "SELECT pg_advisory_lock($1)", int64(0x6d696e6473706163)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- postgres.Migrate(ctx, url, shelf, nil) }()
	// It has asked for the lock when its session has run that statement.
	const asked = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'mindspace-migrate' AND datname = current_database() AND query LIKE '%pg_try_advisory_lock%')"
	for found := false; !found; {
		if err := conn.QueryRow(t.Context(), asked).Scan(&found); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("it migrated although another holds the lock")
	}
	if _, err := conn.Exec(t.Context(), "SELECT pg_advisory_unlock($1)", int64(0x6d696e6473706163)); err != nil {
		t.Fatal(err)
	}
	if err := postgres.Migrate(t.Context(), url, shelf, nil); err != nil {
		t.Error(err)
	}
}
