package reseal_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
	"github.com/mindspace-app/mindspace/platform/reseal"
	"github.com/mindspace-app/mindspace/platform/secret"
)

// vault is a table whose key has three columns, of three types, one with a name that has to be quoted.
var vault = fstest.MapFS{"00001_vault.sql": {Data: []byte(`-- +goose Up
CREATE SCHEMA vault;
CREATE TABLE vault.boxes (owner uuid NOT NULL, "no" bigint NOT NULL, "Label" text NOT NULL, content bytea, short text, PRIMARY KEY (owner, "no", "Label"));
-- +goose Down
DROP SCHEMA vault CASCADE;
`)}}

func bound(key []string) ([]byte, error) { return []byte("vault.boxes " + strings.Join(key, "/")), nil }

var boxes = reseal.Column{Table: "vault.boxes", Key: []string{"owner", "no", "Label"}, Column: "content", Bound: bound}

// rig is a vault, and the keyrings before and after a rotation.
type rig struct {
	t        *testing.T
	pool     *pgxpool.Pool
	old, new *secret.Keyring
	keys     [][]string
}

func newRig(t *testing.T, boxes int) *rig {
	t.Helper()
	r := &rig{t: t, pool: pgtest.New(t, vault)}
	var err error
	if r.old, err = secret.Generate(false); err != nil {
		t.Fatal(err)
	}
	if r.new, _, err = r.old.RotateAEAD(time.Now()); err != nil {
		t.Fatal(err)
	}
	owner := uuid.New()
	for i := range boxes {
		if i%7 == 0 {
			owner = uuid.New()
		}
		key := []string{owner.String(), fmt.Sprint(9 + i%3), fmt.Sprintf("box %d's", i)}
		r.keys = append(r.keys, key)
		r.exec("INSERT INTO vault.boxes VALUES ($1, $2::text::bigint, $3, $4)", key[0], key[1], key[2], r.seal(r.old, key, i, "first"))
	}
	return r
}

func (r *rig) exec(sql string, args ...any) {
	r.t.Helper()
	if _, err := r.pool.Exec(r.t.Context(), sql, args...); err != nil {
		r.t.Error(err)
	}
}

func (r *rig) seal(k *secret.Keyring, key []string, i int, word string) []byte {
	r.t.Helper()
	b, _ := bound(key)
	sealed, err := k.Seal(fmt.Appendf(nil, "%s %d", word, i), b)
	if err != nil {
		r.t.Fatal(err)
	}
	return sealed
}

// put writes a box as others do.
func (r *rig) put(i int, value []byte) {
	r.t.Helper()
	r.exec(`UPDATE vault.boxes SET content = $4 WHERE owner = $1 AND "no" = $2::text::bigint AND "Label" = $3`, r.keys[i][0], r.keys[i][1], r.keys[i][2], value)
}

// get reads the sealed value of a box.
func (r *rig) get(i int) []byte {
	r.t.Helper()
	var value []byte
	err := r.pool.QueryRow(r.t.Context(), `SELECT content FROM vault.boxes WHERE owner = $1 AND "no" = $2::text::bigint AND "Label" = $3`, r.keys[i][0], r.keys[i][1], r.keys[i][2]).Scan(&value)
	if err != nil {
		r.t.Fatal(err)
	}
	return value
}

func (r *rig) says(i int, word string) {
	r.t.Helper()
	b, _ := bound(r.keys[i])
	value := r.get(i)
	if got, err := r.new.Open(value, b); err != nil || string(got) != fmt.Sprintf("%s %d", word, i) {
		r.t.Errorf("box %d: %q, %v", i, got, err)
	}
	if id, _ := secret.KeyOf(value); id != r.new.PrimaryID() {
		r.t.Errorf("box %d is under the key %d", i, id)
	}
}

func (r *rig) run(c reseal.Column, batch int) reseal.Report {
	r.t.Helper()
	report, err := reseal.Run(r.t.Context(), r.pool, r.new, []reseal.Column{c}, batch)
	if err != nil {
		r.t.Fatal(err)
	}
	return report
}

func TestEverythingIsSealedAnewInPages(t *testing.T) {
	t.Parallel()
	for _, pooler := range []bool{false, true} {
		r := newRig(t, 50)
		r.exec("INSERT INTO vault.boxes VALUES ($1, 1, 'nothing', NULL)", uuid.New())
		if pooler {
			pool, err := postgres.Open(t.Context(), postgres.Config{URL: r.pool.Config().ConnString(), Pooler: true, MaxConns: 2})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(pool.Close)
			r.pool = pool
		}
		if report := r.run(boxes, 7); report.Done != 50 || report.Skipped != 0 || len(report.Failed) != 0 {
			t.Errorf("pooler %v: %+v", pooler, report)
		}
		for i := range r.keys {
			r.says(i, "first")
		}
		if report := r.run(boxes, 7); report.Done+report.Skipped != 0 {
			t.Errorf("pooler %v: done again: %+v", pooler, report)
		}
		counts, err := reseal.Remaining(t.Context(), r.pool, []reseal.Column{boxes})
		if err != nil || len(counts) != 1 || counts[0] != (reseal.Count{Table: "vault.boxes", Column: "content", KeyID: r.new.PrimaryID(), Rows: 50}) {
			t.Errorf("pooler %v: %+v, %v", pooler, counts, err)
		}
	}
}

