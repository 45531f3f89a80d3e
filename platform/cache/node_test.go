package cache_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/mindspace-app/mindspace/platform/cache"
	"github.com/mindspace-app/mindspace/platform/cache/redistest"
)

// patience bounds waiting for what must happen; it is used up only when it does not.
const patience = 30 * time.Second

// eventually waits until it is so.
func eventually(tb testing.TB, what string, so func() bool) {
	tb.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !so(); <-tick.C {
		if time.Now().After(deadline) {
			tb.Fatalf("did not happen: %s", what)
		}
	}
}

// redises are the kinds of Redis that tests run on, and how to get one: a real server (where it is installed) and the one
// that runs in process.
func redises() map[string]func(testing.TB) string {
	return map[string]func(testing.TB) string{
		"redis":     redistest.New,
		"miniredis": func(tb testing.TB) string { tb.Helper(); return "redis://" + miniredis.RunT(tb).Addr() },
	}
}

func client(tb testing.TB, url string) *redis.Client {
	tb.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		tb.Fatal(err)
	}
	c := redis.NewClient(options)
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// node is one process of several: a store that listens, its metrics and its log.
type node struct {
	*cache.Store
	rdb      *redis.Client
	registry *prometheus.Registry
	log      *logs
}

// cluster makes nodes on one Redis.
type cluster struct {
	prefix string
}

func newCluster() cluster { return cluster{prefix: redistest.Key()} }

// start makes a node and waits until it listens.
func (c cluster) start(tb testing.TB, url string, change ...func(*cache.Config)) *node {
	tb.Helper()
	n := c.deaf(tb, url, change...)
	n.listen(tb)
	return n
}

// deaf makes a node that does not listen.
func (c cluster) deaf(tb testing.TB, url string, change ...func(*cache.Config)) *node {
	tb.Helper()
	n := &node{rdb: client(tb, url), registry: prometheus.NewRegistry(), log: &logs{}}
	cfg := cache.Config{
		Logger: slog.New(slog.NewTextHandler(n.log, nil)), Registry: n.registry, Prefix: c.prefix,
		Timeout: 5 * time.Second, // a busy machine is not a Redis that is away
	}
	for _, f := range change {
		f(&cfg)
	}
	n.Store = cache.NewStore(n.rdb, cfg)
	return n
}

func (n *node) listen(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				tb.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			tb.Error("Run does not end with its context")
		}
	})
	eventually(tb, "the node listens", func() bool { return n.metric(tb, "subscribed") == 1 })
}

// metric is the sum of a metric over the series that have all the given label values.
func (n *node) metric(tb testing.TB, name string, values ...string) float64 {
	tb.Helper()
	return metric(tb, n.registry, name, values...)
}

