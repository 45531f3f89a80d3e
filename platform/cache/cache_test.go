package cache_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mindspace-app/mindspace/platform/cache"
	"github.com/mindspace-app/mindspace/platform/fault"
)

// alone makes a store without Redis.
func alone(tb testing.TB, change ...func(*cache.Config)) (*cache.Store, *prometheus.Registry) {
	tb.Helper()
	registry := prometheus.NewRegistry()
	cfg := cache.Config{Registry: registry}
	for _, f := range change {
		f(&cfg)
	}
	return cache.NewStore(nil, cfg), registry
}

func TestGetLoadsOnceAndThenHits(t *testing.T) {
	t.Parallel()
	s, registry := alone(t)
	c := cache.New(s, cache.Options[string]{Name: "test"})
	var src source
	src.set("a", "1")
	for range 3 {
		if v := get(t, c, &src, "a"); v != "1" {
			t.Fatalf("got %q", v)
		}
	}
	src.set("a", "2")
	c.Invalidate(context.Background()) // no keys
	if v := get(t, c, &src, "a"); v != "1" {
		t.Errorf("a cached value changed to %q by itself", v)
	}
	c.Invalidate(context.Background(), "a", "absent")
	if v := get(t, c, &src, "a"); v != "2" {
		t.Errorf("after the invalidation got %q", v)
	}
	if n := src.loads.Load(); n != 2 {
		t.Errorf("%d loads, want 2", n)
	}
	for result, want := range map[string]float64{"l1_hit": 3, "miss": 2, "l2_hit": 0, "error": 0} {
		if n := metric(t, registry, counterCalled, "test", result); n != want {
			t.Errorf("%s = %v, want %v", result, n, want)
		}
	}
	if n := metric(t, registry, "invalidations_total", "test", "own"); n != 2 {
		t.Errorf("invalidations = %v, want 2", n)
	}
	if n := metric(t, registry, "load_seconds", "test"); n != 2 {
		t.Errorf("%v loads measured, want 2", n)
	}
}

func TestManyCallersShareOneLoad(t *testing.T) {
	t.Parallel()
	s, registry := alone(t)
	c := cache.New(s, cache.Options[string]{Name: "test"})
	b := newBlocked()
	const callers = 20
	answers := make([]<-chan answer, callers)
	answers[0] = asking(context.Background(), c, "a", b.load)
	<-b.begun
	for i := 1; i < callers; i++ {
		answers[i] = asking(context.Background(), c, "a", func(context.Context) (string, error) {
			t.Error("a second load began")
			return "", nil
		})
	}
	eventually(t, "all wait", func() bool { return c.Waiting("a") == callers })
	close(b.give) // the load gives ""
	for _, a := range answers {
		wantAnswer(t, a, "")
	}
	if n := metric(t, registry, counterCalled, "test"); n != callers {
		t.Errorf("%v requests counted, want %d", n, callers)
	}
}

func TestCallerWhoLeavesDoesNotFailTheOthers(t *testing.T) {
	t.Parallel()
	s, registry := alone(t)
	c := cache.New(s, cache.Options[string]{Name: "test", LoadTimeout: time.Hour})
	b := newBlocked()
	type key struct{}
	first, leave := context.WithCancel(context.WithValue(context.Background(), key{}, "kept"))
	gone := asking(first, c, "a", b.load)
	loading := <-b.begun
	stays := asking(context.Background(), c, "a", b.load)
	eventually(t, "both wait", func() bool { return c.Waiting("a") == 2 })

	leave()
	if a := <-gone; !errors.Is(a.err, context.Canceled) {
		t.Errorf("who left got %v", a.err)
	}
	if err := loading.Err(); err != nil {
		t.Errorf("the load was cancelled with its first caller: %v", err)
	}
	if deadline, ok := loading.Deadline(); !ok || time.Until(deadline) > time.Hour {
		t.Error("the load has no deadline of its own")
	}
	if loading.Value(key{}) != "kept" {
		t.Error("the values of the context are lost")
	}
	b.give <- "1"
	wantAnswer(t, stays, "1")
	eventually(t, "the context of the load ends", func() bool { return loading.Err() != nil })
	if n := metric(t, registry, counterCalled, "test", "error"); n != 1 {
		t.Errorf("%v errors counted, want the caller who left", n)
	}
}

func TestLoadGoesOnWhenEveryoneHasLeft(t *testing.T) {
	t.Parallel()
	s, _ := alone(t)
	c := cache.New(s, cache.Options[string]{Name: "test"})
	b := newBlocked()
	ctx, leave := context.WithCancel(context.Background())
	gone := asking(ctx, c, "a", b.load)
	<-b.begun
	leave()
	<-gone
	b.give <- "1"
	var src source
	src.set("a", "another load")
	if v := get(t, c, &src, "a"); v != "1" {
		t.Errorf("got %q, want what the load gave that went on", v)
	}
}

