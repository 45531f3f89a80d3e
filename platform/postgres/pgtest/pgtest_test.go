package pgtest

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
)

// childVariable makes this test binary play another package's tests.
const childVariable = "PGTEST_CHILD"

func migrations(extra string) fstest.MapFS {
	return fstest.MapFS{"00001_shelf.sql": {Data: []byte("-- +goose Up\nCREATE TABLE books (id int PRIMARY KEY); -- " + extra + "\n-- +goose Down\nDROP TABLE books;\n")}}
}

func exists(t *testing.T, database string) (found bool) {
	t.Helper()
	s, err := server()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.admin.QueryRow(context.Background(), "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database).Scan(&found); err != nil {
		t.Fatal(err)
	}
	return found
}

func TestEachTestHasItsOwnDatabase(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	names := map[string]bool{}
	t.Run("tests", func(t *testing.T) {
		t.Parallel()
		for range 3 {
			t.Run("one", func(t *testing.T) {
				t.Parallel()
				pool := New(t, migrations("own"))
				if _, err := pool.Exec(t.Context(), "INSERT INTO books VALUES (1)"); err != nil {
					t.Errorf("the database is not fresh: %v", err)
				}
				var jobs int
				if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM river.river_job").Scan(&jobs); err != nil {
					t.Errorf("the queue's tables are missing: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				names[pool.Config().ConnConfig.Database] = true
			})
		}
	})
	t.Cleanup(func() {
		if len(names) != 3 {
			t.Errorf("three tests got the databases %v", names)
		}
		for name := range names {
			if exists(t, name) {
				t.Errorf("%s is still there after its test", name)
			}
		}
	})
}

func TestDatabaseGoesWithWhatIsConnected(t *testing.T) {
	t.Parallel()
	var target string
	t.Run("one", func(t *testing.T) {
		target = URL(t, migrations("own"))
		if _, err := pgx.Connect(context.Background(), target); err != nil {
			t.Fatal(err)
		}
	})
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	if exists(t, strings.TrimPrefix(u.Path, "/")) {
		t.Error("the database is still there")
	}
}

func TestEmpty(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var tables int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')").Scan(&tables); err != nil || tables != 0 {
		t.Errorf("%d tables (%v)", tables, err)
	}
}

func TestTemplateIsNamedByTheMigrations(t *testing.T) {
	t.Parallel()
	name := func(fsys fstest.MapFS) string {
		name, err := templateName(fsys)
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	first := name(migrations("a"))
	if first != name(migrations("a")) {
		t.Error("the same migrations give two names")
	}
	renamed := fstest.MapFS{"00002_shelf.sql": migrations("a")["00001_shelf.sql"]}
	for _, other := range []string{name(migrations("b")), name(renamed), name(fstest.MapFS{})} {
		if first == other {
			t.Error("other migrations give the same name")
		}
	}
}

// A process that is killed while it makes the template leaves it unfinished; it is made anew.
func TestUnfinishedTemplate(t *testing.T) {
	t.Parallel()
	fsys := migrations(rand.Text()) // of which no earlier run has left a template
	name, err := templateName(fsys)
	if err != nil {
		t.Fatal(err)
	}
	s, err := server()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.admin.Exec(t.Context(), "CREATE DATABASE "+quote(name+"_unfinished")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := s.admin.Exec(context.Background(), "DROP DATABASE "+quote(name)); err != nil {
			t.Error(err)
		}
	})
	if _, err := New(t, fsys).Exec(t.Context(), "INSERT INTO books VALUES (1)"); err != nil {
		t.Error(err)
	}
	if exists(t, name+"_unfinished") {
		t.Error("the unfinished template is still there")
	}
}

func TestBrokenMigrationIsReported(t *testing.T) {
	t.Parallel()
	s, err := server()
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{"00001_broken.sql": {Data: []byte("-- +goose Up\nSELEC;\n-- +goose Down\n")}}
	if _, err := s.template(t.Context(), fsys); err == nil || !strings.Contains(err.Error(), "00001_broken.sql") {
		t.Errorf("got %v, want an error that names the file", err)
	}
}

// Packages are tested by processes of their own, which start together and need the same template.
func TestManyProcesses(t *testing.T) {
	t.Parallel()
	if os.Getenv(childVariable) != "" {
		for range 3 {
			if _, err := New(t, migrations("processes")).Exec(t.Context(), "INSERT INTO books VALUES (1)"); err != nil {
				t.Error(err)
			}
		}
		return
	}
	s, err := server()
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			command := exec.Command(os.Args[0], "-test.run=^TestManyProcesses$", "-test.v")
			command.Env = append(os.Environ(), childVariable+"=1", serverVariable+"="+s.url)
			if text, err := command.CombinedOutput(); err != nil || !strings.Contains(string(text), "--- PASS: TestManyProcesses") {
				t.Errorf("%v\n%s", err, text)
			}
		})
	}
	group.Wait()
}

func TestServerURLHasToBeAURL(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"host=127.0.0.1 dbname=x", "mysql://x/y", ":"} {
		if got, err := withDatabase(target, "other"); err == nil {
			t.Errorf("%q gives %q", target, got)
		}
	}
	got, err := withDatabase("postgres://ana:pw@host:5432/x?sslmode=disable", "other")
	if err != nil || got != "postgres://ana:pw@host:5432/other?sslmode=disable" {
		t.Errorf("got %q (%v)", got, err)
	}
}
