// Package limit counts calls against a quota: across all processes through Redis, and in this process when Redis is away.
// It never refuses a call because a counter could not be reached.
package limit

import (
	"context"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
)

// Quota is how many calls are allowed in which time. The zero Quota allows any number.
// A key that was never used has all of them at once; from then on they come back evenly over the time.
type Quota struct {
	Calls int
	Per   time.Duration
}

// Result is what a limiter says of one call.
type Result struct {
	// Allowed tells whether the call fits into the quota, and was taken from it.
	Allowed bool
	// Limit is the quota's number of calls; 0 means that there is no quota, and nothing else is said then.
	Limit int
	// Remaining is how many more calls fit at this moment.
	Remaining int
	// RetryAfter is how long until the next call fits; 0 for a call that was allowed.
	RetryAfter time.Duration
	// ResetAfter is how long until the whole quota is there again, when nobody calls.
	ResetAfter time.Duration
}

// result makes an answer of what both kinds of limiter know: how long the key needs to have its whole quota again.
func (q Quota) result(allowed bool, reset time.Duration) Result {
	r := Result{Allowed: allowed, Limit: q.Calls, ResetAfter: reset}
	each := float64(q.Per) / float64(q.Calls)
	if !allowed {
		r.RetryAfter = max(time.Duration(math.Ceil(float64(reset-q.Per)+each)), 1)
		return r
	}
	const rounding = 1e-6 // the share of a call that counting in floating point may lose
	r.Remaining = min(max(int(math.Floor(float64(q.Per-reset)/each+rounding)), 0), q.Calls)
	return r
}

const (
	// defaultPatience is how long a call waits for the shared counter before the one in this process stands in.
	defaultPatience = 250 * time.Millisecond
	// cooldown is how long the shared counter is left alone after it failed.
	cooldown = time.Second
	// defaultPrefix begins the keys in Redis.
	defaultPrefix = "mindspace"
)

// Shared counts in Redis, so that a quota holds across processes. While Redis is away each process counts for itself, going on
// from what it last heard of the key. What it counts meanwhile stays its own: with Redis back, the count there goes on.
type Shared struct {
	// Prefix sets the keys of one installation apart from those of another on the same Redis; "mindspace" unless it is changed
	// before the first call.
	Prefix   string
	limiter  *redis_rate.Limiter
	local    *Local
	logger   *slog.Logger
	now      func() time.Time
	patience time.Duration
	resume   atomic.Int64 // unix nanoseconds before which Redis is not asked
}

// NewShared returns a limiter on rdb, which must heed deadlines (ContextTimeoutEnabled); with nil it counts in this process alone.
func NewShared(rdb redis.UniversalClient, logger *slog.Logger) *Shared {
	s := &Shared{Prefix: defaultPrefix, local: NewLocal(defaultKeys), logger: logger, now: time.Now, patience: defaultPatience}
	if rdb != nil {
		s.limiter = redis_rate.NewLimiter(rdb)
	}
	return s
}

// Allow takes one call from the key's quota.
func (s *Shared) Allow(ctx context.Context, key string, q Quota) Result {
	if q.Calls == 0 {
		return Result{Allowed: true}
	}
	now := s.now()
	if s.limiter == nil || now.UnixNano() < s.resume.Load() {
		return s.local.Allow(key, q)
	}
	asking, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	answer, err := s.limiter.Allow(asking, s.Prefix+":limit:"+key, redis_rate.Limit{Rate: q.Calls, Burst: q.Calls, Period: q.Per})
	if err != nil {
		if ctx.Err() == nil {
			s.resume.Store(now.Add(cooldown).UnixNano())
			s.logger.WarnContext(ctx, "shared limits are away, counting in this process", "error", err)
		}
		return s.local.Allow(key, q)
	}
	s.local.note(key, answer.ResetAfter)
	return q.result(answer.Allowed > 0, answer.ResetAfter)
}
