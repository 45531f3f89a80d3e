package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Batch collects statements that go to the database in one round trip and are one transaction: all of them hold, or none. Generated queries that only
// execute take it for a database. What is to be read is queued by hand, last, and read by [SendBatch].
type Batch struct{ pgx.Batch }

var errBatchReads = errors.New("postgres: a batch executes statements and reads nothing in between")

// Exec adds a statement.
func (b *Batch) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	b.Queue(sql, args...)
	return pgconn.CommandTag{}, nil
}

// Query is refused.
func (b *Batch) Query(context.Context, string, ...any) (pgx.Rows, error) { return nil, errBatchReads }

// QueryRow is refused when it is scanned.
func (b *Batch) QueryRow(context.Context, string, ...any) pgx.Row { return refusedRow{} }

type refusedRow struct{}

// Scan tells why.
func (refusedRow) Scan(...any) error { return errBatchReads }

// Sender is a pool or a connection outside of a transaction.
type Sender interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// SendBatch sends a batch whose last statement reads rows, and gives these by position.
func SendBatch[Row any](ctx context.Context, db Sender, b *Batch) (rows []Row, err error) {
	results := db.SendBatch(ctx, &b.Batch)
	defer func() {
		if closeErr := results.Close(); err == nil {
			err = closeErr
		}
	}()
	for range b.Len() - 1 {
		if _, err := results.Exec(); err != nil {
			return nil, err
		}
	}
	found, err := results.Query()
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(found, pgx.RowToStructByPos[Row])
}
