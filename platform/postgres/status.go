package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// The two sets of migrations: our own files, and River's.
const (
	SetSchema = "schema"
	SetQueue  = "queue"
)

// MigrationStatus is one migration that this program or the database knows of.
type MigrationStatus struct {
	// Set is [SetSchema] or [SetQueue].
	Set     string
	Version int64
	// Name is the file's name. It is empty for a migration that the database has and this program does not know: a newer program made it.
	Name string
	// AppliedAt is when it was applied; the zero time when it is pending.
	AppliedAt time.Time
}

// Pending tells whether the migration has still to be applied.
func (m MigrationStatus) Pending() bool { return m.AppliedAt.IsZero() }

// Pending are those of the migrations that have still to be applied.
func Pending(all []MigrationStatus) []MigrationStatus {
	return slices.DeleteFunc(slices.Clone(all), func(m MigrationStatus) bool { return !m.Pending() })
}

// Status lists the migrations of fsys and of River, in the order in which they are applied, and what the database has of them.
// It only reads, also from an empty database.
func Status(ctx context.Context, url string, fsys fs.FS) ([]MigrationStatus, error) {
	pool, err := openMigrationPool(ctx, url)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	return PoolStatus(ctx, pool, fsys)
}

// PoolStatus is [Status] through a pool that is open already, as readiness has one. It works behind a pooler too.
func PoolStatus(ctx context.Context, pool *pgxpool.Pool, fsys fs.FS) ([]MigrationStatus, error) {
	return status(ctx, pool, fsys)
}

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func status(ctx context.Context, db querier, fsys fs.FS) ([]MigrationStatus, error) {
	schema, err := schemaMigrations(fsys)
	if err != nil {
		return nil, err
	}
	schema, err = markApplied(ctx, db, SetSchema, schema, versionTable,
		`SELECT version_id, max(tstamp) AT TIME ZONE 'UTC' FROM public.goose_db_version WHERE is_applied AND version_id > 0 GROUP BY version_id`)
	if err != nil {
		return nil, err
	}
	queue, err := QueueMigrations()
	if err != nil {
		return nil, err
	}
	queue, err = markApplied(ctx, db, SetQueue, queue, QueueSchema+".river_migration",
		// The column line comes with a later version of the table itself.
		`SELECT version, max(created_at) FROM river.river_migration m WHERE coalesce(to_jsonb(m)->>'line', 'main') = 'main' GROUP BY version`)
	if err != nil {
		return nil, err
	}
	return append(schema, queue...), nil
}

// schemaMigrations are the files of fsys, none of them applied.
func schemaMigrations(fsys fs.FS) ([]MigrationStatus, error) {
	// The provider wants a database, but does not connect to list its files.
	db := stdlib.OpenDB(pgx.ConnConfig{})
	defer db.Close()
	provider, err := newProvider(db, fsys)
	if errors.Is(err, goose.ErrNoMigrations) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []MigrationStatus
	for _, source := range provider.ListSources() {
		all = append(all, MigrationStatus{Set: SetSchema, Version: source.Version, Name: path.Base(source.Path)})
	}
	return all, nil
}

// QueueMigrations lists the migrations that the queue's library brings, as if none were applied.
func QueueMigrations() ([]MigrationStatus, error) {
	migrator, err := newRiverMigrator(nil)
	if err != nil {
		return nil, err
	}
	var all []MigrationStatus
	for _, m := range migrator.AllVersions() {
		all = append(all, MigrationStatus{Set: SetQueue, Version: int64(m.Version), Name: m.Name})
	}
	return all, nil
}

// markApplied adds to known what the table says, a table that need not exist yet.
func markApplied(ctx context.Context, db querier, set string, known []MigrationStatus, table, query string) ([]MigrationStatus, error) {
	var exists bool
	if err := db.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", table).Scan(&exists); err != nil {
		return nil, fmt.Errorf("read applied migrations: %w", err)
	}
	if !exists {
		return known, nil
	}
	type row struct {
		version int64
		at      time.Time
	}
	rows, err := db.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("read applied migrations: %w", err)
	}
	applied, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (row, error) {
		var version int64
		var at sql.NullTime
		err := r.Scan(&version, &at)
		return row{version: version, at: at.Time.UTC()}, err
	})
	if err != nil {
		return nil, fmt.Errorf("read applied migrations: %w", err)
	}
	for _, a := range applied {
		i := slices.IndexFunc(known, func(m MigrationStatus) bool { return m.Version == a.version })
		if i < 0 {
			known = append(known, MigrationStatus{Set: set, Version: a.version, AppliedAt: a.at})
			continue
		}
		known[i].AppliedAt = a.at
	}
	slices.SortFunc(known, func(a, b MigrationStatus) int { return cmp.Compare(a.Version, b.Version) })
	return known, nil
}
