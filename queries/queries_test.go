// Package queries holds the named queries of every domain, for sqlc. This test keeps each domain in its own schema.
package queries

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	createSchema = regexp.MustCompile(`(?i)CREATE SCHEMA (?:IF NOT EXISTS )?(\w+)`)
	comment      = regexp.MustCompile(`(?m)--.*$`)
	// noTable is where FROM and UPDATE name no table: the part of a time, and what a lock is on.
	noTable = regexp.MustCompile(`(?i)\bEXTRACT\s*\(\s*\w+\s+FROM\b|\bFOR\s+(?:NO\s+KEY\s+)?UPDATE\s+(?:OF|SKIP|NOWAIT)\b`)
	table   = regexp.MustCompile(`(?i)\b(?:FROM|JOIN|INTO|UPDATE|TRUNCATE|TABLE)\s+([\w."]+)`)
)

// foreignTables gives the tables that the SQL names outside of the domain's schema: with another known schema anywhere, or where a table stands
// without one. Names that the statement itself gives (WITH) are its own.
func foreignTables(domain, sql string, schemas map[string]bool) []string {
	sql = noTable.ReplaceAllString(comment.ReplaceAllString(sql, ""), "")
	var foreign []string
	for schema := range schemas {
		if schema != domain {
			foreign = append(foreign, regexp.MustCompile(`(?i)\b`+schema+`\.\w+`).FindAllString(sql, -1)...)
		}
	}
	for _, m := range table.FindAllStringSubmatch(sql, -1) {
		name := strings.ToLower(strings.ReplaceAll(m[1], `"`, ""))
		schema, _, qualified := strings.Cut(name, ".")
		own := regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(name) + `\s+AS\s+(?:NOT MATERIALIZED\s+|MATERIALIZED\s+)?\(`).MatchString(sql)
		reserved := name == "set" || name == "lateral" || name == "excluded" || name == "select" || strings.HasPrefix(name, "unnest")
		if own || reserved || (qualified && (schema == domain || schemas[schema])) {
			continue
		}
		foreign = append(foreign, name)
	}
	return foreign
}

// schemaOf is the schema of a domain: its name, unless that is a word of SQL.
func schemaOf(domain string) string {
	if domain == "user" {
		return "users"
	}
	return domain
}

func TestQueriesStayInTheirOwnSchema(t *testing.T) {
	t.Parallel()
	schemas := map[string]bool{}
	migrations, err := filepath.Glob("../migrations/*.sql")
	if err != nil || len(migrations) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	for _, file := range migrations {
		sql, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range createSchema.FindAllStringSubmatch(string(sql), -1) {
			schemas[m[1]] = true
		}
	}
	files, err := filepath.Glob("*/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no queries: %v", err)
	}
	for _, file := range files {
		domain := schemaOf(filepath.Dir(file))
		if !schemas[domain] {
			t.Errorf("%s: no migration makes the schema %s", file, domain)
		}
		sql, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if foreign := foreignTables(domain, string(sql), schemas); len(foreign) > 0 {
			t.Errorf("%s names tables that are not of %s: %v", file, domain, foreign)
		}
	}
}

// The check above has to see what it is there for.
func TestForeignTablesAreSeen(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]int{
		"SELECT * FROM content.meditations m JOIN content.media x ON true": 0,
		"WITH hit AS (SELECT 1) SELECT * FROM hit":                         0,
		"INSERT INTO auth.users (id) VALUES (1)":                           1,
		"SELECT * FROM content.meditations, auth.users":                    1,
		"SELECT extract(epoch FROM now()) FROM content.m FOR UPDATE OF m":  0,
		"SELECT * FROM content.m FOR UPDATE SKIP LOCKED":                   0,
		"SELECT extract(epoch FROM now()) FROM names FOR NO KEY UPDATE":    1,
		"SELECT * FROM content.meditations m JOIN people.names ON true":    1,
		"UPDATE audit.records SET a = 1":                                   1,
		"DELETE FROM meditations":                                          1, // unqualified: whose is it?
		"-- FROM auth.users\nSELECT 1 FROM content.media":                  0,
	} {
		if got := foreignTables("content", sql, map[string]bool{"content": true, "auth": true, "audit": true}); len(got) != want {
			t.Errorf("%q: %v, want %d", sql, got, want)
		}
	}
}
