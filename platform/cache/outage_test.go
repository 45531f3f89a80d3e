package cache_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/mindspace-app/mindspace/platform/cache"
	"github.com/mindspace-app/mindspace/platform/cache/redistest"
)

// loadUntil reads keys that were never read until it is so.
func loadUntil(tb testing.TB, what string, c *cache.Cache[string], src *source, so func() bool) {
	tb.Helper()
	i := 0
	eventually(tb, what, func() bool {
		i++
		get(tb, c, src, fmt.Sprint(what, i))
		return so()
	})
}

func TestRequestsGoOnWithoutRedisAndComeBackToIt(t *testing.T) {
	t.Parallel()
	g, url := newGate(t, redistest.New(t))
	group := newCluster()
	n := group.start(t, url)
	c := cache.New(n.Store, shared("test"))
	var src source
	src.set("k", "1")
	get(t, c, &src, "k")
	eventuallyShared(t, n, group, "test", "k")

	g.set(gateShut)
	loadUntil(t, "the node notices", c, &src, func() bool { return n.metric(t, "redis_up") == 0 })
	eventually(t, "the subscription is lost", func() bool { return n.metric(t, "subscribed") == 0 })
	if v := get(t, c, &src, "k"); v != "1" {
		t.Errorf("a value of this process gives %q", v)
	}
	if n.metric(t, counterRedis, "get") == 0 {
		t.Error("the errors are not counted")
	}
	// Nobody waits for Redis any more: reads make no attempt.
	before := n.metric(t, counterRedis, "get")
	for i := range 200 {
		get(t, c, &src, fmt.Sprint("more", i))
	}
	if after := n.metric(t, counterRedis, "get"); after != before {
		t.Errorf("%v attempts to read while Redis is away", after-before)
	}

	src.set("k", "2")
	c.Invalidate(context.Background(), "k") // kept
	if v := get(t, c, &src, "k"); v != "2" {
		t.Errorf("after the invalidation the process gives %q", v)
	}
	g.set(gateOpen)
	eventually(t, "the node comes back", func() bool { return n.metric(t, "redis_up") == 1 && n.metric(t, "subscribed") == 1 })
	if held, err := n.rdb.Exists(context.Background(), group.key("test", "k")).Result(); err != nil || held != 0 {
		t.Errorf("the old value is still in Redis (%d, %v)", held, err)
	}
	get(t, c, &src, "fresh")
	eventuallyShared(t, n, group, "test", "fresh")

	for text, want := range map[string]int{logAway: 1, logBack: 1, logDeaf: 1, logHearing: 2} {
		if got := n.log.count(text); got != want {
			t.Errorf("%q was logged %d times, want %d", text, got, want)
		}
	}
}

// A Redis that takes everything and answers nothing costs a request its short timeout, whatever the client's timeouts are.
func TestSilentRedisIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	g, url := newGate(t, redistest.New(t))
	group := newCluster()
	// This client would wait for ever.
	n := group.start(t, url+"?read_timeout=-1", func(c *cache.Config) { c.Timeout = 20 * time.Millisecond })
	c := cache.New(n.Store, shared("test"))
	var src source
	loadUntil(t, "Redis answers", c, &src, func() bool { return n.metric(t, counterCalled, "miss") > 0 })
	g.set(gateSilent)
	c.Invalidate(context.Background(), "k") // must return
	eventually(t, "the node notices", func() bool { return n.metric(t, "redis_up") == 0 })
	for i := range 100 {
		get(t, c, &src, fmt.Sprint(i))
	}
	g.set(gateOpen)
	eventually(t, "the node comes back", func() bool { return n.metric(t, "redis_up") == 1 })
}

