package reseal

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// queries are the statements for one column. They say the type of every argument and take keys as text: where nothing is prepared, as
// behind PgBouncer, neither pgx nor PostgreSQL could tell what a key is.
type queries struct{ first, next, update, count string }

// newQueries writes the statements. Arguments: $1 the prefix of the primary key, $2 the size of a page, then the key of the last row;
// for the update $1 the old values, $2 the fresh ones, then a list for each column of the key.
func newQueries(c Column, types []string) queries {
	table, column := identifier(c.Table), identifier(c.Column)
	var keys, texts, places, lists, names, matches []string
	for i, k := range c.Key {
		// With the table's name, since ORDER BY would take the text that is selected for a bare one, and text has another order.
		name, n := "t."+identifier(k), i+3
		keys = append(keys, name)
		texts = append(texts, name+"::text")
		places = append(places, fmt.Sprintf("$%d::text::%s", n, types[i]))
		lists = append(lists, fmt.Sprintf("$%d::text[]", n))
		names = append(names, fmt.Sprintf("k%d", i))
		matches = append(matches, fmt.Sprintf("%s = v.k%d::%s", name, i, types[i]))
	}
	list := func(parts []string) string { return strings.Join(parts, ", ") }
	page := func(after string) string {
		return fmt.Sprintf("SELECT t.%s, %s FROM %s AS t WHERE t.%s IS NOT NULL AND substring(t.%s FROM 1 FOR 5) <> $1::bytea%s ORDER BY %s LIMIT $2::bigint",
			column, list(texts), table, column, column, after, list(keys))
	}
	return queries{
		first: page(""),
		next:  page(fmt.Sprintf(" AND (%s) > (%s)", list(keys), list(places))),
		update: fmt.Sprintf("UPDATE %s AS t SET %s = v.fresh FROM unnest($1::bytea[], $2::bytea[], %s) AS v(old, fresh, %s) WHERE %s AND t.%s = v.old",
			table, column, list(lists), list(names), strings.Join(matches, " AND "), column),
		count: fmt.Sprintf("SELECT substring(%s FROM 1 FOR 5), count(*) FROM %s WHERE %s IS NOT NULL GROUP BY 1", column, table, column),
	}
}

func identifier(name string) string { return pgx.Identifier(strings.Split(name, ".")).Sanitize() }

// keyTypes asks the database for the types of the columns of a key, and so finds out whether the declaration is right.
func keyTypes(ctx context.Context, pool *pgxpool.Pool, c Column) ([]string, error) {
	types := make([]string, len(c.Key))
	for i, name := range append([]string{c.Column}, c.Key...) {
		var kind string
		err := pool.QueryRow(ctx, `SELECT format_type(atttypid, NULL) FROM pg_attribute
			WHERE attrelid = $1::text::regclass AND attname = $2::text AND attnum > 0 AND NOT attisdropped`, c.Table, name).Scan(&kind)
		switch {
		case err != nil:
			return nil, fmt.Errorf("reseal: look for %s.%s: %w", c.Table, name, err)
		case i == 0 && kind != "bytea":
			return nil, fmt.Errorf("reseal: %s.%s is %s, not bytea", c.Table, name, kind)
		case i > 0:
			types[i-1] = kind
		}
	}
	if len(types) == 0 {
		return nil, fmt.Errorf("reseal: %s is declared without a key", c.Table)
	}
	return types, nil
}
