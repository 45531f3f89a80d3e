package password

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/alexedwards/argon2id"
	"golang.org/x/crypto/argon2"

	"github.com/mindspace-app/mindspace/platform/fault"
)

// cheap makes hashes in microseconds.
var cheap = argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

func newHasher(t *testing.T, params argon2id.Params, concurrency int) *Hasher {
	t.Helper()
	h, err := New(params, concurrency)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHashAndVerify(t *testing.T) {
	t.Parallel()
	h, ctx := newHasher(t, Parameters(), 0), t.Context()
	hash, err := h.Hash(ctx, "violet kettle caf\u00e9")
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("hash %q, %v", hash, err)
	}
	if another, err := h.Hash(ctx, "violet kettle caf\u00e9"); err != nil || another == hash {
		t.Errorf("two hashes have one salt (%v)", err)
	}
	for typed, want := range map[string]bool{"violet kettle caf\u00e9": true, "violet kettle cafe\u0301": true, "violet kettle cafe": false, "": false} {
		ok, outdated, err := h.Verify(ctx, typed, hash)
		if ok != want || outdated || err != nil {
			t.Errorf("%q: ok %v, outdated %v, %v", typed, ok, outdated, err)
		}
	}
}

func TestRaisedParametersOutdateHashes(t *testing.T) {
	t.Parallel()
	ctx, old := t.Context(), newHasher(t, cheap, 1)
	hash, err := old.Hash(ctx, "violet kettle")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*argon2id.Params){
		"memory":      func(p *argon2id.Params) { p.Memory *= 2 },
		"iterations":  func(p *argon2id.Params) { p.Iterations++ },
		"parallelism": func(p *argon2id.Params) { p.Parallelism++ },
		"salt":        func(p *argon2id.Params) { p.SaltLength *= 2 },
		"key":         func(p *argon2id.Params) { p.KeyLength *= 2 },
	} {
		params := cheap
		change(&params)
		h := newHasher(t, params, 1)
		if ok, outdated, err := h.Verify(ctx, "violet kettle", hash); !ok || !outdated || err != nil {
			t.Errorf("%s: ok %v, outdated %v, %v", name, ok, outdated, err)
		}
		if ok, outdated, err := h.Verify(ctx, "wrong", hash); ok || outdated || err != nil {
			t.Errorf("%s: a wrong password: ok %v, outdated %v, %v", name, ok, outdated, err)
		}
		fresh, err := h.Hash(ctx, "violet kettle")
		if err != nil {
			t.Fatal(err)
		}
		if ok, outdated, err := h.Verify(ctx, "violet kettle", fresh); !ok || outdated || err != nil {
			t.Errorf("%s: made anew: ok %v, outdated %v, %v", name, ok, outdated, err)
		}
	}
}

func TestNobodyIsTheDummy(t *testing.T) {
	t.Parallel()
	h := newHasher(t, Parameters(), 1)
	params, err := decode(h.dummy)
	if err != nil || params != Parameters() {
		t.Errorf("the hash costs %+v, %v", params, err)
	}
	for _, typed := range []string{"", "violet kettle"} {
		if err := h.Dummy(t.Context(), typed); err != nil {
			t.Errorf("%q: %v", typed, err)
		}
	}
}

func TestAbsurdHashesAreRefused(t *testing.T) {
	t.Parallel()
	h := newHasher(t, cheap, 1)
	good, err := h.Hash(t.Context(), "violet kettle")
	if err != nil {
		t.Fatal(err)
	}
	for name, hash := range map[string]string{
		"empty":          "",
		"not a hash":     "violet kettle",
		"bcrypt":         "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"argon2i":        strings.Replace(good, "argon2id", "argon2i", 1),
		"version":        strings.Replace(good, "v=19", "v=16", 1),
		"no memory":      strings.Replace(good, "m=64", "m=0", 1),
		"little memory":  strings.Replace(good, "m=64", "m=7", 1),
		"a terabyte":     strings.Replace(good, "m=64", "m=1073741824", 1),
		"no iterations":  strings.Replace(good, "t=1", "t=0", 1),
		"iterations":     strings.Replace(good, "t=1", "t=4000000000", 1),
		"no lanes":       strings.Replace(good, "p=1", "p=0", 1),
		"lanes":          strings.Replace(good, "p=1", "p=255", 1),
		"below zero":     strings.Replace(good, "m=64", "m=-64", 1),
		"short salt":     "$argon2id$v=19$m=64,t=1,p=1$AAAA$" + strings.Repeat("A", 43),
		"no key":         good[:strings.LastIndexByte(good, '$')+1],
		"cut":            good[:len(good)-30],
		"long key":       good + strings.Repeat("A", 4000),
		"something more": good + "$",
	} {
		if _, _, err := h.Verify(t.Context(), "violet kettle", hash); err == nil || fault.KindOf(err) != fault.KindInternal {
			t.Errorf("%s: %v", name, err)
		} else if hash != "" && strings.Contains(err.Error(), hash) {
			t.Errorf("%s: the error quotes the hash: %v", name, err)
		}
	}
	if _, err := New(argon2id.Params{}, 1); err == nil {
		t.Error("a hasher without parameters was made")
	}
}

func TestFewAtOnceAndFewWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const concurrency = 3
		h := newHasher(t, cheap, concurrency)
		var running, most, done atomic.Int64
		release := make(chan struct{})
		var all sync.WaitGroup
		for range concurrency + maxWaiting {
			all.Go(func() {
				err := h.inTurn(t.Context(), func() error {
					most.Store(max(most.Load(), running.Add(1)))
					<-release
					running.Add(-1)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
				done.Add(1)
			})
		}
		synctest.Wait()
		if n := running.Load(); n != concurrency {
			t.Errorf("%d are running, want %d", n, concurrency)
		}
		for name, call := range calls(h) {
			f, ok := fault.As(call(t.Context()))
			if !ok || f.Kind() != fault.KindUnavailable || f.Reason() != "BUSY" || f.RetryAfter() != busyFor {
				t.Errorf("%s: one more than may wait: %v", name, f)
			}
		}
		close(release)
		all.Wait()
		if n := done.Load(); n != concurrency+maxWaiting || most.Load() != concurrency {
			t.Errorf("%d calls were done, %d of them at once", n, most.Load())
		}
		if h.waiting.Load() != 0 || len(h.turns) != 0 {
			t.Errorf("%d still wait, %d turns are still taken", h.waiting.Load(), len(h.turns))
		}
	})
}

func TestWaitingEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(t, cheap, 1)
		h.turns <- struct{}{} // someone is at work
		for name, call := range calls(h) {
			ctx, cancel := context.WithCancel(t.Context())
			answer := make(chan error, 1)
			go func() { answer <- call(ctx) }()
			synctest.Wait()
			if h.waiting.Load() != 1 {
				t.Errorf("%s: %d wait, want 1", name, h.waiting.Load())
			}
			cancel()
			if err := <-answer; !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
			if h.waiting.Load() != 0 {
				t.Errorf("%s: it still waits", name)
			}
		}
		<-h.turns
		for name, call := range calls(h) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := call(ctx); !errors.Is(err, context.Canceled) || len(h.turns) != 0 {
				t.Errorf("%s: work for a caller who is gone: %v", name, err)
			}
		}
	})
}

// calls are the ways in; the hash belongs to no password.
func calls(h *Hasher) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"hash":   func(ctx context.Context) error { _, err := h.Hash(ctx, "violet kettle"); return err },
		"verify": func(ctx context.Context) error { _, _, err := h.Verify(ctx, "violet kettle", h.dummy); return err },
		"dummy":  func(ctx context.Context) error { return h.Dummy(ctx, "violet kettle") },
	}
}

// BenchmarkParameters tells what one hash costs, to calibrate [Parameters].
func BenchmarkParameters(b *testing.B) {
	for name, params := range map[string]argon2id.Params{
		"19MiB,t2": Parameters(),
		"46MiB,t1": {Memory: 46 << 10, Iterations: 1, Parallelism: 1},
		"64MiB,t1": {Memory: 64 << 10, Iterations: 1, Parallelism: 1},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				argon2.IDKey([]byte("violet kettle"), []byte("0123456789abcdef"), params.Iterations, params.Memory, params.Parallelism, 32)
			}
		})
	}
}

// BenchmarkRate compares the hasher with bare hashes, at the same concurrency.
func BenchmarkRate(b *testing.B) {
	p := Parameters()
	h, err := New(p, 0)
	if err != nil {
		b.Fatal(err)
	}
	hash, err := h.Hash(b.Context(), "violet kettle")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("bare", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				argon2.IDKey([]byte("violet kettle"), []byte("0123456789abcdef"), p.Iterations, p.Memory, p.Parallelism, p.KeyLength)
			}
		})
	})
	b.Run("hasher", func(b *testing.B) {
		b.SetParallelism(64 / runtime.GOMAXPROCS(0))
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if ok, _, err := h.Verify(context.Background(), "violet kettle", hash); !ok || err != nil {
					b.Errorf("ok %v, %v", ok, err)
				}
			}
		})
	})
}
