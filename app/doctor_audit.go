package app

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/platform/audit"
)

// mendAudit is what to do about a chain that is broken.
const mendAudit = "someone changed the record of what was done: keep a copy of the database and find out who"

// DoctorAudit computes the chain of the audit records anew and prints whether it holds and, if not, at which record it breaks
// first and how. It fails when the chain is broken, or when the database cannot be read. It changes nothing.
func DoctorAudit(ctx context.Context, databaseURL string, out io.Writer) error {
	report, err := verifyAudit(ctx, databaseURL)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d records are sealed and hold, %d wait for their seal\n", report.Sealed, report.Unsealed)
	if report.Intact() {
		fmt.Fprintf(out, "head %d %x\n", report.Sealed, report.Head)
		return nil
	}
	b := report.Break
	record := ""
	if b.Record != uuid.Nil {
		record = ", record " + b.Record.String()
	}
	fmt.Fprintf(out, "WRONG  at %d%s: %s\n%s%s\n", b.Seq, record, describeDamage(report), "       → ", mendAudit)
	return errors.New("the audit chain is broken")
}

func verifyAudit(ctx context.Context, databaseURL string) (audit.Report, error) {
	pool, err := pgxpool.New(ctx, databaseURL)
	if err != nil {
		return audit.Report{}, err
	}
	defer pool.Close()
	return audit.Verify(ctx, pool)
}

// describeDamage says in words what may have happened at the first break.
func describeDamage(report audit.Report) string {
	switch b := report.Break; {
	case b.Damage == audit.DamageChanged:
		return "the record, its seal or its place in the chain was tampered with"
	case b.Damage == audit.DamageRecordRemoved:
		return "the record is missing"
	case b.Record != uuid.Nil:
		return "the record has no place in the chain: it was put in by hand, or its link was removed"
	default:
		return "the link is missing, and perhaps its record too"
	}
}
