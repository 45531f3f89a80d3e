package rpc_test

import (
	"context"
	"log/slog"
	"net/netip"
	"strconv"
	"testing"

	"connectrpc.com/connect/v2"
	"github.com/redis/go-redis/v9"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	probev1 "github.com/mindspace-app/mindspace/gen/go/mindspace/probe/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/probe/v1/probev1connect"
	"github.com/mindspace-app/mindspace/platform/cache/redistest"
	"github.com/mindspace-app/mindspace/platform/fault"
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

// Every answer of a limited method says what is left, over each protocol; a refused one also when to come back.
func TestAnswersSayWhatIsLeft(t *testing.T) {
	t.Parallel()
	for name, options := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(o *rpc.Options) { o.Limiter = limit.NewShared(redisClient(t), o.Logger) })
			r.probe.fail = func(context.Context) error { return fault.NotFound("no such thing") } // errors say it too
			client := r.client("user", options...)
			for n, want := range []map[string]string{ // the rule says two a minute
				{"RateLimit-Limit": "2", "RateLimit-Remaining": "1", "RateLimit-Reset": "30", "Retry-After": ""},
				{"RateLimit-Limit": "2", "RateLimit-Remaining": "0", "RateLimit-Reset": "60", "Retry-After": ""},
				{"RateLimit-Limit": "2", "RateLimit-Remaining": "0", "RateLimit-Reset": "60", "Retry-After": "30"},
			} {
				ctx, info := connect.NewClientContext(t.Context())
				_, err := client.User(ctx, &probev1.UserRequest{})
				if code := connect.CodeOf(err); n < 2 && code != connect.CodeNotFound || n == 2 && code != connect.CodeResourceExhausted {
					t.Fatalf("call %d: %v", n+1, err)
				}
				for header, value := range want {
					if got := info.ResponseHeader().Get(header); got != value && !within(got, value, 10) {
						t.Errorf("call %d: %s is %q, want %q", n+1, header, got, value)
					}
				}
			}
			ctx, info := connect.NewClientContext(t.Context())
			if _, err := client.Empty(ctx, &probev1.EmptyRequest{}); err != nil || info.ResponseHeader().Get("RateLimit-Limit") != "" {
				t.Errorf("a method without a limit: %v, %v", info.ResponseHeader(), err)
			}
		})
	}
}

// within tells whether got is a number of seconds below want by no more than what the test itself may have taken.
func within(got, want string, taken int) bool {
	g, err := strconv.Atoi(got)
	w, wrong := strconv.Atoi(want)
	return err == nil && wrong == nil && w > 2 && g < w && g >= w-taken
}

// Where a person and an address have a quota each, the headers are about the one that ends first.
func TestTheTighterQuotaIsSaid(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *rpc.Options) { o.Limiter = limit.NewShared(nil, o.Logger) })
	client := probev1connect.NewProbeServiceClient(rpc.NewDirectory(r.server).Client(probev1connect.ProbeServiceName))
	for n, step := range []struct{ token, address, limit, remaining string }{ // the rule says five a person and three an address
		{"", "192.0.2.1", "3", "2"},
		{"user", "192.0.2.1", "3", "1"},
		{"user", "192.0.2.2", "3", "2"},
		{"user", "192.0.2.3", "5", "2"},
		{"user", "192.0.2.1", "3", "0"},
		{"user", "192.0.2.1", "3", "0"}, // refused: the address has no more
		{"user", "192.0.2.4", "5", "0"}, // refused: the person has no more, and the address pays nothing
		{"", "192.0.2.4", "3", "2"},
		{"user", "", "5", "0"},
	} {
		ctx := identity.WithCaller(t.Context(), identity.Caller{Credential: step.token})
		if step.address != "" {
			ctx = identity.WithRequest(ctx, identity.Request{Address: netip.MustParseAddr(step.address)})
		}
		ctx, info := connect.NewClientContext(ctx)
		_, err := client.Either(ctx, &probev1.EitherRequest{})
		if refused := n == 5 || n == 6 || n == 8; refused != (connect.CodeOf(err) == connect.CodeResourceExhausted) {
			t.Errorf("call %d: %v", n+1, err)
		}
		header := info.ResponseHeader()
		if header.Get("RateLimit-Limit") != step.limit || header.Get("RateLimit-Remaining") != step.remaining {
			t.Errorf("call %d: %v of %v left, want %s of %s", n+1, header.Get("RateLimit-Remaining"), header.Get("RateLimit-Limit"), step.remaining, step.limit)
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
		if shared.Allow(context.Background(), "k", limit.Quota{Calls: 5, Per: 1 << 40}).Allowed {
			allowed++
		}
	}
	if allowed != 5 {
		t.Errorf("%d calls allowed, want 5", allowed)
	}
}

// unasked is a limiter that must not be asked.
type unasked struct{ *testing.T }

func (u unasked) Allow(context.Context, string, limit.Quota) limit.Result {
	u.Error("the shared counter was asked")
	return limit.Result{Allowed: true}
}

// A quota that each process counts for itself holds there, and the shared counter is left alone.
func TestQuotaOfAProcess(t *testing.T) {
	t.Parallel()
	for range 2 { // processes
		r := newRig(t, func(o *rpc.Options) { o.Limiter = unasked{t} })
		for n := range 5 {
			_, err := r.client("user").Often(t.Context(), &probev1.OftenRequest{})
			if refused := connect.CodeOf(err) == connect.CodeResourceExhausted; refused != (n >= 3) || (err != nil && !refused) {
				t.Errorf("call %d: %v", n+1, err)
			}
		}
	}
}
