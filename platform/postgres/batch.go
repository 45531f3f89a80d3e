package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Sender is a pool or a connection outside of a transaction.
type Sender interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// SendBatch sends statements in one round trip and as one transaction: all of them hold, or none. The last one reads rows, which it gives by position.
func SendBatch[Row any](ctx context.Context, db Sender, b *pgx.Batch) (rows []Row, err error) {
	results := db.SendBatch(ctx, b)
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
