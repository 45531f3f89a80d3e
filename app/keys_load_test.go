package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/jobs"
	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
	"github.com/mindspace-app/mindspace/platform/queue"
	"github.com/mindspace-app/mindspace/platform/reseal"
	"github.com/mindspace-app/mindspace/platform/secret"
	"github.com/mindspace-app/mindspace/services/user"
)

// profiles are people with health profiles, and processes that read and write them.
type profiles struct {
	t      *testing.T
	pool   *pgxpool.Pool
	column reseal.Column
	ids    []uuid.UUID
	latest []int64 // the revision of each; a writer changes its own people only
	failed atomic.Pointer[error]
	reads  atomic.Int64
	writes atomic.Int64
}

// healthText is a profile that says whose it is and which revision.
type healthText struct {
	Person   int    `json:"person"`
	Revision int64  `json:"revision"`
	Text     string `json:"text"`
}

func (p *profiles) seal(k *secret.Keyring, i int, revision int64) ([]byte, error) {
	text, err := json.Marshal(healthText{Person: i, Revision: revision, Text: "what is no business of anyone else's, at the length of a usual profile: " + uuid.Nil.String()})
	if err != nil {
		return nil, err
	}
	bound, err := p.column.Bound([]string{p.ids[i].String()})
	if err != nil {
		return nil, err
	}
	return k.Seal(text, bound)
}

// check opens a value, which has to say what it should.
func (p *profiles) check(k *secret.Keyring, i int, sealed []byte, revision int64) error {
	bound, err := p.column.Bound([]string{p.ids[i].String()})
	if err != nil {
		return err
	}
	plain, err := k.Open(sealed, bound)
	if err != nil {
		return err
	}
	var c healthText
	if err := json.Unmarshal(plain, &c); err != nil || c.Person != i || c.Revision != revision {
		return fmt.Errorf("person %d at revision %d opens as %d at %d (%w)", i, revision, c.Person, c.Revision, err)
	}
	return nil
}

func (p *profiles) fill(k *secret.Keyring, n int) {
	p.t.Helper()
	p.ids, p.latest = make([]uuid.UUID, n), make([]int64, n)
	for i := range p.ids {
		p.ids[i], p.latest[i] = uuid.New(), 1
	}
	copied, err := p.pool.CopyFrom(p.t.Context(), pgx.Identifier{"users", "health_profiles"}, []string{"user_id", "sealed", "revision", "updated_at"},
		pgx.CopyFromSlice(n, func(i int) ([]any, error) {
			sealed, err := p.seal(k, i, 1)
			return []any{p.ids[i], sealed, int64(1), time.Now()}, err
		}))
	if err != nil || copied != int64(n) {
		p.t.Fatalf("copied %d: %v", copied, err)
	}
}

// until works until ctx ends or something fails, which is kept.
func (p *profiles) until(ctx context.Context, work func() error) {
	for ctx.Err() == nil {
		if err := work(); err != nil {
			p.failed.CompareAndSwap(nil, &err)
			return
		}
	}
}

func (p *profiles) read(k *secret.Keyring) error {
	i := rand.IntN(len(p.ids))
	var sealed []byte
	var revision int64
	err := p.pool.QueryRow(context.Background(), "SELECT sealed, revision FROM users.health_profiles WHERE user_id = $1", p.ids[i]).Scan(&sealed, &revision)
	if err != nil {
		return err
	}
	p.reads.Add(1)
	return p.check(k, i, sealed, revision)
}

// write changes one of the people whose number leaves rest when divided by all.
func (p *profiles) write(k *secret.Keyring, rest, all int) error {
	i := rand.IntN(len(p.ids)/all)*all + rest
	sealed, err := p.seal(k, i, p.latest[i]+1)
	if err != nil {
		return err
	}
	tag, err := p.pool.Exec(context.Background(), "UPDATE users.health_profiles SET sealed = $2, revision = $3 WHERE user_id = $1", p.ids[i], sealed, p.latest[i]+1)
	if err != nil || tag.RowsAffected() != 1 {
		return fmt.Errorf("%d rows written: %w", tag.RowsAffected(), err)
	}
	p.latest[i]++
	p.writes.Add(1)
	return nil
}

// left counts the values that are not under a key.
func (p *profiles) left(key uint32) (rows int64) {
	p.t.Helper()
	counts, err := reseal.Remaining(p.t.Context(), p.pool, []reseal.Column{p.column})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, c := range counts {
		if c.KeyID != key {
			rows += c.Rows
		}
	}
	return rows
}

