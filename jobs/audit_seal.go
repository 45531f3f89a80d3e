package jobs

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/mindspace-app/mindspace/platform/audit"
)

// sealBatch is how many audit records one transaction links to the chain.
const sealBatch = 500

// SealAuditArgs asks to link every audit record so far to the hash chain.
type SealAuditArgs struct{}

// Kind is the job's name in the queue.
func (SealAuditArgs) Kind() string { return "audit_seal" }

// InsertOpts gives up early: the next period brings another such job.
func (SealAuditArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: 5}
}

type sealAudit struct {
	river.WorkerDefaults[SealAuditArgs]
	pool   *pgxpool.Pool
	logger *slog.Logger
}

// Timeout leaves room for a long history.
func (w *sealAudit) Timeout(*river.Job[SealAuditArgs]) time.Duration { return 5 * time.Minute }

// Work seals batch after batch until none is left; a job cut short goes on where it stopped.
func (w *sealAudit) Work(ctx context.Context, _ *river.Job[SealAuditArgs]) error {
	total := 0
	for {
		n, err := audit.Seal(ctx, w.pool, sealBatch)
		if err != nil {
			return fmt.Errorf("seal audit records: %w", err)
		}
		total += n
		if n < sealBatch {
			break
		}
	}
	if total == 0 {
		return nil
	}
	// Whoever can rewrite the whole database can rebuild the chain; a head that the log has kept elsewhere shows it.
	seq, head, err := audit.Head(ctx, w.pool)
	if err != nil {
		return fmt.Errorf("read the head of the audit chain: %w", err)
	}
	w.logger.InfoContext(ctx, "audit records sealed", "records", total, "seq", seq, "head", hex.EncodeToString(head))
	return nil
}
