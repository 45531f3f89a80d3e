package cache

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

func TestUnsentKeysAreBounded(t *testing.T) {
	t.Parallel()
	u := unsent{}
	for i := range unsentLimit {
		u.add(invalidation{Cache: "a", Keys: []string{fmt.Sprint(i)}})
	}
	u.add(invalidation{Cache: "b", Keys: []string{"k"}})
	u.add(invalidation{Cache: "c", Keys: []string{"k"}})
	u.add(invalidation{Cache: "c", All: true})
	u.add(invalidation{Cache: "c", Keys: []string{"k"}})
	if len(u) != 3 || len(u["b"]) != 1 || u["c"] != nil {
		t.Fatalf("b has %d keys, c %v", len(u["b"]), u["c"])
	}
	if n := len(u["a"]); n != unsentLimit {
		t.Fatalf("a has %d keys", n)
	}
	u.add(invalidation{Cache: "a", Keys: []string{"one more"}})
	if keys, ok := u["a"]; !ok || keys != nil {
		t.Errorf("beyond the limit %d keys are kept, want the whole cache", len(keys))
	}
}

// A Redis that comes and goes is left alone for longer each time, so that the log is not flooded.
func TestPauseGrowsWhileRedisComesAndGoes(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	clock := func() time.Time { return time.Unix(1_800_000_000, now.Load()) }
	s := NewStore(nil, Config{Now: clock})
	l := s.link
	ctx := context.Background()
	fail := func() time.Duration {
		for range failureLimit {
			s.failed(ctx, "get", errors.New("away"))
		}
		if !l.down.Load() {
			t.Fatal("not noticed")
		}
		pause := time.Duration(l.tryAt.Load() - clock().UnixNano())
		now.Add(int64(pause))
		l.down.Store(false)
		l.failures.Store(0)
		l.backAt = clock()
		return pause
	}
	for i, want := range []float64{1, 2, 4, 8, 16, 30, 30} {
		if got := fail().Seconds(); got != want {
			t.Errorf("outage %d: pause of %v s, want %v", i+1, got, want)
		}
	}
	now.Add(int64(2 * longPause))
	if got := fail(); got != firstPause {
		t.Errorf("after a quiet time: pause %v, want %v", got, firstPause)
	}

	// Failures that are not in a row do not count.
	for range 2 * failureLimit {
		s.failed(ctx, "get", errors.New("away"))
		s.worked()
	}
	if l.down.Load() {
		t.Error("single failures took it down")
	}
}

func TestPatternQuotesWhatHasAMeaning(t *testing.T) {
	t.Parallel()
	if got, want := pattern(`a*b?[c]^\:`), `a\*b\?\[c\]\^\\:*`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
