package audit_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
)

func (f *fixture) seal(tb testing.TB, batch int) int {
	tb.Helper()
	n, err := audit.Seal(context.Background(), f.pool, batch)
	if err != nil {
		tb.Fatalf("Seal: %v", err)
	}
	return n
}

func (f *fixture) verify(tb testing.TB) audit.Report {
	tb.Helper()
	r, err := audit.Verify(context.Background(), f.pool)
	if err != nil {
		tb.Fatalf("Verify: %v", err)
	}
	return r
}

// unlock takes the triggers away, as someone who owns the tables could.
func (f *fixture) unlock(tb testing.TB) {
	tb.Helper()
	f.exec(tb, `ALTER TABLE audit.records DISABLE TRIGGER ALL; ALTER TABLE audit.links DISABLE TRIGGER ALL`)
}

// waitForLock waits until a session of the database waits for a lock.
func (f *fixture) waitForLock(tb testing.TB) {
	tb.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); f.count(tb, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 0; <-tick.C {
		if time.Now().After(deadline) {
			tb.Fatal("nobody waits for a lock")
		}
	}
}

func TestSealAppendsInOrderAndInBatches(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := context.Background()
	if n := f.seal(t, 10); n != 0 {
		t.Fatalf("sealed %d records of none", n)
	}
	if r := f.verify(t); !r.Intact() || r.Sealed != 0 || r.Unsealed != 0 {
		t.Fatalf("an empty chain gives %+v", r)
	}
	var ids []uuid.UUID
	for i := range 5 {
		ids = append(ids, f.record(ctx, t, published(fmt.Sprint(i))))
	}
	for _, want := range []int{2, 2, 1, 0} {
		if n := f.seal(t, 2); n != want {
			t.Fatalf("sealed %d, want %d", n, want)
		}
	}
	rows, err := f.pool.Query(ctx, `SELECT record_id FROM audit.links ORDER BY seq`)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(sealed) != fmt.Sprint(ids) {
		t.Errorf("sealed in the order %v, want %v", sealed, ids)
	}
	r := f.verify(t)
	seq, hash, err := audit.Head(ctx, f.pool)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Intact() || r.Sealed != 5 || r.Unsealed != 0 || seq != 5 || string(hash) != string(r.Head) {
		t.Errorf("report %+v, head %d %x", r, seq, hash)
	}
	for _, batch := range []int{0, -1, 1 << 20} {
		if _, err := audit.Seal(ctx, f.pool, batch); err == nil {
			t.Errorf("a batch of %d was accepted", batch)
		}
	}
}

func TestConcurrentSealsMakeOneChain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := context.Background()
	const writers, sealers, each = 3, 4, 30
	var writing, sealing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				e := changed(uuid.Must(uuid.NewV7()), nil, fmt.Sprint(w, i))
				if err := postgres.InTx(ctx, f.pool, func(tx pgx.Tx) error { return f.log.Record(ctx, tx, e) }); err != nil {
					t.Errorf("Record: %v", err)
				}
			}
		})
	}
	stop := make(chan struct{})
	totals := make([]int, sealers)
	for s := range sealers {
		sealing.Go(func() {
			for {
				n, err := audit.Seal(ctx, f.pool, 4)
				if err != nil {
					t.Errorf("Seal: %v", err)
					return
				}
				totals[s] += n
				if n == 0 {
					select {
					case <-stop:
						return
					default:
					}
				}
			}
		})
	}
	writing.Wait()
	close(stop)
	sealing.Wait()
	total := 0
	for _, n := range totals {
		total += n
	}
	if r := f.verify(t); !r.Intact() || r.Sealed != writers*each || r.Unsealed != 0 || total != writers*each {
		t.Errorf("sealed %d, report %+v; want %d", total, r, writers*each)
	}
}

func TestLateCommitIsSealedLater(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := context.Background()
	slow, err := f.pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Rollback(ctx) }()
	if err := f.log.Record(ctx, slow, published("late")); err != nil {
		t.Fatal(err)
	}
	f.record(ctx, t, published("early"))
	if n := f.seal(t, 10); n != 1 {
		t.Fatalf("sealed %d records, want the committed one", n)
	}
	if err := slow.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if r := f.verify(t); !r.Intact() || r.Sealed != 1 || r.Unsealed != 1 {
		t.Errorf("before its seal: %+v", r)
	}
	if n := f.seal(t, 10); n != 1 {
		t.Fatalf("sealed %d records, want the late one", n)
	}
	if r := f.verify(t); !r.Intact() || r.Sealed != 2 || r.Unsealed != 0 {
		t.Errorf("after its seal: %+v", r)
	}
}

