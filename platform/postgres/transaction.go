package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// attempts is how often a transaction is run at most.
	attempts = 5
	// firstPause is the longest wait before the second attempt; it doubles with each further one.
	firstPause = 10 * time.Millisecond

	stateSerializationFailure = "40001"
	stateDeadlockDetected     = "40P01"
)

// InTx runs fn in a transaction with the isolation "read committed" and commits when fn returns nil; any error or panic of fn rolls
// back, and the error is returned as it is.
//
// When the database gives up the transaction because of others (serialization failure, deadlock), it is rolled back and
// fn is run again, up to 5 times in all. So fn changes nothing but the database, and assigns what it returns through
// captured variables anew in each run. fn reaches no network and no Redis, and does not use the pool.
//
// A connection that breaks while the commit is under way leaves open whether it took place; that error is returned, never retried.
func InTx(ctx context.Context, pool *pgxpool.Pool, fn func(tx pgx.Tx) error) error {
	return InTxOptions(ctx, pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, fn)
}

// InTxOptions is [InTx] with another isolation or access mode.
func InTxOptions(ctx context.Context, pool *pgxpool.Pool, options pgx.TxOptions, fn func(tx pgx.Tx) error) error {
	for attempt := 1; ; attempt++ {
		began := false
		err := pgx.BeginTxFunc(ctx, pool, options, func(tx pgx.Tx) error {
			began = true
			return fn(tx)
		})
		if err == nil || attempt == attempts || !repeatable(err, began) {
			return err
		}
		if !pause(ctx, attempt) {
			return err
		}
	}
}

// repeatable tells whether nothing of the failed attempt remains, and another may succeed.
func repeatable(err error, began bool) bool {
	var connect *pgconn.ConnectError
	var server *pgconn.PgError
	switch {
	case errors.As(err, &connect):
		// The database is away. Whether to wait for it is up to the caller.
		return false
	case errors.As(err, &server):
		// A connection of the pool that the server has ended unnoticed, as in a restart, says so at its next use.
		ended := !began && server.SeverityUnlocalized == "FATAL"
		return ended || server.Code == stateSerializationFailure || server.Code == stateDeadlockDetected
	default:
		return !began && lost(err) && !errors.Is(err, context.DeadlineExceeded)
	}
}

// pause waits before the next attempt, for a random time so that those who collided do not collide again. It is false when ctx ended.
func pause(ctx context.Context, attempt int) bool {
	longest := firstPause << (attempt - 1)
	timer := time.NewTimer(rand.N(longest)) //nolint:gosec // spreads load, guards nothing
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
