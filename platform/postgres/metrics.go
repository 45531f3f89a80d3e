package postgres

import (
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// collector reports a pool's own counters when they are asked for, so that nothing is counted twice and no ticker runs.
type collector struct {
	pool    *pgxpool.Pool
	entries []entry
}

type entry struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*pgxpool.Stat) float64
}

func newCollector(pool *pgxpool.Pool, name string) *collector {
	c := &collector{pool: pool}
	labels := prometheus.Labels{"pool": name}
	add := func(kind prometheus.ValueType, metric, help string, value func(*pgxpool.Stat) float64) {
		desc := prometheus.NewDesc("mindspace_postgres_"+metric, help, nil, labels)
		c.entries = append(c.entries, entry{desc: desc, kind: kind, value: value})
	}
	gauge, counter := prometheus.GaugeValue, prometheus.CounterValue

	add(gauge, "pool_max_connections", "Connections that the pool may hold at most.",
		func(s *pgxpool.Stat) float64 { return float64(s.MaxConns()) })
	add(gauge, "pool_acquired_connections", "Connections in use.",
		func(s *pgxpool.Stat) float64 { return float64(s.AcquiredConns()) })
	add(gauge, "pool_idle_connections", "Connections that wait for work.",
		func(s *pgxpool.Stat) float64 { return float64(s.IdleConns()) })
	add(gauge, "pool_constructing_connections", "Connections that are being made.",
		func(s *pgxpool.Stat) float64 { return float64(s.ConstructingConns()) })
	add(counter, "pool_acquires_total", "Connections handed out.",
		func(s *pgxpool.Stat) float64 { return float64(s.AcquireCount()) })
	add(counter, "pool_acquire_seconds_total", "Time spent waiting for connections, those that succeeded.",
		func(s *pgxpool.Stat) float64 { return s.AcquireDuration().Seconds() })
	add(counter, "pool_empty_acquires_total", "Connections handed out after a wait, because none was idle.",
		func(s *pgxpool.Stat) float64 { return float64(s.EmptyAcquireCount()) })
	add(counter, "pool_cancelled_acquires_total", "Waits for a connection that were given up: the pool was exhausted or the caller gone.",
		func(s *pgxpool.Stat) float64 { return float64(s.CanceledAcquireCount()) })
	add(counter, "pool_opened_connections_total", "Attempts to open a connection.",
		func(s *pgxpool.Stat) float64 { return float64(s.NewConnsCount()) })
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, e := range c.entries {
		out <- e.desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	stat := c.pool.Stat()
	for _, e := range c.entries {
		out <- prometheus.MustNewConstMetric(e.desc, e.kind, e.value(stat))
	}
}
