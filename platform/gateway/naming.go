package gateway

import (
	"encoding/binary"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/propagation"

	"github.com/mindspace-app/mindspace/platform/identity"
)

const (
	requestIDHeader   = "X-Request-Id"
	traceparentHeader = "Traceparent"
	maxRequestID      = 64
)

// naming gives every request its id and the caller's address, in the context and in the answer, and joins the caller's trace.
type naming struct {
	proxies    proxies
	propagator propagation.TextMapPropagator
	next       http.Handler
}

func newNaming(trusted proxies, propagator propagation.TextMapPropagator, next http.Handler) http.Handler {
	return &naming{proxies: trusted, propagator: propagator, next: next}
}

// ServeHTTP implements [http.Handler].
func (h *naming) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ids := r.Header[requestIDHeader]
	if len(ids) != 1 || !isRequestID(ids[0]) {
		ids = []string{newRequestID()}
	}
	w.Header()[requestIDHeader] = ids[:1:1]

	ctx := r.Context()
	if h.propagator != nil && len(r.Header[traceparentHeader]) > 0 {
		ctx = h.propagator.Extract(ctx, propagation.HeaderCarrier(r.Header))
	}
	ctx = identity.WithRequest(ctx, identity.Request{ID: ids[0], Address: h.proxies.caller(r)})
	r = r.WithContext(ctx)
	if answer, ok := w.(*response); ok {
		answer.request = r
	}
	h.next.ServeHTTP(w, r)
}

func newRequestID() string {
	var id uuid.UUID
	now := uint64(time.Now().UnixMilli())
	binary.BigEndian.PutUint64(id[:8], now<<16|rand.Uint64()&0xffff) //nolint:gosec // it is no secret, and the kernel need not be asked each time
	binary.BigEndian.PutUint64(id[8:], rand.Uint64())                //nolint:gosec // as above
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80                  // version 7, variant of RFC 9562
	return id.String()
}

// isRequestID tells whether an id from outside is fit for logs and headers.
func isRequestID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		if c := id[i]; !isWord(c) && c != '.' && c != '-' {
			return false
		}
	}
	return true
}
