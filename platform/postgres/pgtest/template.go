package pgtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"io/fs"
	"sync"

	"github.com/mindspace-app/mindspace/platform/postgres"
)

// template gives the name of a database with all migrations, made by whoever needs it first. It is named by the hash of the
// migrations, so that a change of one makes a new template, and stays on the server for the next run.
func (h *host) template(ctx context.Context, fsys fs.FS) (string, error) {
	name, err := templateName(fsys)
	if err != nil {
		return "", err
	}
	h.mu.Lock()
	lock, known := h.templates[name]
	if !known {
		lock = &sync.Mutex{}
		h.templates[name] = lock
	}
	h.mu.Unlock()
	lock.Lock()
	defer lock.Unlock()
	if h.made[name] {
		return name, nil
	}
	if err := h.makeTemplate(ctx, name, fsys); err != nil {
		return "", err
	}
	h.made[name] = true
	return name, nil
}

// makeTemplate makes the template unless another process has. The lock is the server's, as packages are tested by processes of their own.
func (h *host) makeTemplate(ctx context.Context, name string, fsys fs.FS) error {
	session, err := h.admin.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("template: %w", err)
	}
	defer session.Release()
	key := fnv.New64a()
	key.Write([]byte(name))
	lock := int64(key.Sum64()) //nolint:gosec // any 64 bits do
	if _, err := session.Exec(ctx, "SELECT pg_advisory_lock($1)", lock); err != nil {
		return fmt.Errorf("lock template: %w", err)
	}
	defer func() {
		// A lock that cannot be given back goes with the session.
		if _, err := session.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", lock); err != nil {
			_ = session.Conn().Close(ctx)
		}
	}()

	var exists bool
	if err := session.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&exists); err != nil {
		return fmt.Errorf("find template: %w", err)
	}
	if exists {
		return nil
	}
	// Under its final name there is never a template whose migrations have not all been applied.
	unfinished := name + "_unfinished"
	if _, err := session.Exec(ctx, "DROP DATABASE IF EXISTS "+quote(unfinished)+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop unfinished template: %w", err)
	}
	if _, err := session.Exec(ctx, "CREATE DATABASE "+quote(unfinished)+" TEMPLATE template0"); err != nil {
		return fmt.Errorf("make template: %w", err)
	}
	target, err := withDatabase(h.url, unfinished)
	if err != nil {
		return err
	}
	if err := postgres.Migrate(ctx, target, fsys, nil); err != nil {
		return fmt.Errorf("make template: %w", err)
	}
	// The server waits for the sessions of the migration to end, as they do now.
	if _, err := session.Exec(ctx, "ALTER DATABASE "+quote(unfinished)+" RENAME TO "+quote(name)); err != nil {
		return fmt.Errorf("make template: %w", err)
	}
	return nil
}

// templateName is a hash of all that the migrations are made of: the files, and the versions of the queue's library.
func templateName(fsys fs.FS) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(fsys, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(fsys, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s\x00%d\x00", path, len(text))
		sum.Write(text)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("read migrations: %w", err)
	}
	queue, err := postgres.QueueMigrations()
	if err != nil {
		return "", err
	}
	for _, m := range queue {
		fmt.Fprintf(sum, "%d %s\x00", m.Version, m.Name)
	}
	return "template_" + hex.EncodeToString(sum.Sum(nil))[:16], nil
}
