package telemetry_test

import (
	"context"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/otelconnect"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/mindspace-app/mindspace/platform/telemetry"
)

// What observing a call costs: none, ours, and otelconnect's metrics, which ours replace.
func BenchmarkServerInterceptor(b *testing.B) {
	metrics := newMetrics(b)
	ours := func(c telemetry.ServerConfig) connect.ServerInterceptor {
		c.CodeOf = codeOf
		interceptor, err := telemetry.ServerInterceptor(c)
		if err != nil {
			b.Fatal(err)
		}
		return interceptor
	}
	theirs, err := otelconnect.NewServerInterceptor(
		otelconnect.WithMeterProvider(metrics.MeterProvider()), otelconnect.WithoutTracing(),
		otelconnect.WithPropagator(propagation.TraceContext{}))
	if err != nil {
		b.Fatal(err)
	}
	never := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
	for _, bench := range []struct {
		name        string
		interceptor connect.ServerInterceptor
	}{
		{"none", func(next connect.ServerFunc) connect.ServerFunc { return next }},
		{"ours", ours(telemetry.ServerConfig{Registry: metrics.Registry()})},
		{"ours, traced and not sampled", ours(telemetry.ServerConfig{Registry: metrics.Registry(), Tracer: never})},
		{"otelconnect, metrics only", theirs},
	} {
		b.Run(bench.name, func(b *testing.B) {
			server := connect.NewServer(bench.interceptor)
			server.Register(connect.Method{Spec: spec("/test.v1.TestService/Call"), Handler: func(context.Context, connect.Spec, connect.ServerStream) error { return nil }})
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				_ = server.Call(ctx, "/test.v1.TestService/Call", nil, silentStream{})
			}
		})
	}
}
