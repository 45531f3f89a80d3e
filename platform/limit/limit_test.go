package limit_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/mindspace-app/mindspace/platform/limit"
)

func TestLocalAllowsTheQuotaAndNoMore(t *testing.T) {
	t.Parallel()
	l, allowed := limit.NewLocal(10), atomic.Int32{}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if l.Allow("k", limit.Quota{Calls: 7, Per: time.Hour}).Allowed {
				allowed.Add(1)
			}
		})
	}
	all.Wait()
	if allowed.Load() != 7 {
		t.Errorf("%d calls allowed, want 7", allowed.Load())
	}
	r := l.Allow("k", limit.Quota{Calls: 7, Per: time.Hour})
	if r.Allowed || r.RetryAfter <= 0 || r.RetryAfter > time.Hour/7 {
		t.Errorf("%+v; want to wait at most a seventh of an hour", r)
	}
	if !l.Allow("another", limit.Quota{Calls: 1, Per: time.Hour}).Allowed {
		t.Error("one key used up another's quota")
	}
}

func TestZeroQuotaAllowsAll(t *testing.T) {
	t.Parallel()
	l := limit.NewLocal(10)
	for range 1000 {
		if r := l.Allow("k", limit.Quota{}); r != (limit.Result{Allowed: true}) {
			t.Fatalf("without a quota: %+v", r)
		}
	}
}

func TestLocalForgetsRatherThanGrows(t *testing.T) {
	t.Parallel()
	l := limit.NewLocal(100)
	for n := range 10_000 {
		l.Allow(fmt.Sprint(n), limit.Quota{Calls: 1, Per: time.Hour})
	}
	remembered := 0
	for n := range 10_000 {
		if !l.Allow(fmt.Sprint(n), limit.Quota{Calls: 1, Per: time.Hour}).Allowed {
			remembered++
		}
	}
	if remembered > 1000 {
		t.Errorf("%d of 10,000 keys remembered, want about 100", remembered)
	}
}

func TestAddressKey(t *testing.T) {
	t.Parallel()
	key := func(address string) string { return limit.AddressKey(netip.MustParseAddr(address)) }
	if key("203.0.113.1") == key("203.0.113.2") {
		t.Error("two IPv4 addresses share a bucket")
	}
	if key("2001:db8:0:1::1") != key("2001:db8:0:1:ffff::2") {
		t.Error("one IPv6 network of 64 bits has two buckets")
	}
	if key("2001:db8:0:1::1") == key("2001:db8:0:2::1") {
		t.Error("two IPv6 networks share a bucket")
	}
	if key("::ffff:203.0.113.1") != key("203.0.113.1") {
		t.Error("an IPv4 address in IPv6 form has another bucket")
	}
	if limit.AddressKey(netip.Addr{}) != "" {
		t.Error("no address has a bucket")
	}
}

// A Redis that takes connections and never answers holds a call no longer than the patience.
func TestSharedDoesNotWaitForAHangingRedis(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			if _, err := listener.Accept(); err != nil {
				return
			}
		}
	}()
	rdb := redis.NewClient(&redis.Options{Addr: listener.Addr().String(), ContextTimeoutEnabled: true, ReadTimeout: time.Hour, DialTimeout: time.Hour})
	t.Cleanup(func() { _ = rdb.Close() })
	shared := limit.NewShared(rdb, slog.New(slog.DiscardHandler))
	answered := make(chan bool, 1)
	go func() {
		answered <- shared.Allow(context.Background(), "k", limit.Quota{Calls: 1, Per: time.Hour}).Allowed
	}()
	select {
	case ok := <-answered:
		if !ok {
			t.Error("the first call was refused")
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it waits for Redis")
	}
}
