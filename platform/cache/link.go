package cache

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// failureLimit is how many calls in a row must fail until Redis counts as away.
	failureLimit = 3
	// firstPause is how long Redis is left alone when it went away; it doubles each time that it goes away again soon.
	firstPause = time.Second
	longPause  = 30 * time.Second
	// probeTimeout bounds the look whether Redis is back.
	probeTimeout = time.Second
	// resendTimeout bounds the sending of kept invalidations.
	resendTimeout = 30 * time.Second
)

// link is what a process knows of its way to Redis. While it is down, nobody waits for Redis: reads go to the loader,
// invalidations are kept, and now and then somebody looks in the background whether Redis is back.
type link struct {
	now      func() time.Time
	down     atomic.Bool
	failures atomic.Int32
	// tryAt is when to look next, in nanoseconds since 1970.
	tryAt  atomic.Int64
	trying atomic.Bool

	// mu guards what follows, and the changes of down: it goes up only when nothing is left to be sent.
	mu     sync.Mutex
	backAt time.Time
	pause  time.Duration
	unsent unsent
}

func newLink(now func() time.Time) *link {
	return &link{now: now, pause: firstPause, unsent: unsent{}}
}

// usable tells whether Redis may be called. When it is time to look whether Redis is back, it starts that and does not wait for it.
func (s *Store) usable() bool {
	if s.rdb == nil {
		return false
	}
	if !s.link.down.Load() {
		return true
	}
	if s.link.now().UnixNano() >= s.link.tryAt.Load() {
		s.try()
	}
	return false
}

// worked notes a call that Redis answered.
func (s *Store) worked() {
	if s.link.failures.Load() != 0 {
		s.link.failures.Store(0)
	}
}

// failed notes a call that failed.
func (s *Store) failed(ctx context.Context, operation string, err error) {
	s.metrics.redisErrors.WithLabelValues(operation).Inc()
	if s.link.failures.Add(1) < failureLimit {
		return
	}
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	s.takeDown(ctx, err)
}

// keep notes an invalidation that could not be sent. From then on this process does not read from Redis what others
// may still find there.
func (s *Store) keep(ctx context.Context, i invalidation, err error) {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	s.link.unsent.add(i)
	s.takeDown(ctx, err)
}

// keepWhileDown notes an invalidation when Redis is away, and tells whether it did.
func (s *Store) keepWhileDown(i invalidation) bool {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	if !s.link.down.Load() {
		return false
	}
	s.link.unsent.add(i)
	return true
}

// takeDown marks Redis as away; the caller holds mu.
func (s *Store) takeDown(ctx context.Context, err error) {
	l := s.link
	if l.down.Load() {
		return
	}
	now := l.now()
	if !l.backAt.IsZero() && now.Sub(l.backAt) < 2*l.pause {
		l.pause = min(2*l.pause, longPause)
	} else {
		l.pause = firstPause
	}
	l.tryAt.Store(now.Add(l.pause).UnixNano())
	l.down.Store(true)
	s.metrics.redisUp.Set(0)
	s.logger.WarnContext(ctx, "caches go on without Redis", slog.Any("error", err))
}

// try looks in the background whether Redis is back. One goroutine at a time does, and it ends soon.
func (s *Store) try() {
	if !s.link.trying.CompareAndSwap(false, true) {
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), probeTimeout+resendTimeout)
		defer cancel()
		s.comeBack(ctx)
		s.link.tryAt.Store(s.link.now().Add(firstPause).UnixNano())
		s.link.trying.Store(false)
	}()
}

// comeBack sends what was kept, and uses Redis again once all of it was sent.
func (s *Store) comeBack(ctx context.Context) {
	l := s.link
	if _, err := within(ctx, probeTimeout, func(ctx context.Context) (string, error) {
		return s.rdb.Ping(ctx).Result()
	}); err != nil {
		s.metrics.redisErrors.WithLabelValues("ping").Inc()
		return
	}
	for {
		l.mu.Lock()
		if !l.down.Load() {
			l.mu.Unlock()
			return
		}
		if len(l.unsent) == 0 {
			l.failures.Store(0)
			l.backAt = l.now()
			l.down.Store(false)
			s.metrics.redisUp.Set(1)
			s.logger.InfoContext(ctx, "caches use Redis again")
			l.mu.Unlock()
			return
		}
		sending := l.unsent
		l.unsent = unsent{}
		l.mu.Unlock()

		if err := s.resend(ctx, sending); err != nil {
			l.mu.Lock()
			for name, keys := range sending {
				l.unsent.merge(name, keys)
			}
			l.mu.Unlock()
			return
		}
	}
}

// resend sends kept invalidations; on an error some may have been sent, which does no harm to send again.
func (s *Store) resend(ctx context.Context, kept unsent) error {
	var errs []error
	for name, keys := range kept {
		m := s.member(name)
		i := invalidation{Cache: name, All: keys == nil, shared: m != nil && m.isShared()}
		for key := range keys {
			i.Keys = append(i.Keys, key)
		}
		if err := s.send(ctx, i, resendTimeout); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// unsentLimit is how many keys of a cache are kept; beyond that the whole cache is cleared instead.
const unsentLimit = 10_000

// unsent are keys by cache that are to be invalidated; nil keys mean all of that cache.
type unsent map[string]map[string]struct{}

func (u unsent) add(i invalidation) {
	if i.All {
		u[i.Cache] = nil
		return
	}
	keys := make(map[string]struct{}, len(i.Keys))
	for _, key := range i.Keys {
		keys[key] = struct{}{}
	}
	u.merge(i.Cache, keys)
}

func (u unsent) merge(cache string, keys map[string]struct{}) {
	kept, ok := u[cache]
	switch {
	case ok && kept == nil:
		return
	case keys == nil || len(kept)+len(keys) > unsentLimit:
		u[cache] = nil
		return
	case !ok:
		u[cache] = keys
		return
	}
	for key := range keys {
		kept[key] = struct{}{}
	}
}
