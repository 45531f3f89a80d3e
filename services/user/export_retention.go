package user

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/mindspace-app/mindspace/gen/db/userdb"
	"github.com/mindspace-app/mindspace/platform/personal"
)

const (
	// exportPatience is after what time an export that is still being made is given up: its job's attempts take less than two hours, so the
	// job is lost, with its process or by an operator's hand.
	exportPatience = 24 * time.Hour
	// exportMemory is how long it is remembered that there was an export.
	exportMemory = 365 * 24 * time.Hour
	// exportBatch is how many exports are looked at in one step.
	exportBatch = 100
)

// exportRules say how long exports, and the knowledge of them, are kept.
func (o Options) exportRules() []personal.Rule {
	return []personal.Rule{
		{
			What: "files of exports", Table: "users.exports and the blob store", Keep: exportLife, Work: o.expireExports,
			Why: "long enough for somebody who is away for some days; a copy of everything is a risk of its own",
		},
		{
			What: "exports that were begun and never made", Table: "users.exports", Keep: exportPatience, Work: o.giveUpExports,
			Why: "their job is lost; the person can ask for another",
		},
		{
			What: "that an export was made", Table: "users.exports", Keep: exportMemory, Past: "requested_at < $1 AND state IN ('failed', 'expired')",
			Why: "shows that a request for access was answered (GDPR article 12), for as long as a complaint is likely",
		},
	}
}

// expireExports removes the files and keys of exports that were made before a time, which is [exportLife] ago.
func (o Options) expireExports(ctx context.Context, before time.Time) (total int64, err error) {
	q := userdb.New(o.Pool)
	for {
		rows, err := q.ListExpiredExports(ctx, userdb.ListExpiredExportsParams{Now: before.Add(exportLife), Batch: exportBatch})
		if err != nil {
			return total, fmt.Errorf("list expired exports: %w", err)
		}
		for _, row := range rows {
			// The key goes even where the file does not: then nobody can read it.
			if err := o.dropExportFiles(ctx, row.UserID, row.ID, ""); err != nil {
				o.Logger.WarnContext(ctx, "the file of an expired export is left behind", "export_id", row.ID, "error", err)
			}
			n, err := q.ExpireExport(ctx, userdb.ExpireExportParams{UserID: row.UserID, ID: row.ID})
			if err != nil {
				return total, fmt.Errorf("expire export: %w", err)
			}
			total += n
		}
		if len(rows) < exportBatch {
			return total, nil
		}
	}
}

// giveUpExports ends exports that were begun before a time and are still not made.
func (o Options) giveUpExports(ctx context.Context, before time.Time) (total int64, err error) {
	q := userdb.New(o.Pool)
	for {
		rows, err := q.ListStaleExports(ctx, userdb.ListStaleExportsParams{Before: before, Batch: exportBatch})
		if err != nil {
			return total, fmt.Errorf("list stale exports: %w", err)
		}
		for _, row := range rows {
			if err := o.failExport(ctx, row.UserID, row.ID); err != nil {
				return total, err
			}
			total++
		}
		if len(rows) < exportBatch {
			return total, nil
		}
	}
}

// failExport ends an export that could not be made. It changes no other.
func (o Options) failExport(ctx context.Context, person, export uuid.UUID) error {
	n, err := userdb.New(o.Pool).FailExport(ctx, userdb.FailExportParams{UserID: person, ID: export})
	if err != nil {
		return fmt.Errorf("fail export: %w", err)
	}
	if n == 0 {
		return nil
	}
	return o.dropExportFiles(ctx, person, export, "")
}

// dropExportFile removes a file; one that is gone already is fine.
func (o Options) dropExportFile(ctx context.Context, name string) error {
	if err := o.Blobs.Delete(ctx, name); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return fmt.Errorf("delete a file of an export: %s", gcerrors.Code(err)) // what the store says names the file, and that its person
	}
	return nil
}

// dropExportFiles removes every file of an export but one: what an attempt left behind whose process died.
func (o Options) dropExportFiles(ctx context.Context, person, export uuid.UUID, but string) error {
	files := o.Blobs.List(&blob.ListOptions{Prefix: exportFile(person, export)})
	for {
		file, err := files.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("list files of an export: %w", err)
		}
		if file.Key == but {
			continue
		}
		if err := o.dropExportFile(ctx, file.Key); err != nil {
			return err
		}
	}
}
