package telemetry_test

import (
	"context"
	"errors"
	"maps"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectinprocess"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/telemetry"
	"github.com/mindspace-app/mindspace/platform/telemetry/telemetrytest"
)

func codeOf(ctx context.Context, err error) connect.Code { return fault.Code(ctx, err) }

func spec(procedure string) connect.Spec {
	return connect.Spec{Procedure: procedure, Schema: struct{}{}}
}

// silentStream is a stream of a handler that neither reads nor writes.
type silentStream struct{ connect.ServerStream }

func newMetrics(tb testing.TB) *telemetry.Metrics {
	tb.Helper()
	m, err := telemetry.NewMetrics("v1.2.3", nil)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// serve answers one procedure with what the handler returns, observed with c.
func serve(tb testing.TB, c telemetry.ServerConfig, handler connect.ServerFunc) *connect.Server {
	tb.Helper()
	c.CodeOf = codeOf
	interceptor, err := telemetry.ServerInterceptor(c)
	if err != nil {
		tb.Fatal(err)
	}
	server := connect.NewServer(interceptor)
	server.Register(connect.Method{Spec: spec("/test.v1.TestService/Call"), Handler: handler})
	return server
}

func answer(err error) connect.ServerFunc {
	return func(context.Context, connect.Spec, connect.ServerStream) error { return err }
}

func TestCallsAreCountedByTheCodeTheyEndWith(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		code string
	}{
		{nil, "ok"},
		{fault.NotFound("no such room"), "not_found"},
		{errors.New("anything else"), "internal"},
		{connect.NewError(connect.CodeUnimplemented, "no"), "unimplemented"},
	} {
		t.Run(test.code, func(t *testing.T) {
			t.Parallel()
			metrics := newMetrics(t)
			server := serve(t, telemetry.ServerConfig{Registry: metrics.Registry()}, answer(test.err))
			for range 2 {
				if err := server.Call(t.Context(), "/test.v1.TestService/Call", nil, silentStream{}); !errors.Is(err, test.err) {
					t.Fatalf("the call returned %v, want the error as it was made", err)
				}
			}
			wantCalls(t, metrics, map[string]float64{test.code + " /test.v1.TestService/Call": 2})
		})
	}
}

// wantCalls compares the number of calls per code and procedure.
func wantCalls(t *testing.T, metrics *telemetry.Metrics, want map[string]float64) {
	t.Helper()
	if got := telemetrytest.Samples(t, metrics.Registry(), "mindspace_rpc_duration_seconds"); !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

func wantInFlight(t *testing.T, metrics *telemetry.Metrics, want float64) {
	t.Helper()
	got := telemetrytest.Samples(t, metrics.Registry(), "mindspace_rpc_in_flight")
	if !maps.Equal(got, map[string]float64{"/test.v1.TestService/Call": want}) {
		t.Errorf("in flight are %v, want %v", got, want)
	}
}

func TestPanicCountsAsInternalAndLeavesNothingInFlight(t *testing.T) {
	t.Parallel()
	metrics := newMetrics(t)
	server := serve(t, telemetry.ServerConfig{Registry: metrics.Registry()},
		func(context.Context, connect.Spec, connect.ServerStream) error { panic("boom") })
	func() {
		defer func() {
			if recover() != "boom" {
				t.Error("the panic did not go on to the fault mapping")
			}
		}()
		_ = server.Call(t.Context(), "/test.v1.TestService/Call", nil, silentStream{})
	}()
	wantCalls(t, metrics, map[string]float64{"internal /test.v1.TestService/Call": 1})
	wantInFlight(t, metrics, 0)
}

func TestCallsInFlightAreCounted(t *testing.T) {
	t.Parallel()
	metrics := newMetrics(t)
	server := serve(t, telemetry.ServerConfig{Registry: metrics.Registry()},
		func(context.Context, connect.Spec, connect.ServerStream) error {
			wantInFlight(t, metrics, 1)
			return nil
		})
	if err := server.Call(t.Context(), "/test.v1.TestService/Call", nil, silentStream{}); err != nil {
		t.Fatal(err)
	}
	wantInFlight(t, metrics, 0)
}

func TestInventedProceduresShareOneLabel(t *testing.T) {
	t.Parallel()
	metrics := newMetrics(t)
	spans := tracetest.NewSpanRecorder()
	server := serve(t, telemetry.ServerConfig{
		Registry: metrics.Registry(), Tracer: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)),
	}, answer(nil))
	server.SetUnknownHandler(answer(connect.NewError(connect.CodeUnimplemented, "no such procedure")))
	for _, procedure := range []string{"/a/B", "/c/D", "/e/F"} {
		if err := server.Call(t.Context(), procedure, nil, silentStream{}); err == nil {
			t.Fatal("an unknown procedure was answered")
		}
	}
	wantCalls(t, metrics, map[string]float64{"unimplemented unknown": 3})
	if n := len(spans.Ended()); n != 0 {
		t.Errorf("%d spans were made for unknown procedures", n)
	}
}

