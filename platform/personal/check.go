package personal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Column is a column of the database that its comment says something of.
type Column struct {
	Table, Column string
	// Says is the comment: "person" for a person's id, "health" for health data.
	Says string
}

// Columns lists the columns with a comment of one word, by table.
func Columns(ctx context.Context, pool *pgxpool.Pool) ([]Column, error) {
	all, err := readCatalog(ctx, pool)
	if err != nil {
		return nil, err
	}
	var said []Column
	for _, c := range all {
		if c.Says == "person" || c.Says == "health" {
			said = append(said, Column{Table: c.Table, Column: c.Column, Says: c.Says})
		}
	}
	return said, nil
}

// catalogColumn is a column as the database knows it.
type catalogColumn struct {
	Table, Column, Says   string
	Required, Partitioned bool
}

// readCatalog lists every column of every table that is not PostgreSQL's own, by table.
func readCatalog(ctx context.Context, pool *pgxpool.Pool) ([]catalogColumn, error) {
	rows, err := pool.Query(ctx, `SELECT n.nspname || '.' || c.relname, a.attname::text, coalesce(d.description, ''), a.attnotnull, c.relkind = 'p'
		FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_t%'
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = a.attnum
		WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
		ORDER BY 1, a.attnum`)
	if err != nil {
		return nil, fmt.Errorf("list columns: %w", err)
	}
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[catalogColumn])
	if err != nil {
		return nil, fmt.Errorf("list columns: %w", err)
	}
	return columns, nil
}

// Check compares what is declared with the database. It names every column with a person's id that nobody declared, and what is declared and
// would fail, or leak, when it is needed: columns that are not there, ids to be cleared that may not be null, health data that is neither opened
// nor left out, rules for tables that are not there.
func (r *Registry) Check(ctx context.Context, pool *pgxpool.Pool) error {
	catalog, err := readCatalog(ctx, pool)
	if err != nil {
		return err
	}
	c := &checker{columns: map[string]catalogColumn{}, tables: map[string]bool{}}
	for _, column := range catalog {
		name := column.Table + "." + column.Column
		c.columns[name], c.tables[column.Table] = column, column.Partitioned
		switch column.Says {
		case "person":
			c.undeclared = append(c.undeclared, name)
		case "health":
			c.bare = append(c.bare, name)
		}
	}
	_ = r.tables(func(d Domain, t Table) error { c.table(d, t); return nil })
	for _, d := range r.domains {
		for _, rule := range d.Rules {
			c.rule(d, rule)
		}
	}
	if len(c.undeclared) > 0 {
		c.problem("columns with a person's id that no domain declares: %s", strings.Join(c.undeclared, ", "))
	}
	if len(c.bare) > 0 {
		c.problem("columns of health data whose table has no Open, and which are not secret: %s", strings.Join(c.bare, ", "))
	}
	return errors.Join(c.problems...)
}

// checker goes through what is declared and crosses off what it meets.
type checker struct {
	columns map[string]catalogColumn
	// tables tells of each whether it is partitioned.
	tables           map[string]bool
	undeclared, bare []string
	problems         []error
}

func (c *checker) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf(format, args...))
}

func (c *checker) table(d Domain, t Table) {
	var declared []string
	if t.Owner != "" {
		declared = append(declared, t.Owner)
	}
	for _, m := range t.Mentions {
		declared = append(declared, m.Column)
		if m.Kept == "" && c.columns[t.Name+"."+m.Column].Required {
			c.problem("%s: %s.%s is to be cleared, and may not be null", d.Name, t.Name, m.Column)
		}
	}
	if len(declared) == 0 || t.What == "" {
		c.problem("%s: %s is declared without a column of a person's id, or without what it is", d.Name, t.Name)
	}
	for _, column := range declared {
		name := t.Name + "." + column
		if i := slices.Index(c.undeclared, name); i >= 0 {
			c.undeclared = slices.Delete(c.undeclared, i, i+1)
		} else {
			c.problem("%s: no column %s has the comment person, or it is declared twice", d.Name, name)
		}
	}
	for _, column := range t.Secret {
		if _, there := c.columns[t.Name+"."+column]; !there {
			c.problem("%s: there is no column %s.%s to be left out", d.Name, t.Name, column)
		}
	}
	c.bare = slices.DeleteFunc(c.bare, func(name string) bool {
		column := c.columns[name]
		return column.Table == t.Name && (t.Open != nil || t.NotExported != "" || slices.Contains(t.Secret, column.Column))
	})
}

func (c *checker) rule(d Domain, rule Rule) {
	if rule.What == "" || rule.Table == "" || rule.Why == "" {
		c.problem("%s: the rule for %q of %q lacks what, where or why", d.Name, rule.What, rule.Table)
	}
	if rule.Past == "" {
		return
	}
	partitioned, there := c.tables[rule.Table]
	if !there || partitioned {
		c.problem("%s: the rule for %q deletes from %s, which is not there or is partitioned", d.Name, rule.What, rule.Table)
	}
}
