package queue

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

// enqueue does what River does for a job that is to be worked on at once; a test compares the rows.
const enqueue = `INSERT INTO river.river_job (args, kind, max_attempts, metadata, priority, queue, state, tags)
VALUES ($1::jsonb, $2::text, $3::smallint, $4::jsonb, 1, 'default', 'available', '{}')`

// Enqueue adds the insertion of a job to a batch, which is one transaction in one round trip, where InsertTx would take two more of its own. It is
// for what is done all the time. Only MaxAttempts of the job's own options is looked at. Nobody is notified: workers find the job when they look next,
// within a second.
func Enqueue(ctx context.Context, batch *pgx.Batch, args river.JobArgs) error {
	encoded, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("queue: encode %s: %w", args.Kind(), err)
	}
	metadata, err := originOf(ctx).addTo([]byte("{}"))
	if err != nil {
		return err
	}
	attempts := 0
	if with, ok := args.(river.JobArgsWithInsertOpts); ok {
		attempts = with.InsertOpts().MaxAttempts
	}
	batch.Queue(enqueue, string(encoded), args.Kind(), cmp.Or(attempts, MaxAttempts), string(metadata))
	return nil
}
