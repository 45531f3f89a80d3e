package personal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Rule says how long one thing is kept.
type Rule struct {
	// What is kept, in plain words.
	What string
	// Table that it is in, with its schema; or another place, as "blob store".
	Table string
	// Keep is how long after its time. Negative: for as long as Why says, and nothing here deletes it.
	Keep time.Duration
	// Why it is kept that long and no longer.
	Why string
	// Past is the condition, in SQL, under which a row has had its time; $1 is the time Keep ago. Empty when Work does it, or something else.
	// The table must not be partitioned.
	Past string
	// Work deletes what has had its time before a time, a batch at a time, and tells how much it was; nil where Past is enough or something else does it.
	Work func(ctx context.Context, before time.Time) (int64, error)
}

// ruleBatch is how many rows go in one statement.
const ruleBatch = 1000

// Rules are those of every domain, in order.
func (r *Registry) Rules() []Rule {
	var all []Rule
	for _, d := range r.domains {
		all = append(all, d.Rules...)
	}
	return all
}

// Retain deletes what has had its time, and tells how much of each table. It may run at any time, and twice; one rule that fails holds up no other.
func (r *Registry) Retain(ctx context.Context, pool *pgxpool.Pool, now time.Time) (map[string]int64, error) {
	deleted := map[string]int64{}
	var problems []error
	for _, rule := range r.Rules() {
		n, err := rule.apply(ctx, pool, now)
		if n > 0 {
			deleted[rule.Table] += n
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("retention of %s: %w", rule.What, err))
		}
	}
	return deleted, errors.Join(problems...)
}

func (rule Rule) apply(ctx context.Context, pool *pgxpool.Pool, now time.Time) (total int64, err error) {
	before := now.Add(-rule.Keep)
	switch {
	case rule.Keep < 0 || rule.Work == nil && rule.Past == "":
		return 0, nil
	case rule.Work != nil:
		return rule.Work(ctx, before)
	}
	table := identifier(rule.Table)
	// Rows that a request holds are left for the next time.
	statement := "DELETE FROM " + table + " WHERE ctid = ANY(ARRAY(SELECT ctid FROM " + table + " WHERE " + rule.Past + " LIMIT $2 FOR UPDATE SKIP LOCKED))"
	for {
		tag, err := pool.Exec(ctx, statement, before, ruleBatch)
		if err != nil {
			return total, err
		}
		total += tag.RowsAffected()
		if tag.RowsAffected() < ruleBatch {
			return total, nil
		}
	}
}

// Overdue counts the rows that have had their time and are not deleted yet. counted is false where nothing here can tell: rules that something else works on.
func (rule Rule) Overdue(ctx context.Context, pool *pgxpool.Pool, now time.Time) (n int64, counted bool, err error) {
	if rule.Keep < 0 || rule.Past == "" {
		return 0, false, nil
	}
	statement := "SELECT count(*) FROM " + identifier(rule.Table) + " WHERE " + rule.Past
	if err := pool.QueryRow(ctx, statement, now.Add(-rule.Keep)).Scan(&n); err != nil {
		return 0, false, fmt.Errorf("count what is overdue in %s: %w", rule.Table, err)
	}
	return n, true, nil
}
