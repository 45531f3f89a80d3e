package personal_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/platform/cache/redistest"
	"github.com/mindspace-app/mindspace/platform/personal"
)

func TestRetain(t *testing.T) {
	t.Parallel()
	pool, now := newPool(t), time.Now()
	execute(t, pool, `INSERT INTO facts.visits SELECT gen_random_uuid(), n, 'old', $1::timestamptz - interval '2 hours' FROM generate_series(1, 2500) n`, now)
	execute(t, pool, `INSERT INTO facts.visits SELECT gen_random_uuid(), n, 'new', $1::timestamptz - interval '59 minutes' FROM generate_series(3001, 3010) n`, now)
	d, broken := facts(), errors.New("broken")
	var before time.Time
	d.Rules = append([]personal.Rule{
		{What: "fails", Table: "x", Why: "y", Work: func(context.Context, time.Time) (int64, error) { return 2, broken }},
		{What: "fails too", Table: "facts.visits", Why: "y", Past: "no SQL"},
		{What: "for ever", Table: "facts.visits", Keep: -1, Why: "y", Past: "made_at < $1"},
		{What: "by hand", Table: "facts.visits", Keep: time.Hour, Why: "y"},
		{What: "works", Table: "z", Keep: 24 * time.Hour, Why: "y", Work: func(_ context.Context, b time.Time) (int64, error) { before = b; return 3, nil }},
	}, d.Rules...)
	registry := personal.NewRegistry(d)
	// Somebody holds a row: it is left for the next time.
	holder, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec(t.Context(), "SELECT FROM facts.visits WHERE id = 7 FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	deleted, err := registry.Retain(t.Context(), pool, now)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "retention of fails too") {
		t.Errorf("error: %v", err)
	}
	if deleted["facts.visits"] != 2499 || deleted["x"] != 2 || deleted["z"] != 3 || !before.Equal(now.Add(-24*time.Hour)) {
		t.Errorf("deleted %v, before %v", deleted, before)
	}
	if err := holder.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if deleted, _ := registry.Retain(t.Context(), pool, now); deleted["facts.visits"] != 1 || count(t, pool, "SELECT count(*) FROM facts.visits WHERE note = 'new'") != 10 {
		t.Errorf("the next time: %v", deleted)
	}
	if n := len(registry.Rules()); n != 6 {
		t.Errorf("%d rules", n)
	}
}

// Several at once delete each row once, and none waits for the others.
func TestRetainAtOnce(t *testing.T) {
	t.Parallel()
	pool, registry, now := newPool(t), personal.NewRegistry(facts()), time.Now()
	execute(t, pool, `INSERT INTO facts.visits SELECT gen_random_uuid(), n, 'old', $1::timestamptz - interval '2 hours' FROM generate_series(1, 9000) n`, now)
	var total atomic.Int64
	var working sync.WaitGroup
	for range 4 {
		working.Go(func() {
			deleted, err := registry.Retain(t.Context(), pool, now)
			if err != nil {
				t.Error(err)
			}
			total.Add(deleted["facts.visits"])
		})
	}
	working.Wait()
	deleted, err := registry.Retain(t.Context(), pool, now)
	if err != nil || total.Load()+deleted["facts.visits"] != 9000 || count(t, pool, "SELECT count(*) FROM facts.visits") != 0 {
		t.Errorf("deleted %d and %v, %v", total.Load(), deleted, err)
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	rdb, person, other, prefix := redistest.Client(t), uuid.New(), uuid.New(), redistest.Key()
	for _, key := range []string{"users:" + person.String(), person.String(), "limit:" + person.String() + ":tail", "users:" + other.String()} {
		if err := rdb.Set(t.Context(), prefix+key, "x", time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := rdb.HSet(t.Context(), prefix+"hash:"+person.String(), "a", 1).Err(); err != nil {
		t.Fatal(err)
	}
	var forgotten []uuid.UUID
	d := facts()
	d.Forget = func(_ context.Context, p uuid.UUID) { forgotten = append(forgotten, p) }
	line, err := personal.NewRegistry(facts(), d).Forget(t.Context(), rdb, person)
	if err != nil || line != (personal.Touched{Kind: "cache", Name: "redis", Action: "deleted", Count: 4}) || len(forgotten) != 1 || forgotten[0] != person {
		t.Errorf("%+v, %v, %v", line, forgotten, err)
	}
	if n := rdb.Exists(t.Context(), prefix+"users:"+other.String()).Val(); n != 1 {
		t.Error("somebody else was forgotten")
	}
}
