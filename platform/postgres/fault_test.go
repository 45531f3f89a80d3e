package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
)

const nothing = fault.KindInternal

func kind(err error) fault.Kind {
	if f := postgres.Classify(err); f != nil {
		return f.Kind()
	}
	return nothing
}

func TestClassifyStates(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]fault.Kind{
		"57P01": fault.KindUnavailable, "57P02": fault.KindUnavailable, "57P03": fault.KindUnavailable,
		"53300": fault.KindUnavailable, "53100": fault.KindUnavailable, "08006": fault.KindUnavailable,
		"25006": fault.KindUnavailable, "57014": fault.KindUnavailable, "55P03": fault.KindUnavailable,
		"22021": fault.KindInvalid, "22P05": fault.KindInvalid,
		"40001": fault.KindConflict, "40P01": fault.KindConflict,
		// Only the author of the query knows what these mean.
		"23505": nothing, "23503": nothing, "22P02": nothing, "42601": nothing, "": nothing,
	} {
		err := fmt.Errorf("list books: %w", &pgconn.PgError{Code: state})
		if got := kind(err); got != want {
			t.Errorf("%s is %v, want %v", state, got, want)
		}
	}
}

func TestClassifyKnowsNothing(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		nil, errors.New("else"), io.EOF, pgx.ErrNoRows, context.Canceled,
		fault.NotFound("book").WithCause(&pgconn.PgError{Code: "57P01"}),
	} {
		if got := postgres.Classify(err); got != nil {
			t.Errorf("Classify(%v) = %v, want nil", err, got)
		}
	}
}

func TestClassifyOfRealErrors(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t, shelf)
	exec := func(sql string, args ...any) error {
		_, err := pool.Exec(t.Context(), sql, args...)
		return err
	}
	for name, c := range map[string]struct {
		err  error
		want fault.Kind
	}{
		"NUL in text":       {exec("INSERT INTO shelf.books (id, title) VALUES (1, $1)", "a\x00b"), fault.KindInvalid},
		"invalid UTF-8":     {exec("INSERT INTO shelf.books (id, title) VALUES (1, $1)", "a\xffb"), fault.KindInvalid},
		"NUL in JSON":       {exec("SELECT $1::jsonb", `"a\u0000b"`), fault.KindInvalid},
		"statement timeout": {exec("SET statement_timeout = '10ms'; SELECT pg_sleep(60)"), fault.KindUnavailable},
		"read-only":         {exec("SET TRANSACTION READ ONLY; INSERT INTO shelf.books (id, title) VALUES (1, 'a')"), fault.KindUnavailable},
		"syntax":            {exec("SELEC"), nothing},
	} {
		if c.err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		if got := kind(c.err); got != c.want {
			t.Errorf("%s: %v is %v, want %v", name, c.err, got, c.want)
		}
		if f := postgres.Classify(c.err); f != nil && !errors.Is(f, c.err) {
			t.Errorf("%s: the cause is lost", name)
		}
	}
}

// The caller's own deadline or cancellation is no fault of the database.
func TestClassifyOfCallersEnd(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t, shelf)
	if err := pool.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := pool.Exec(ctx, "SELECT pg_sleep(60)")
	if !errors.Is(err, context.DeadlineExceeded) || kind(err) != nothing {
		t.Errorf("%v is %v, want nothing known of it", err, kind(err))
	}

	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	_, err = pool.Exec(ctx, "SELECT pg_sleep(60)")
	if !errors.Is(err, context.Canceled) || kind(err) != nothing {
		t.Errorf("%v is %v, want nothing known of it", err, kind(err))
	}
}

func TestClassifyOfClosedPool(t *testing.T) {
	t.Parallel()
	pool, err := postgres.Open(t.Context(), postgres.Config{URL: pgtest.Empty(t)})
	if err != nil {
		t.Fatal(err)
	}
	pool.Close()
	if err := pool.Ping(t.Context()); kind(err) != fault.KindUnavailable {
		t.Errorf("%v is %v, want unavailable", err, kind(err))
	}
}

func TestConstraint(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t, shelf)
	for sql, want := range map[string]string{
		"INSERT INTO shelf.books (id, title) VALUES (1, 'The Neverending Story')": "books_title_length",
		"INSERT INTO shelf.authors (id, name) VALUES (1, 'Ende'), (2, 'Ende')":    "authors_name_key",
		"INSERT INTO shelf.authors (id, name) VALUES (1, 'Ende'), (1, 'Kästner')": "authors_pkey",
		"INSERT INTO shelf.books (id) VALUES (1)":                                 "",
		"SELEC": "",
	} {
		_, err := pool.Exec(t.Context(), sql)
		if err == nil {
			t.Errorf("%s: no error", sql)
		}
		if got := postgres.Constraint(fmt.Errorf("wrapped: %w", err)); got != want {
			t.Errorf("%s: %q, want %q", sql, got, want)
		}
	}
	if got := postgres.Constraint(nil); got != "" {
		t.Errorf("nil violates %q", got)
	}
}
