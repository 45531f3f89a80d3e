// Package reseal encrypts anew what is stored under older keys of the keyring, while others read and write it.
//
// A domain declares its encrypted columns. Rows are read in the order of their keys and written back only where they are still as they were
// read, so that whoever writes meanwhile wins and nothing is lost. What is under the primary key already is passed over by the database, so
// a run that was cut short simply begins again. The package never logs or returns what it opens.
package reseal

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/secret"
)

// Batch is how many rows a transaction writes when nobody says otherwise. Each is locked for some milliseconds.
const Batch = 500

// Column is a column of values that a keyring has sealed. Null is nothing, and stays so.
type Column struct {
	// Table is the table with its schema.
	Table string
	// Key are the columns of its primary key, and after them any other that the value is bound to.
	Key []string
	// Column holds the values, as bytea.
	Column string
	// Bound gives what the value of a row is bound to, from its key as PostgreSQL writes it as text.
	// nil when the values expire soon: they are counted, and left alone.
	Bound func(key []string) ([]byte, error)
}

// Report is what a run has done.
type Report struct {
	// Done counts the values that are under the primary key now.
	Done int
	// Skipped counts those that somebody else changed or deleted meanwhile.
	Skipped int
	// Failed tells of those that could not be opened. They are as they were.
	Failed []Failure
}

// Failure is a number of values that could not be opened.
type Failure struct {
	Table, Column string
	// KeyID is the key that they name; 0 when they are not what a keyring makes.
	KeyID uint32
	// Missing tells that the key is not in the keyring; otherwise the values were changed, cut or moved.
	Missing bool
	Rows    int
}

func (f Failure) String() string {
	why := "they were changed, cut or moved"
	if f.Missing {
		why = "the key is not in the keyring"
	}
	return fmt.Sprintf("%s.%s: %d values under the key %d: %s", f.Table, f.Column, f.Rows, f.KeyID, why)
}

// fail counts a value that could not be opened.
func (r *Report) fail(f Failure) {
	i := slices.IndexFunc(r.Failed, func(seen Failure) bool { seen.Rows = f.Rows; return seen == f })
	if i < 0 {
		r.Failed, i = append(r.Failed, f), len(r.Failed)
	}
	r.Failed[i].Rows++
}

// Run seals the values of the columns under the primary key, in transactions of batch rows ([Batch] when it is 0). A value that cannot be
// opened holds up no other. The error is one of the database or of the declaration; the report says how far the run came.
func Run(ctx context.Context, pool *pgxpool.Pool, keys *secret.Keyring, columns []Column, batch int) (Report, error) {
	if batch <= 0 {
		batch = Batch
	}
	var report Report
	for _, c := range columns {
		if c.Bound == nil {
			continue
		}
		w, err := newWalk(ctx, pool, c)
		if err != nil {
			return report, err
		}
		for more := true; more; {
			if more, err = w.step(ctx, keys, batch, &report); err != nil {
				return report, fmt.Errorf("reseal %s.%s: %w", c.Table, c.Column, err)
			}
		}
	}
	return report, nil
}

// walk is the way through one column.
type walk struct {
	Column
	pool    *pgxpool.Pool
	queries queries
	after   []string // the key of the last row that was read
}

func newWalk(ctx context.Context, pool *pgxpool.Pool, c Column) (*walk, error) {
	types, err := keyTypes(ctx, pool, c)
	if err != nil {
		return nil, err
	}
	return &walk{Column: c, pool: pool, queries: newQueries(c, types)}, nil
}

// row is a value and where it stands.
type row struct {
	key    []string
	sealed []byte
	fresh  []byte
}

// step reads a page and seals it anew; more tells whether there may be another.
func (w *walk) step(ctx context.Context, keys *secret.Keyring, batch int, report *Report) (more bool, err error) {
	primary := keys.PrimaryID()
	page, err := w.read(ctx, secret.Prefix(primary), batch)
	if err != nil || len(page) == 0 {
		return false, err
	}
	w.after = page[len(page)-1].key
	fresh := make([]row, 0, len(page))
	for _, r := range page {
		bound, err := w.Bound(r.key)
		if err != nil {
			return false, fmt.Errorf("the key of a row: %w", err)
		}
		plaintext, err := keys.Open(r.sealed, bound)
		if err != nil {
			report.fail(w.failure(keys, r.sealed))
			continue
		}
		if r.fresh, err = keys.Seal(plaintext, bound); err != nil {
			return false, fmt.Errorf("seal: %w", err)
		}
		clear(plaintext)
		fresh = append(fresh, r)
	}
	written, err := w.write(ctx, fresh)
	if err != nil {
		return false, err
	}
	report.Done += written
	report.Skipped += len(fresh) - written
	return len(page) == batch, nil
}

func (w *walk) failure(keys *secret.Keyring, sealed []byte) Failure {
	id, named := secret.KeyOf(sealed)
	return Failure{Table: w.Table, Column: w.Column.Column, KeyID: id, Missing: named && !keys.Has(id)}
}

// read gives the next rows that are not under the primary key.
func (w *walk) read(ctx context.Context, primary []byte, batch int) ([]row, error) {
	query, args := w.queries.first, []any{primary, batch}
	if w.after != nil {
		query = w.queries.next
		for _, part := range w.after {
			args = append(args, part)
		}
	}
	found, err := w.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	page, err := pgx.CollectRows(found, func(r pgx.CollectableRow) (row, error) {
		out := row{key: make([]string, len(w.Key))}
		into := []any{&out.sealed}
		for i := range out.key {
			into = append(into, &out.key[i])
		}
		return out, r.Scan(into...)
	})
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return page, nil
}

// write puts the fresh values where the old ones still stand, and counts them.
func (w *walk) write(ctx context.Context, rows []row) (written int, err error) {
	if len(rows) == 0 {
		return 0, nil
	}
	old, fresh, parts := make([][]byte, len(rows)), make([][]byte, len(rows)), make([][]string, len(w.Key))
	for i, r := range rows {
		old[i], fresh[i] = r.sealed, r.fresh
		for j, part := range r.key {
			parts[j] = append(parts[j], part)
		}
	}
	args := []any{old, fresh}
	for _, part := range parts {
		args = append(args, part)
	}
	err = postgres.InTx(ctx, w.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, w.queries.update, args...)
		written = int(tag.RowsAffected())
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("write: %w", err)
	}
	return written, nil
}
