package gateway

import (
	"math"
	"net/http"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/limit"
)

// limitedAddresses is how many addresses are remembered; beyond them those seen least are forgotten and start with a full bucket.
const limitedAddresses = 100_000

// addressLimit refuses an address that sends too much, before anything is spent on it. It counts in this process alone;
// limits by person and method come later, and hold across processes.
type addressLimit struct {
	buckets  *limit.Local
	quota    limit.Quota
	refusals prometheus.Counter
	refusal  http.Handler
	next     http.Handler
}

// newAddressLimit builds the limit; dress puts on a refusal what every answer wears.
func newAddressLimit(cfg Config, answers answers, dress func(http.Handler) http.Handler, next http.Handler) http.Handler {
	burst := cfg.Burst
	if burst <= 0 {
		burst = int(math.Ceil(cfg.PerSecond))
	}
	quota := limit.Quota{Calls: burst, Per: time.Duration(float64(burst) / cfg.PerSecond * float64(time.Second))}
	return &addressLimit{
		buckets: limit.NewLocal(limitedAddresses),
		quota:   quota,
		refusals: promauto.With(cfg.Registry).NewCounter(prometheus.CounterOpts{
			Name: "mindspace_gateway_refusals_total",
			Help: "Requests refused because their address sent too many.",
		}),
		refusal: dress(newRefusal(answers, time.Duration(float64(time.Second)/cfg.PerSecond))),
		next:    next,
	}
}

// ServeHTTP implements [http.Handler].
func (h *addressLimit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := limit.AddressKey(identity.RequestFrom(r.Context()).Address)
	if key == "" {
		h.next.ServeHTTP(w, r)
		return
	}
	if h.buckets.Allow(key, h.quota).Allowed {
		h.next.ServeHTTP(w, r)
		return
	}
	h.refusals.Inc()
	h.refusal.ServeHTTP(w, r)
}

// refusal says that the address sends too much, and when the next request fits at the latest. It is made once: a flood should cost little.
type refusal struct {
	answers answers
	after   []string
	err     *connect.Error
}

func newRefusal(answers answers, wait time.Duration) http.Handler {
	err := fault.Exhausted("too many requests from your address").WithReason("ADDRESS_LIMIT").WithRetryAfter(wait)
	return &refusal{answers: answers, after: []string{err.RetryAfterSeconds()}, err: err.Connect()}
}

// ServeHTTP implements [http.Handler].
func (h *refusal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header()["Retry-After"] = h.after
	h.answers.write(w, r, h.err, http.StatusTooManyRequests)
}
