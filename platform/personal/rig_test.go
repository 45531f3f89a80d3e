package personal_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/platform/personal"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
)

var madeAt = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

// schema has a column of every type that we have or may come to have.
var schema = fstest.MapFS{"00001_facts.sql": {Data: []byte(`-- +goose Up
CREATE SCHEMA facts;
CREATE TYPE facts.mood AS ENUM ('calm', 'restless');
CREATE TABLE facts.everything (
	user_id uuid NOT NULL, n int PRIMARY KEY, big bigint, small smallint, flag boolean, text_ text, made timestamptz, local timestamp, day date, at time, span interval,
	net cidr, address inet, words text[], friends uuid[], doc jsonb, doc_text json, exact numeric, ratio double precision, single real, raw bytea, mood facts.mood,
	days daterange, secret text
);
COMMENT ON COLUMN facts.everything.user_id IS 'person';
CREATE TABLE facts.sealed (user_id uuid PRIMARY KEY, sealed bytea NOT NULL, revision int NOT NULL);
COMMENT ON COLUMN facts.sealed.user_id IS 'person';
COMMENT ON COLUMN facts.sealed.sealed IS 'health';
CREATE TABLE facts.visits (user_id uuid NOT NULL, id bigint PRIMARY KEY, note text NOT NULL, made_at timestamptz NOT NULL DEFAULT now());
COMMENT ON COLUMN facts.visits.user_id IS 'person';
CREATE INDEX visits_user_id ON facts.visits (user_id);
CREATE TABLE facts.records (person_id uuid, subject text);
COMMENT ON COLUMN facts.records.person_id IS 'person';
COMMENT ON COLUMN facts.records.subject IS 'person';
CREATE TABLE facts.parts (visit_id bigint NOT NULL REFERENCES facts.visits, author_id uuid, user_id uuid NOT NULL);
COMMENT ON COLUMN facts.parts.author_id IS 'person';
COMMENT ON COLUMN facts.parts.user_id IS 'person';
`)}}

// facts declares the tables of schema.
func facts() personal.Domain {
	return personal.Domain{
		Name: "facts",
		Tables: []personal.Table{
			{Name: "facts.parts", What: "parts of visits", Owner: "user_id", Secret: []string{"author_id"}, Mentions: []personal.Mention{{Column: "author_id"}}},
			{Name: "facts.visits", What: "visits", Owner: "user_id", Order: "id"},
			{Name: "facts.everything", What: "everything", Owner: "user_id", Order: "n", Secret: []string{"secret"}},
			{Name: "facts.sealed", What: "what is sealed", Owner: "user_id", Open: func(_ context.Context, row personal.Row) error {
				row["profile"] = json.RawMessage(row["sealed"].([]byte))
				delete(row, "sealed")
				return nil
			}},
			{Name: "facts.records", What: "records", Owner: "person_id", Kept: "they say nothing of anyone", NotExported: "they are about others", Mentions: []personal.Mention{{Column: "subject"}}},
		},
		Files: func(person uuid.UUID) string { return "facts/" + person.String() + "/" },
		Rules: []personal.Rule{{What: "visits", Table: "facts.visits", Keep: time.Hour, Why: "nobody needs them", Past: "made_at < $1"}},
	}
}

func execute(t *testing.T, pool *pgxpool.Pool, statement string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, pool *pgxpool.Pool, query string, args ...any) (n int64) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// exported gives the files of an export.
func exported(t *testing.T, r *personal.Registry, pool *pgxpool.Pool, person uuid.UUID) map[string]string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Export(t.Context(), pool, person, madeAt, &b); err != nil {
		t.Fatal(err)
	}
	return unpacked(t, b.Bytes())
}

func unpacked(t *testing.T, content []byte) map[string]string {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, file := range archive.File {
		r, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := files[file.Name]; twice {
			t.Errorf("%s is there twice", file.Name)
		}
		files[file.Name] = string(text)
	}
	return files
}

func objects(t *testing.T, text string) []map[string]any {
	t.Helper()
	var list []map[string]any
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return list
}

// lines gives the lines of a CSV file, by column.
func lines(t *testing.T, text string) []map[string]string {
	t.Helper()
	all, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	list := make([]map[string]string, 0, len(all))
	for _, line := range all[1:] {
		named := map[string]string{}
		for i, name := range all[0] {
			named[name] = line[i]
		}
		list = append(list, named)
	}
	return list
}

func newPool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	return pgtest.New(t, schema)
}
