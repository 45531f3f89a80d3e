// Package cache keeps copies of what is slow to get: in this process first (a bounded map, fractions of a microsecond),
// then in Redis, shared by all processes. It reads through: who asks for a key that is nowhere waits for one load,
// however many ask at once.
//
// It never is the truth and never fails a request: without Redis each process goes on with its own map and the loader.
// It never caches an error, and it never puts a private cache's values into Redis.
//
// # How stale a value can be
//
// [Cache.Invalidate], called after the commit, removes a key from this process, from Redis and, by a message, from every
// other process. A load that began before an invalidation is given to those who wait for it and stored nowhere:
//   - in a process each load is marked when its key is invalidated, and a marked one is not stored;
//   - in Redis a loader first leaves a lease under the key, and its value is stored only in exchange for that very
//     lease. Invalidation deletes the lease together with the value, so that a load which is under way on any node
//     comes too late.
//
// What remains:
//   - between a commit and the arrival of the message, other processes give the old value: normally milliseconds;
//   - while a process has lost its subscription it may give old values for up to Options.TTL; when it is
//     subscribed again it drops everything that it had;
//   - an invalidation that cannot reach Redis is kept and sent when Redis is back, and until then the process does not
//     use Redis. If it dies before, other processes that do reach Redis may give the old value for up to
//     Options.SharedTTL, and TTL more from their own maps; the same holds for a process that dies between its commit
//     and Invalidate, and for a Redis that fails over and loses the deletion;
//   - a load that reads from a database replica which lags behind can store what it found there. Load what is
//     invalidated from the primary.
package cache

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
)

const (
	defaultMaxEntries  = 10_000
	defaultTTL         = 30 * time.Second
	defaultLoadTimeout = 10 * time.Second
)

// namePattern keeps names free of what has a meaning in Redis keys and patterns.
var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// Options describe a cache.
type Options[V any] struct {
	// Name tells caches apart, in Redis keys and metrics: lower snake case, at most one cache of a store. Change it
	// when values are encoded in another way than before, as processes of two versions may run side by side.
	Name string
	// MaxEntries bounds the entries in this process; 0 means 10,000.
	MaxEntries int
	// TTL is how long an entry lives in this process; 0 means 30 s. It is also how stale a value may be while Redis is away.
	TTL time.Duration
	// SharedTTL is how long an entry lives in Redis; 0 keeps it out of Redis.
	SharedTTL time.Duration
	// Codec turns values into bytes for Redis; needed with SharedTTL.
	Codec Codec[V]
	// Private keeps values out of Redis whatever else is set: for health data. Keys are still sent in invalidations,
	// so they must be ids, as in every cache.
	Private bool
	// LoadTimeout bounds a load; 0 means 10 s.
	LoadTimeout time.Duration
}

// Cache holds values of one kind. It is safe for use by several goroutines. Values are shared between callers, who must
// not change them.
type Cache[V any] struct {
	store       *Store
	name        string
	sharedTTL   time.Duration
	codec       Codec[V]
	loadTimeout time.Duration
	counts      counts

	local *otter.Cache[string, V]

	// mu guards flights and what is stored in local: a value is stored and a key is invalidated under it.
	mu      sync.Mutex
	flights map[string]*flight[V]
}