func TestSealOfTheSamePoolWaitsForTheLock(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := context.Background()
	f.record(ctx, t, published("1"))
	holder, err := f.pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Rollback(ctx) }()
	if _, err := holder.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('mindspace.audit.chain', 0))`); err != nil {
		t.Fatal(err)
	}
	done := make(chan int, 1)
	go func() {
		n, err := audit.Seal(ctx, f.pool, 10)
		if err != nil {
			t.Errorf("Seal: %v", err)
		}
		done <- n
	}()
	f.waitForLock(t)
	if n := f.count(t, `SELECT count(*) FROM audit.links`); n != 0 {
		t.Errorf("%d links were made without the lock", n)
	}
	if err := holder.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if n := <-done; n != 1 {
		t.Errorf("sealed %d", n)
	}
}

// Every way of tampering is found, at the place where it happened.
func TestVerifyNamesTheFirstBreak(t *testing.T) {
	t.Parallel()
	const third = `(SELECT record_id FROM audit.links WHERE seq = 3)`
	change := func(set string) string { return `UPDATE audit.records SET ` + set + ` WHERE id = ` + third }
	cases := map[string]struct {
		tamper string
		seq    int64
		damage audit.Damage
	}{
		"other time":          {change(`recorded_at = recorded_at + interval '1 microsecond'`), 3, audit.DamageChanged},
		"other actor kind":    {change(`actor_kind = 'service'`), 3, audit.DamageChanged},
		"other actor":         {change(`actor_id = 'someone'`), 3, audit.DamageChanged},
		"other roles":         {change(`actor_roles = '{admin,editor}'`), 3, audit.DamageChanged},
		"merged roles":        {change(`actor_roles = '{editoradmin}'`), 3, audit.DamageChanged},
		"other action":        {change(`action = 'content.meditation.archive'`), 3, audit.DamageChanged},
		"other subject type":  {change(`subject_type = 'course'`), 3, audit.DamageChanged},
		"other subject":       {change(`subject_id = '99'`), 3, audit.DamageChanged},
		"other person":        {change(`person_id = gen_random_uuid()`), 3, audit.DamageChanged},
		"other key":           {change(`key_id = gen_random_uuid()`), 3, audit.DamageChanged},
		"other before":        {change(`before = before || '\x00'`), 3, audit.DamageChanged},
		"no before":           {change(`before = NULL`), 3, audit.DamageChanged},
		"empty before":        {change(`before = ''`), 3, audit.DamageChanged},
		"other after":         {change(`after = set_byte(after, 0, (get_byte(after, 0) + 1) % 256)`), 3, audit.DamageChanged},
		"values swapped":      {change(`before = after, after = before`), 3, audit.DamageChanged},
		"other request":       {change(`request_id = 'r4'`), 3, audit.DamageChanged},
		"other network":       {change(`address_prefix = '198.51.101.0/24'`), 3, audit.DamageChanged},
		"no network":          {change(`address_prefix = NULL`), 3, audit.DamageChanged},
		"other id":            {change(`id = gen_random_uuid()`), 3, audit.DamageRecordRemoved},
		"record removed":      {`DELETE FROM audit.records WHERE id = ` + third, 3, audit.DamageRecordRemoved},
		"all records removed": {`DELETE FROM audit.records`, 1, audit.DamageRecordRemoved},
		"link removed":        {`DELETE FROM audit.links WHERE seq = 3`, 3, audit.DamageLinkRemoved},
		"first link removed":  {`DELETE FROM audit.links WHERE seq = 1`, 1, audit.DamageLinkRemoved},
		"last link removed":   {`DELETE FROM audit.links WHERE seq = 6`, 6, audit.DamageLinkRemoved},
		"all links removed":   {`DELETE FROM audit.links`, 1, audit.DamageLinkRemoved},
		"link and record removed": {`WITH l AS (DELETE FROM audit.links WHERE seq = 3 RETURNING record_id)
			DELETE FROM audit.records WHERE id = (SELECT record_id FROM l)`, 3, audit.DamageLinkRemoved},
		"closed up after removal": {`WITH l AS (DELETE FROM audit.links WHERE seq = 3 RETURNING record_id)
			DELETE FROM audit.records WHERE id = (SELECT record_id FROM l);
			UPDATE audit.links SET seq = 3 WHERE seq = 4; UPDATE audit.links SET seq = 4 WHERE seq = 5; UPDATE audit.links SET seq = 5 WHERE seq = 6`, 3, audit.DamageChanged},
		"reordered": {`UPDATE audit.links SET seq = 100 WHERE seq = 3; UPDATE audit.links SET seq = 3 WHERE seq = 4;
			UPDATE audit.links SET seq = 4 WHERE seq = 100`, 3, audit.DamageChanged},
		"records swapped": {`WITH l AS (DELETE FROM audit.links WHERE seq IN (3, 4) RETURNING *)
			INSERT INTO audit.links SELECT 7 - seq, record_id, (SELECT hash FROM l o WHERE o.seq = 7 - l.seq), sealed_at FROM l`, 3, audit.DamageChanged},
		"other hash": {`UPDATE audit.links SET hash = sha256(hash) WHERE seq = 3`, 3, audit.DamageChanged},
		"other end":  {`UPDATE audit.links SET hash = sha256(hash) WHERE seq = 6`, 6, audit.DamageChanged},
		"smuggled in": {`INSERT INTO audit.records (id, actor_kind, actor_id, actor_roles, action, subject_type, subject_id, request_id)
			VALUES (gen_random_uuid(), 'system', '', '{}', 'a.b', 'thing', '1', '')`, 7, audit.DamageLinkRemoved},
		"mark removed":   {`DELETE FROM audit.unsealed`, 7, audit.DamageLinkRemoved},
		"removed before": {`DELETE FROM audit.records WHERE id IN (SELECT record_id FROM audit.unsealed)`, 7, audit.DamageRecordRemoved},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.history(t)
			before := f.verify(t)
			if !before.Intact() || before.Sealed != 6 || before.Unsealed != 1 {
				t.Fatalf("before tampering: %+v", before)
			}
			f.unlock(t)
			f.exec(t, c.tamper)
			r := f.verify(t)
			if r.Intact() {
				t.Fatalf("not noticed: %+v", r)
			}
			if r.Break.Seq != c.seq || r.Break.Damage != c.damage || r.Sealed != c.seq-1 {
				t.Errorf("break %+v after %d links, want seq %d, %s", *r.Break, r.Sealed, c.seq, c.damage)
			}
		})
	}
}

// history makes six sealed records and an unsealed one, of every shape.
func (f *fixture) history(t *testing.T) {
	t.Helper()
	for i := 1; i <= 7; i++ {
		ctx := identity.WithRequest(context.Background(), identity.Request{
			ID: fmt.Sprint("r", i), Address: netip.MustParseAddr("198.51.100.7"),
		})
		ctx = identity.WithCaller(ctx, identity.Caller{Partner: fmt.Sprint("partner", i)})
		if i == 7 {
			f.seal(t, 100)
		}
		f.record(ctx, t, changed(uuid.Must(uuid.NewV7()), fmt.Sprint("before", i), fmt.Sprint("after", i)))
	}
}

func TestVerifyReadsMoreThanOnePage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := context.Background()
	const n = 1101
	err := postgres.InTx(ctx, f.pool, func(tx pgx.Tx) error {
		for i := range n {
			if err := f.log.Record(ctx, tx, published(fmt.Sprint(i))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for f.seal(t, 400) == 400 {
	}
	if r := f.verify(t); !r.Intact() || r.Sealed != n {
		t.Fatalf("report %+v", r)
	}
	f.unlock(t)
	f.exec(t, `DELETE FROM audit.links WHERE seq > 1050`)
	if r := f.verify(t); r.Intact() || r.Break.Seq != 1051 || r.Break.Damage != audit.DamageLinkRemoved {
		t.Fatalf("report %+v", r)
	}
}

// Behind PgBouncer nothing is prepared, and pgx has to guess the types of parameters.
func TestEverythingWorksWithoutPreparedStatements(t *testing.T) {
	t.Parallel()
	pool, err := postgres.Open(context.Background(), postgres.Config{URL: pgtest.URL(t, migrations.FS), MaxConns: 2, Pooler: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	ring := newKeyring(t)
	f := &fixture{pool: pool, ring: ring, log: audit.New(ring)}
	f.history(t)
	plain := f.record(context.Background(), t, published("plain"))
	f.wantSays(t, f.log, plain, `{"state":"draft"}`, `{"state":"published"}`)
	ana := uuid.Must(uuid.NewV7())
	id := f.record(context.Background(), t, changed(ana, "a", "b"))
	f.wantSays(t, f.log, id, `"a"`, `"b"`)
	f.erase(t, ana)
	f.seal(t, 100)
	if r := f.verify(t); !r.Intact() || r.Sealed != 9 || r.Unsealed != 0 {
		t.Errorf("report %+v", r)
	}
}

func TestVerifyFailsWhenTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.pool.Close()
	if _, err := audit.Verify(context.Background(), f.pool); err == nil || !strings.Contains(err.Error(), "verify") {
		t.Errorf("got %v", err)
	}
}
