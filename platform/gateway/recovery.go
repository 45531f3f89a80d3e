package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"

	"connectrpc.com/connect/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// maxStack is how much of the stack of a panic is logged.
const maxStack = 16 << 10

// somethingWrong is all that a caller learns of a panic.
const somethingWrong = "something went wrong on our side; the request id helps us to find it"

// recovery turns a panic into an answer: 500 when nothing was sent yet, else the end of the connection or stream,
// so that half an answer does not pass for a whole one.
type recovery struct {
	answers answers
	logger  *slog.Logger
	panics  prometheus.Counter
	next    http.Handler
}

func newRecovery(cfg Config, answers answers, next http.Handler) http.Handler {
	return &recovery{
		answers: answers,
		logger:  cfg.Logger,
		panics: promauto.With(cfg.Registry).NewCounter(prometheus.CounterOpts{
			Name: "mindspace_gateway_panics_total",
			Help: "Requests whose handler panicked.",
		}),
		next: next,
	}
}

// ServeHTTP implements [http.Handler].
func (h *recovery) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := &response{ResponseWriter: w}
	defer h.rescue(answer, r)
	h.next.ServeHTTP(answer, r)
}

func (h *recovery) rescue(w *response, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(http.ErrAbortHandler) // the handler ends the connection on purpose
	}
	h.panics.Inc()
	h.log(w, r, p)
	if w.begun {
		panic(http.ErrAbortHandler)
	}
	h.answers.write(w, r, connect.NewError(connect.CodeInternal, somethingWrong), http.StatusInternalServerError)
}

// log tells where it happened. Paths may hold signatures and tokens, so it is the route that is named, never the path.
func (h *recovery) log(w *response, r *http.Request, p any) {
	if w.request != nil {
		r = w.request
	}
	stack := make([]byte, maxStack)
	stack = stack[:runtime.Stack(stack, false)]
	h.logger.ErrorContext(context.WithoutCancel(r.Context()), "handler panicked",
		"method", r.Method, "route", r.Pattern, "panic", fmt.Sprint(p), "stack", string(stack))
}
