package postgres_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
)

// Ids go to the database and back whatever the way: prepared or not, alone, in lists, null.
func TestUUIDs(t *testing.T) {
	t.Parallel()
	direct := pgtest.New(t, shelf)
	pooler, err := postgres.Open(t.Context(), postgres.Config{URL: direct.Config().ConnString(), MaxConns: 1, Pooler: true, Name: "pooler"})
	if err != nil {
		t.Fatal(err)
	}
	defer pooler.Close()
	id := uuid.MustParse("019b8cbd-b6d0-7e75-a467-126b36715e1a")
	for name, pool := range map[string]*pgxpool.Pool{"prepared": direct, "behind a pooler": pooler} {
		for _, list := range [][]uuid.UUID{nil, {}, {id}, {id, uuid.Nil, uuid.Max}} {
			var one uuid.UUID
			var text string
			var none, some *uuid.UUID
			var back []uuid.UUID
			err := pool.QueryRow(t.Context(), "SELECT $1::uuid, $1::uuid::text, NULL::uuid, $2::uuid, $3::uuid[]", id, &id, list).Scan(&one, &text, &none, &some, &back)
			if err != nil || one != id || text != id.String() || none != nil || *some != id || !slices.Equal(back, list) || (back == nil) != (list == nil) {
				t.Errorf("%s, %v: %v %q %v %v %v, %v", name, list, one, text, none, some, back, err)
			}
		}
		var one uuid.UUID
		if err := pool.QueryRow(t.Context(), "SELECT NULL::uuid").Scan(&one); err == nil {
			t.Errorf("%s: null is read as %v", name, one)
		}
	}
}
