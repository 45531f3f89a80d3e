package health

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// dependency is something whose health a test decides.
type dependency struct {
	err   atomic.Pointer[error]
	asked atomic.Int32
}

func (d *dependency) set(err error) { d.err.Store(&err) }

func (d *dependency) check(context.Context) error {
	d.asked.Add(1)
	if err := d.err.Load(); err != nil {
		return *err
	}
	return nil
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *logBuffer) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(b, nil)) }

func get(t *testing.T, handler http.Handler) (int, http.Header, string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	return recorder.Code, recorder.Header(), recorder.Body.String()
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var database, redis dependency
		checks := New(Config{Logger: new(logBuffer).logger()})
		checks.Register("database", database.check)
		checks.RegisterOptional("redis", redis.check)
		secret := errors.New("dial tcp 10.1.2.3:5432: planted-secret")
		tests := []struct {
			database, redis error
			code            int
			status          Status
		}{
			{nil, nil, 200, StatusOK},
			{nil, secret, 200, StatusDegraded},
			{secret, nil, 503, StatusUnavailable},
			{secret, secret, 503, StatusUnavailable},
			{nil, nil, 200, StatusOK},
		}
		for _, test := range tests {
			database.set(test.database)
			redis.set(test.redis)
			code, header, body := get(t, checks.ReadyHandler())
			var report Report
			if err := json.Unmarshal([]byte(body), &report); err != nil {
				t.Fatal(err)
			}
			if code != test.code || report.Status != test.status || len(report.Checks) != 2 {
				t.Errorf("database %v, redis %v: got %d %s", test.database, test.redis, code, body)
			}
			if got := report.Checks[0]; got.Name != "database" || !got.Required || got.OK != (test.database == nil) {
				t.Errorf("got %+v", got)
			}
			if got := report.Checks[1]; got.Name != "redis" || got.Required || got.OK != (test.redis == nil) {
				t.Errorf("got %+v", got)
			}
			if strings.Contains(body, "secret") || strings.Contains(body, "10.1.2.3") {
				t.Errorf("the caller was told the error: %s", body)
			}
			if header.Get("Content-Type") != "application/json" || header.Get("Cache-Control") != "no-store" {
				t.Errorf("header %v", header)
			}
			time.Sleep(defaultCacheFor)
		}
	})
}

func TestLiveness(t *testing.T) {
	t.Parallel()
	var database dependency
	database.set(errors.New("away"))
	checks := New(Config{Logger: new(logBuffer).logger()})
	checks.Register("database", database.check)
	checks.StartDrain()
	if code, _, body := get(t, checks.LiveHandler()); code != 200 || body != "{\"status\":\"ok\"}\n" {
		t.Errorf("got %d %s", code, body)
	}
	if database.asked.Load() != 0 {
		t.Error("liveness asked a dependency")
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	checks := New(Config{})
	if code, _, body := get(t, checks.ReadyHandler()); code != 200 || body != "{\"status\":\"ok\",\"checks\":[]}\n" {
		t.Errorf("before: %d %s", code, body)
	}
	checks.StartDrain()
	checks.StartDrain()
	if code, _, body := get(t, checks.ReadyHandler()); code != 503 || body != "{\"status\":\"draining\",\"checks\":[]}\n" {
		t.Errorf("while draining: %d %s", code, body)
	}
}

func TestProbesShareOneRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int32
		checks := New(Config{})
		checks.Register("slow", func(context.Context) error {
			runs.Add(1)
			time.Sleep(500 * time.Millisecond)
			return nil
		})
		var probes sync.WaitGroup
		for range 100 {
			probes.Go(func() {
				if report := checks.Report(t.Context()); report.Status != StatusOK {
					t.Errorf("got %+v", report)
				}
			})
		}
		probes.Wait()
		for range 10 {
			checks.Report(t.Context())
		}
		if got := runs.Load(); got != 1 {
			t.Errorf("the check ran %d times", got)
		}
		time.Sleep(defaultCacheFor)
		checks.Report(t.Context())
		if got := runs.Load(); got != 2 {
			t.Errorf("the check ran %d times, want 2: results are kept too long", got)
		}
	})
}

// A prober that goes away must not fail the checks of the others.
func TestProberGoesAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		checks := New(Config{})
		checks.Register("slow", func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(500 * time.Millisecond):
				return nil
			}
		})
		impatient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var probes sync.WaitGroup
		probes.Go(func() {
			if report := checks.Report(impatient); report.Ready() {
				t.Errorf("the impatient one got %+v", report)
			}
		})
		synctest.Wait()
		probes.Go(func() {
			if report := checks.Report(t.Context()); report.Status != StatusOK {
				t.Errorf("the patient one got %+v", report)
			}
		})
		probes.Wait()
	})
}

func TestStuckCheck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var runs atomic.Int32
		checks := New(Config{Logger: new(logBuffer).logger()})
		checks.Register("stuck", func(context.Context) error { // deaf to its context
			runs.Add(1)
			<-release
			return nil
		})
		for range 5 {
			began := time.Now()
			report := checks.Report(t.Context())
			if report.Status != StatusUnavailable || report.Checks[0].Message != messageSlow {
				t.Errorf("got %+v", report)
			}
			if took := time.Since(began); took > defaultTimeout {
				t.Errorf("the prober waited %s", took)
			}
			time.Sleep(defaultCacheFor)
		}
		if got := runs.Load(); got != 1 {
			t.Errorf("%d runs pile up", got)
		}
		close(release)
		synctest.Wait()
		if report := checks.Report(t.Context()); report.Status != StatusOK {
			t.Errorf("afterwards: %+v", report)
		}
	})
}

func TestSlowCheckIsCalledSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		checks := New(Config{Logger: new(logBuffer).logger()})
		checks.Register("slow", func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		if report := checks.Report(t.Context()); report.Checks[0].Message != messageSlow || report.Checks[0].DurationMS != 2000 {
			t.Errorf("got %+v", report)
		}
	})
}

func TestPanickingCheck(t *testing.T) {
	t.Parallel()
	checks := New(Config{Logger: new(logBuffer).logger()})
	checks.Register("bad", func(context.Context) error { panic("planted") })
	if report := checks.Report(t.Context()); report.Status != StatusUnavailable || report.Checks[0].Message != messageFailed {
		t.Errorf("got %+v", report)
	}
}

func TestChangesAreLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var database dependency
		log := new(logBuffer)
		registry := prometheus.NewRegistry()
		checks := New(Config{Logger: log.logger(), Registry: registry})
		checks.Register("database", database.check)
		probe := func(err error, times int) {
			database.set(err)
			for range times {
				checks.Report(t.Context())
				time.Sleep(defaultCacheFor)
			}
		}
		probe(nil, 3)
		if log.String() != "" {
			t.Errorf("all is well, and it says %s", log)
		}
		probe(errors.New("the reason"), 3)
		if got := strings.Count(log.String(), "health check fails"); got != 1 || !strings.Contains(log.String(), "the reason") {
			t.Errorf("after a failure: %s", log)
		}
		if got := state(t, registry); got != 0 {
			t.Errorf("the gauge says %v", got)
		}
		probe(nil, 3)
		if got := strings.Count(log.String(), "succeeds again"); got != 1 || state(t, registry) != 1 {
			t.Errorf("after recovery: %s", log)
		}
	})
}

func state(t *testing.T, registry *prometheus.Registry) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "mindspace_health_check_ok" {
		t.Fatalf("%v, %v", families, err)
	}
	return families[0].GetMetric()[0].GetGauge().GetValue()
}
