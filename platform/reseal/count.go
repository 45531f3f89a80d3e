package reseal

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/platform/secret"
)

// Count is how many values of a column are sealed under a key.
type Count struct {
	Table, Column string
	// KeyID is 0 for values that are not what a keyring makes.
	KeyID uint32
	Rows  int64
}

// Remaining counts the values of the columns by the keys that they name. It reads whole tables, but of each value the beginning only.
func Remaining(ctx context.Context, pool *pgxpool.Pool, columns []Column) ([]Count, error) {
	var counts []Count
	for _, c := range columns {
		types, err := keyTypes(ctx, pool, c)
		if err != nil {
			return nil, err
		}
		found, err := pool.Query(ctx, newQueries(c, types).count)
		if err != nil {
			return nil, fmt.Errorf("count %s.%s: %w", c.Table, c.Column, err)
		}
		inColumn, err := pgx.CollectRows(found, func(r pgx.CollectableRow) (Count, error) {
			one := Count{Table: c.Table, Column: c.Column}
			var prefix []byte
			err := r.Scan(&prefix, &one.Rows)
			one.KeyID, _ = secret.KeyOf(prefix)
			return one, err
		})
		if err != nil {
			return nil, fmt.Errorf("count %s.%s: %w", c.Table, c.Column, err)
		}
		counts = append(counts, inColumn...)
	}
	return counts, nil
}
