package audit

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/gen/db/auditdb"
	"github.com/mindspace-app/mindspace/platform/postgres"
)

// maxBatch bounds the memory that a batch takes: its records are held at once.
const maxBatch = 10_000

// Seal appends up to batch committed records that are not in the chain yet, the oldest first, and tells how many they
// were; fewer than batch means that none is left. Calls at the same time wait for each other. A record whose
// transaction commits late is sealed by a later call, behind younger ones: the chain proves what was recorded, and the
// order in which it was sealed.
func Seal(ctx context.Context, pool *pgxpool.Pool, batch int) (int, error) {
	if batch < 1 || batch > maxBatch {
		return 0, fmt.Errorf("audit: a batch of %d is not between 1 and %d", batch, maxBatch)
	}
	var sealed int
	// InTx reads what is committed at each statement, so that what comes after the lock sees the head that its last holder left.
	err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
		sealed = 0
		q := auditdb.New(tx)
		if err := q.LockChain(ctx); err != nil {
			return fmt.Errorf("lock the chain: %w", err)
		}
		records, err := q.ListUnsealed(ctx, int32(batch)) //nolint:gosec // at most maxBatch
		if err != nil {
			return fmt.Errorf("list unsealed records: %w", err)
		}
		if len(records) == 0 {
			return nil
		}
		first, hash, err := head(ctx, q)
		if err != nil {
			return err
		}
		seq := first
		links := auditdb.InsertLinksParams{}
		for _, r := range records {
			seq++
			hash = chainHash(hash, r)
			links.Seqs = append(links.Seqs, seq)
			links.RecordIds = append(links.RecordIds, r.ID.String())
			links.Hashes = append(links.Hashes, hash)
		}
		if _, err := q.InsertLinks(ctx, links); err != nil {
			return fmt.Errorf("append to the chain: %w", err)
		}
		unmarked, err := q.DeleteUnsealed(ctx, first)
		if err != nil {
			return fmt.Errorf("take sealed records off the list: %w", err)
		}
		if unmarked != int64(len(records)) {
			return fmt.Errorf("took %d records off the list of unsealed ones, want %d", unmarked, len(records))
		}
		sealed = len(records)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("audit: seal: %w", err)
	}
	return sealed, nil
}

// Head gives the end of the chain: its last sequence number, 0 when it is empty, and the hash there. Whoever may write
// to the whole database can also build a new chain; a head that was kept elsewhere, in a log for example, shows it.
func Head(ctx context.Context, db auditdb.DBTX) (seq int64, hash []byte, err error) {
	seq, hash, err = head(ctx, auditdb.New(db))
	if err != nil {
		return 0, nil, fmt.Errorf("audit: %w", err)
	}
	return seq, hash, nil
}

func head(ctx context.Context, q *auditdb.Queries) (int64, []byte, error) {
	row, err := q.GetHead(ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, make([]byte, hashSize), nil
	}
	if err != nil {
		return 0, nil, fmt.Errorf("get the end of the chain: %w", err)
	}
	return row.Seq, row.Hash, nil
}
