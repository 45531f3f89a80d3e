package app

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/jobs"
	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
	"github.com/mindspace-app/mindspace/platform/reseal"
	"github.com/mindspace-app/mindspace/platform/secret"
	"github.com/mindspace-app/mindspace/services/user"
)

// keysRig is a keyring in a file, and a database with one health profile under its first key.
type keysRig struct {
	t       *testing.T
	options KeysOptions
	first   *secret.Keyring
}

func newKeysRig(t *testing.T) *keysRig {
	t.Helper()
	r := &keysRig{t: t, options: KeysOptions{KeysFile: filepath.Join(t.TempDir(), "keyring.json"), DatabaseOptions: DatabaseOptions{DatabaseURL: pgtest.URL(t, migrations.FS)}}}
	if err := CreateKeys(r.options.KeysFile); err != nil {
		t.Fatal(err)
	}
	r.first = r.keys()
	r.store(r.first)
	return r
}

func (r *keysRig) keys() *secret.Keyring {
	r.t.Helper()
	keys, err := secret.Load("", r.options.KeysFile)
	if err != nil {
		r.t.Fatal(err)
	}
	return keys
}

func (r *keysRig) conn() *pgx.Conn {
	r.t.Helper()
	conn, err := pgx.Connect(r.t.Context(), r.options.DatabaseURL)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close(r.t.Context()) })
	return conn
}

// store keeps a health profile of somebody new.
func (r *keysRig) store(keys *secret.Keyring) {
	r.t.Helper()
	person := uuid.New()
	bound, err := user.Sealed()[0].Bound([]string{person.String()})
	if err != nil {
		r.t.Fatal(err)
	}
	sealed, err := keys.Seal([]byte("{}"), bound)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.conn().Exec(r.t.Context(), "INSERT INTO users.health_profiles VALUES ($1, $2, 1, now())", person, sealed); err != nil {
		r.t.Fatal(err)
	}
}

func (r *keysRig) rotate() (string, error) {
	r.t.Helper()
	var out bytes.Buffer
	err := RotateKeys(r.t.Context(), r.options, RotateOptions{ActivateIn: time.Minute}, &out)
	return out.String(), err
}

func (r *keysRig) list() string {
	r.t.Helper()
	var out bytes.Buffer
	if err := ListKeys(r.t.Context(), r.options, &out); err != nil {
		r.t.Fatal(err)
	}
	return out.String()
}

// refusedWith checks that a command failed with a text, and that the keyring is as it was.
func (r *keysRig) refusedWith(what string, err error, says string) {
	r.t.Helper()
	if err == nil || !strings.Contains(err.Error(), says) {
		r.t.Errorf("%s: %v does not say %q", what, err, says)
	}
}

func TestRotateWritesTheKeyAndQueuesTheJob(t *testing.T) {
	t.Parallel()
	r := newKeysRig(t)
	said, err := r.rotate()
	if err != nil {
		t.Fatal(err)
	}
	keys := r.keys().Keys()
	if len(keys) != 2 || keys[0].ID != r.first.PrimaryID() || time.Until(keys[1].From) < 50*time.Second || r.keys().PrimaryID() != r.first.PrimaryID() {
		t.Fatalf("%+v", keys)
	}
	for _, id := range []uint32{keys[0].ID, keys[1].ID} {
		if !strings.Contains(said, fmt.Sprint(id)) || !strings.Contains(r.list(), fmt.Sprint(id)) {
			t.Errorf("key %d is not told of:\n%s\n%s", id, said, r.list())
		}
	}
	var kind, args string
	var at time.Time
	err = r.conn().QueryRow(t.Context(), "SELECT kind, args::text, scheduled_at FROM river.river_job").Scan(&kind, &args, &at)
	if err != nil || kind != "keys_reseal" || args != fmt.Sprintf(`{"key_id": %d}`, keys[1].ID) || !at.Equal(keys[1].From.Add(jobs.ResealDelay)) {
		t.Errorf("job %s %s at %s: %v", kind, args, at, err)
	}
	if info, err := os.Stat(r.options.KeysFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v", err)
	}
	if _, err := r.rotate(); err == nil {
		t.Error("rotated again before the new key is primary")
	}
	if list := r.list(); !strings.Contains(list, "primary until") || !strings.Contains(list, "primary from") || !strings.Contains(list, "users.health_profiles.sealed 1") {
		t.Errorf("list:\n%s", list)
	}
}

func TestRotateRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	r := newKeysRig(t)
	doc, err := r.first.JSON()
	if err != nil {
		t.Fatal(err)
	}
	inline, nowhere, nothing := r.options, r.options, r.options
	inline.Keys, inline.KeysFile = string(doc), ""
	nowhere.DatabaseURL = ""
	nothing.KeysFile = filepath.Join(t.TempDir(), "absent")
	var out bytes.Buffer
	normal := RotateOptions{ActivateIn: time.Minute}
	r.refusedWith("as text", RotateKeys(t.Context(), inline, normal, &out), "put the keyring into a file")
	r.refusedWith("as text", PruneKeys(t.Context(), inline, &out), "put the keyring into a file")
	r.refusedWith("no database", RotateKeys(t.Context(), nowhere, normal, &out), "DATABASE_URL")
	r.refusedWith("no file", RotateKeys(t.Context(), nothing, normal, &out), "KEYRING_FILE")
	r.refusedWith("too soon", RotateKeys(t.Context(), r.options, RotateOptions{ActivateIn: time.Second}, &out), "--activate-in")

	// A value under a key that this file lacks: it may be an old copy.
	other, err := secret.Generate(false)
	if err != nil {
		t.Fatal(err)
	}
	r.store(other)
	_, err = r.rotate()
	r.refusedWith("an old copy", err, fmt.Sprint(other.PrimaryID()))
	if list := r.list(); !strings.Contains(list, "NOT IN THIS KEYRING") {
		t.Errorf("list:\n%s", list)
	}
	if got := r.keys().Keys(); len(got) != 1 {
		t.Fatalf("a refused rotation left %+v", got)
	}
	if err := RotateKeys(t.Context(), r.options, RotateOptions{ActivateIn: time.Minute, DespiteMissing: true}, &out); err != nil {
		t.Errorf("although the operator knows: %v", err)
	}
}

// Demos that share their keyring through the database look at no file.
func TestRotateRefusesTheKeyringOfSharedDemos(t *testing.T) {
	t.Parallel()
	r := newKeysRig(t)
	if err := os.Remove(r.options.KeysFile); err != nil {
		t.Fatal(err)
	}
	if err := createKeys(r.options.KeysFile, true); err != nil {
		t.Fatal(err)
	}
	if _, err := sharedKeys(t.Context(), r.options.DatabaseURL, r.options.KeysFile); err != nil {
		t.Fatal(err)
	}
	_, err := r.rotate()
	r.refusedWith("shared", err, "shares through the database")
}

func TestPruneRemovesWhatNothingIsUnder(t *testing.T) {
	t.Parallel()
	r := newKeysRig(t)
	var out bytes.Buffer
	if err := PruneKeys(t.Context(), r.options, &out); err != nil {
		t.Errorf("with one key: %v", err)
	}
	next, rotation, err := r.first.RotateAEAD(time.Now().Add(-25 * time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Save(r.options.KeysFile); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	r.refusedWith("in use", PruneKeys(t.Context(), r.options, &out), "no key was removed")
	if !strings.Contains(out.String(), fmt.Sprintf("key %d: 1 in users.health_profiles.sealed", rotation.Old)) {
		t.Errorf("the counts are not told: %s", &out)
	}
	pool, err := postgres.Open(t.Context(), postgres.Config{URL: r.options.DatabaseURL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if report, err := reseal.Run(t.Context(), pool, next, sealedColumns(), 0); err != nil || report.Done != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	if err := PruneKeys(t.Context(), r.options, &out); err != nil {
		t.Fatal(err)
	}
	if keys := r.keys().Keys(); len(keys) != 1 || keys[0].ID != rotation.New {
		t.Errorf("%+v", keys)
	}
}

// A key that was only just replaced may still be needed for kept answers.
func TestPruneKeepsYoungKeys(t *testing.T) {
	t.Parallel()
	replaced := time.Now()
	keys := []secret.KeyInfo{{ID: 1, Until: replaced}, {ID: 2, From: replaced}}
	for after, want := range map[time.Duration]int{time.Minute: 0, 23 * time.Hour: 0, 25 * time.Hour: 1, -time.Minute: 0} {
		if remove, _ := prunable(keys, nil, replaced.Add(after)); len(remove) != want {
			t.Errorf("%s later: %v", after, remove)
		}
	}
	remove, keep := prunable(keys, []reseal.Count{{Table: "rpc.idempotency_keys", Column: "response", KeyID: 1, Rows: 3}}, replaced.Add(25*time.Hour))
	if len(remove) != 0 || len(keep) != 1 || !strings.Contains(keep[0], "3 in rpc.idempotency_keys") {
		t.Errorf("%v %v", remove, keep)
	}
}
