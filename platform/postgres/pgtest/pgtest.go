// Package pgtest gives each test a PostgreSQL database of its own, with all migrations applied. It is for tests only.
//
// TEST_DATABASE_URL names the server to use, as a role that may create databases; tools/testenv sets it. Without it a
// server is started, one for each test binary, and it ends with the binary, however that ends.
package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/platform/embedded"
	"github.com/mindspace-app/mindspace/platform/postgres"
)

const (
	// serverVariable names the server to use.
	serverVariable = "TEST_DATABASE_URL"
	// patience bounds each step; it is only ever used up on a machine in trouble.
	patience = 2 * time.Minute
	// startPatience also has to do for fetching PostgreSQL on a machine without it.
	startPatience = 10 * time.Minute
	// poolSize suits tests that run side by side in many packages; a test that needs more opens its own pool on [URL].
	poolSize = 6
)

// New gives a pool on a fresh database with the migrations of fsys and of the queue. Pool and database go at the end of the test.
func New(tb testing.TB, fsys fs.FS) *pgxpool.Pool {
	tb.Helper()
	target := URL(tb, fsys)
	pool, err := postgres.Open(context.Background(), postgres.Config{URL: target, MaxConns: poolSize, ApplicationName: tb.Name()})
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	tb.Cleanup(func() { closePool(tb, pool) })
	return pool
}

// URL gives the URL of a fresh database with the migrations of fsys and of the queue. The database goes at the end of the
// test, with whatever is still connected to it.
func URL(tb testing.TB, fsys fs.FS) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := server()
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	template, err := s.template(ctx, fsys)
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	return s.database(ctx, tb, template)
}

// Empty gives the URL of a fresh database without any migration.
func Empty(tb testing.TB) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := server()
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	return s.database(ctx, tb, "template0")
}

// host is the server that test databases are made on.
type host struct {
	url   string
	admin *pgxpool.Pool
	// fileCopy says that the server can clone by copying files, which is the faster way for small databases.
	fileCopy bool

	mu        sync.Mutex
	templates map[string]*sync.Mutex // by name; locked while it is made
	made      map[string]bool
}

// server is one for the whole test binary: to start it takes seconds.
var server = sync.OnceValues(connect)

func connect() (*host, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	target := os.Getenv(serverVariable)
	if target == "" {
		started, err := embedded.StartPostgres(ctx, embedded.PostgresConfig{MaxConnections: 300})
		if err != nil {
			return nil, err
		}
		target = started.URL()
	}
	admin, err := postgres.Open(ctx, postgres.Config{URL: target, MaxConns: 4, ApplicationName: "pgtest", StatementTimeout: -1, AcquireTimeout: -1})
	if err != nil {
		return nil, err
	}
	var version int
	if err := admin.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		return nil, fmt.Errorf("%s: %w", serverVariable, err)
	}
	return &host{
		url: target, admin: admin, fileCopy: version >= 150000,
		templates: map[string]*sync.Mutex{}, made: map[string]bool{},
	}, nil
}

// database makes a database like the template and drops it after the test.
func (h *host) database(ctx context.Context, tb testing.TB, template string) string {
	tb.Helper()
	name := "test_" + strings.ToLower(rand.Text())[:16]
	if err := h.clone(ctx, name, template); err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if _, err := h.admin.Exec(ctx, "DROP DATABASE "+quote(name)+" WITH (FORCE)"); err != nil {
			tb.Errorf("pgtest: %v", err)
		}
	})
	target, err := withDatabase(h.url, name)
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	return target
}

func (h *host) clone(ctx context.Context, name, template string) error {
	statement := "CREATE DATABASE " + quote(name) + " TEMPLATE " + quote(template)
	if h.fileCopy {
		statement += " STRATEGY FILE_COPY"
	}
	if _, err := h.admin.Exec(ctx, statement); err != nil {
		return fmt.Errorf("clone %s: %w", template, err)
	}
	return nil
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// withDatabase is the same URL with another database.
func withDatabase(target, name string) (string, error) {
	u, err := url.Parse(target)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return "", fmt.Errorf("%s has to be a URL that begins with postgres://", serverVariable)
	}
	u.Path = "/" + name
	return u.String(), nil
}

// closePool closes the pool, and reports a test that keeps a connection instead of waiting for it without end.
func closePool(tb testing.TB, pool *pgxpool.Pool) {
	tb.Helper()
	closed := make(chan struct{})
	go func() { pool.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		tb.Errorf("pgtest: %d connections were not released", pool.Stat().AcquiredConns())
	}
}
