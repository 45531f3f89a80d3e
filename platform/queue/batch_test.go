package queue_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/queue"
)

// boundedArgs are those of a job with its own number of attempts.
type boundedArgs struct {
	Names []string `json:"names"`
}

func (boundedArgs) Kind() string { return "test.bounded" }

func (boundedArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 7} }

// rows gives every job as JSON without what differs between any two of them, oldest first.
func rows(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	found, err := pool.Query(t.Context(), "SELECT (to_jsonb(j) - 'id' - 'created_at' - 'scheduled_at')::text FROM river.river_job j ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What a batch inserts is, column by column, what River inserts.
func TestEnqueueInsertsWhatRiverDoes(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	client := newInserter(t, pool)
	ctx := identity.WithRequest(t.Context(), identity.Request{ID: "request-1"})
	for _, args := range []river.JobArgs{greetArgs{Name: `"quoted" & <odd>`}, boundedArgs{Names: []string{"a", "b"}}} {
		err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
			_, err := client.InsertTx(ctx, tx, args, nil)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		batch := &pgx.Batch{}
		if err := queue.Enqueue(ctx, batch, args); err != nil {
			t.Fatal(err)
		}
		if err := pool.SendBatch(ctx, batch).Close(); err != nil {
			t.Fatal(err)
		}
		all := rows(t, pool)
		if n := len(all); n < 2 || all[n-1] != all[n-2] {
			t.Errorf("%s: a batch inserts\n%s\nand River\n%s", args.Kind(), all[n-1], all[n-2])
		}
	}
}
