package telemetry

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/extra/redisotel/v9"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace"
)

// InstrumentRedis publishes the state of the client's connection pool, and makes a span for every command when there is a tracer.
// Spans name the command only: keys and values can be session tokens. registry and tracer may be nil.
// One process instruments one client; a second one with the same registry is an error.
func InstrumentRedis(rdb redis.UniversalClient, registry prometheus.Registerer, tracer trace.TracerProvider) error {
	if registry != nil {
		if err := registry.Register(newRedisPool(rdb)); err != nil {
			return fmt.Errorf("telemetry: register Redis metrics: %w", err)
		}
	}
	if tracer == nil {
		return nil
	}
	err := redisotel.InstrumentTracing(rdb,
		redisotel.WithTracerProvider(tracer),
		redisotel.WithDBStatement(false),
		redisotel.WithCallerEnabled(false),
	)
	if err != nil {
		return fmt.Errorf("telemetry: trace Redis: %w", err)
	}
	return nil
}

// redisPool reads the pool's statistics when it is scraped.
type redisPool struct {
	client                                            redis.UniversalClient
	connections, acquired, timeouts, stale, waitCount *prometheus.Desc
	waitSeconds                                       *prometheus.Desc
}

func newRedisPool(client redis.UniversalClient) *redisPool {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("mindspace_redis_pool_"+name, help, labels, nil)
	}
	return &redisPool{
		client:      client,
		connections: desc("connections", "Open connections to Redis.", "state"),
		acquired:    desc("acquired_total", "Connections taken from the pool; result says whether one was free or had to be opened.", "result"),
		waitCount:   desc("waits_total", "How often nobody could be served at once because the pool was used up."),
		waitSeconds: desc("wait_seconds_total", "Time spent waiting for a connection of the pool."),
		timeouts:    desc("timeouts_total", "How often waiting for a connection took too long and was given up."),
		stale:       desc("stale_total", "Connections that were closed because they had become unusable."),
	}
}

// Describe implements prometheus.Collector.
func (p *redisPool) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{p.connections, p.acquired, p.waitCount, p.waitSeconds, p.timeouts, p.stale} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (p *redisPool) Collect(ch chan<- prometheus.Metric) {
	s := p.client.PoolStats()
	gauge := func(d *prometheus.Desc, v uint32, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge(p.connections, s.IdleConns, "idle")
	gauge(p.connections, s.TotalConns-min(s.IdleConns, s.TotalConns), "used")
	counter(p.acquired, float64(s.Hits), "free")
	counter(p.acquired, float64(s.Misses), "opened")
	counter(p.waitCount, float64(s.WaitCount))
	counter(p.waitSeconds, float64(s.WaitDurationNs)/1e9)
	counter(p.timeouts, float64(s.Timeouts))
	counter(p.stale, float64(s.StaleConns))
}
