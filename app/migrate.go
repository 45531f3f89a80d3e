package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/telemetry"
)

// Migrate brings the database's schema up to date, also when several processes do so at once.
func Migrate(ctx context.Context, databaseURL string) error {
	logger, closer, err := telemetry.NewLogger(telemetry.LogConfig{Format: telemetry.FormatText, Output: os.Stderr})
	if err != nil {
		return err
	}
	defer func() { _ = closer.Close() }()
	return postgres.Migrate(ctx, databaseURL, migrations.FS, logger)
}

// MigrationStatus prints each migration and when it was applied. It fails when one is missing, so that scripts can wait for it.
func MigrationStatus(ctx context.Context, databaseURL string, out io.Writer) error {
	all, err := postgres.Status(ctx, databaseURL, migrations.FS)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SET\tVERSION\tNAME\tAPPLIED")
	for _, m := range all {
		applied := "pending"
		if !m.Pending() {
			applied = m.AppliedAt.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\n", m.Set, m.Version, m.Name, applied)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if n := len(postgres.Pending(all)); n > 0 {
		return fmt.Errorf("%d migrations are pending: run `mindspace migrate up`", n)
	}
	return nil
}
