package postgres_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
)

func books(t *testing.T, pool *pgxpool.Pool) (n int) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM shelf.books").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestInTxCommitsAndRollsBack(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t, shelf)
	insert := func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "INSERT INTO shelf.books (id, title) VALUES ((SELECT count(*) FROM shelf.books), 'Momo')")
		return err
	}
	if err := postgres.InTx(t.Context(), pool, insert); err != nil {
		t.Fatal(err)
	}
	if got := books(t, pool); got != 1 {
		t.Fatalf("%d books after a commit, want 1", got)
	}

	refused := errors.New("refused")
	runs := 0
	err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		runs++
		return errors.Join(insert(tx), refused)
	})
	if !errors.Is(err, refused) || runs != 1 {
		t.Errorf("got %v after %d runs, want the function's own error after one", err, runs)
	}

	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			if err := insert(tx); err != nil {
				return err
			}
			panic("oh")
		})
	}()

	cancelled, cancel := context.WithCancel(t.Context())
	err = postgres.InTx(cancelled, pool, func(tx pgx.Tx) error {
		defer cancel()
		return insert(tx)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled commit gives %v", err)
	}
	if got := books(t, pool); got != 1 {
		t.Errorf("%d books after rolling back, want 1", got)
	}
	if got := pool.Stat().AcquiredConns(); got != 0 {
		t.Errorf("%d connections are still held", got)
	}
}

// Two serializable transactions count the books and add one each: by themselves both would see the same count.
func TestInTxRunsAgainAfterSerializationFailure(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t, shelf)
	var bothRead sync.WaitGroup
	bothRead.Add(2)
	runs := make([]int, 2)
	var group sync.WaitGroup
	for i := range runs {
		group.Go(func() {
			err := postgres.InTxOptions(t.Context(), pool, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(tx pgx.Tx) error {
				runs[i]++
				var n int
				if err := tx.QueryRow(t.Context(), "SELECT count(*) FROM shelf.books").Scan(&n); err != nil {
					return err
				}
				if runs[i] == 1 {
					bothRead.Done()
					bothRead.Wait()
				}
				_, err := tx.Exec(t.Context(), "INSERT INTO shelf.books (id, title, copies) VALUES ($1, 'Momo', $2)", i, n)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	var counts []int
	if err := pool.QueryRow(t.Context(), "SELECT array_agg(copies ORDER BY copies) FROM shelf.books").Scan(&counts); err != nil {
		t.Fatal(err)
	}
	if len(counts) != 2 || counts[0] != 0 || counts[1] != 1 {
		t.Errorf("counted %v, want 0 and 1 as if one after the other", counts)
	}
	if runs[0]+runs[1] < 3 {
		t.Errorf("%v runs: nothing collided, so nothing was tested", runs)
	}
}

// Two transactions lock the same two rows in opposite order.
func TestInTxRunsAgainAfterDeadlock(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t, shelf)
	if _, err := pool.Exec(t.Context(), "INSERT INTO shelf.books (id, title) VALUES (0, 'Momo'), (1, 'Emil')"); err != nil {
		t.Fatal(err)
	}
	var bothLocked sync.WaitGroup
	bothLocked.Add(2)
	runs := make([]int, 2)
	var group sync.WaitGroup
	for i := range runs {
		group.Go(func() {
			err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
				runs[i]++
				const add = "UPDATE shelf.books SET copies = copies + 1 WHERE id = $1"
				if _, err := tx.Exec(t.Context(), add, i); err != nil {
					return err
				}
				if runs[i] == 1 {
					bothLocked.Done()
					bothLocked.Wait()
				}
				_, err := tx.Exec(t.Context(), add, 1-i)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	var copies int
	if err := pool.QueryRow(t.Context(), "SELECT sum(copies) FROM shelf.books").Scan(&copies); err != nil {
		t.Fatal(err)
	}
	if copies != 6 {
		t.Errorf("%d copies, want 6: each of the two added one to both", copies)
	}
	if runs[0]+runs[1] < 3 {
		t.Errorf("%v runs: there was no deadlock, so nothing was tested", runs)
	}
}

func TestInTxGivesUp(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t, shelf)
	runs := 0
	err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		runs++
		_, err := tx.Exec(t.Context(), "DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = 'serialization_failure'; END $$")
		return err
	})
	if runs != 5 {
		t.Errorf("%d runs, want 5", runs)
	}
	var server *pgconn.PgError
	if !errors.As(err, &server) || server.Code != "40001" {
		t.Errorf("got %v, want the database's error", err)
	}
	if got := postgres.Classify(err); got == nil || got.Kind() != fault.KindConflict {
		t.Errorf("Classify gives %v, want a conflict", got)
	}
}

func TestInTxStopsWithItsContext(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t, shelf)
	ctx, cancel := context.WithCancel(t.Context())
	runs := 0
	err := postgres.InTx(ctx, pool, func(pgx.Tx) error {
		runs++
		cancel()
		return &pgconn.PgError{Code: "40P01"}
	})
	if runs != 1 || err == nil {
		t.Errorf("%d runs and %v, want one run and an error", runs, err)
	}
}
