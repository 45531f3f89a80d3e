package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// TraceConfig says whether spans are sent, where to, and how many.
type TraceConfig struct {
	// Endpoint is the base URL of an OTLP/HTTP collector, like http://localhost:4318; spans go to <Endpoint>/v1/traces. Empty turns tracing off.
	Endpoint string
	// Headers are sent with every export, for a collector that wants a credential.
	Headers map[string]string
	// Ratio is the share of traces that begin here and are recorded, 0 to 1. A trace that another process of ours began is recorded when that one records it.
	Ratio float64
	// Service is the name that spans are filed under, like "mindspace"; Version is the program's version.
	Service, Version string
}

// What a collector that is slow or away may cost: spans beyond the queue are dropped, and nobody waits.
const (
	exportTimeout   = 5 * time.Second
	exportRetryFor  = 10 * time.Second
	spanQueue       = 2048
	maxValueLength  = 1024
	shutdownTimeout = 5 * time.Second
)

// Tracing is the process's tracer provider, or nothing at all when tracing is off.
type Tracing struct {
	provider *sdktrace.TracerProvider
}

// NewTracing prepares tracing. It does not contact the collector: one that is away costs the spans, never a request.
func NewTracing(ctx context.Context, c TraceConfig) (*Tracing, error) {
	if c.Endpoint == "" {
		return &Tracing{}, nil
	}
	endpoint, err := url.Parse(c.Endpoint)
	if err != nil || endpoint.Host == "" || endpoint.Scheme != "http" && endpoint.Scheme != "https" {
		return nil, errors.New("telemetry: the trace endpoint must be an http or https URL") // it may hold a password: it is not repeated
	}
	if c.Ratio < 0 || c.Ratio > 1 {
		return nil, fmt.Errorf("telemetry: trace ratio %v is not between 0 and 1", c.Ratio)
	}
	exporter, err := otlptracehttp.New(ctx,
		otlptracehttp.WithEndpointURL(endpoint.JoinPath("v1", "traces").String()),
		otlptracehttp.WithHeaders(c.Headers),
		otlptracehttp.WithTimeout(exportTimeout),
		otlptracehttp.WithCompression(otlptracehttp.GzipCompression),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{
			Enabled: true, InitialInterval: time.Second, MaxInterval: exportTimeout, MaxElapsedTime: exportRetryFor,
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("telemetry: trace exporter: %w", err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName(c.Service), semconv.ServiceVersion(c.Version)),
		resource.WithHost(), resource.WithProcessPID(), resource.WithTelemetrySDK(),
	)
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("telemetry: trace resource: %w", err)
	}
	return newTracing(exporter, about, c.Ratio), nil
}

func newTracing(exporter sdktrace.SpanExporter, about *resource.Resource, ratio float64) *Tracing {
	limits := sdktrace.NewSpanLimits()
	limits.AttributeValueLengthLimit = maxValueLength
	return &Tracing{provider: sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(maskingExporter{exporter},
			sdktrace.WithMaxQueueSize(spanQueue), sdktrace.WithExportTimeout(exportTimeout+exportRetryFor)),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio))),
		sdktrace.WithResource(about),
		sdktrace.WithRawSpanLimits(limits),
	)}
}

// Enabled tells whether spans are recorded and sent at all.
func (t *Tracing) Enabled() bool { return t.provider != nil }

// Provider makes tracers; nil when tracing is off, which is what the instruments of every room take for "no spans".
func (t *Tracing) Provider() trace.TracerProvider {
	if t.provider == nil {
		return nil
	}
	return t.provider
}

// Propagator carries the trace between processes in the W3C trace-context headers. Baggage is not carried: it could hold anything.
func (t *Tracing) Propagator() propagation.TextMapPropagator { return propagation.TraceContext{} }

// Shutdown sends what is waiting and stops. It takes five seconds at the most, whatever the collector does.
func (t *Tracing) Shutdown(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("telemetry: last spans could not be sent: %w", err)
	}
	return nil
}

// maskingExporter masks what libraries put into spans, such as the text of a database error, outside of the requests' time.
type maskingExporter struct{ sdktrace.SpanExporter }

// ExportSpans implements sdktrace.SpanExporter.
func (e maskingExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	clean := make([]sdktrace.ReadOnlySpan, len(spans))
	for i, s := range spans {
		clean[i] = maskedSpan{s}
	}
	return e.SpanExporter.ExportSpans(ctx, clean)
}

type maskedSpan struct{ sdktrace.ReadOnlySpan }

// Attributes are the span's, masked.
func (s maskedSpan) Attributes() []attribute.KeyValue {
	return maskAttributes(s.ReadOnlySpan.Attributes())
}

// Status is the span's, masked.
func (s maskedSpan) Status() sdktrace.Status {
	status := s.ReadOnlySpan.Status()
	status.Description = Mask(status.Description)
	return status
}

// Events are the span's, masked.
func (s maskedSpan) Events() []sdktrace.Event {
	original := s.ReadOnlySpan.Events()
	events := make([]sdktrace.Event, len(original))
	for i, e := range original {
		e.Attributes = maskAttributes(e.Attributes)
		events[i] = e
	}
	return events
}

func maskAttributes(original []attribute.KeyValue) []attribute.KeyValue {
	attributes := make([]attribute.KeyValue, len(original))
	for i, a := range original {
		if a.Value.Type() == attribute.STRING {
			a.Value = attribute.StringValue(Mask(a.Value.AsString()))
		}
		attributes[i] = a
	}
	return attributes
}
