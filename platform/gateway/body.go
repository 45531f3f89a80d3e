package gateway

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/mindspace-app/mindspace/platform/fault"
)

// bodyBounds bounds how long the body of a request may be, and how long it may take to arrive.
// It does so itself, rather than by the server's ReadTimeout, so that the edge is whole behind any server, and as that one also
// runs for requests whose body nobody waits for.
type bodyBounds struct {
	answers  answers
	maxBytes int64
	timeout  time.Duration
	tooLong  *connect.Error
	tooSlow  *connect.Error
	next     http.Handler
}

func newBodyBounds(maxBytes int64, timeout time.Duration, answers answers, next http.Handler) http.Handler {
	return &bodyBounds{
		answers:  answers,
		maxBytes: maxBytes,
		timeout:  timeout,
		tooLong: fault.Exhausted("the body of the request is longer than %d bytes", maxBytes).WithReason("BODY_TOO_LONG").
			WithCause(&http.MaxBytesError{Limit: maxBytes}).Connect(),
		tooSlow: connect.Errorf(connect.CodeDeadlineExceeded, "the body of the request took longer than %s to arrive", timeout).
			WithCause(os.ErrDeadlineExceeded),
		next: next,
	}
}

// ServeHTTP implements [http.Handler].
func (h *bodyBounds) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		h.next.ServeHTTP(w, r)
		return
	}
	if r.ContentLength > h.maxBytes {
		if r.ProtoMajor == 1 {
			w.Header().Set("Connection", "close") // rather than read what nobody will use
		}
		h.answers.write(w, r, h.tooLong, http.StatusRequestEntityTooLarge)
		return
	}
	server := innermost(w)
	bounded := &body{ReadCloser: r.Body, bounds: h}
	if r.ContentLength < 0 { // one that says its length has no more than that
		bounded.ReadCloser = http.MaxBytesReader(server, r.Body, h.maxBytes)
	}
	bounded.server, _ = server.(readDeadliner)
	r.Body = bounded // r is a copy already, see naming
	h.next.ServeHTTP(w, r)
}

type readDeadliner interface {
	SetReadDeadline(deadline time.Time) error
}

// body sets its deadline with the first read, so that a request whose body nobody reads pays nothing.
// It need not be cleared: net/http forgets it at the end of the body, which a test watches.
type body struct {
	io.ReadCloser
	bounds *bodyBounds
	server readDeadliner // nil when there is no deadline to set, or it was set
}

// Read implements [io.Reader]. Its errors say what is wrong in words that callers may see.
func (b *body) Read(p []byte) (int, error) {
	if b.server != nil {
		_ = b.server.SetReadDeadline(time.Now().Add(b.bounds.timeout)) // if it fails, so will the read
		b.server = nil
	}
	n, err := b.ReadCloser.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return n, b.bounds.tooLong
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, b.bounds.tooSlow
	}
	return n, err
}