func metric(tb testing.TB, registry *prometheus.Registry, name string, values ...string) float64 {
	tb.Helper()
	families, err := registry.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	var sum float64
	for _, family := range families {
		if family.GetName() != "mindspace_cache_"+name {
			continue
		}
	series:
		for _, m := range family.GetMetric() {
			for _, want := range values {
				found := false
				for _, label := range m.GetLabel() {
					found = found || label.GetValue() == want
				}
				if !found {
					continue series
				}
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// logs collects what is logged.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write adds to the log.
func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

// What the store logs.
const (
	logAway       = "caches go on without Redis"
	logBack       = "caches use Redis again"
	logDeaf       = "are not heard"
	logHearing    = "are heard"
	logPanic      = "cache load panicked"
	counterRedis  = "redis_errors_total"
	counterCalled = "requests_total"
)

// gate stands between a node and Redis, and can be shut.
type gate struct {
	target string
	port   net.Listener
	mode   atomic.Int32
	dials  atomic.Int32

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

const (
	gateOpen int32 = iota
	// gateShut ends every connection at once.
	gateShut
	// gateSilent takes everything and answers nothing.
	gateSilent
)

// newGate gives a gate to the Redis of the URL, and the URL that leads through it.
func newGate(tb testing.TB, url string) (*gate, string) {
	tb.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		tb.Fatal(err)
	}
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	g := &gate{target: options.Addr, port: port, conns: map[net.Conn]struct{}{}}
	go g.serve()
	tb.Cleanup(func() {
		_ = port.Close()
		g.set(gateShut)
	})
	return g, strings.Replace(url, options.Addr, port.Addr().String(), 1)
}

func (g *gate) serve() {
	for {
		conn, err := g.port.Accept()
		if err != nil {
			return
		}
		g.dials.Add(1)
		if !g.track(conn) {
			continue
		}
		if g.mode.Load() == gateSilent {
			continue
		}
		server, err := net.Dial("tcp", g.target)
		if err != nil || !g.track(server) {
			_ = conn.Close()
			continue
		}
		go g.pipe(server, conn)
		go g.pipe(conn, server)
	}
}

// track keeps a connection to be closed later; a gate that is shut closes it at once.
func (g *gate) track(conn net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mode.Load() == gateShut {
		_ = conn.Close()
		return false
	}
	g.conns[conn] = struct{}{}
	return true
}

func (g *gate) pipe(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if g.mode.Load() == gateSilent {
			_, _ = io.Copy(io.Discard, from)
			return
		}
		if n > 0 {
			_, _ = to.Write(buf[:n])
		}
		if err != nil {
			_ = to.Close()
			return
		}
	}
}

// set opens or shuts the gate. Connections that exist end, except when it falls silent.
func (g *gate) set(mode int32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	was := g.mode.Swap(mode)
	if mode == gateSilent {
		return
	}
	if mode == gateShut || was == gateSilent {
		for conn := range g.conns {
			_ = conn.Close()
		}
		clear(g.conns)
	}
}

// source is the truth that caches keep copies of.
type source struct {
	mu     sync.Mutex
	values map[string]string
	loads  atomic.Int64
}

func (s *source) set(key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.values == nil {
		s.values = map[string]string{}
	}
	s.values[key] = value
}

func (s *source) get(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[key]
}

// load is a load of the key.
func (s *source) load(key string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		s.loads.Add(1)
		return s.get(key), nil
	}
}

// get gives the value of a key through a cache.
func get(tb testing.TB, c *cache.Cache[string], s *source, key string) string {
	tb.Helper()
	v, err := c.Get(context.Background(), key, s.load(key))
	if err != nil {
		tb.Fatalf("Get(%q): %v", key, err)
	}
	return v
}

// shared are the options of a cache in both levels, which keeps values longer than any test runs.
func shared(name string) cache.Options[string] {
	return cache.Options[string]{Name: name, TTL: time.Hour, SharedTTL: time.Hour, Codec: cache.JSON[string]()}
}

// blocked is a load that says when it has begun and waits to be told what to give.
type blocked struct {
	begun chan context.Context
	give  chan string
}

func newBlocked() *blocked {
	return &blocked{begun: make(chan context.Context, 1), give: make(chan string)}
}

func (b *blocked) load(ctx context.Context) (string, error) {
	b.begun <- ctx
	return <-b.give, nil
}

// answer is what a Get gave.
type answer struct {
	value string
	err   error
}

// asking calls Get in the background.
func asking(ctx context.Context, c *cache.Cache[string], key string, load func(context.Context) (string, error)) <-chan answer {
	out := make(chan answer, 1)
	go func() {
		v, err := c.Get(ctx, key, load)
		out <- answer{v, err}
	}()
	return out
}

func wantAnswer(tb testing.TB, from <-chan answer, want string) {
	tb.Helper()
	select {
	case a := <-from:
		if a.err != nil || a.value != want {
			tb.Fatalf("Get gave %q, %v; want %q", a.value, a.err, want)
		}
	case <-time.After(patience):
		tb.Fatal("Get does not return")
	}
}
