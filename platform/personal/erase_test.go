package personal_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"gocloud.dev/blob/memblob"

	"github.com/mindspace-app/mindspace/platform/personal"
	"github.com/mindspace-app/mindspace/platform/postgres"
)

// addJob puts a job into the queue.
func addJob(t *testing.T, pool *pgxpool.Pool, state, args string) (id int64) {
	t.Helper()
	err := pool.QueryRow(t.Context(), `INSERT INTO river.river_job (kind, args, state, max_attempts, priority, queue, finalized_at)
		VALUES ('test', $2, $1::text::river.river_job_state, 3, 1, 'default', CASE WHEN $1::text IN ('completed', 'cancelled', 'discarded') THEN now() END) RETURNING id`, state, args).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func erase(t *testing.T, r *personal.Registry, pool *pgxpool.Pool, bucketFiles map[string]string, person uuid.UUID) (touched []personal.Touched, left []string, err error) {
	t.Helper()
	blobs := memblob.OpenBucket(nil)
	defer func() { _ = blobs.Close() }()
	for name, text := range bucketFiles {
		if err := blobs.WriteAll(t.Context(), name, []byte(text), nil); err != nil {
			t.Fatal(err)
		}
	}
	err = postgres.InTx(t.Context(), pool, func(tx pgx.Tx) (err error) {
		touched, err = r.Erase(t.Context(), tx, blobs, person)
		return err
	})
	list := blobs.List(nil)
	for object, next := list.Next(t.Context()); next == nil; object, next = list.Next(t.Context()) {
		left = append(left, object.Key)
	}
	return touched, left, err
}

func TestErase(t *testing.T) {
	t.Parallel()
	pool, registry, person, other := newPool(t), personal.NewRegistry(facts()), uuid.New(), uuid.New()
	for i, p := range []uuid.UUID{person, other} {
		execute(t, pool, `INSERT INTO facts.visits SELECT $1, n, 'visit' FROM generate_series($2::int, $2 + 2) n`, p, 10*i)
		execute(t, pool, `INSERT INTO facts.sealed VALUES ($1, '{}', 1)`, p)
		execute(t, pool, `INSERT INTO facts.records VALUES ($1, $2), ($3, $1), ($3, 'a thing')`, p, p.String(), uuid.New())
	}
	execute(t, pool, `INSERT INTO facts.parts VALUES (0, NULL, $1), (10, $1, $2), (11, $2, $2)`, person, other)
	for _, state := range []string{"available", "scheduled", "retryable", "completed", "discarded", "cancelled"} {
		addJob(t, pool, state, `{"nested": [{"user_id": "`+person.String()+`"}]}`)
	}
	kept := addJob(t, pool, "running", `{"user_id": "`+other.String()+`"}`)
	files := map[string]string{"facts/" + person.String() + "/a": "1", "facts/" + person.String() + "/b/c": "2", "facts/" + other.String() + "/a": "3", "facts/shared": "4"}
	touched, left, err := erase(t, registry, pool, files, person)
	if err != nil {
		t.Fatal(err)
	}
	want := []personal.Touched{
		{Kind: "queue", Name: "river.river_job", Action: "deleted", Count: 6},
		{Kind: "table", Name: "facts.parts", Action: "deleted", Count: 1},
		{Kind: "table", Name: "facts.parts.author_id", Action: "cleared", Count: 1},
		{Kind: "table", Name: "facts.visits", Action: "deleted", Count: 3},
		{Kind: "table", Name: "facts.everything", Action: "deleted"},
		{Kind: "table", Name: "facts.sealed", Action: "deleted", Count: 1},
		{Kind: "table", Name: "facts.records", Action: "kept", Count: 1, Reason: "they say nothing of anyone"},
		{Kind: "table", Name: "facts.records.subject", Action: "cleared", Count: 2},
		{Kind: "files", Name: "facts", Action: "deleted", Count: 2},
	}
	if !slices.Equal(touched, want) {
		t.Errorf("touched\n%+v\nwant\n%+v", touched, want)
	}
	if !slices.Equal(left, []string{"facts/" + other.String() + "/a", "facts/shared"}) {
		t.Errorf("files left: %v", left)
	}
	if n := count(t, pool, "SELECT count(*) FROM facts.visits"); n != 3 {
		t.Errorf("%d visits left", n)
	}
	if n := count(t, pool, "SELECT count(*) FROM facts.parts WHERE user_id = $1", other); n != 2 {
		t.Errorf("%d parts of the other left", n)
	}
	if n := count(t, pool, "SELECT count(*) FROM river.river_job WHERE id = $1", kept); n != 1 || count(t, pool, "SELECT count(*) FROM river.river_job") != 1 {
		t.Error("the job about somebody else is gone, or another stayed")
	}
	again, _, err := erase(t, registry, pool, nil, person)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range again {
		if line.Count != 0 && line.Action != "kept" {
			t.Errorf("again: %+v", line)
		}
	}
}

func TestEraseWaitsForJobs(t *testing.T) {
	t.Parallel()
	pool, registry, person := newPool(t), personal.NewRegistry(facts()), uuid.New()
	execute(t, pool, `INSERT INTO facts.visits VALUES ($1, 1, 'visit')`, person)
	id := addJob(t, pool, "running", `{"user_id": "`+person.String()+`"}`)
	file := map[string]string{"facts/" + person.String() + "/a": "1"}
	_, left, err := erase(t, registry, pool, file, person)
	if !errors.Is(err, personal.ErrBusy) || len(left) != 1 || count(t, pool, "SELECT count(*) FROM facts.visits") != 1 {
		t.Errorf("while it runs: %v, files %v", err, left)
	}
	// Another transaction holds the job's row and makes it run: the erasure waits for it, and then sees that.
	execute(t, pool, "UPDATE river.river_job SET state = 'available' WHERE id = $1", id)
	holder, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec(t.Context(), "UPDATE river.river_job SET state = 'running' WHERE id = $1", id); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, _, err := erase(t, registry, pool, file, person)
		done <- err
	}()
	waitFor(t, pool, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE '%river_job%FOR UPDATE%'")
	if err := holder.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, personal.ErrBusy) {
		t.Errorf("the job began meanwhile: %v", err)
	}
	execute(t, pool, "UPDATE river.river_job SET state = 'completed', finalized_at = now() WHERE id = $1", id)
	if _, left, err := erase(t, registry, pool, file, person); err != nil || len(left) != 0 || count(t, pool, "SELECT count(*) FROM facts.visits") != 0 {
		t.Errorf("when it has ended: %v, files %v", err, left)
	}
}

// waitFor waits until a query counts something.
func waitFor(t *testing.T, pool *pgxpool.Pool, query string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); count(t, pool, query) == 0; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("it did not come to that")
		}
	}
}

func TestEraseTakesNoOthersFiles(t *testing.T) {
	t.Parallel()
	pool, person := newPool(t), uuid.New()
	for _, prefix := range []string{"", "/", "facts/" + person.String(), "facts", "facts/", "facts/" + person.String()[:30] + "/"} {
		d := facts()
		d.Files = func(uuid.UUID) string { return prefix }
		_, left, err := erase(t, personal.NewRegistry(d), pool, map[string]string{"facts/" + person.String() + "x/a": "1"}, person)
		if err == nil || len(left) != 1 {
			t.Errorf("prefix %q: %v, files %v", prefix, err, left)
		}
	}
}