// A node that heard nothing for a while drops what it has once it hears again.
func TestNodeDropsEverythingWhenItHearsAgain(t *testing.T) {
	t.Parallel()
	for kind, start := range redises() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			group := newCluster()
			g, gated := newGate(t, url)
			writer, reader := group.start(t, url), group.start(t, gated)
			w, r := cache.New(writer.Store, shared("test")), cache.New(reader.Store, shared("test"))
			other := cache.New(reader.Store, cache.Options[string]{Name: "other", TTL: time.Hour})
			var src source
			src.set("k", "1")
			get(t, r, &src, "k")
			get(t, other, &src, "k")
			under := newBlocked()
			old := asking(context.Background(), r, "loading", under.load)
			<-under.begun

			g.set(gateShut)
			eventually(t, "the reader is deaf", func() bool { return reader.metric(t, "subscribed") == 0 })
			src.set("k", "2")
			src.set("loading", "2")
			w.Invalidate(context.Background(), "k", "loading")
			if v := get(t, r, &src, "k"); v != "1" {
				t.Fatalf("the deaf reader gives %q: the test shows nothing", v)
			}
			g.set(gateOpen)
			eventually(t, "the reader hears", func() bool { return reader.metric(t, "subscribed") == 1 })
			under.give <- "1"
			wantAnswer(t, old, "1")
			for key, c := range map[string]*cache.Cache[string]{"k": r, "loading": r} {
				if v := get(t, c, &src, key); v != "2" {
					t.Errorf("the reader still gives %q for %s", v, key)
				}
			}
			if v := get(t, other, &src, "k"); v != "2" {
				t.Errorf("another cache of the reader still gives %q", v)
			}
		})
	}
}

// An invalidation that could not be sent reaches the others when it can be, also without any further request.
func TestKeptInvalidationsReachTheOthers(t *testing.T) {
	t.Parallel()
	for kind, start := range redises() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			group := newCluster()
			g, gated := newGate(t, url)
			writer, reader := group.start(t, gated), group.start(t, url)
			w, r := cache.New(writer.Store, shared("test")), cache.New(reader.Store, shared("test"))
			wc, rc := cache.New(writer.Store, shared("cleared")), cache.New(reader.Store, shared("cleared"))
			wo := cache.New(writer.Store, cache.Options[string]{Name: "own", TTL: time.Hour})
			ro := cache.New(reader.Store, cache.Options[string]{Name: "own", TTL: time.Hour})
			var src source
			src.set("k", "1")
			for _, c := range []*cache.Cache[string]{r, rc, ro} {
				get(t, c, &src, "k")
			}
			eventuallyShared(t, reader, group, "test", "k")
			eventuallyShared(t, reader, group, "cleared", "k")
			g.set(gateShut)
			src.set("k", "2")
			w.Invalidate(context.Background(), "k")
			wc.Clear(context.Background())
			wo.Invalidate(context.Background(), "k")
			for _, c := range []*cache.Cache[string]{w, wc} {
				if v := get(t, c, &src, "k"); v != "2" {
					t.Errorf("the writer reads %q, which it could not remove", v)
				}
			}
			g.set(gateOpen)
			for i, c := range []*cache.Cache[string]{r, rc, ro} {
				eventually(t, fmt.Sprint("the reader gives the new value of cache ", i), func() bool { return get(t, c, &src, "k") == "2" })
			}
			for _, name := range []string{"test", "cleared"} {
				eventually(t, "Redis holds the new value", func() bool {
					return reader.rdb.Get(context.Background(), group.key(name, "k")).Val() == `v"2"`
				})
			}
		})
	}
}

// Redis is away from the start: the program serves, and uses Redis once it is there.
func TestNodeStartsWithoutRedis(t *testing.T) {
	t.Parallel()
	server := miniredis.NewMiniRedis()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	url := "redis://" + server.Addr()
	server.Close()
	t.Cleanup(server.Close)
	group := newCluster()
	n := group.deaf(t, url)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	c := cache.New(n.Store, shared("test"))
	var src source
	loadUntil(t, "the node notices", c, &src, func() bool { return n.metric(t, "redis_up") == 0 && n.log.count(logDeaf) == 1 })
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the node finds Redis", func() bool { return n.metric(t, "redis_up") == 1 && n.metric(t, "subscribed") == 1 })
	get(t, c, &src, "k")
	eventuallyShared(t, n, group, "test", "k")
	if got := n.log.count(logDeaf); got != 1 {
		t.Errorf("logged %d times that nothing is heard, want once", got)
	}

	// It goes away a second time, now with its data, and comes back empty.
	server.Close()
	loadUntil(t, "the node notices again", c, &src, func() bool { return n.metric(t, "redis_up") == 0 })
	server.FlushAll()
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the node finds it again", func() bool { return n.metric(t, "redis_up") == 1 && n.metric(t, "subscribed") == 1 })
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}
