package cache

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

const (
	defaultPrefix = "mindspace"
	// defaultTimeout is far above what a healthy Redis takes, and low enough for a request that goes on without it.
	defaultTimeout = 250 * time.Millisecond
)

// Config sets up a store. Every field may be left out.
type Config struct {
	// Logger is told when Redis goes away and comes back; nil for none.
	Logger *slog.Logger
	// Registry gets the metrics; nil for none.
	Registry prometheus.Registerer
	// Prefix begins every key and channel in Redis; "mindspace" when empty. Installations that share a Redis need different ones.
	Prefix string
	// Timeout bounds how long a request waits for Redis; 0 means 250 ms. It holds whatever the client's own timeouts are.
	Timeout time.Duration
	// Now is the time by which entries age in this process and Redis is tried again; nil for the clock. It is for tests.
	Now func() time.Time
}

// Store is what the caches of a process have in common: Redis, and the ear for what other processes invalidate.
// It is safe for use by several goroutines.
type Store struct {
	rdb     redis.UniversalClient
	logger  *slog.Logger
	metrics *metrics
	prefix  string
	channel string
	timeout time.Duration
	now     func() time.Time
	node    string
	leases  leaseNumbers
	link    *link

	mu     sync.RWMutex
	caches map[string]member
}

// member is a cache of any type, as its store sees it.
type member interface {
	cacheName() string
	isShared() bool
	forget(keys []string)
	forgetAll()
	heard(n int)
}

// NewStore makes a store. Without rdb there is no sharing: each cache is of this process alone. With it, [Store.Run]
// has to run as long as caches are used, or invalidations of other processes are not heard.
func NewStore(rdb redis.UniversalClient, cfg Config) *Store {
	logger := cfg.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	prefix := cmp.Or(cfg.Prefix, defaultPrefix)
	s := &Store{
		rdb:     rdb,
		logger:  logger,
		metrics: newMetrics(cfg.Registry),
		prefix:  prefix,
		channel: prefix + ":cache:invalidations",
		timeout: cmp.Or(cfg.Timeout, defaultTimeout),
		now:     cfg.Now,
		node:    rand.Text(),
		caches:  map[string]member{},
	}
	now := cfg.Now
	if now == nil {
		now = time.Now
	}
	s.link = newLink(now)
	if rdb != nil {
		s.metrics.redisUp.Set(1)
	}
	return s
}

func (s *Store) add(m member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.caches[m.cacheName()]; ok {
		panic(fmt.Sprintf("cache: there is a cache %q already", m.cacheName()))
	}
	s.caches[m.cacheName()] = m
}

// member gives the cache of a name; nil when this process has none.
func (s *Store) member(name string) member {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.caches[name]
}

// forgetAll empties every cache of this process.
func (s *Store) forgetAll() {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, m := range s.caches {
		m.forgetAll()
	}
}

// key is the name of a cache's key in Redis.
func (s *Store) key(cache, key string) string { return s.prefix + ":cache:" + cache + ":" + key }

// within runs one call of Redis and waits for it no longer than limit: the client may be set up to wait longer, to try again,
// or to disregard the context while it reads. The call may then still go on, and its answer is dropped.
func within[T any](ctx context.Context, limit time.Duration, call func(context.Context) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	answered := make(chan answer, 1)
	go func() {
		defer cancel()
		v, err := call(ctx)
		answered <- answer{v, err}
	}()
	select {
	case a := <-answered:
		return a.value, a.err
	case <-ctx.Done():
		// The answer is sent before the context is cancelled, so that both can be there.
		select {
		case a := <-answered:
			return a.value, a.err
		default:
			var none T
			return none, ctx.Err()
		}
	}
}
