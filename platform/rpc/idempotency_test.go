package rpc_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/jackc/pgx/v5/pgxpool"

	probev1 "github.com/mindspace-app/mindspace/gen/go/mindspace/probe/v1"
	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
	"github.com/mindspace-app/mindspace/platform/rpc"
	"github.com/mindspace-app/mindspace/platform/secret"
)

// keyedRig is a server that keeps answers, by a clock.
func keyedRig(t *testing.T, pool *pgxpool.Pool, now func() time.Time) *rig {
	t.Helper()
	keys, err := secret.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	return newRig(t, func(o *rpc.Options) { o.Answers = rpc.NewAnswers(pool, keys.AEAD(), now, o.Logger) })
}

// keyed calls with an Idempotency-Key and tells whether the answer was a replay.
func keyed(ctx context.Context, r *rig, key, text string) (run int32, replayed bool, err error) {
	ctx, info := connect.NewClientContext(ctx)
	if key != "" {
		info.RequestHeader().Set("Idempotency-Key", key)
	}
	res, err := r.client("user").Keyed(ctx, &probev1.KeyedRequest{Text: text})
	return res.GetRun(), info.ResponseHeader().Get("Idempotency-Replayed") == "true", err
}

func TestRetryGetsTheFirstAnswer(t *testing.T) {
	t.Parallel()
	r := keyedRig(t, pgtest.New(t, migrations.FS), time.Now)
	run, replayed, err := keyed(t.Context(), r, "k1", "a")
	if err != nil || run != 1 || replayed {
		t.Fatalf("first: run %d, replayed %v, %v", run, replayed, err)
	}
	run, replayed, err = keyed(t.Context(), r, "k1", "a")
	if err != nil || run != 1 || !replayed {
		t.Errorf("retry: run %d, replayed %v, %v; want the first answer", run, replayed, err)
	}
	if _, _, err = keyed(t.Context(), r, "k1", "b"); connect.CodeOf(err) != connect.CodeInvalidArgument || reason(t, err) != "IDEMPOTENCY_KEY_REUSED" {
		t.Errorf("same key, other request: %v", err)
	}
	if run, _, err = keyed(t.Context(), r, "k2", "a"); err != nil || run != 2 {
		t.Errorf("another key: run %d, %v", run, err)
	}
	if run, _, err = keyed(t.Context(), r, "", "a"); err != nil || run != 3 {
		t.Errorf("no key: run %d, %v", run, err)
	}
	if _, _, err = keyed(t.Context(), r, strings.Repeat("k", 129), "a"); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("key too long: %v", err)
	}
}

func TestFailedCallMayBeRetried(t *testing.T) {
	t.Parallel()
	r := keyedRig(t, pgtest.New(t, migrations.FS), time.Now)
	r.probe.fail = func(context.Context) error { return errors.New("down") }
	if _, _, err := keyed(t.Context(), r, "k", "a"); err == nil {
		t.Fatal("want the failure")
	}
	r.probe.fail = func(context.Context) error { panic("down") }
	if _, _, err := keyed(t.Context(), r, "k", "a"); connect.CodeOf(err) != connect.CodeInternal {
		t.Fatalf("got %v, want the panic hidden", err)
	}
	r.probe.fail = nil
	if run, replayed, err := keyed(t.Context(), r, "k", "a"); err != nil || run != 3 || replayed {
		t.Errorf("retry after a failure and a panic: run %d, replayed %v, %v; want a third run", run, replayed, err)
	}
}

func TestConcurrentRetriesRunOnce(t *testing.T) {
	t.Parallel()
	r := keyedRig(t, pgtest.New(t, migrations.FS), time.Now)
	r.probe.hold = make(chan struct{})
	const callers = 20
	errs := make(chan error, callers)
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			_, _, err := keyed(t.Context(), r, "k", "a")
			errs <- err
		})
	}
	for range callers - 1 { // all but the one that runs are told to wait
		err := <-errs
		if connect.CodeOf(err) != connect.CodeAborted || reason(t, err) != "IDEMPOTENCY_KEY_IN_USE" {
			t.Errorf("got %v, want aborted", err)
		}
	}
	close(r.probe.hold)
	all.Wait()
	if err := <-errs; err != nil {
		t.Errorf("the one that ran: %v", err)
	}
	if n := r.probe.runs.Load(); n != 1 {
		t.Errorf("the method ran %d times", n)
	}
}

func TestAbandonedAndExpiredKeysRunAgain(t *testing.T) {
	t.Parallel()
	pool, now := pgtest.New(t, migrations.FS), time.Now()
	r := keyedRig(t, pool, func() time.Time { return now })
	if _, _, err := keyed(t.Context(), r, "k", "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), "UPDATE rpc.idempotency_keys SET response = NULL"); err != nil { // its process died
		t.Fatal(err)
	}
	if _, _, err := keyed(t.Context(), r, "k", "a"); connect.CodeOf(err) != connect.CodeAborted {
		t.Errorf("while it may still run: %v", err)
	}
	now = now.Add(3 * time.Minute)
	if run, _, err := keyed(t.Context(), r, "k", "a"); err != nil || run != 2 {
		t.Errorf("abandoned: run %d, %v", run, err)
	}
	now = now.Add(25 * time.Hour)
	if run, _, err := keyed(t.Context(), r, "k", "b"); err != nil || run != 3 {
		t.Errorf("expired: run %d, %v", run, err)
	}
}

func TestKeptAnswersAreEncrypted(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t, migrations.FS)
	r := keyedRig(t, pool, time.Now)
	if _, _, err := keyed(t.Context(), r, "k", "a"); err != nil {
		t.Fatal(err)
	}
	var size int
	if err := pool.QueryRow(t.Context(), "SELECT length(response) FROM rpc.idempotency_keys").Scan(&size); err != nil {
		t.Fatal(err)
	}
	if size < 28 { // a nonce and a tag around two bytes of protobuf
		t.Errorf("the kept answer has %d bytes: it is not encrypted", size)
	}
	if _, err := pool.Exec(t.Context(), "UPDATE rpc.idempotency_keys SET key = 'other'"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := keyed(t.Context(), r, "other", "a"); connect.CodeOf(err) != connect.CodeInternal {
		t.Errorf("an answer moved to another key opened: %v", err)
	}
}
