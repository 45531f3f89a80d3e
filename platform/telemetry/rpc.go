package telemetry

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/otelconnect"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// ServerConfig says how the calls that a server answers are observed.
type ServerConfig struct {
	// Registry gets the metrics; nil is none.
	Registry prometheus.Registerer
	// Tracer makes the spans; nil is none.
	Tracer trace.TracerProvider
	// TrustCaller continues the trace that the caller's headers name. Set it only where nobody but our own processes can call;
	// otherwise the caller's trace is linked to, since who may continue a trace may also force it to be recorded.
	TrustCaller bool
	// CodeOf tells which code a call that returned err ends with. This interceptor sits inside of the fault mapping, so it sees errors as they were made.
	CodeOf func(ctx context.Context, err error) connect.Code
}

// ServerInterceptor observes every call, unary or stream: mindspace_rpc_duration_seconds and mindspace_rpc_in_flight, and a span when there is a tracer.
// A procedure that nobody registered is counted as "unknown" and gets no span, so that callers cannot invent names.
// The text of an error does not get into the span; the log has it, under the same trace id.
func ServerInterceptor(c ServerConfig) (connect.ServerInterceptor, error) {
	if c.CodeOf == nil {
		return nil, errors.New("telemetry: ServerConfig.CodeOf is missing")
	}
	metrics, err := newServerMetrics(c.Registry)
	if err != nil {
		return nil, err
	}
	tracing, err := serverTracing(c)
	if err != nil {
		return nil, err
	}
	return func(next connect.ServerFunc) connect.ServerFunc {
		traced := next
		if tracing != nil {
			traced = tracing(next)
		}
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) (err error) {
			known := spec.Schema != nil
			call := metrics.begin(spec.Procedure, known)
			defer func() {
				// Still panicking or gone by runtime.Goexit, the call counts as internal, as the fault mapping will have it.
				call.end(ctx, err, c.CodeOf)
			}()
			err = errUnfinished
			if known {
				err = traced(ctx, spec, stream)
			} else {
				err = next(ctx, spec, stream)
			}
			return err
		}
	}, nil
}

// errUnfinished is what a call that panicked ended with.
var errUnfinished = errors.New("telemetry: the call did not return")

// serverTracing returns the interceptor that makes the spans; nil when there is no tracer.
func serverTracing(c ServerConfig) (connect.ServerInterceptor, error) {
	if c.Tracer == nil {
		return nil, nil //nolint:nilnil // no tracer, no interceptor
	}
	options := []otelconnect.Option{
		otelconnect.WithTracerProvider(c.Tracer),
		otelconnect.WithPropagator(propagation.TraceContext{}),
		otelconnect.WithoutMetrics(),
	}
	if c.TrustCaller {
		options = append(options, otelconnect.WithTrustRemote())
	}
	observe, err := otelconnect.NewServerInterceptor(options...)
	if err != nil {
		return nil, err
	}
	return func(next connect.ServerFunc) connect.ServerFunc {
		observed := observe(func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			o := stream.(*outcome) //nolint:forcetypeassert // it was put there below
			o.err = next(ctx, spec, o.ServerStream)
			return publicError(ctx, o.err, c.CodeOf)
		})
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			o := &outcome{ServerStream: stream}
			if err := observed(ctx, spec, o); err != nil && o.err == nil {
				return err
			}
			return o.err
		}
	}, nil
}

// outcome carries the error as it was made past otelconnect, which gets to see its code only.
type outcome struct {
	connect.ServerStream
	err error
}

func publicError(ctx context.Context, err error, codeOf func(context.Context, error) connect.Code) error {
	if err == nil || connecthttp.IsNotModifiedError(err) {
		return err
	}
	code := codeOf(ctx, err)
	return connect.NewError(code, code.String()) //nolint:forbidigo // otelconnect knows codes by this type; nobody else gets this error
}

