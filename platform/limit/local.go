package limit

import (
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"
)

// defaultKeys is how many keys one process remembers: some 10 MB at most.
const defaultKeys = 100_000

// forgetAfter is how long an idle key is remembered. It is longer than a bucket takes to fill at any quota per second or minute;
// for longer ones this process is only the stand-in.
const forgetAfter = 10 * time.Minute

// Local counts in this process, with bounded memory: beyond its number of keys, those least used are forgotten and start afresh.
type Local struct {
	buckets *otter.Cache[string, *rate.Limiter]
}

// NewLocal returns a limiter that remembers at most so many keys.
func NewLocal(keys int) *Local {
	return &Local{buckets: otter.Must(&otter.Options[string, *rate.Limiter]{
		MaximumSize:      keys,
		ExpiryCalculator: otter.ExpiryAccessing[string, *rate.Limiter](forgetAfter),
	})}
}

// Allow takes one call from the key's quota; a full bucket holds q.Calls. When it is empty, wait says how long until the next call fits.
func (l *Local) Allow(key string, q Quota) (wait time.Duration, ok bool) {
	if q.Calls == 0 {
		return 0, true
	}
	bucket, found := l.buckets.GetIfPresent(key)
	if !found {
		fresh := rate.NewLimiter(rate.Every(q.Per/time.Duration(q.Calls)), q.Calls)
		bucket, _ = l.buckets.SetIfAbsent(key, fresh)
	}
	now := time.Now()
	if bucket.AllowN(now, 1) {
		return 0, true
	}
	missing := 1 - bucket.TokensAt(now)
	return time.Duration(missing * float64(q.Per) / float64(q.Calls)), false
}
