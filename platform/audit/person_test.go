package audit_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/personal"
	"github.com/mindspace-app/mindspace/platform/postgres"
)

// changed is an entry with personal values.
func changed(person uuid.UUID, before, after any) audit.Entry {
	return audit.Entry{
		Action: "user.profile.update", SubjectType: "user", SubjectID: person.String(),
		Person: person, Before: before, After: after,
	}
}

// eraseIn erases as the program does: by what the package declares.
func eraseIn(ctx context.Context, tx pgx.Tx, person uuid.UUID) error {
	_, err := personal.NewRegistry(audit.Personal()).Erase(ctx, tx, nil, person)
	return err
}

func (f *fixture) erase(tb testing.TB, person uuid.UUID) {
	tb.Helper()
	ctx := context.Background()
	if err := postgres.InTx(ctx, f.pool, func(tx pgx.Tx) error { return eraseIn(ctx, tx, person) }); err != nil {
		tb.Fatalf("erase: %v", err)
	}
}

// wantSays fails unless the record reveals these values.
func (f *fixture) wantSays(tb testing.TB, l *audit.Log, id uuid.UUID, before, after string) {
	tb.Helper()
	gotBefore, gotAfter, err := l.Reveal(context.Background(), f.pool, id)
	if err != nil {
		tb.Fatalf("Reveal: %v", err)
	}
	if string(gotBefore) != before || string(gotAfter) != after {
		tb.Errorf("the record says %s and %s, want %s and %s", gotBefore, gotAfter, before, after)
	}
}

func TestPersonalValuesAreEncryptedUnderOneKeyAPerson(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := context.Background()
	ana, boris := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	first := f.record(ctx, t, changed(ana, map[string]any{"condition": "thrombosis"}, map[string]any{"condition": "none"}))
	second := f.record(ctx, t, changed(ana, nil, map[string]any{"condition": "thrombosis"}))
	third := f.record(ctx, t, changed(boris, nil, map[string]any{"condition": "thrombosis"}))

	f.wantSays(t, f.log, first, `{"condition":"thrombosis"}`, `{"condition":"none"}`)
	f.wantSays(t, f.log, second, ``, `{"condition":"thrombosis"}`)
	f.wantSays(t, f.log, third, ``, `{"condition":"thrombosis"}`)
	if n := f.count(t, `SELECT count(*) FROM audit.person_keys`); n != 2 {
		t.Errorf("%d keys for two persons", n)
	}
	if n := f.count(t, `SELECT count(DISTINCT after) FROM audit.records WHERE id = ANY($1)`, []uuid.UUID{second, third}); n != 2 {
		t.Error("equal values of two persons are equal when encrypted")
	}
	if n := f.count(t, `SELECT count(*) FROM audit.records WHERE position('thrombosis'::bytea IN coalesce(before, '') || coalesce(after, '')) > 0`); n != 0 {
		t.Errorf("%d records hold the value in clear", n)
	}
	// The wrapped key must not be the key: the keyring is needed.
	if _, _, err := audit.New(newKeyring(t)).Reveal(ctx, f.pool, first); err == nil || errors.Is(err, audit.ErrErased) {
		t.Errorf("another keyring gives %v", err)
	}
}

func TestPersonWithoutValuesNeedsNoKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.record(context.Background(), t, changed(uuid.Must(uuid.NewV7()), nil, nil))
	f.wantSays(t, f.log, id, "", "")
	if n := f.count(t, `SELECT count(*) FROM audit.person_keys`); n != 0 {
		t.Errorf("%d keys", n)
	}
}

func TestErasureMakesRecordsUnreadableAndKeepsTheChain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := context.Background()
	ana, boris := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	old := f.record(ctx, t, changed(ana, "private", "secret"))
	other := f.record(ctx, t, changed(boris, "b", "c"))
	f.seal(t, 10)
	f.erase(t, ana)
	f.erase(t, ana) // nothing left to erase is no error
	f.erase(t, uuid.New())

	if before, after, err := f.log.Reveal(ctx, f.pool, old); !errors.Is(err, audit.ErrErased) || before != nil || after != nil {
		t.Errorf("after the erasure: %s, %s, %v; want ErrErased", before, after, err)
	}
	f.wantSays(t, f.log, other, `"b"`, `"c"`)

	// Ana comes back: new records can be read, the old ones stay erased.
	fresh := f.record(ctx, t, changed(ana, nil, "new"))
	f.wantSays(t, f.log, fresh, "", `"new"`)
	if _, _, err := f.log.Reveal(ctx, f.pool, old); !errors.Is(err, audit.ErrErased) {
		t.Errorf("after the return: %v; want ErrErased", err)
	}
	f.seal(t, 10)
	if r := f.verify(t); !r.Intact() || r.Sealed != 3 {
		t.Errorf("report %+v", r)
	}
}

