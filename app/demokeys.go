package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/platform/secret"
)

// sharedKeys gives the keyring of the demos that share a database: the first one's. Keys beside what they protect protect nothing, so
// this is for the demo alone; production has a keyring of its own and refuses this one.
func sharedKeys(ctx context.Context, databaseURL, file string) (string, error) {
	own, err := os.ReadFile(file) //nolint:gosec // the operator's own file
	if errors.Is(err, fs.ErrNotExist) {
		var keys *secret.Keyring
		if keys, err = secret.Generate(true); err == nil {
			own, err = keys.JSON()
		}
	}
	if err != nil {
		return "", fmt.Errorf("make keyring: %w", err)
	}
	if keys, err := secret.Parse(own); err != nil || !keys.Demo() {
		return "", fmt.Errorf("%s holds no keyring of a demo, and is not shared: name it with --keyring-file, or move it away", file)
	}
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return "", fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var shared string
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, statement := range []string{
			"SELECT pg_advisory_xact_lock(hashtext('mindspace demo keyring'))",
			"CREATE TABLE IF NOT EXISTS public.mindspace_demo_keyring (id boolean PRIMARY KEY DEFAULT true CHECK (id), keyring text NOT NULL)",
		} {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, "INSERT INTO public.mindspace_demo_keyring (keyring) VALUES ($1) ON CONFLICT DO NOTHING", string(own)); err != nil {
			return err
		}
		return tx.QueryRow(ctx, "SELECT keyring FROM public.mindspace_demo_keyring").Scan(&shared)
	})
	if err != nil {
		return "", fmt.Errorf("share the demo's keyring: %w", err)
	}
	return shared, nil
}