func TestGetWithAnEndedContextStartsNothing(t *testing.T) {
	t.Parallel()
	s, _ := alone(t)
	c := cache.New(s, cache.Options[string]{Name: "test"})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := c.Get(ctx, "a", func(context.Context) (string, error) { t.Error("loaded"); return "", nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	var src source
	get(t, c, &src, "a")
	if _, err := c.Get(ctx, "a", nil); err != nil {
		t.Errorf("a value that is there gives %v", err)
	}
}

func TestErrorsReachEveryoneAndAreNotKept(t *testing.T) {
	t.Parallel()
	s, registry := alone(t)
	c := cache.New(s, cache.Options[string]{Name: "test"})
	want := fault.NotFound("meditation %d", 7)
	begun, fail := make(chan struct{}), make(chan struct{})
	load := func(context.Context) (string, error) {
		close(begun)
		<-fail
		return "half", want
	}
	first := asking(context.Background(), c, "a", load)
	<-begun
	second := asking(context.Background(), c, "a", load)
	eventually(t, "both wait", func() bool { return c.Waiting("a") == 2 })
	close(fail)
	for _, from := range []<-chan answer{first, second} {
		a := <-from
		if got, ok := fault.As(a.err); !ok || got != want {
			t.Errorf("got %v, want the error itself", a.err)
		}
	}
	var src source
	src.set("a", "1")
	if v := get(t, c, &src, "a"); v != "1" {
		t.Errorf("after an error got %q", v)
	}
	if n := metric(t, registry, counterCalled, "test", "error"); n != 2 {
		t.Errorf("%v errors counted, want 2", n)
	}
}

func TestLoadHasADeadline(t *testing.T) {
	t.Parallel()
	s, _ := alone(t)
	c := cache.New(s, cache.Options[string]{Name: "test", LoadTimeout: time.Millisecond})
	_, err := c.Get(context.Background(), "a", func(ctx context.Context) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestPanicIsRaisedInEveryoneWhoWaits(t *testing.T) {
	t.Parallel()
	log := &logs{}
	s, _ := alone(t, func(c *cache.Config) { c.Logger = slog.New(slog.NewTextHandler(log, nil)) })
	c := cache.New(s, cache.Options[string]{Name: "test"})
	cause := errors.New("boom")
	begun, burst := make(chan struct{}, 1), make(chan struct{})
	load := func(context.Context) (string, error) {
		begun <- struct{}{}
		<-burst
		panic(cause)
	}
	var wg sync.WaitGroup
	var raised atomic.Int32
	ask := func(ctx context.Context) {
		wg.Go(func() {
			defer func() {
				p, ok := recover().(*cache.PanicError)
				if !ok || !errors.Is(p, cause) || len(p.Stack) == 0 {
					t.Errorf("raised %v", p)
					return
				}
				raised.Add(1)
			}()
			_, err := c.Get(ctx, "a", load)
			t.Errorf("Get returned %v", err)
		})
	}
	ask(context.Background())
	ask(context.Background())
	eventually(t, "both wait", func() bool { return c.Waiting("a") == 2 })
	close(burst)
	wg.Wait()
	if raised.Load() != 2 {
		t.Errorf("raised %d times", raised.Load())
	}
	if log.count(logPanic) != 0 {
		t.Error("the panic was logged and raised")
	}

	// When nobody waits any more, it is logged.
	<-begun
	ctx, leave := context.WithCancel(context.Background())
	burst = make(chan struct{})
	gone := asking(ctx, c, "b", load)
	<-begun
	leave()
	<-gone
	close(burst)
	eventually(t, "the panic is logged", func() bool { return log.count(logPanic) == 1 })
	var src source
	get(t, c, &src, "a")
	get(t, c, &src, "b")
}

func TestLoadThatEndsItsGoroutineIsAnError(t *testing.T) {
	t.Parallel()
	s, _ := alone(t)
	c := cache.New(s, cache.Options[string]{Name: "test"})
	_, err := c.Get(context.Background(), "a", func(context.Context) (string, error) {
		runtime.Goexit()
		return "", nil
	})
	if err == nil {
		t.Error("no error")
	}
}

// A load that began before an invalidation reaches those who wait for it, and nobody else.
func TestLoadFromBeforeAnInvalidationIsNotKept(t *testing.T) {
	t.Parallel()
	for name, invalidate := range map[string]func(*cache.Cache[string]){
		"Invalidate": func(c *cache.Cache[string]) { c.Invalidate(context.Background(), "b", "a") },
		"Clear":      func(c *cache.Cache[string]) { c.Clear(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := alone(t)
			c := cache.New(s, cache.Options[string]{Name: "test"})
			before, after := newBlocked(), newBlocked()
			old := asking(context.Background(), c, "a", before.load)
			<-before.begun
			invalidate(c)
			// Who asks now must not join the old load.
			fresh := asking(context.Background(), c, "a", after.load)
			<-after.begun
			before.give <- "old"
			wantAnswer(t, old, "old")
			after.give <- "new"
			wantAnswer(t, fresh, "new")
			var src source
			src.set("a", "another load")
			if v := get(t, c, &src, "a"); v != "new" {
				t.Errorf("kept %q, want the load that began after the invalidation", v)
			}
		})
	}
	t.Run("old load ends last", func(t *testing.T) {
		t.Parallel()
		s, _ := alone(t)
		c := cache.New(s, cache.Options[string]{Name: "test"})
		before := newBlocked()
		old := asking(context.Background(), c, "a", before.load)
		<-before.begun
		c.Invalidate(context.Background(), "a")
		var src source
		src.set("a", "new")
		get(t, c, &src, "a")
		before.give <- "old"
		wantAnswer(t, old, "old")
		if v := get(t, c, &src, "a"); v != "new" {
			t.Errorf("kept %q", v)
		}
	})
}

func TestEntriesExpire(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	s, registry := alone(t, func(c *cache.Config) {
		c.Now = func() time.Time { return time.Unix(1_800_000_000, now.Load()) }
	})
	c := cache.New(s, cache.Options[string]{Name: "test", TTL: time.Minute})
	var src source
	src.set("a", "1")
	get(t, c, &src, "a")
	src.set("a", "2")
	now.Store(int64(time.Minute - time.Millisecond))
	if v := get(t, c, &src, "a"); v != "1" {
		t.Errorf("before its time got %q", v)
	}
	now.Store(int64(time.Minute + time.Millisecond))
	if v := get(t, c, &src, "a"); v != "2" {
		t.Errorf("after its time got %q", v)
	}
	if n := metric(t, registry, counterCalled, "test", "l1_hit"); n != 1 {
		t.Errorf("%v hits, want 1", n)
	}
}

func TestEntriesAreBounded(t *testing.T) {
	t.Parallel()
	s, registry := alone(t)
	c := cache.New(s, cache.Options[string]{Name: "test", MaxEntries: 50})
	var src source
	for i := range 500 {
		get(t, c, &src, fmt.Sprint(i))
	}
	eventually(t, "450 entries are evicted", func() bool {
		return metric(t, registry, "evictions_total", "test", "size") >= 450
	})
}

func TestNewPanicsOnOptionsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	s, _ := alone(t)
	cache.New(s, cache.Options[string]{Name: "taken"})
	for name, o := range map[string]cache.Options[string]{
		"no name":         {},
		"name with colon": {Name: "a:b"},
		"name with star":  {Name: "a*"},
		"name taken":      {Name: "taken"},
		"no codec":        {Name: "a", SharedTTL: time.Second},
		"negative TTL":    {Name: "a", TTL: -1},
		"negative size":   {Name: "a", MaxEntries: -1},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			cache.New(s, o)
		}()
	}
}

func TestStoresMayShareARegistry(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	var src source
	for range 2 {
		c := cache.New(cache.NewStore(nil, cache.Config{Registry: registry}), cache.Options[string]{Name: "test"})
		get(t, c, &src, "a")
	}
	if n := metric(t, registry, counterCalled, "test", "miss"); n != 2 {
		t.Errorf("%v misses, want both", n)
	}
}

func TestRunWithoutRedisWaitsForItsContext(t *testing.T) {
	t.Parallel()
	s, _ := alone(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	select {
	case err := <-ended:
		t.Fatalf("ended with %v", err)
	default:
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestHitDoesNotAllocate(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts the allocations of the whole program
	s, _ := alone(t)
	c := cache.New(s, cache.Options[string]{Name: "test"})
	var src source
	load := src.load("a")
	ctx := context.Background()
	get(t, c, &src, "a")
	if n := testing.AllocsPerRun(1000, func() { _, _ = c.Get(ctx, "a", load) }); n != 0 {
		t.Errorf("%v allocations for a hit", n)
	}
}

func BenchmarkHit(b *testing.B) {
	s, _ := alone(b)
	c := cache.New(s, cache.Options[string]{Name: "test"})
	var src source
	load := src.load("a")
	ctx := context.Background()
	get(b, c, &src, "a")
	b.Run("one goroutine", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = c.Get(ctx, "a", load)
		}
	})
	b.Run("all processors", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_, _ = c.Get(ctx, "a", load)
			}
		})
	})
}

func BenchmarkMiss(b *testing.B) {
	s, _ := alone(b)
	c := cache.New(s, cache.Options[string]{Name: "test"})
	var src source
	load := src.load("a")
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		c.Invalidate(ctx, "a")
		_, _ = c.Get(ctx, "a", load)
	}
}
