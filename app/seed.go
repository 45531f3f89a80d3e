package app

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/mindspace-app/mindspace/services/content"
)

// SeedKind is what `mindspace seed` loads.
type SeedKind string

const (
	// SeedReference is the vocabularies that content is written with.
	SeedReference SeedKind = "reference"
	// SeedDemo is the reference data, a catalogue worth exploring and, in the demo, logins whose password is public.
	SeedDemo SeedKind = "demo"
)

// Seed loads data into the configured database and blob store. Loading it again changes nothing.
func Seed(ctx context.Context, config Config, kind SeedKind, out io.Writer) error {
	a, err := New(ctx, config, texts(together()))
	if err != nil {
		return err
	}
	defer a.Close()
	changed, err := a.seed(ctx, kind)
	if err != nil {
		return err
	}
	if kind == SeedDemo && config.Environment != Demo {
		fmt.Fprintln(out, "without the demo logins: their password is public, so they are made with MINDSPACE_ENV=demo only")
	}
	if changed {
		fmt.Fprintf(out, "%s data loaded\n", kind)
	} else {
		fmt.Fprintf(out, "%s data was there already\n", kind)
	}
	return nil
}

// seed loads the data with what this process has open. changed tells whether there was anything to load.
func (a *App) seed(ctx context.Context, kind SeedKind) (changed bool, err error) {
	seeder := content.NewSeeder(a.practice.catalogue, a.blobs, time.Now)
	if kind != SeedDemo {
		return seeder.Reference(ctx)
	}
	if changed, err = seeder.Demo(ctx); err != nil || a.config.Environment != Demo {
		return changed, err
	}
	made, err := a.signIn.service.SeedDemo(ctx)
	return changed || made, err
}