// ClientInterceptor makes a span for every call to another service and passes the trace on. It returns nil when there is no tracer: then leave it out.
func ClientInterceptor(tracer trace.TracerProvider) (connect.ClientInterceptor, error) {
	if tracer == nil {
		return nil, nil //nolint:nilnil // said above
	}
	return otelconnect.NewClientInterceptor(
		otelconnect.WithTracerProvider(tracer),
		otelconnect.WithPropagator(propagation.TraceContext{}),
		otelconnect.WithoutMetrics(),
	)
}

// serverMetrics are bound once per procedure and code, so that a call costs no label look-up.
type serverMetrics struct {
	duration   *prometheus.HistogramVec
	inFlight   *prometheus.GaugeVec
	procedures sync.Map // procedure → *procedureMetrics
}

// maxCode is the largest Connect code.
const maxCode = connect.CodeUnauthenticated

// The label values that are no Connect code.
const (
	codeOK          = "ok"
	codeNotModified = "not_modified"
)

// procedureMetrics are those of one procedure. Each code's histogram is made when it is first needed: most calls end with few codes.
type procedureMetrics struct {
	name     string
	inFlight prometheus.Gauge
	// byCode holds Connect's codes at their number; 0 is ok, and the last one not modified.
	byCode [maxCode + 2]atomic.Pointer[prometheus.Observer]
}

func newServerMetrics(registry prometheus.Registerer) (*serverMetrics, error) {
	duration, err := Register(registry, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "mindspace_rpc_duration_seconds",
		Help:    "How long calls took, from the first interceptor to the last; streams count when they end.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
	}, []string{"procedure", "code"}))
	if err != nil {
		return nil, err
	}
	inFlight, err := Register(registry, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "mindspace_rpc_in_flight",
		Help: "Calls being answered now; open streams among them.",
	}, []string{"procedure"}))
	if err != nil {
		return nil, err
	}
	return &serverMetrics{duration: duration, inFlight: inFlight}, nil
}

const unknownProcedure = "unknown"

func (m *serverMetrics) of(procedure string, known bool) *procedureMetrics {
	if !known {
		procedure = unknownProcedure
	}
	if p, ok := m.procedures.Load(procedure); ok {
		return p.(*procedureMetrics) //nolint:forcetypeassert // nothing else is stored
	}
	p, _ := m.procedures.LoadOrStore(procedure, &procedureMetrics{name: procedure, inFlight: m.inFlight.WithLabelValues(procedure)})
	return p.(*procedureMetrics) //nolint:forcetypeassert // nothing else is stored
}

// call is one call while it runs.
type call struct {
	metrics   *serverMetrics
	procedure *procedureMetrics
	start     time.Time
}

func (m *serverMetrics) begin(procedure string, known bool) call {
	p := m.of(procedure, known)
	p.inFlight.Inc()
	return call{metrics: m, procedure: p, start: time.Now()}
}

func (c call) end(ctx context.Context, err error, codeOf func(context.Context, error) connect.Code) {
	elapsed := time.Since(c.start)
	c.procedure.inFlight.Dec()
	code := connect.Code(0)
	switch {
	case err == nil:
	case errors.Is(err, errUnfinished):
		code = connect.CodeInternal
	case connecthttp.IsNotModifiedError(err):
		code = maxCode + 1
	default:
		code = codeOf(ctx, err)
	}
	c.metrics.observer(c.procedure, code).Observe(elapsed.Seconds())
}

func (m *serverMetrics) observer(p *procedureMetrics, code connect.Code) prometheus.Observer {
	if int(code) >= len(p.byCode) {
		code = connect.CodeUnknown
	}
	if o := p.byCode[code].Load(); o != nil {
		return *o
	}
	label := code.String()
	switch code {
	case 0:
		label = codeOK
	case maxCode + 1:
		label = codeNotModified
	}
	o := m.duration.WithLabelValues(p.name, label)
	p.byCode[code].Store(&o)
	return o
}
