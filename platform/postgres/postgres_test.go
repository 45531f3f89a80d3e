package postgres_test

import (
	"context"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
)

// shelf is a small schema for the tests of this package.
var shelf = fstest.MapFS{
	"00001_shelf.sql": {Data: []byte(`-- +goose Up
CREATE SCHEMA shelf;
CREATE TABLE shelf.books (
	id int PRIMARY KEY,
	title text NOT NULL CONSTRAINT books_title_length CHECK (length(title) <= 10),
	copies int NOT NULL DEFAULT 1
);
-- +goose Down
DROP SCHEMA shelf CASCADE;
`)},
	"00002_shelf_authors.sql": {Data: []byte(`-- +goose Up
CREATE TABLE shelf.authors (id int PRIMARY KEY, name text NOT NULL CONSTRAINT authors_name_key UNIQUE);
-- +goose Down
DROP TABLE shelf.authors;
`)},
}

func open(t *testing.T, cfg postgres.Config) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func setting(t *testing.T, pool *pgxpool.Pool, name string) string {
	t.Helper()
	var value string
	if err := pool.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestOpenRefusesBadURLs(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"",
		"postgres://ana:s3cret@host:port/db",
		"postgres://ana:s3cret%zz@host/db",
		"postgres://ana:s3cret@host/db?sslmode=none",
		"postgres://ana:s3cret@host/db?pool_max_conns=many",
		"host=db password='s3cret s3cret sslmode=disable",
		"ana:s3cret@host:5432/db",
	} {
		pool, err := postgres.Open(t.Context(), postgres.Config{URL: url})
		if err == nil {
			pool.Close()
			t.Errorf("%q was accepted", url)
			continue
		}
		if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestOpenNeedsNoDatabase(t *testing.T) {
	t.Parallel()
	// Port 1 of this machine: nobody answers.
	pool := open(t, postgres.Config{URL: "postgres://ana:s3cret@127.0.0.1:1/db"})
	err := pool.Ping(t.Context())
	if got := postgres.Classify(err); got == nil || got.Kind() != fault.KindUnavailable {
		t.Errorf("Classify(%v) = %v, want unavailable", err, got)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	with := func(parameter string) string { return url + "&" + parameter }

	t.Run("defaults", func(t *testing.T) {
		t.Parallel()
		pool := open(t, postgres.Config{URL: url})
		for name, want := range map[string]string{
			"timezone": "UTC", "statement_timeout": "30s", "idle_in_transaction_session_timeout": "1min", "application_name": "mindspace",
		} {
			if got := setting(t, pool, name); got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
	})
	t.Run("of the configuration", func(t *testing.T) {
		t.Parallel()
		pool := open(t, postgres.Config{URL: url, MaxConns: 3, ApplicationName: "worker", StatementTimeout: -1})
		if got := pool.Config().MaxConns; got != 3 {
			t.Errorf("MaxConns = %d, want 3", got)
		}
		if got := setting(t, pool, "application_name"); got != "worker" {
			t.Errorf("application_name = %q", got)
		}
		if got := setting(t, pool, "statement_timeout"); got != "0" {
			t.Errorf("statement_timeout = %q, want none", got)
		}
	})
	t.Run("of the URL win", func(t *testing.T) {
		t.Parallel()
		pool := open(t, postgres.Config{URL: with("statement_timeout=7000&application_name=mine&pool_max_conns=2&connect_timeout=9&pool_max_conn_lifetime=1m")})
		if got := setting(t, pool, "statement_timeout"); got != "7s" {
			t.Errorf("statement_timeout = %q", got)
		}
		if got := setting(t, pool, "application_name"); got != "mine" {
			t.Errorf("application_name = %q", got)
		}
		c := pool.Config()
		if c.MaxConns != 2 || c.ConnConfig.ConnectTimeout != 9*time.Second || c.MaxConnLifetime != time.Minute {
			t.Errorf("MaxConns %d, ConnectTimeout %v, MaxConnLifetime %v", c.MaxConns, c.ConnConfig.ConnectTimeout, c.MaxConnLifetime)
		}
	})
	t.Run("behind a pooler", func(t *testing.T) {
		t.Parallel()
		pool := open(t, postgres.Config{URL: url, Pooler: true, MaxConns: 1})
		if got := pool.Config().ConnConfig.RuntimeParams; got["statement_timeout"] != "" {
			t.Errorf("PgBouncer would refuse the start-up parameters %v", got)
		}
		for range 3 {
			if got := setting(t, pool, "timezone"); got != "UTC" {
				t.Errorf("timezone = %q", got)
			}
		}
		var prepared int
		if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_prepared_statements").Scan(&prepared); err != nil {
			t.Fatal(err)
		}
		if prepared != 0 {
			t.Errorf("%d statements are prepared, and would be on another connection next time", prepared)
		}
	})
	t.Run("tracing", func(t *testing.T) {
		t.Parallel()
		pool := open(t, postgres.Config{URL: url, Tracing: true})
		if got := setting(t, pool, "timezone"); got != "UTC" {
			t.Errorf("timezone = %q", got)
		}
	})
}

// A list of ids is a parameter of many queries; pgx has to know its type without asking the server.
func TestListsOfIDs(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t, shelf)
	ids := []uuid.UUID{uuid.New(), uuid.New()}
	for _, pooler := range []bool{false, true} {
		pool := open(t, postgres.Config{URL: url, Pooler: pooler})
		var n int
		if err := pool.QueryRow(t.Context(), "SELECT cardinality($1::uuid[])", ids).Scan(&n); err != nil || n != 2 {
			t.Errorf("pooler %v: %d, %v; want 2", pooler, n, err)
		}
	}
}

func TestExhaustedPoolIsUnavailable(t *testing.T) {
	t.Parallel()
	pool := open(t, postgres.Config{URL: pgtest.Empty(t), MaxConns: 1, AcquireTimeout: 2 * time.Second})
	held, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// The caller's context has no deadline: the wait ends all the same.
	err = postgres.InTx(t.Context(), pool, func(pgx.Tx) error { return nil })
	if got := postgres.Classify(err); got == nil || got.Kind() != fault.KindUnavailable || got.RetryAfter() != time.Second {
		t.Errorf("Classify(%v) = %v, want unavailable", err, got)
	}
	held.Release()
	if err := pool.Ping(t.Context()); err != nil {
		t.Errorf("after the release: %v", err)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	url := pgtest.Empty(t)
	pool := open(t, postgres.Config{URL: url, MaxConns: 2, Registry: registry})
	held, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		m := f.GetMetric()[0]
		got[f.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		if label := m.GetLabel()[0]; label.GetName() != "pool" || label.GetValue() != "primary" {
			t.Errorf("%s has the label %v", f.GetName(), label)
		}
	}
	for name, want := range map[string]float64{
		"mindspace_postgres_pool_max_connections": 2, "mindspace_postgres_pool_acquired_connections": 1,
		"mindspace_postgres_pool_opened_connections_total": 1,
	} {
		if got[name] != want {
			t.Errorf("%s = %v, want %v", name, got[name], want)
		}
	}

	if _, err := postgres.Open(context.Background(), postgres.Config{URL: url, Registry: registry}); err == nil {
		t.Error("two pools of one name were accepted")
	}
	open(t, postgres.Config{URL: url, Registry: registry, Name: "replica"})
}
