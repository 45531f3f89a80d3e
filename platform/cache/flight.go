package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// errEnded is what everyone gets who waits for a load that ended its goroutine without returning.
var errEnded = errors.New("cache: the load ended without returning")

// errForeign is about what stands under a key of ours and was not put there by a cache.
var errForeign = errors.New("cache: neither a value nor a lease")

// PanicError carries a panic of a load to those who wait for it.
type PanicError struct {
	// Value is what the load panicked with.
	Value any
	// Stack is where.
	Stack []byte
}

// Error is the panic's value and stack.
func (p *PanicError) Error() string { return fmt.Sprintf("%v\n\n%s", p.Value, p.Stack) }

// Unwrap gives the panic's value when that is an error.
func (p *PanicError) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// flight is one load that is under way. Who waits for it reads value, err, panicked and result after done is closed.
type flight[V any] struct {
	done     chan struct{}
	value    V
	err      error
	panicked *PanicError
	result   prometheus.Counter

	// stale says that the key was invalidated since the load began; guarded by the cache's mu.
	stale bool
	// waiting is how many wait; guarded by the cache's mu.
	waiting int
}

// wait joins the flight for the key, or starts it.
func (c *Cache[V]) wait(ctx context.Context, key string, load func(context.Context) (V, error)) (V, error) {
	var none V
	if err := ctx.Err(); err != nil {
		c.counts.failed.Inc()
		return none, err
	}
	c.mu.Lock()
	// A flight stores its value and goes in one step, so that whoever finds no flight here finds the value.
	if v, ok := c.local.GetIfPresent(key); ok {
		c.mu.Unlock()
		c.counts.localHit.Inc()
		return v, nil
	}
	f, ok := c.flights[key]
	if !ok {
		f = &flight[V]{done: make(chan struct{})}
		c.flights[key] = f
	}
	f.waiting++
	c.mu.Unlock()
	if !ok {
		go c.fly(context.WithoutCancel(ctx), key, f, load)
	}

	select {
	case <-f.done:
	case <-ctx.Done():
		c.mu.Lock()
		f.waiting--
		c.mu.Unlock()
		c.counts.failed.Inc()
		return none, ctx.Err()
	}
	f.result.Inc()
	if f.panicked != nil {
		panic(f.panicked)
	}
	return f.value, f.err
}

// fly gets the value from Redis or from load, stores it, and wakes those who wait.
func (c *Cache[V]) fly(ctx context.Context, key string, f *flight[V], load func(context.Context) (V, error)) {
	ctx, cancel := context.WithTimeout(ctx, c.loadTimeout)
	defer cancel()
	landed := false
	defer func() {
		if landed {
			return
		}
		f.err, f.result = errEnded, c.counts.failed
		if p := recover(); p != nil {
			f.panicked = &PanicError{Value: p, Stack: debug.Stack()}
		}
		c.land(ctx, key, f)
	}()

	value, lease, found := c.fromShared(ctx, key)
	if found {
		f.value, f.result = value, c.counts.sharedHit
	} else {
		began := time.Now()
		f.value, f.err = load(ctx)
		c.counts.loadSeconds.Observe(time.Since(began).Seconds())
		f.result = c.counts.miss
		if f.err != nil {
			f.result = c.counts.failed
		}
	}
	landed = true
	c.land(ctx, key, f)
	if f.err == nil && lease != "" {
		// Those who wait need not wait for this. Whether the key was invalidated meanwhile, Redis decides.
		c.toShared(ctx, key, lease, f.value)
	}
}

// land stores the value, unless the key was invalidated since the flight began, and wakes those who wait.
func (c *Cache[V]) land(ctx context.Context, key string, f *flight[V]) {
	c.mu.Lock()
	if !f.stale {
		if f.err == nil {
			c.local.Set(key, f.value)
		}
		delete(c.flights, key)
	}
	alone := f.waiting == 0
	c.mu.Unlock()
	close(f.done)
	if f.panicked != nil && alone {
		// Nobody is left in whom the panic could be raised again.
		c.store.logger.ErrorContext(ctx, "cache load panicked", slog.String("cache", c.name),
			slog.Any("panic", f.panicked.Value), slog.String("stack", string(f.panicked.Stack)))
	}
}

// fromShared looks for the key in Redis. When the value is not there, lease is what to store it with; an empty lease
// means not to store it.
func (c *Cache[V]) fromShared(ctx context.Context, key string) (value V, lease string, found bool) {
	if c.sharedTTL == 0 || !c.store.usable() {
		return value, "", false
	}
	held, err := c.store.fetch(ctx, c.name, key, "", c.loadTimeout+leaseMargin)
	if err != nil || isLease(held) {
		return value, held, false
	}
	if value, err = c.decode(held); err == nil {
		return value, "", true
	}
	// Another version of the program, or someone else, wrote it. A new value takes its place.
	c.counts.undecodable.Inc()
	if held, err = c.store.fetch(ctx, c.name, key, held, c.loadTimeout+leaseMargin); err != nil || !isLease(held) {
		held = ""
	}
	var none V
	return none, held, false
}

func (c *Cache[V]) decode(held string) (V, error) {
	if !isValue(held) {
		var none V
		return none, errForeign
	}
	return c.codec.Unmarshal([]byte(held[1:]))
}

// toShared puts a value into Redis in exchange for its lease.
func (c *Cache[V]) toShared(ctx context.Context, key, lease string, value V) {
	payload, err := c.codec.Marshal(value)
	if err != nil {
		// A value that this program made and cannot encode is a mistake in the codec. The request is served all the same.
		c.counts.unencodable.Inc()
		return
	}
	if c.store.usable() {
		c.store.put(ctx, c.name, key, lease, payload, c.sharedTTL)
	}
}
