package cache

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the collectors of a store.
type metrics struct {
	requests, evictions, invalidations, codecErrors *prometheus.CounterVec
	loadSeconds                                     *prometheus.HistogramVec
	redisErrors                                     *prometheus.CounterVec
	redisUp, subscribed                             prometheus.Gauge
}

// counts are the counters of one cache, looked up once: finding one by its labels costs more than a hit.
type counts struct {
	localHit, sharedHit, miss, failed    prometheus.Counter
	overflow, expired                    prometheus.Counter
	ownInvalidations, heardInvalidations prometheus.Counter
	undecodable, unencodable             prometheus.Counter
	loadSeconds                          prometheus.Observer
}

func newMetrics(r prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return register(r, prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mindspace_cache_" + name, Help: help}, labels))
	}
	gauge := func(name, help string) prometheus.Gauge {
		return register(r, prometheus.NewGauge(prometheus.GaugeOpts{Name: "mindspace_cache_" + name, Help: help}))
	}
	return &metrics{
		requests: counter("requests_total",
			"Reads, by where the value was found: l1_hit in the process, l2_hit in Redis, miss loaded; error when the load failed or the caller left.", "cache", "result"),
		evictions:     counter("evictions_total", "Entries that left the process for want of room (size) or by age (expired).", "cache", "cause"),
		invalidations: counter("invalidations_total", "Invalidated keys, by who asked: this process (own) or another (heard). Clearing counts as one.", "cache", "origin"),
		codecErrors:   counter("codec_errors_total", "Values that could not be encoded for Redis or decoded from it.", "cache", "direction"),
		redisErrors:   counter("redis_errors_total", "Failed calls of Redis. They fail no request.", "operation"),
		redisUp:       gauge("redis_up", "1 while caches use Redis, 0 while they do without it."),
		subscribed:    gauge("subscribed", "1 while invalidations of other processes are heard."),
		loadSeconds: register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mindspace_cache_load_seconds", Help: "Duration of loads, failed ones too.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"cache"})),
	}
}

func (m *metrics) of(cache string) counts {
	return counts{
		localHit:           m.requests.WithLabelValues(cache, "l1_hit"),
		sharedHit:          m.requests.WithLabelValues(cache, "l2_hit"),
		miss:               m.requests.WithLabelValues(cache, "miss"),
		failed:             m.requests.WithLabelValues(cache, "error"),
		overflow:           m.evictions.WithLabelValues(cache, "size"),
		expired:            m.evictions.WithLabelValues(cache, "expired"),
		ownInvalidations:   m.invalidations.WithLabelValues(cache, "own"),
		heardInvalidations: m.invalidations.WithLabelValues(cache, "heard"),
		undecodable:        m.codecErrors.WithLabelValues(cache, "decode"),
		unencodable:        m.codecErrors.WithLabelValues(cache, "encode"),
		loadSeconds:        m.loadSeconds.WithLabelValues(cache),
	}
}

// register registers a collector, or gives the one of an earlier store on the same registry.
func register[C prometheus.Collector](r prometheus.Registerer, c C) C {
	if r == nil {
		return c
	}
	err := r.Register(c)
	if err == nil {
		return c
	}
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if existing, ok := already.ExistingCollector.(C); ok {
			return existing
		}
	}
	panic(err) // another metric has the name: a mistake of the program
}