// New makes a cache. It panics when the options make no sense or the store has a cache of that name, since that is a
// mistake of the program and not of its surroundings.
func New[V any](s *Store, o Options[V]) *Cache[V] {
	if !namePattern.MatchString(o.Name) {
		panic(fmt.Sprintf("cache: name %q is not lower snake case", o.Name))
	}
	if o.MaxEntries < 0 || o.TTL < 0 || o.SharedTTL < 0 || o.LoadTimeout < 0 {
		panic(fmt.Sprintf("cache %s: a negative limit", o.Name))
	}
	if o.Private {
		o.SharedTTL = 0
	}
	if o.SharedTTL > 0 && o.Codec == nil {
		panic(fmt.Sprintf("cache %s: SharedTTL without a Codec", o.Name))
	}
	c := &Cache[V]{
		store:       s,
		name:        o.Name,
		sharedTTL:   o.SharedTTL,
		codec:       o.Codec,
		loadTimeout: cmp.Or(o.LoadTimeout, defaultLoadTimeout),
		counts:      s.metrics.of(o.Name),
		flights:     map[string]*flight[V]{},
	}
	options := &otter.Options[string, V]{
		MaximumSize:      cmp.Or(o.MaxEntries, defaultMaxEntries),
		ExpiryCalculator: otter.ExpiryWriting[string, V](cmp.Or(o.TTL, defaultTTL)),
		OnAtomicDeletion: func(e otter.DeletionEvent[string, V]) {
			switch e.Cause {
			case otter.CauseOverflow:
				c.counts.overflow.Inc()
			case otter.CauseExpiration:
				c.counts.expired.Inc()
			}
		},
	}
	if s.now != nil {
		options.Clock = clock{s.now}
	}
	c.local = otter.Must(options)
	s.add(c)
	return c
}

// Get gives the value of a key: from this process, from Redis, or from load, whose value is then kept. Calls for one
// key at the same time share one load, so load must give the same whoever asks: let the key name all that it depends
// on. load runs apart from its caller: when that one's context ends, it goes on for the others, with a deadline of its
// own. It keeps the values of its first caller's context. Errors of load reach everyone who waits, as they are, and are
// not kept; a panic of load is raised again, as a [*PanicError], in everyone who waits.
func (c *Cache[V]) Get(ctx context.Context, key string, load func(ctx context.Context) (V, error)) (V, error) {
	if v, ok := c.local.GetIfPresent(key); ok {
		c.counts.localHit.Inc()
		return v, nil
	}
	return c.wait(ctx, key, load)
}

// Invalidate removes keys everywhere. Call it after the commit of what changed them. It does not fail: what cannot be
// sent now is sent when Redis is back. It waits for Redis for a short time at most, and goes on when ctx has ended.
func (c *Cache[V]) Invalidate(ctx context.Context, keys ...string) {
	if len(keys) == 0 {
		return
	}
	c.forget(keys)
	c.store.invalidate(ctx, invalidation{Cache: c.name, Keys: keys, shared: c.sharedTTL > 0})
	// Once more: in between, a load may have found the old value in Redis.
	c.forget(keys)
	c.counts.ownInvalidations.Add(float64(len(keys)))
}

// Clear removes every key everywhere. In Redis it looks through all keys there are, so it is for rare events, such as a
// newly published knowledge base, and not for requests.
func (c *Cache[V]) Clear(ctx context.Context) {
	c.forgetAll()
	c.store.invalidate(ctx, invalidation{Cache: c.name, All: true, shared: c.sharedTTL > 0})
	c.forgetAll()
	c.counts.ownInvalidations.Inc()
}

// cacheName is the name of the cache.
func (c *Cache[V]) cacheName() string { return c.name }

// isShared tells whether the cache's values are kept in Redis.
func (c *Cache[V]) isShared() bool { return c.sharedTTL > 0 }

// forget removes keys from this process, and keeps loads that are under way from being stored.
func (c *Cache[V]) forget(keys []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range keys {
		if f, ok := c.flights[key]; ok {
			f.stale = true
			// Who asks from now on must not get what began before.
			delete(c.flights, key)
		}
		c.local.Invalidate(key)
	}
}

// forgetAll is forget for every key.
func (c *Cache[V]) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.flights {
		f.stale = true
	}
	c.flights = map[string]*flight[V]{}
	c.local.InvalidateAll()
}

// heard counts invalidations that another process sent.
func (c *Cache[V]) heard(n int) { c.counts.heardInvalidations.Add(float64(n)) }

// clock gives otter the store's time.
type clock struct{ now func() time.Time }

// NowNano is the time in nanoseconds since 1970.
func (c clock) NowNano() int64 { return c.now().UnixNano() }

// Tick gives no ticks: with a time of its own, the cache drops expired entries when they are looked for.
func (c clock) Tick(time.Duration) <-chan time.Time { return nil }
