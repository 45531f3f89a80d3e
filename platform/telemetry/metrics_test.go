package telemetry_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/mindspace-app/mindspace/platform/cache/redistest"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/telemetry"
	"github.com/mindspace-app/mindspace/platform/telemetry/telemetrytest"
)

// get asks the operations port.
func get(t *testing.T, handler http.Handler, path string) (status int, body string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
	content, err := io.ReadAll(recorder.Body)
	if err != nil {
		t.Fatal(err)
	}
	return recorder.Code, string(content)
}

// everything uses each metric of this package once.
func everything(t *testing.T) *telemetry.Metrics {
	t.Helper()
	metrics := newMetrics(t)
	server := serve(t, telemetry.ServerConfig{Registry: metrics.Registry()}, answer(fault.Invalid("no")))
	if err := server.Call(t.Context(), "/test.v1.TestService/Call", nil, silentStream{}); err == nil {
		t.Fatal("the call succeeded")
	}
	options, err := redis.ParseURL(redistest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(options)
	t.Cleanup(func() { _ = rdb.Close() })
	if err := telemetry.InstrumentRedis(rdb, metrics.Registry(), nil); err != nil {
		t.Fatal(err)
	}
	if err := rdb.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	return metrics
}

func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	telemetrytest.Documented(t, everything(t).Registry(), "../../docs/metrics.md")
}

func TestMetricsFollowPrometheusRules(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("MINDSPACE_TEST_STRICT") == "1" {
			t.Fatal("promtool is not installed")
		}
		t.Skip("promtool, which is optional, is not installed")
	}
	status, body := get(t, everything(t).Handler(), "/")
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	check := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	check.Stdin = strings.NewReader(body)
	var said bytes.Buffer
	check.Stdout, check.Stderr = &said, &said
	if err := check.Run(); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, said.String())
	}
}

func TestBuildInfoSaysWhatIsRunning(t *testing.T) {
	t.Parallel()
	_, body := get(t, newMetrics(t).Handler(), "/")
	want := `mindspace_build_info{go_version="` + runtime.Version() + `",revision="` + telemetry.Revision() + `",version="v1.2.3"} 1`
	for _, want := range []string{want, "go_goroutines ", "process_start_time_seconds "} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is missing in\n%s", want, body)
		}
	}
}

func TestOpenTelemetryMetricsAreServedToo(t *testing.T) {
	t.Parallel()
	metrics := newMetrics(t)
	counter, err := metrics.MeterProvider().Meter("some/library").Int64Counter("db.client.operations", metric.WithUnit("{operation}"))
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 3, metric.WithAttributes(attribute.String("db.system", "postgresql")))
	_, body := get(t, metrics.Handler(), "/")
	if want := `db_client_operations_total{db_system="postgresql"} 3`; !strings.Contains(body, want) {
		t.Errorf("%s is missing in\n%s", want, body)
	}
}

func TestOneBrokenMetricDoesNotHideTheOthers(t *testing.T) {
	t.Parallel()
	logger, logs := telemetrytest.NewLogs()
	metrics, err := telemetry.NewMetrics("v1.2.3", logger)
	if err != nil {
		t.Fatal(err)
	}
	metrics.Registry().MustRegister(broken{})
	status, body := get(t, metrics.Handler(), "/")
	if status != http.StatusOK || !strings.Contains(body, "mindspace_build_info") {
		t.Errorf("status %d, served %s", status, body)
	}
	if !strings.Contains(logs.Text(), "its source is away") {
		t.Errorf("the broken metric is not in the log: %s", logs.Text())
	}
}

// broken is a collector whose source is away.
type broken struct{}

func (broken) Describe(chan<- *prometheus.Desc) {}

func (broken) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.NewInvalidMetric(prometheus.NewDesc("mindspace_test", "", nil, nil), errors.New("its source is away"))
}

func TestOpsHandlerServesMetricsAndProfiles(t *testing.T) {
	t.Parallel()
	ops := telemetry.OpsHandler(newMetrics(t))
	for path, want := range map[string]string{
		"/metrics":                       "mindspace_build_info",
		"/debug/pprof/":                  "goroutine",
		"/debug/pprof/goroutine?debug=1": "goroutine profile",
		"/debug/pprof/cmdline":           "test",
		"/debug/pprof/symbol":            "num_symbols",
	} {
		if status, body := get(t, ops, path); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: status %d, no %q in what was served", path, status, want)
		}
	}
	if status, _ := get(t, ops, "/"); status != http.StatusNotFound {
		t.Errorf("/ answers with %d, want 404", status)
	}
}

func TestRedisPoolIsInstrumentedOnce(t *testing.T) {
	t.Parallel()
	metrics := newMetrics(t)
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"}) // never asked
	t.Cleanup(func() { _ = rdb.Close() })
	if err := telemetry.InstrumentRedis(rdb, metrics.Registry(), nil); err != nil {
		t.Fatal(err)
	}
	if err := telemetry.InstrumentRedis(rdb, metrics.Registry(), nil); err == nil {
		t.Error("a second pool was accepted silently")
	}
}

func TestRedisPoolCountsConnections(t *testing.T) {
	t.Parallel()
	metrics := everything(t)
	connections := telemetrytest.Samples(t, metrics.Registry(), "mindspace_redis_pool_connections")
	if connections["idle"]+connections["used"] != 1 {
		t.Errorf("connections are %v, want one", connections)
	}
	if acquired := telemetrytest.Samples(t, metrics.Registry(), "mindspace_redis_pool_acquired_total"); acquired["opened"] != 1 {
		t.Errorf("acquired are %v, want one opened", acquired)
	}
}
