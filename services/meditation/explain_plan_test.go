package meditation_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// statement is a query as the generated code sends it.
type statement struct {
	sql  string
	args []any
}

// recorder takes down what would be sent.
type recorder struct{ statement }

var errTakenDown = errors.New("taken down, and not sent")

func (r *recorder) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	r.statement = statement{sql, args}
	return pgconn.CommandTag{}, errTakenDown
}

func (r *recorder) Query(_ context.Context, sql string, args ...any) (pgx.Rows, error) {
	r.statement = statement{sql, args}
	return nil, errTakenDown
}

func (r *recorder) QueryRow(_ context.Context, sql string, args ...any) pgx.Row {
	r.statement = statement{sql, args}
	return noRow{}
}

type noRow struct{}

func (noRow) Scan(...any) error { return errTakenDown }

// planner asks the database for plans.
type planner struct {
	t    *testing.T
	conn *pgx.Conn
}

func (p planner) exec(sql string) {
	p.t.Helper()
	if _, err := p.conn.Exec(p.t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		p.t.Fatalf("%v: %s", err, sql)
	}
}

func (p planner) one(sql string) (text string) {
	p.t.Helper()
	if err := p.conn.QueryRow(p.t.Context(), sql).Scan(&text); err != nil {
		p.t.Fatalf("%v: %s", err, sql)
	}
	return text
}

// plans gives the plan for the statement's own arguments, as it is made behind a pooler, and the one for any, of which partitions drop out when it is
// run: that is what the program prepares.
func (p planner) plans(s statement) (custom, generic string) {
	p.t.Helper()
	p.exec("PREPARE hot AS " + s.sql)
	defer p.exec("DEALLOCATE hot")
	execute := "EXPLAIN (COSTS OFF) EXECUTE hot" + p.literals(s)
	p.exec("SET plan_cache_mode = force_custom_plan")
	custom = p.explain(execute)
	p.exec("SET plan_cache_mode = force_generic_plan")
	return custom, p.explain(execute)
}

// literals are the arguments as SQL.
func (p planner) literals(s statement) string {
	p.t.Helper()
	described, err := p.conn.Prepare(p.t.Context(), "", s.sql)
	if err != nil {
		p.t.Fatal(err)
	}
	texts := make([]string, len(s.args))
	for i, arg := range s.args {
		text, err := p.conn.TypeMap().Encode(described.ParamOIDs[i], pgtype.TextFormatCode, arg, nil)
		if err != nil {
			p.t.Fatalf("argument %d: %v", i+1, err)
		}
		texts[i] = "NULL"
		if text != nil {
			texts[i] = "'" + strings.ReplaceAll(string(text), "'", "''") + "'"
		}
	}
	if len(texts) == 0 {
		return ""
	}
	return "(" + strings.Join(texts, ", ") + ")"
}

// explain gives a plan.
func (p planner) explain(sql string) string {
	p.t.Helper()
	rows, err := p.conn.Query(p.t.Context(), sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		p.t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		p.t.Fatalf("%v: %s", err, sql)
	}
	return strings.Join(lines, "\n") + "\n"
}