// While a page is sealed anew, its first row is changed and its second is deleted by others.
func TestWhoWritesMeanwhileWins(t *testing.T) {
	t.Parallel()
	r := newRig(t, 20)
	var once sync.Once
	meanwhile := boxes
	meanwhile.Bound = func(key []string) ([]byte, error) {
		once.Do(func() {
			r.put(3, r.seal(r.old, r.keys[3], 3, "second"))
			r.put(5, r.seal(r.new, r.keys[5], 5, "second"))
			r.exec(`DELETE FROM vault.boxes WHERE "Label" = $1`, r.keys[4][2])
		})
		return bound(key)
	}
	if report := r.run(meanwhile, 0); report.Done != 17 || report.Skipped != 3 || len(report.Failed) != 0 {
		t.Errorf("%+v", report)
	}
	// What was written under the old key is found by the next run.
	if report := r.run(boxes, 0); report.Done != 1 || report.Skipped != 0 {
		t.Errorf("the next run: %+v", report)
	}
	for i := range r.keys {
		switch i {
		case 4:
		case 3, 5:
			r.says(i, "second")
		default:
			r.says(i, "first")
		}
	}
}

func TestValuesThatDoNotOpenAreToldOfAndLeftAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t, 20)
	lost, err := secret.Generate(false)
	if err != nil {
		t.Fatal(err)
	}
	broken := map[int][]byte{
		2: r.get(1),                                // moved here from another row
		3: r.seal(lost, r.keys[3], 3, "first"),     // under a lost key
		4: r.seal(lost, r.keys[4], 4, "first"),     // another one
		5: []byte("garbage"),                       // what no keyring makes
		6: append(r.get(6)[:20], r.get(6)[21:]...), // cut
	}
	for i, value := range broken {
		r.put(i, value)
	}
	report := r.run(boxes, 3)
	if report.Done != 15 || report.Skipped != 0 || len(report.Failed) != 3 {
		t.Fatalf("%+v", report)
	}
	want := map[reseal.Failure]bool{
		{Table: "vault.boxes", Column: "content", KeyID: r.old.PrimaryID(), Rows: 2}:               true,
		{Table: "vault.boxes", Column: "content", KeyID: lost.PrimaryID(), Missing: true, Rows: 2}: true,
		{Table: "vault.boxes", Column: "content", KeyID: 0, Rows: 1}:                               true,
	}
	for _, f := range report.Failed {
		if !want[f] {
			t.Errorf("not expected: %s", f)
		}
		if f.KeyID != 0 && !strings.Contains(f.String(), fmt.Sprint(f.KeyID)) {
			t.Errorf("%s does not name the key", f)
		}
	}
	for i := range r.keys {
		if value, bad := broken[i]; !bad {
			r.says(i, "first")
		} else if string(r.get(i)) != string(value) {
			t.Errorf("box %d was changed", i)
		}
	}
}

func TestInterruptedRunGoesOn(t *testing.T) {
	t.Parallel()
	r := newRig(t, 40)
	ctx, cancel := context.WithCancel(t.Context())
	seen := 0
	interrupted := boxes
	interrupted.Bound = func(key []string) ([]byte, error) {
		if seen++; seen == 18 {
			cancel()
		}
		return bound(key)
	}
	report, err := reseal.Run(ctx, r.pool, r.new, []reseal.Column{interrupted}, 5)
	if !errors.Is(err, context.Canceled) || report.Done != 15 {
		t.Fatalf("%+v, %v", report, err)
	}
	if report := r.run(boxes, 5); report.Done != 25 || len(report.Failed) != 0 {
		t.Errorf("%+v", report)
	}
	for i := range r.keys {
		r.says(i, "first")
	}
}

func TestWrongDeclarationsAreErrors(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	for name, c := range map[string]reseal.Column{
		"no table":  {Table: "vault.none", Key: boxes.Key, Column: "content", Bound: bound},
		"no column": {Table: "vault.boxes", Key: boxes.Key, Column: "none", Bound: bound},
		"no bytea":  {Table: "vault.boxes", Key: boxes.Key, Column: "short", Bound: bound},
		"no key":    {Table: "vault.boxes", Column: "content", Bound: bound},
		"wrong key": {Table: "vault.boxes", Key: []string{"id"}, Column: "content", Bound: bound},
	} {
		if _, err := reseal.Run(t.Context(), r.pool, r.new, []reseal.Column{c}, 0); err == nil {
			t.Errorf("%s: run", name)
		}
		if _, err := reseal.Remaining(t.Context(), r.pool, []reseal.Column{c}); err == nil {
			t.Errorf("%s: counted", name)
		}
	}
	// What expires by itself is counted only.
	expiring := boxes
	expiring.Bound = nil
	if report := r.run(expiring, 0); report.Done != 0 {
		t.Errorf("%+v", report)
	}
	if counts, err := reseal.Remaining(t.Context(), r.pool, []reseal.Column{expiring}); err != nil || len(counts) != 1 || counts[0].KeyID != r.old.PrimaryID() {
		t.Errorf("%+v, %v", counts, err)
	}
}
