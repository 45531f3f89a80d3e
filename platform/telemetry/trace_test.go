package telemetry_test

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"

	"github.com/mindspace-app/mindspace/platform/cache/redistest"
	"github.com/mindspace-app/mindspace/platform/telemetry"
)

// collector is an OTLP/HTTP collector that keeps what it gets.
type collector struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*coltrace.ExportTraceServiceRequest
	headers  http.Header
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, r *http.Request) {
		body, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Errorf("export is not compressed: %v", err)
			return
		}
		content, err := io.ReadAll(body)
		if err != nil {
			t.Errorf("read export: %v", err)
			return
		}
		request := &coltrace.ExportTraceServiceRequest{}
		if err := proto.Unmarshal(content, request); err != nil {
			t.Errorf("export does not parse: %v", err)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.requests, c.headers = append(c.requests, request), r.Header
		w.Header().Set("Content-Type", "application/x-protobuf")
	})
	c.Server = httptest.NewServer(mux)
	t.Cleanup(c.Close)
	return c
}

func newTracing(t *testing.T, c telemetry.TraceConfig) *telemetry.Tracing {
	t.Helper()
	tracing, err := telemetry.NewTracing(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return tracing
}

func values(attributes []*commonpb.KeyValue) map[string]string {
	m := map[string]string{}
	for _, a := range attributes {
		m[a.GetKey()] = a.GetValue().GetStringValue()
	}
	return m
}

func TestSpansReachTheCollectorMasked(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	tracing := newTracing(t, telemetry.TraceConfig{
		Endpoint: c.URL, Headers: map[string]string{"x-tenant": "mind"}, Ratio: 1, Service: "mindspace", Version: "v1.2.3",
	})
	_, span := tracing.Provider().Tracer("test").Start(t.Context(), "work", trace.WithAttributes(attribute.String("who", "ana@demo.test"), attribute.Int("n", 1)))
	span.RecordError(errors.New("no such person: ana@demo.test"))
	span.SetStatus(codes.Error, "no such person: ana@demo.test")
	span.End()
	if err := tracing.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.requests) != 1 {
		t.Fatalf("the collector got %d exports, want 1", len(c.requests))
	}
	if text := c.requests[0].String(); strings.Contains(text, "ana@") || !strings.Contains(text, "no such person: [redacted]") {
		t.Errorf("exported %s", text)
	}
	resource := values(c.requests[0].GetResourceSpans()[0].GetResource().GetAttributes())
	if resource["service.name"] != "mindspace" || resource["service.version"] != "v1.2.3" {
		t.Errorf("resource is %v", resource)
	}
	if got := c.headers.Get("X-Tenant"); got != "mind" {
		t.Errorf("header x-tenant is %q", got)
	}
}

func TestSamplingFollowsTheParent(t *testing.T) {
	t.Parallel()
	recorded, unrecorded := trace.FlagsSampled, trace.TraceFlags(0)
	for name, test := range map[string]struct {
		ratio  float64
		parent *trace.TraceFlags
		want   bool
	}{
		"no parent, all":         {1, nil, true},
		"no parent, none":        {0, nil, false},
		"recorded parent, none":  {0, &recorded, true},
		"unrecorded parent, all": {1, &unrecorded, false},
	} {
		tracing := newTracing(t, telemetry.TraceConfig{Endpoint: "http://127.0.0.1:1", Ratio: test.ratio, Service: "mindspace"})
		ctx := t.Context()
		if test.parent != nil {
			ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
				TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: *test.parent, Remote: true,
			}))
		}
		_, span := tracing.Provider().Tracer("test").Start(ctx, "work")
		if got := span.IsRecording(); got != test.want {
			t.Errorf("%s: recorded is %v, want %v", name, got, test.want)
		}
	}
}

func TestWithoutEndpointThereIsNoTracing(t *testing.T) {
	t.Parallel()
	tracing := newTracing(t, telemetry.TraceConfig{Ratio: 1})
	if tracing.Enabled() || tracing.Provider() != nil {
		t.Error("tracing is on")
	}
	if err := tracing.Shutdown(t.Context()); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

func TestWrongTraceConfigIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []telemetry.TraceConfig{
		{Endpoint: "localhost:4318"},
		{Endpoint: "grpc://localhost:4317"},
		{Endpoint: "http://"},
		{Endpoint: "http://user:hunter2@ x"},
		{Endpoint: "http://localhost:4318", Ratio: 1.5},
		{Endpoint: "http://localhost:4318", Ratio: -1},
	} {
		_, err := telemetry.NewTracing(t.Context(), c)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%+v: error is %v", c, err)
		}
	}
}

// A collector that takes connections and never answers is the worst there is: work must go on, and the end must come.
func TestSilentCollectorHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(silent.Close)
	t.Cleanup(func() { close(release) })
	tracing := newTracing(t, telemetry.TraceConfig{Endpoint: silent.URL, Ratio: 1, Service: "mindspace"})
	tracer := tracing.Provider().Tracer("test")
	for range 10_000 { // several times what the queue holds
		_, span := tracer.Start(t.Context(), "work")
		span.End()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := tracing.Shutdown(ctx); err == nil {
		t.Error("the spans were sent to nobody, and that is no error")
	}
}

func TestRedisSpansNameTheCommandOnly(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	options, err := redis.ParseURL(redistest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(options)
	t.Cleanup(func() { _ = rdb.Close() })
	if err := telemetry.InstrumentRedis(rdb, nil, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))); err != nil {
		t.Fatal(err)
	}
	if err := rdb.Set(t.Context(), "session:hunter2", "hunter2", time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, s := range spans.Ended() {
		found = found || s.Name() == "set"
		for _, a := range s.Attributes() {
			if strings.Contains(a.Value.String(), "hunter2") {
				t.Errorf("span %s has %s = %s", s.Name(), a.Key, a.Value.String())
			}
		}
	}
	if !found {
		t.Error("the command has no span")
	}
}

// Install changes the process, so this test stands alone and looks at what can be seen of it.
func TestInstallSetsTheGlobals(t *testing.T) { //nolint:paralleltest // it changes the process
	var out strings.Builder
	logger := slog.New(slog.NewTextHandler(&out, nil))
	tracing := newTracing(t, telemetry.TraceConfig{Endpoint: "http://127.0.0.1:1", Ratio: 1, Service: "mindspace"})
	telemetry.Install(tracing, newMetrics(t), logger)
	if otel.GetTracerProvider() != tracing.Provider() {
		t.Error("the tracer provider is not installed")
	}
	if fields := otel.GetTextMapPropagator().Fields(); len(fields) != 2 || fields[0] != "traceparent" || fields[1] != "tracestate" {
		t.Errorf("the propagator carries %v, want the W3C trace context alone", fields)
	}
	otel.Handle(errors.New("collector is away"))
	if !strings.Contains(out.String(), "collector is away") {
		t.Errorf("logged %q", out.String())
	}
}