func TestTwoServersOfOneProcessShareTheMetrics(t *testing.T) {
	t.Parallel()
	metrics := newMetrics(t)
	for range 2 {
		server := serve(t, telemetry.ServerConfig{Registry: metrics.Registry()}, answer(nil))
		if err := server.Call(t.Context(), "/test.v1.TestService/Call", nil, silentStream{}); err != nil {
			t.Fatal(err)
		}
	}
	wantCalls(t, metrics, map[string]float64{"ok /test.v1.TestService/Call": 2})
}

func TestSpanKnowsTheCodeAndNotTheText(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	cause := errors.New("row of ana@demo.test: secret")
	server := serve(t, telemetry.ServerConfig{Tracer: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))}, answer(cause))
	if err := server.Call(t.Context(), "/test.v1.TestService/Call", nil, silentStream{}); !errors.Is(err, cause) {
		t.Fatalf("the call returned %v, want the error as it was made", err)
	}
	ended := spans.Ended()
	if len(ended) != 1 {
		t.Fatalf("%d spans, want 1", len(ended))
	}
	if s := ended[0].Status(); s.Code != codes.Error || s.Description != "internal" {
		t.Errorf("span status is %v %q, want an error that says internal", s.Code, s.Description)
	}
	if name := ended[0].Name(); name != "test.v1.TestService/Call" {
		t.Errorf("span is named %q", name)
	}
	for _, e := range ended[0].Events() {
		t.Errorf("unexpected event %v", e)
	}
}

func TestTraceGoesFromClientToServer(t *testing.T) {
	t.Parallel()
	for name, trust := range map[string]bool{"a trusted caller's is continued": true, "any other is linked": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spans := tracetest.NewSpanRecorder()
			tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
			var inHandler trace.SpanContext
			server := serve(t, telemetry.ServerConfig{Tracer: tracer, TrustCaller: trust},
				func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
					inHandler = trace.SpanContextFromContext(ctx)
					if err := stream.Receive(&emptypb.Empty{}); err != nil {
						return err
					}
					return stream.Send(&emptypb.Empty{})
				})
			interceptor, err := telemetry.ClientInterceptor(tracer)
			if err != nil {
				t.Fatal(err)
			}
			client := connect.NewClient(detached{connectinprocess.New(server)}, interceptor)
			if err := client.CallUnary(t.Context(), spec("/test.v1.TestService/Call"), &emptypb.Empty{}, &emptypb.Empty{}); err != nil {
				t.Fatal(err)
			}
			var caller, callee sdktrace.ReadOnlySpan
			for _, s := range spans.Ended() {
				if s.SpanKind() == trace.SpanKindClient {
					caller = s
				} else {
					callee = s
				}
			}
			if caller == nil || callee == nil {
				t.Fatalf("spans are %v, want one of each side", spans.Ended())
			}
			if callee.SpanContext().SpanID() != inHandler.SpanID() {
				t.Error("the handler did not run in the server's span")
			}
			if continued := caller.SpanContext().TraceID() == callee.SpanContext().TraceID(); continued != trust {
				t.Errorf("the caller's trace is continued: %v, want %v", continued, trust)
			}
			if !trust && (len(callee.Links()) != 1 || callee.Links()[0].SpanContext.SpanID() != caller.SpanContext().SpanID()) {
				t.Errorf("links are %v, want the caller's span", callee.Links())
			}
		})
	}
}

// detached keeps the caller's context values from the server, as a network does.
type detached struct{ connect.Transport }

func (d detached) NewClientStream(ctx context.Context, s connect.Spec) (connect.ClientStream, error) {
	return d.Transport.NewClientStream(trace.ContextWithSpan(ctx, nil), s)
}

func TestWithoutTracerThereIsNoClientInterceptor(t *testing.T) {
	t.Parallel()
	interceptor, err := telemetry.ClientInterceptor(nil)
	if err != nil || interceptor != nil {
		t.Errorf("got %p, %v, want neither", interceptor, err)
	}
}

func TestCodeOfIsRequired(t *testing.T) {
	t.Parallel()
	if _, err := telemetry.ServerInterceptor(telemetry.ServerConfig{}); err == nil {
		t.Error("a configuration without CodeOf was accepted")
	}
}
