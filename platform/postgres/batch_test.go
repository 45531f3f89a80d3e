package postgres_test

import (
	"testing"

	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
)

func TestBatchIsOneTransaction(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t, shelf)
	send := func(ids ...int) ([]string, error) {
		batch := &postgres.Batch{}
		for _, id := range ids {
			if _, err := batch.Exec(t.Context(), "INSERT INTO shelf.books (id, title) VALUES ($1, 'Momo')", id); err != nil {
				t.Fatal(err)
			}
		}
		batch.Queue("SELECT title FROM shelf.books ORDER BY id")
		return titles(postgres.SendBatch[struct{ Title string }](t.Context(), pool, batch))
	}
	if got, err := send(1, 2); err != nil || len(got) != 2 {
		t.Fatalf("two books: %v, %v", got, err)
	}
	if got, err := send(3, 1); err == nil {
		t.Errorf("a book twice: %v", got)
	}
	if got := books(t, pool); got != 2 {
		t.Errorf("%d books after a batch that failed, want 2", got)
	}
	batch := &postgres.Batch{}
	var n int
	if err := batch.QueryRow(t.Context(), "SELECT 1").Scan(&n); err == nil {
		t.Error("a batch reads in between")
	}
	if rows, err := batch.Query(t.Context(), "SELECT 1"); err == nil || rows != nil {
		t.Error("a batch reads in between")
	}
}

func titles(rows []struct{ Title string }, err error) ([]string, error) {
	var all []string
	for _, r := range rows {
		all = append(all, r.Title)
	}
	return all, err
}
