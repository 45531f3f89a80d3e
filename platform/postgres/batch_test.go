package postgres_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
)

func TestBatchIsOneTransaction(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t, shelf)
	type book struct{ Title string }
	send := func(ids ...int) ([]book, error) {
		batch := &pgx.Batch{}
		for _, id := range ids {
			batch.Queue("INSERT INTO shelf.books (id, title) VALUES ($1, 'Momo')", id)
		}
		batch.Queue("SELECT title FROM shelf.books ORDER BY id")
		return postgres.SendBatch[book](t.Context(), pool, batch)
	}
	if got, err := send(1, 2); err != nil || len(got) != 2 || got[1].Title != "Momo" {
		t.Fatalf("two books: %v, %v", got, err)
	}
	if got, err := send(3, 1); err == nil {
		t.Errorf("a book twice: %v", got)
	}
	if got := books(t, pool); got != 2 {
		t.Errorf("%d books after a batch that failed, want 2", got)
	}
}
