package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

const (
	// QueueSchema is the Postgres schema of River's own tables.
	QueueSchema = "river"
	// versionTable is where goose keeps what it has applied.
	versionTable = "public.goose_db_version"
	// migrationLock is the key of the advisory lock: "mindspac" in ASCII.
	migrationLock int64 = 0x6d696e6473706163
	// lockPoll is how often a process that waits for another's migration looks again.
	lockPoll = 100 * time.Millisecond
)

// Migrate brings the database to the newest migration of fsys (goose SQL files in its root) and of River's tables, in the schema "river".
// Any number of processes may call it at once: one migrates, under an advisory lock that it holds on one session, the others wait
// until nothing is left to do. A migration that fails is rolled back, unless its file opts out of the transaction, and those before it stay.
//
// The URL leads to the server itself, not through a pooler in transaction mode, where session locks do not work.
// A nil logger is silent.
func Migrate(ctx context.Context, url string, fsys fs.FS, logger *slog.Logger) error {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	pool, err := openMigrationPool(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()

	session, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("migrate: connect: %w", err)
	}
	defer session.Release()

	locked, err := lockUnlessDone(ctx, session.Conn(), fsys)
	if err != nil || !locked {
		return err
	}
	// The lock goes with the session, however this ends: the pool is closed above.
	if err := migrateGoose(ctx, pool, fsys, logger); err != nil {
		return err
	}
	return migrateRiver(ctx, pool, logger)
}

// openMigrationPool makes a pool without the timeouts of requests: a migration takes as long as it takes.
func openMigrationPool(ctx context.Context, url string) (*pgxpool.Pool, error) {
	// One session holds the lock, one is goose's, one is River's, and one is to spare.
	pool, err := Open(ctx, Config{URL: url, MaxConns: 4, ApplicationName: "mindspace-migrate", StatementTimeout: -1})
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	return pool, nil
}

// lockUnlessDone takes the lock, or finds that nothing is pending (any more) and returns false.
// It asks again and again instead of waiting inside the server: a session that waits for a lock holds a snapshot, and
// CREATE INDEX CONCURRENTLY of the one who migrates would wait for that.
func lockUnlessDone(ctx context.Context, conn *pgx.Conn, fsys fs.FS) (bool, error) {
	for {
		states, err := status(ctx, conn, fsys)
		if err != nil {
			return false, err
		}
		if len(Pending(states)) == 0 {
			return false, nil
		}
		var locked bool
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", migrationLock).Scan(&locked); err != nil {
			return false, fmt.Errorf("migrate: lock: %w", err)
		}
		if locked {
			return true, nil
		}
		timer := time.NewTimer(lockPoll)
		select {
		case <-ctx.Done():
			timer.Stop()
			return false, fmt.Errorf("migrate: another process holds the lock: %w", ctx.Err())
		case <-timer.C:
		}
	}
}

func migrateGoose(ctx context.Context, pool *pgxpool.Pool, fsys fs.FS, logger *slog.Logger) error {
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	provider, err := newProvider(db, fsys)
	if errors.Is(err, goose.ErrNoMigrations) {
		return nil
	}
	if err != nil {
		return err
	}
	results, err := provider.Up(ctx)
	for _, r := range results {
		logger.InfoContext(ctx, "migration applied", "set", SetSchema, "version", r.Source.Version, "name", path.Base(r.Source.Path), "duration", r.Duration)
	}
	if partial := (*goose.PartialError)(nil); errors.As(err, &partial) {
		return fmt.Errorf("migrate: %s: %w", path.Base(partial.Failed.Source.Path), partial.Err)
	}
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

func migrateRiver(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger) error {
	if _, err := pool.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+QueueSchema); err != nil {
		return fmt.Errorf("migrate: create schema %s: %w", QueueSchema, err)
	}
	migrator, err := newRiverMigrator(pool)
	if err != nil {
		return err
	}
	result, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	if err != nil {
		return fmt.Errorf("migrate the queue: %w", err)
	}
	for _, v := range result.Versions {
		logger.InfoContext(ctx, "migration applied", "set", SetQueue, "version", v.Version, "name", v.Name, "duration", v.Duration)
	}
	return nil
}

func newProvider(db *sql.DB, fsys fs.FS) (*goose.Provider, error) {
	provider, err := goose.NewProvider(goose.DialectPostgres, db, fsys,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true), goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return provider, nil
}

func newRiverMigrator(pool *pgxpool.Pool) (*rivermigrate.Migrator[pgx.Tx], error) {
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{
		Schema: QueueSchema, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, fmt.Errorf("read migrations of the queue: %w", err)
	}
	return migrator, nil
}
