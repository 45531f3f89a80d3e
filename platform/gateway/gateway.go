// Package gateway is the HTTP edge around everything that the program serves: it survives panics, names requests, finds the
// caller's address, refuses floods, sets the headers that protect browsers, compresses, and bounds what a request may cost.
// It also is the server itself: its time limits, its protocols and how it drains.
// It never knows a domain, never reads a body, and never decides who may do what.
package gateway

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"connectrpc.com/connect/v2/connecthttp"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/propagation"
)

const (
	defaultMaxBodyBytes = 4 << 20
	defaultBodyTimeout  = 30 * time.Second
)

// Config is what the edge is told. The zero value works: no proxy is trusted, no origin but our own is allowed, no address is limited.
type Config struct {
	// Logger gets panics; nil means [slog.Default].
	Logger *slog.Logger
	// Registry gets the counters of refusals and panics; nil means none.
	Registry prometheus.Registerer
	// TrustedProxies are the addresses whose X-Forwarded-For and X-Forwarded-Proto are believed.
	TrustedProxies []netip.Prefix
	// AllowedOrigins are the web origins besides our own whose scripts may call, like "https://app.example.org"; exact, no wildcards.
	AllowedOrigins []string
	// PerSecond is how many requests a second one address may send on average; 0 means any number.
	PerSecond float64
	// Burst is how many requests of one address may come at once; 0 means what PerSecond allows in one second.
	Burst int
	// MaxBodyBytes is how long the body of a request may be; 0 means 4 MiB.
	MaxBodyBytes int64
	// BodyTimeout is how long the body of a request may take to arrive, from its first read; 0 means 30 s.
	// It ends a call whose caller keeps sending, but not a stream of answers.
	BodyTimeout time.Duration
	// Propagator reads the caller's trace context; nil means that tracing is off.
	Propagator propagation.TextMapPropagator
}

// New wraps routes in the edge. From the outside in: panics, request id and address, limit by address, security headers,
// cross-origin rules, compression, bounds on the body. Mount [NotFound] for what no route answers.
func New(cfg Config, routes http.Handler) (http.Handler, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.MaxBodyBytes == 0 {
		cfg.MaxBodyBytes = defaultMaxBodyBytes
	}
	if cfg.BodyTimeout == 0 {
		cfg.BodyTimeout = defaultBodyTimeout
	}
	trusted := proxies(cfg.TrustedProxies)
	answers := answers{rpc: connecthttp.NewErrorWriter()}

	cors, err := newCORS(cfg.AllowedOrigins)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	compress, err := newCompression()
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	// What is refused carries the same headers as what is served, or a script could not read why.
	dress := func(inner http.Handler) http.Handler { return newSecurity(trusted, cors(inner)) }

	handler := newBodyBounds(cfg.MaxBodyBytes, cfg.BodyTimeout, answers, routes)
	handler = dress(compress(handler))
	if cfg.PerSecond > 0 {
		handler = newAddressLimit(cfg, answers, dress, handler)
	}
	handler = newNaming(trusted, cfg.Propagator, handler)
	return newRecovery(cfg, answers, handler), nil
}
