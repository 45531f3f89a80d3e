package gateway

import (
	"net/http"
	"net/netip"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

// forwarded makes every request of the client come from the address, through a proxy on this machine.
type forwarded struct {
	next    http.RoundTripper
	address string
}

func (f forwarded) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", f.address)
	return f.next.RoundTrip(r)
}

func loopback() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

func TestAddressLimit(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	e := newEdge(t, Config{
		PerSecond: 0.001, Burst: 3, TrustedProxies: loopback(), Registry: registry,
		AllowedOrigins: []string{"https://app.example.org"},
	}, ServerConfig{}, nil)
	address := 0
	for name, p := range protocols(t) {
		address++
		caller := netip.AddrFrom4([4]byte{203, 0, 113, byte(address)}).String()
		client := &http.Client{Transport: forwarded{p.client.Transport, caller}, Timeout: patience}
		for range 3 {
			if _, err := e.call(t.Context(), client, sayPath, "hello", p.options...); err != nil {
				t.Fatalf("%s within its burst: %v", name, err)
			}
		}
		ctx, info := connect.NewClientContext(t.Context())
		_, err := e.call(ctx, client, sayPath, "hello", p.options...)
		answer := wantCode(t, name, err, connect.CodeResourceExhausted)
		if after := info.ResponseHeader().Get("Retry-After"); after != "1000" {
			t.Errorf("%s: Retry-After %q", name, after)
		}
		wantRetry(t, name, answer, 1000*time.Second)
	}
	if n := counted(t, registry, "mindspace_gateway_refusals_total"); n != 4 {
		t.Errorf("%v refusals were counted, want 4", n)
	}
}

func wantRetry(t *testing.T, name string, err *connect.Error, want time.Duration) {
	t.Helper()
	for _, detail := range err.Details() {
		if message, err := connectproto.UnmarshalErrorDetail(detail); err == nil {
			if retry, ok := message.(*errdetails.RetryInfo); ok {
				if got := retry.GetRetryDelay().AsDuration(); got != want {
					t.Errorf("%s: retry after %s, want %s", name, got, want)
				}
				return
			}
		}
	}
	t.Errorf("%s: there is no google.rpc.RetryInfo", name)
}

func TestAddressLimitOnPages(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Config{PerSecond: 0.5, Burst: 1, AllowedOrigins: []string{"https://app.example.org"}}, ServerConfig{}, nil)
	client := http1(t)
	e.do(t, client, e.request(t, http.MethodGet, "/", ""))
	response, body := e.do(t, client, e.request(t, http.MethodGet, "/", "", "Origin", "https://app.example.org"))
	if response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") != "2" {
		t.Errorf("got %s, Retry-After %q, %s", response.Status, response.Header.Get("Retry-After"), body)
	}
	if response.Header.Get("Access-Control-Allow-Origin") == "" || response.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("a refusal lacks the headers that others have: %v", response.Header)
	}
}

// What a client claims about its address must not give it a bucket of its own.
func TestAddressLimitIsNotFooled(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Config{PerSecond: 0.001, Burst: 1}, ServerConfig{}, nil)
	client := http1(t)
	e.do(t, client, e.request(t, http.MethodGet, "/", "", "X-Forwarded-For", "203.0.113.1"))
	response, _ := e.do(t, client, e.request(t, http.MethodGet, "/", "", "X-Forwarded-For", "203.0.113.2"))
	if response.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a made-up address was believed: %s", response.Status)
	}
}

func TestNoLimit(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Config{}, ServerConfig{}, nil)
	for range 100 {
		if _, err := e.call(t.Context(), http1(t), sayPath, "hello"); err != nil {
			t.Fatal(err)
		}
	}
}
