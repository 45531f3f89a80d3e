package token_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/mindspace-app/mindspace/platform/cache/redistest"
	"github.com/mindspace-app/mindspace/platform/token"
)

// redises are the kinds of Redis that tests run on, and how to get one.
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
	options.ContextTimeoutEnabled = true
	c := redis.NewClient(options)
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// splitClient is a client whose subscription goes another way than its commands.
type splitClient struct {
	redis.UniversalClient
	ear *redis.Client
}

// Subscribe subscribes through the ear.
func (c splitClient) Subscribe(ctx context.Context, channels ...string) *redis.PubSub {
	return c.ear.Subscribe(ctx, channels...)
}

// node is the revocations of one process, with its verifier, metrics and log.
type node struct {
	*token.Revocations
	rdb      redis.UniversalClient
	registry *prometheus.Registry
	log      *logs
}

// cluster makes nodes on one Redis.
type cluster struct{ prefix string }

func newCluster() cluster { return cluster{redistest.Key()} }

func (c cluster) key() string { return "{" + c.prefix + ":token}:revoked" }

// deaf makes a node that does not listen.
func (c cluster) deaf(rdb redis.UniversalClient, change ...func(*token.RevocationsConfig)) *node {
	n := &node{rdb: rdb, registry: prometheus.NewRegistry(), log: &logs{}}
	cfg := token.RevocationsConfig{Logger: slog.New(slog.NewTextHandler(n.log, nil)), Registry: n.registry, Prefix: c.prefix}
	for _, f := range change {
		f(&cfg)
	}
	n.Revocations = token.NewRevocations(rdb, cfg)
	return n
}

// start makes a node and waits until it listens.
func (c cluster) start(tb testing.TB, url string, change ...func(*token.RevocationsConfig)) *node {
	tb.Helper()
	n := c.deaf(client(tb, url), change...)
	n.run(tb)
	n.awaitHearing(tb)
	return n
}

// run runs the node until the end of the test.
func (n *node) run(tb testing.TB) {
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
}

func (n *node) awaitHearing(tb testing.TB) {
	tb.Helper()
	eventually(tb, "the node hears", func() bool { return n.metric(tb, "revocations_subscribed") == 1 })
}

func (n *node) awaitDeafness(tb testing.TB) {
	tb.Helper()
	eventually(tb, "the node is deaf", func() bool { return n.metric(tb, "revocations_subscribed") == 0 })
}

func (n *node) metric(tb testing.TB, name string) float64 {
	tb.Helper()
	families, err := n.registry.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "mindspace_token_"+name {
			m := family.GetMetric()[0]
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	tb.Fatalf("no metric %s", name)
	return 0
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

// What revocations log.
const (
	logAway = "level=WARN msg=\"token revocations go on without Redis\""
	logBack = "level=INFO msg=\"token revocations use Redis again\""
)

// person is somebody with a token.
type person struct {
	claims token.Claims
	text   string
}

func newPerson(tb testing.TB, p *process) person {
	tb.Helper()
	claims := p.claims()
	return person{claims, p.sign(tb, claims)}
}

// on gives a verifier with the keys of the process and the revocations of a node.
func (p *process) on(n *node) *token.Verifier {
	return token.NewVerifier(token.VerifierConfig{Issuer: issuer, Keys: p.source, Revocations: n.Revocations})
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }
