// Package queue is the one place where River, the job queue in PostgreSQL, is set up. A service inserts a job with the client's InsertTx
// in the transaction that writes its rows, which is the outbox: either both are there or neither is. A worker runs jobs at least once.
//
// The package adds what every job needs: a time limit and a limit of attempts, one log line for a failure, metrics, the request and trace
// that a job comes from, periodic jobs that run once per period, and an orderly stop.
// It knows no job of ours, and it never logs the arguments of one.
package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"github.com/mindspace-app/mindspace/platform/telemetry"
)

// Schema is the PostgreSQL schema that River's tables live in.
const Schema = "river"

// Client is River's client. Insert jobs with InsertTx, in the transaction of the change that they follow from.
type Client = river.Client[pgx.Tx]

// MaxAttempts is how often a job is tried when its arguments do not say otherwise. With River's growing pauses that is about six days.
const MaxAttempts = 20

// NewInserter returns a client that only inserts, for processes that run no jobs. It starts nothing and holds no connection.
func NewInserter(pool *pgxpool.Pool, logger *slog.Logger) (*Client, error) {
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Logger:      riverLogger(logger),
		MaxAttempts: MaxAttempts,
		Plugins:     []rivertype.Plugin{&originPlugin{now: time.Now}},
		Schema:      Schema,
	})
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	return client, nil
}

// Stop ends a worker: it takes no more jobs at once, lets those that run finish for as long as grace, and then cancels their contexts.
// What was cancelled is available again at once, without having lost an attempt. Stop returns when everything has ended or ctx has;
// give ctx some seconds more than grace. A job that ignores its context is then left behind, said by an error: when the process has ended,
// another worker takes it over after its time limit and [RescueAfter].
func Stop(ctx context.Context, client *Client, grace time.Duration) error {
	soft, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	err := client.Stop(soft)
	if err == nil {
		return nil
	}
	if !errors.Is(err, soft.Err()) {
		return fmt.Errorf("queue: stop: %w", err)
	}
	if err := client.StopAndCancel(ctx); err != nil {
		return fmt.Errorf("queue: jobs that ignore their context are left behind: %w", err)
	}
	return nil
}

// Ready tells whether jobs can be inserted: the database answers and River's tables are there for us. It reads no row.
func Ready(ctx context.Context, pool *pgxpool.Pool) error {
	if _, err := pool.Exec(ctx, "SELECT id FROM river.river_job LIMIT 0"); err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	return nil
}

// riverLogger is the logger that River gets: its warnings and errors. What happens to a job is told once, by this package.
func riverLogger(logger *slog.Logger) *slog.Logger {
	if logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(telemetry.AtLeast(slog.LevelWarn, logger.Handler()))
}
