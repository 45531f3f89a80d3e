package rpc_test

import (
	"context"
	"log/slog"
	"net/netip"
	"testing"

	"connectrpc.com/connect/v2"
	"github.com/redis/go-redis/v9"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	probev1 "github.com/mindspace-app/mindspace/gen/go/mindspace/probe/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/probe/v1/probev1connect"
	"github.com/mindspace-app/mindspace/platform/cache/redistest"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/limit"
	"github.com/mindspace-app/mindspace/platform/rpc"
)

func redisClient(t *testing.T) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(redistest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(options)
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

func TestLimitPerPersonHoldsAcrossProcesses(t *testing.T) {
	t.Parallel()
	rdb := redisClient(t)
	var clients []probev1connect.ProbeServiceClient
	for range 2 {
		r := newRig(t, func(o *rpc.Options) { o.Limiter = limit.NewShared(rdb, o.Logger) })
		clients = append(clients, r.client("user"))
	}
	for n := range 2 { // the rule says two a minute
		if _, err := clients[n].User(t.Context(), &probev1.UserRequest{}); err != nil {
			t.Fatalf("call %d: %v", n+1, err)
		}
	}
	for n := range 2 {
		_, err := clients[n].User(t.Context(), &probev1.UserRequest{})
		if connect.CodeOf(err) != connect.CodeResourceExhausted || reason(t, err) != "RATE_LIMITED" {
			t.Fatalf("process %d: got %v, want resource_exhausted", n+1, err)
		}
		if d := detail[*errdetails.RetryInfo](t, err).GetRetryDelay().AsDuration().Seconds(); d <= 0 || d > 60 {
			t.Errorf("retry after %v s, want within the minute", d)
		}
	}
}

func TestLimitScale(t *testing.T) {
	t.Parallel()
	for scale, allowed := range map[float64]int{0: 20, 1: 2, 3: 6, 0.001: 1} {
		r := newRig(t, func(o *rpc.Options) { o.Limiter, o.LimitScale = limit.NewShared(nil, o.Logger), scale })
		client, got := r.client("user"), 0
		for range 20 {
			if _, err := client.User(t.Context(), &probev1.UserRequest{}); err == nil {
				got++
			}
		}
		if got != allowed {
			t.Errorf("scale %v: %d calls went through, want %d", scale, got, allowed)
		}
	}
}

func TestLimitPerAddress(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *rpc.Options) { o.Limiter = limit.NewShared(nil, o.Logger) })
	client := probev1connect.NewProbeServiceClient(rpc.NewDirectory(r.server).Client(probev1connect.ProbeServiceName))
	call := func(address string) error {
		ctx := identity.WithRequest(t.Context(), identity.Request{Address: netip.MustParseAddr(address)})
		_, err := client.Public(ctx, &probev1.PublicRequest{})
		return err
	}
	for n := range 3 { // the rule says three a minute; one /64 is one household
		if err := call([]string{"2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::3"}[n]); err != nil {
			t.Fatalf("call %d: %v", n+1, err)
		}
	}
	if err := call("2001:db8::4"); connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Errorf("fourth call of the household: %v, want resource_exhausted", err)
	}
	for _, other := range []string{"2001:db8:0:1::1", "192.0.2.1", "::ffff:192.0.2.2"} {
		if err := call(other); err != nil {
			t.Errorf("%s has not called before: %v", other, err)
		}
	}
}

func TestLimitsGoOnInProcessWhenRedisIsAway(t *testing.T) {
	t.Parallel()
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1}) // nobody listens there
	t.Cleanup(func() { _ = rdb.Close() })
	shared := limit.NewShared(rdb, slog.New(slog.DiscardHandler))
	allowed := 0
	for range 20 {
		if _, ok := shared.Allow(context.Background(), "k", limit.Quota{Calls: 5, Per: 1 << 40}); ok {
			allowed++
		}
	}
	if allowed != 5 {
		t.Errorf("%d calls allowed, want 5", allowed)
	}
}
