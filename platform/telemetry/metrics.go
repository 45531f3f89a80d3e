package telemetry

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/otlptranslator"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// Metrics is the registry of one process. Rooms register their own metrics with [Metrics.Registry].
type Metrics struct {
	registry *prometheus.Registry
	provider *sdkmetric.MeterProvider
	logger   *slog.Logger
}

// NewMetrics returns a registry with the metrics of the Go runtime and of the process, and mindspace_build_info.
// Version is the program's version; logger, which may be nil, hears of metrics that could not be collected.
func NewMetrics(version string, logger *slog.Logger) (*Metrics, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	registry := prometheus.NewRegistry()
	err := errors.Join(
		registry.Register(collectors.NewGoCollector()),
		registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
		registry.Register(buildInfo(version)),
	)
	if err != nil {
		return nil, fmt.Errorf("telemetry: register metrics: %w", err)
	}
	exporter, err := otelprometheus.New(
		otelprometheus.WithRegisterer(registry),
		otelprometheus.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes),
		otelprometheus.WithoutTargetInfo(),
		otelprometheus.WithoutScopeInfo(),
	)
	if err != nil {
		return nil, fmt.Errorf("telemetry: bridge OpenTelemetry metrics: %w", err)
	}
	return &Metrics{
		registry: registry,
		provider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter)),
		logger:   logger,
	}, nil
}

// buildInfo is a gauge that is always 1; its labels say what is running.
func buildInfo(version string) prometheus.Collector {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "mindspace_build_info",
		Help: "Always 1; the labels say which build is running.",
	}, []string{"version", "revision", "go_version"})
	g.WithLabelValues(version, Revision(), runtime.Version()).Set(1)
	return g
}

// Revision is the commit that the program was built from, with "+dirty" when there were changes on top; "unknown" outside of a repository.
func Revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision, dirty := "unknown", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	return revision + dirty
}

// Registry is where rooms register their metrics.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

// MeterProvider is for libraries that speak OpenTelemetry; what they measure is served with everything else.
func (m *Metrics) MeterProvider() metric.MeterProvider { return m.provider }

const (
	scrapesAtOnce = 4
	scrapeTimeout = 10 * time.Second
)

// Handler serves the metrics in Prometheus' formats. A metric that cannot be collected is left out and logged; the rest is served.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(m.logger.Handler(), slog.LevelWarn),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: scrapesAtOnce,
		Timeout:             scrapeTimeout,
		EnableOpenMetrics:   true,
	})
}

// Register registers the collector, or gives the one of the same description that is there already,
// so that two clients or servers in one process share their metrics. With a nil registerer the collector is used unregistered.
func Register[C prometheus.Collector](registry prometheus.Registerer, collector C) (C, error) {
	if registry == nil {
		return collector, nil
	}
	err := registry.Register(collector)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if existing, ok := already.ExistingCollector.(C); ok {
			return existing, nil
		}
	}
	if err != nil {
		return collector, fmt.Errorf("telemetry: register metrics: %w", err)
	}
	return collector, nil
}
