package app

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
	"github.com/mindspace-app/mindspace/platform/secret"
)

func TestDoctorFindsWhatHappenedToTheAuditChain(t *testing.T) {
	t.Parallel()
	const third = `(SELECT record_id FROM audit.links WHERE seq = 3)`
	for name, c := range map[string]struct {
		tamper string
		says   string // "" when nothing is wrong
	}{
		"untouched": {`SELECT 1`, ""},
		"tampered":  {`UPDATE audit.records SET action = 'probe.thing.delete' WHERE id = ` + third, "WRONG  at 3, record "},
		"removed":   {`DELETE FROM audit.records WHERE id = ` + third, "the record is missing"},
		"removed with its link": {`WITH l AS (DELETE FROM audit.links WHERE seq = 3 RETURNING record_id)
			DELETE FROM audit.records WHERE id = (SELECT record_id FROM l)`, "WRONG  at 3: the link is missing"},
		"put in": {`INSERT INTO audit.records (id, actor_kind, actor_id, actor_roles, action, subject_type, subject_id, request_id)
			VALUES (gen_random_uuid(), 'system', '', '{}', 'a.b', 'thing', '1', '')`, "put in by hand"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.URL(t, migrations.FS)
			recordAndSeal(t, url, 5)
			exec(t, url, `ALTER TABLE audit.records DISABLE TRIGGER ALL; ALTER TABLE audit.links DISABLE TRIGGER ALL`)
			exec(t, url, c.tamper)
			var out strings.Builder
			err := DoctorAudit(t.Context(), url, &out)
			if (err == nil) != (c.says == "") || !strings.Contains(out.String(), c.says) {
				t.Errorf("%v, want %q in:\n%s", err, c.says, out.String())
			}
			if healthy := "5 records are sealed and hold, 0 wait for their seal\nhead 5 "; c.says == "" && !strings.HasPrefix(out.String(), healthy) {
				t.Errorf("got:\n%s", out.String())
			}
			if f := examineAudit(t.Context(), Config{DatabaseURL: url}); (f.mend == "") != (c.says == "") {
				t.Errorf("the whole doctor says %+v", f)
			}
		})
	}
}

func TestDoctorCannotJudgeWhatItCannotRead(t *testing.T) {
	t.Parallel()
	if err := DoctorAudit(t.Context(), "postgres://127.0.0.1:1/nowhere?connect_timeout=5", &strings.Builder{}); err == nil {
		t.Error("a chain that cannot be read is well")
	}
}

// recordAndSeal makes a chain of n records.
func recordAndSeal(t *testing.T, url string, n int) {
	t.Helper()
	ring, err := secret.Generate(false)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	log := audit.New(ring)
	err = postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		for i := range n {
			if err := log.Record(t.Context(), tx, audit.Entry{Action: "probe.thing.change", SubjectType: "thing", SubjectID: fmt.Sprint(i)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if sealed, err := audit.Seal(t.Context(), pool, 100); err != nil || sealed != n {
		t.Fatalf("%d sealed, %v", sealed, err)
	}
}

func exec(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
