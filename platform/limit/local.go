package limit

import (
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// defaultKeys is how many keys one process remembers: some 10 MB at most.
const defaultKeys = 100_000

// forgetAfter is how long an idle key is remembered. It is longer than a quota per second or minute takes to be whole again;
// for longer ones this process is only the stand-in.
const forgetAfter = 10 * time.Minute

// Local counts in this process, with bounded memory: beyond its number of keys, those least used are forgotten and start afresh.
// It counts as the shared one does, by the generic cell rate algorithm: all that a key needs is the time at which its quota is
// whole again, which each call moves on by its share.
type Local struct {
	whole *otter.Cache[string, *atomic.Int64] // unix nanoseconds
}

// NewLocal returns a limiter that remembers at most so many keys.
func NewLocal(keys int) *Local {
	return &Local{whole: otter.Must(&otter.Options[string, *atomic.Int64]{
		MaximumSize:      keys,
		ExpiryCalculator: otter.ExpiryAccessing[string, *atomic.Int64](forgetAfter),
	})}
}

// Allow takes one call from the key's quota.
func (l *Local) Allow(key string, q Quota) Result {
	if q.Calls == 0 {
		return Result{Allowed: true}
	}
	share := max(q.Per/time.Duration(q.Calls), 1)
	whole := l.of(key)
	for now := time.Now().UnixNano(); ; {
		before := whole.Load()
		reset := time.Duration(max(before-now, 0))
		if reset+share > q.Per {
			return q.result(false, reset)
		}
		if whole.CompareAndSwap(before, now+int64(reset+share)) {
			return q.result(true, reset+share)
		}
	}
}

// note makes this limiter go on from where another one is with the key.
func (l *Local) note(key string, reset time.Duration) {
	whole, then := l.of(key), time.Now().Add(reset).UnixNano()
	for before := whole.Load(); before < then; before = whole.Load() {
		if whole.CompareAndSwap(before, then) {
			return
		}
	}
}

func (l *Local) of(key string) *atomic.Int64 {
	whole, found := l.whole.GetIfPresent(key)
	if !found {
		whole, _ = l.whole.SetIfAbsent(key, new(atomic.Int64))
	}
	return whole
}
