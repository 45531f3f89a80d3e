// Package limit counts calls against a quota: across all processes through Redis, and in this process when Redis is away.
// It never refuses a call because a counter could not be reached.
package limit

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
)

// Quota is how many calls are allowed in which time. The zero Quota allows any number.
type Quota struct {
	Calls int
	Per   time.Duration
}

// redisPatience is how long a call waits for the shared counter before the one in this process stands in.
const redisPatience = 50 * time.Millisecond

// cooldown is how long the shared counter is left alone after it failed.
const cooldown = time.Second

// Shared counts in Redis, so that a quota holds across processes. While Redis is away each process counts for itself.
type Shared struct {
	limiter *redis_rate.Limiter
	local   *Local
	logger  *slog.Logger
	resume  atomic.Int64 // unix nanoseconds before which Redis is not asked
}

// NewShared returns a limiter on rdb, which must heed deadlines (ContextTimeoutEnabled); with nil it counts in this process alone.
func NewShared(rdb redis.UniversalClient, logger *slog.Logger) *Shared {
	s := &Shared{local: NewLocal(defaultKeys), logger: logger}
	if rdb != nil {
		s.limiter = redis_rate.NewLimiter(rdb)
	}
	return s
}

// Allow takes one call from the key's quota. When it is used up, wait says how long until the next call fits.
func (s *Shared) Allow(ctx context.Context, key string, q Quota) (wait time.Duration, ok bool) {
	if q.Calls == 0 {
		return 0, true
	}
	now := time.Now()
	if s.limiter == nil || now.UnixNano() < s.resume.Load() {
		return s.local.Allow(key, q)
	}
	asking, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	result, err := s.limiter.Allow(asking, key, redis_rate.Limit{Rate: q.Calls, Burst: q.Calls, Period: q.Per})
	if err != nil {
		if ctx.Err() == nil {
			s.resume.Store(now.Add(cooldown).UnixNano())
			s.logger.WarnContext(ctx, "shared limits are away, counting in this process", "error", err)
		}
		return s.local.Allow(key, q)
	}
	return result.RetryAfter, result.Allowed > 0
}