func TestErasureRollsBackWithItsTransaction(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := context.Background()
	ana := uuid.Must(uuid.NewV7())
	id := f.record(ctx, t, changed(ana, nil, "kept"))
	undo := errors.New("undo")
	err := postgres.InTx(ctx, f.pool, func(tx pgx.Tx) error {
		if err := eraseIn(ctx, tx, ana); err != nil {
			return err
		}
		return undo
	})
	if !errors.Is(err, undo) {
		t.Fatal(err)
	}
	f.wantSays(t, f.log, id, "", `"kept"`)
}

func TestRevealOfNoRecordIsNotFound(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if _, _, err := f.log.Reveal(context.Background(), f.pool, uuid.New()); fault.KindOf(err) != fault.KindNotFound {
		t.Errorf("got %v, want a fault of kind NotFound", err)
	}
}

func TestOldRecordsOpenAfterTheKeyringRotated(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ana := uuid.Must(uuid.NewV7())
	old := f.record(context.Background(), t, changed(ana, nil, "old"))
	rotated, err := f.ring.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	f.log = audit.New(rotated)
	fresh := f.record(context.Background(), t, changed(ana, nil, "new"))
	f.wantSays(t, f.log, old, "", `"old"`)
	f.wantSays(t, f.log, fresh, "", `"new"`)
}

// Values that were moved to another field or record, and keys that were moved to another person, do not open.
func TestMovedCiphertextDoesNotOpen(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := context.Background()
	ana, boris := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	first := f.record(ctx, t, changed(ana, "a", "b"))
	second := f.record(ctx, t, changed(ana, "c", "d"))
	third := f.record(ctx, t, changed(boris, "e", "f"))
	f.unlock(t)

	f.exec(t, `UPDATE audit.records SET before = after, after = before WHERE id = $1`, first)
	if _, _, err := f.log.Reveal(ctx, f.pool, first); err == nil || !strings.Contains(err.Error(), "changed") {
		t.Errorf("swapped fields: %v", err)
	}
	f.exec(t, `UPDATE audit.records r SET after = o.after FROM audit.records o WHERE r.id = $1 AND o.id = $2`, second, first)
	if _, _, err := f.log.Reveal(ctx, f.pool, second); err == nil || !strings.Contains(err.Error(), "changed") {
		t.Errorf("a value of another record: %v", err)
	}
	f.exec(t, `UPDATE audit.person_keys k SET wrapped_key = o.wrapped_key FROM audit.person_keys o WHERE k.person_id = $1 AND o.person_id = $2`, boris, ana)
	if _, _, err := f.log.Reveal(ctx, f.pool, third); err == nil || errors.Is(err, audit.ErrErased) {
		t.Errorf("a key of another person: %v", err)
	}
}

func TestFirstUseByManyAtOnceMakesOneKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := context.Background()
	ana := uuid.Must(uuid.NewV7())
	const writers = 6
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			err := postgres.InTx(ctx, f.pool, func(tx pgx.Tx) error { return f.log.Record(ctx, tx, changed(ana, nil, "x")) })
			if err != nil {
				t.Errorf("Record: %v", err)
			}
		})
	}
	wg.Wait()
	rows, err := f.pool.Query(ctx, `SELECT id FROM audit.records`)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil || len(ids) != writers {
		t.Fatalf("%d records, %v", len(ids), err)
	}
	for _, id := range ids {
		f.wantSays(t, f.log, id, "", `"x"`)
	}
	if n := f.count(t, `SELECT count(*) FROM audit.person_keys`); n != 1 {
		t.Errorf("%d keys for one person", n)
	}
}

// A transaction that found another's key not yet committed waits for it, and makes its own when that one rolls back.
func TestFirstUseWhileAnotherRollsBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := context.Background()
	ana := uuid.Must(uuid.NewV7())
	first, err := f.pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Rollback(ctx) }()
	if err := f.log.Record(ctx, first, changed(ana, nil, "lost")); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- postgres.InTx(ctx, f.pool, func(tx pgx.Tx) error { return f.log.Record(ctx, tx, changed(ana, nil, "kept")) })
	}()
	f.waitForLock(t)
	if err := first.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatalf("Record: %v", err)
	}
	var id uuid.UUID
	if err := f.pool.QueryRow(ctx, `SELECT id FROM audit.records`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	f.wantSays(t, f.log, id, "", `"kept"`)
}

func TestEqualValuesOfOnePersonDifferWhenEncrypted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ana := uuid.Must(uuid.NewV7())
	id := f.record(context.Background(), t, changed(ana, "same", "same"))
	var before, after []byte
	if err := f.pool.QueryRow(context.Background(), `SELECT before, after FROM audit.records WHERE id = $1`, id).Scan(&before, &after); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(before, after) || bytes.Equal(before[:12], after[:12]) {
		t.Error("the nonce is used twice")
	}
}
