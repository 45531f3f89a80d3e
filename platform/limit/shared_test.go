package limit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/mindspace-app/mindspace/platform/cache/redistest"
	"github.com/mindspace-app/mindspace/platform/limit"
)

// cable is the way to a Redis, which can be cut and mended.
type cable struct {
	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func (c *cable) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return nil, errors.New("the cable is cut")
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil {
		c.conns = append(c.conns, conn)
	}
	return conn, err
}

func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	if cut {
		for _, conn := range c.conns {
			_ = conn.Close()
		}
		c.conns = nil
	}
}

// process is one limiter as a process of its own has it.
type process struct {
	*limit.Shared
	cable *cable
	rdb   *redis.Client
	clock atomic.Int64 // its time, which stands still, in nanoseconds
}

// processes gives two of them on one Redis.
func processes(t *testing.T) [2]*process {
	t.Helper()
	url := redistest.New(t)
	var two [2]*process
	for n := range two {
		options, err := redis.ParseURL(url)
		if err != nil {
			t.Fatal(err)
		}
		p := &process{cable: &cable{}}
		options.ContextTimeoutEnabled, options.Dialer = true, p.cable.dial
		p.rdb = redis.NewClient(options)
		t.Cleanup(func() { _ = p.rdb.Close() })
		p.Shared = limit.NewShared(p.rdb, slog.New(slog.DiscardHandler))
		p.SetPatience(time.Minute) // a machine in trouble is no Redis that is away
		p.clock.Store(time.Now().UnixNano())
		p.SetNow(func() time.Time { return time.Unix(0, p.clock.Load()) })
		two[n] = p
	}
	return two
}

// rush makes calls through all of the processes at once and tells how many were allowed.
func rush(t *testing.T, calls int, key string, q limit.Quota, through ...*process) int {
	t.Helper()
	var allowed, next atomic.Int64
	var all sync.WaitGroup
	for n := range 8 * len(through) {
		p := through[n%len(through)]
		all.Go(func() {
			for next.Add(1) <= int64(calls) {
				if p.Allow(t.Context(), key, q).Allowed {
					allowed.Add(1)
				}
			}
		})
	}
	all.Wait()
	return int(allowed.Load())
}

func TestSharedQuotaHoldsAcrossProcesses(t *testing.T) {
	t.Parallel()
	two := processes(t)
	for _, q := range []limit.Quota{
		{Calls: 1, Per: time.Hour},
		{Calls: 5, Per: time.Hour},
		{Calls: 20, Per: 24 * time.Hour},
		{Calls: 100, Per: time.Hour},
		{Calls: 1000, Per: 24 * time.Hour},
	} {
		t.Run(fmt.Sprint(q.Calls), func(t *testing.T) {
			t.Parallel()
			calls, key := q.Calls*2+40, redistest.Key()
			began := time.Now()
			allowed := rush(t, calls, key, q, two[:]...)
			refilled := float64(time.Since(began)) / float64(q.Per) * float64(q.Calls)
			if most := float64(q.Calls)*1.05 + refilled; allowed < q.Calls || float64(allowed) > most {
				t.Errorf("%d of %d calls were allowed, want %d", allowed, calls, q.Calls)
			}
		})
	}
}

// What a call is told agrees with what then happens, whoever counts.
func TestResult(t *testing.T) {
	t.Parallel()
	two := processes(t)
	local := limit.NewLocal(100)
	limiters := map[string]func(n int, key string, q limit.Quota) limit.Result{
		"shared": func(n int, key string, q limit.Quota) limit.Result { return two[n%2].Allow(t.Context(), key, q) },
		"local":  func(_ int, key string, q limit.Quota) limit.Result { return local.Allow(key, q) },
	}
	for name, allow := range limiters {
		for _, q := range []limit.Quota{{Calls: 1, Per: time.Hour}, {Calls: 3, Per: time.Hour}, {Calls: 7, Per: 24 * time.Hour}} {
			t.Run(fmt.Sprint(name, " ", q.Calls), func(t *testing.T) {
				t.Parallel()
				key, each, began := redistest.Key(), q.Per/time.Duration(q.Calls), time.Now()
				for n := range q.Calls + 2 {
					r := allow(n, key, q)
					slack := time.Since(began) + time.Millisecond
					used := min(n+1, q.Calls)
					if r.Allowed != (n < q.Calls) || r.Limit != q.Calls || r.Remaining != q.Calls-used {
						t.Errorf("call %d: %+v", n+1, r)
					}
					if reset := time.Duration(used) * each; r.ResetAfter > reset+time.Millisecond || r.ResetAfter < reset-slack {
						t.Errorf("call %d: reset after %v, want %v", n+1, r.ResetAfter, reset)
					}
					if wait := r.RetryAfter; r.Allowed && wait != 0 || !r.Allowed && (wait > each+time.Millisecond || wait < each-slack) {
						t.Errorf("call %d: retry after %v, want %v", n+1, wait, each)
					}
				}
			})
		}
	}
}

func TestRedisIsTakenAway(t *testing.T) {
	t.Parallel()
	two := processes(t)
	q := limit.Quota{Calls: 50, Per: 24 * time.Hour}
	if n := rush(t, 28, "k", q, two[:]...); n != 28 {
		t.Fatalf("%d of the first 28 calls were allowed", n)
	}
	for _, p := range two {
		if !p.Allow(t.Context(), "k", q).Allowed {
			t.Fatal("a call within the quota was refused")
		}
	}
	for _, p := range two {
		p.cable.set(true)
	}
	// Each counts for itself now, on from the 29 or 30 calls that it heard of, and gives no key more than its quota.
	for n, p := range two {
		if allowed := rush(t, 200, "k", q, p); allowed < 20 || allowed > 21 {
			t.Errorf("process %d allowed %d without Redis, want the 20 or 21 that were left", n+1, allowed)
		}
		if allowed := rush(t, 200, "never heard of", q, p); allowed != q.Calls {
			t.Errorf("process %d allowed %d of a fresh key, want %d", n+1, allowed, q.Calls)
		}
	}
	for _, p := range two {
		p.cable.set(false)
	}
	if two[0].Allow(t.Context(), "k", q).Allowed {
		t.Error("Redis was asked before its cooldown was over")
	}
	for _, p := range two {
		p.clock.Add(int64(2 * limit.Cooldown))
	}
	// What was left of the shared quota is there again, for both together.
	if n := rush(t, 200, "k", q, two[:]...); n != 20 {
		t.Errorf("%d calls were allowed with Redis back, want the 20 that were left", n)
	}
}

func TestInstallationsOnOneRedisCountApart(t *testing.T) {
	t.Parallel()
	two := processes(t)
	two[1].Prefix = "another"
	q := limit.Quota{Calls: 1, Per: time.Hour}
	for n, p := range two {
		if !p.Allow(t.Context(), "k", q).Allowed {
			t.Errorf("installation %d: the other one used up its quota", n+1)
		}
	}
	keys, err := two[0].rdb.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 2 || !strings.Contains(strings.Join(keys, " "), "mindspace:limit:k") {
		t.Errorf("keys %q, %v", keys, err)
	}
}
