// Package rpc is what every call of ours passes through, whether it came over the network or from the next room in the same process:
// the interceptor chain, the policy that the contract states, the codecs, and the directory of clients.
// It knows no domain and holds no business rule.
package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"time"

	"buf.build/go/protovalidate"
	"connectrpc.com/connect/v2"

	"github.com/mindspace-app/mindspace/platform/fault"
)

// DefaultUnaryTimeout is how long a unary call may take when its caller asks for nothing shorter.
const DefaultUnaryTimeout = 30 * time.Second

// Options configure the chain. Only Logger is needed; what is nil is left out.
type Options struct {
	Logger *slog.Logger
	// Classifiers recognise the errors of dependencies that are away.
	Classifiers []fault.Classifier
	// Telemetry measures and traces each call.
	Telemetry connect.ServerInterceptor
	// Authenticator tells who presents a bearer token. Without one every caller is anonymous.
	Authenticator Authenticator
	// Limiter counts calls against the quotas of the rules, multiplied by LimitScale (0 = no limits).
	Limiter    Limiter
	LimitScale float64
	// Answers keeps the first answer to calls with an Idempotency-Key.
	Answers *Answers
	// Encodings keeps the JSON of answers that are sent again; see [Encodings.Keep].
	Encodings *Encodings
	// UnaryTimeout bounds unary calls; 0 means [DefaultUnaryTimeout].
	UnaryTimeout time.Duration
	// Draining ends when the process is about to stop: streams then end too, telling their callers to reconnect. Nil never does.
	Draining context.Context //nolint:containedctx // the life of the process, not of a call
}

// Server dispatches calls to the services registered on it, through the chain.
type Server struct {
	*connect.Server
	policies  *policies
	encodings *Encodings
}

// NewServer builds the chain of flow 1, outermost first.
func NewServer(o Options) (*Server, error) {
	validator, err := protovalidate.New()
	if err != nil {
		return nil, fmt.Errorf("make validator: %w", err)
	}
	if o.UnaryTimeout == 0 {
		o.UnaryTimeout = DefaultUnaryTimeout
	}
	p := &policies{}
	// The bound comes first, so that the mapping sees why the context ended.
	chain := []connect.ServerInterceptor{bounding(o.Draining, o.UnaryTimeout), fault.Interceptor(o.Logger, o.Classifiers...)}
	if o.Telemetry != nil {
		chain = append(chain, o.Telemetry)
	}
	chain = append(chain,
		authenticate(p, o.Authenticator),
		enforcing(p),
		limiting(p, o.Limiter, o.LimitScale),
		validating(validator),
		idempotent(p, o.Answers),
		watchAudit(p, o.Logger),
	)
	return &Server{Server: connect.NewServer(chain...), policies: p, encodings: o.Encodings}, nil
}

// Check names every registered method without a usable policy rule. The program does not start with one.
func (s *Server) Check() error {
	var problems []error
	for spec := range s.Specs() {
		if _, err := s.policies.of(spec); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// Services lists the registered services by full name, sorted.
func (s *Server) Services() []string {
	seen := map[string]bool{}
	for spec := range s.Specs() {
		seen[serviceOf(spec.Procedure)] = true
	}
	names := make([]string, 0, len(seen))
	for name := range seen {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
