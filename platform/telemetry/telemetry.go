// Package telemetry is how the program tells what it does: log lines, Prometheus metrics and OpenTelemetry traces,
// and the instruments for calls and Redis. Everything comes from constructors, and a nil registerer or tracer provider means "none".
// It never lets a credential, an e-mail address, a body or health data out, and never lets a collector, a log file
// or a scraper that misbehaves slow down or fail the work that it watches.
package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel"
)

// Install makes the tracing and the metrics those of every library in this process that asks OpenTelemetry's globals
// (the database driver does), and sends OpenTelemetry's own complaints to the logger. Only the composition root calls it,
// once, before anything is instrumented.
func Install(tracing *Tracing, metrics *Metrics, logger *slog.Logger) {
	otel.SetLogger(logr.FromSlogHandler(AtLeast(slog.LevelWarn, logger.Handler())))
	otel.SetErrorHandler(newComplaints(logger, complaintInterval))
	otel.SetTextMapPropagator(tracing.Propagator())
	if tracing.Enabled() {
		otel.SetTracerProvider(tracing.Provider())
	}
	otel.SetMeterProvider(metrics.MeterProvider())
	redis.SetLogger(redisLog{logger})
}

// redisLog takes what the Redis client would print by itself. It is for debugging: whoever uses Redis tells of an outage once, this tells of each attempt.
type redisLog struct{ logger *slog.Logger }

// Printf implements the client's own logging interface.
func (l redisLog) Printf(ctx context.Context, format string, args ...any) {
	if l.logger.Enabled(ctx, slog.LevelDebug) {
		l.logger.DebugContext(ctx, "redis client", "says", fmt.Sprintf(format, args...))
	}
}

// complaintInterval is how often OpenTelemetry may complain in the log. A collector that is away fails every few seconds.
const complaintInterval = time.Minute

// complaints logs errors, one per interval, and says how many it left out in between.
type complaints struct {
	logger   *slog.Logger
	interval time.Duration

	mu      sync.Mutex
	next    time.Time
	omitted int
}

func newComplaints(logger *slog.Logger, interval time.Duration) *complaints {
	return &complaints{logger: logger, interval: interval}
}

// Handle implements otel.ErrorHandler.
func (c *complaints) Handle(err error) {
	c.mu.Lock()
	now := time.Now()
	if now.Before(c.next) {
		c.omitted++
		c.mu.Unlock()
		return
	}
	omitted := c.omitted
	c.next, c.omitted = now.Add(c.interval), 0
	c.mu.Unlock()
	c.logger.Warn("telemetry could not be delivered", "error", err, "omitted_before", omitted)
}