// One hundred thousand profiles are encrypted under a new key while two processes read and write them, without one error.
func TestKeysAreRotatedUnderLoad(t *testing.T) {
	t.Parallel()
	const people, writers = 100_000, 2
	url, file, quiet := pgtest.URL(t, migrations.FS), filepath.Join(t.TempDir(), "keyring.json"), slog.New(slog.DiscardHandler)
	if err := CreateKeys(file); err != nil {
		t.Fatal(err)
	}
	pool, err := postgres.Open(t.Context(), postgres.Config{URL: url, MaxConns: 12})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	p := &profiles{t: t, pool: pool, column: user.Sealed()[0]}

	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer func() { stop(); running.Wait() }()
	var processes [2]*secret.Keyring
	for i := range processes {
		if processes[i], err = secret.Load("", file); err != nil {
			t.Fatal(err)
		}
	}
	p.fill(processes[0], people)
	for i, keys := range processes {
		running.Go(func() { _ = keys.Follow(ctx, quiet) })
		running.Go(func() { p.until(ctx, func() error { return p.write(keys, i, writers) }) })
		running.Go(func() { p.until(ctx, func() error { return p.read(keys) }) })
	}
	workers := jobs.Workers(jobs.Needs{Pool: pool, Keyring: processes[1], Sealed: sealedColumns(), Logger: quiet})
	client, err := queue.NewWorker(pool, queue.Config{Workers: workers, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = queue.Stop(context.Background(), client, time.Second) })

	var said bytes.Buffer
	if err := RotateKeys(t.Context(), KeysOptions{KeysFile: file, DatabaseOptions: DatabaseOptions{DatabaseURL: url}}, RotateOptions{ActivateIn: minNotice}, &said); err != nil {
		t.Fatal(err)
	}
	p.awaitRotation(file)
	stop()
	running.Wait()
	if failure := p.failed.Load(); failure != nil {
		t.Fatalf("after %d reads and %d writes: %v", p.reads.Load(), p.writes.Load(), *failure)
	}
	p.checkAll(file)
}

// awaitRotation waits until everything is under the newest key.
func (p *profiles) awaitRotation(file string) {
	p.t.Helper()
	keys, err := secret.Load("", file)
	if err != nil {
		p.t.Fatal(err)
	}
	all := keys.Keys()
	newest := all[len(all)-1]
	var begun time.Time
	for deadline := time.Now().Add(2 * time.Minute); ; {
		left := p.left(newest.ID)
		if begun.IsZero() && left < int64(len(p.ids))*9/10 {
			begun = time.Now()
		}
		if left == 0 || p.failed.Load() != nil {
			p.t.Logf("the last nine tenths of %d values took %s beside %d reads and %d writes in all", len(p.ids), time.Since(begun).Round(time.Millisecond), p.reads.Load(), p.writes.Load())
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%d values are left", left)
		}
		select {
		case <-p.t.Context().Done():
			p.t.Fatal("ended")
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// checkAll opens every profile in a process that has just started: it says what was written last, and is under the newest key.
func (p *profiles) checkAll(file string) {
	p.t.Helper()
	keys, err := secret.Load("", file)
	if err != nil {
		p.t.Fatal(err)
	}
	index := map[uuid.UUID]int{}
	for i, id := range p.ids {
		index[id] = i
	}
	rows, err := p.pool.Query(p.t.Context(), "SELECT user_id, sealed, revision FROM users.health_profiles")
	if err != nil {
		p.t.Fatal(err)
	}
	defer rows.Close()
	seen := 0
	for rows.Next() {
		var id uuid.UUID
		var sealed []byte
		var revision int64
		if err := rows.Scan(&id, &sealed, &revision); err != nil {
			p.t.Fatal(err)
		}
		i := index[id]
		if key, _ := secret.KeyOf(sealed); key != keys.PrimaryID() || revision != p.latest[i] {
			p.t.Fatalf("person %d is under the key %d at revision %d; %d was written last", i, key, revision, p.latest[i])
		}
		if err := p.check(keys, i, sealed, revision); err != nil {
			p.t.Fatal(err)
		}
		seen++
	}
	if err := rows.Err(); err != nil || seen != len(p.ids) {
		p.t.Fatalf("%d profiles: %v", seen, err)
	}
	if p.writes.Load() == 0 || p.reads.Load() == 0 {
		p.t.Error("nobody read or wrote meanwhile")
	}
}
