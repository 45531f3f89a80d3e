package queue

import (
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river/rivertype"

	"github.com/mindspace-app/mindspace/platform/telemetry"
)

// result is how an attempt at a job ended.
type result string

const (
	resultCompleted   result = "completed"
	resultFailed      result = "failed"      // and is tried again
	resultDiscarded   result = "discarded"   // failed for the last time
	resultCancelled   result = "cancelled"   // by its worker, by staff, or since its arguments cannot be read
	resultSnoozed     result = "snoozed"     // put off by its worker
	resultInterrupted result = "interrupted" // by the end of this process; available again
)

// metrics are those of all workers of a process.
type metrics struct {
	attempts *prometheus.CounterVec
	duration *prometheus.HistogramVec
	wait     *prometheus.HistogramVec
	running  *prometheus.GaugeVec
	kinds    sync.Map // kind → *kindMetrics
}

// kindMetrics are those of one kind of jobs.
type kindMetrics struct {
	duration, wait prometheus.Observer
	running        prometheus.Gauge
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{}
	var errs [4]error
	m.attempts, errs[0] = telemetry.Register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "mindspace_queue_jobs_total", Help: "Attempts at jobs that ended, by how.",
	}, []string{"kind", "result"}))
	m.duration, errs[1] = telemetry.Register(registry, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "mindspace_queue_job_duration_seconds", Help: "How long attempts at jobs took.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800},
	}, []string{"kind"}))
	m.wait, errs[2] = telemetry.Register(registry, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "mindspace_queue_job_wait_seconds", Help: "How long jobs waited from when they were due until a worker took them.",
		Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200},
	}, []string{"kind"}))
	m.running, errs[3] = telemetry.Register(registry, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "mindspace_queue_jobs_running", Help: "Jobs that run now in this process.",
	}, []string{"kind"}))
	return m, errors.Join(errs[:]...)
}

// begin counts a job in and returns what counts it out.
func (m *metrics) begin(job *rivertype.JobRow) (end func(result)) {
	k := m.of(job.Kind)
	if job.AttemptedAt != nil { // both are the database's clock
		k.wait.Observe(max(0, job.AttemptedAt.Sub(job.ScheduledAt).Seconds()))
	}
	k.running.Inc()
	start := time.Now()
	return func(r result) {
		k.running.Dec()
		k.duration.Observe(time.Since(start).Seconds())
		m.attempts.WithLabelValues(job.Kind, string(r)).Inc()
	}
}

// of gives the metrics of a kind. Only kinds that have a worker get here, so there is a bounded number of them.
func (m *metrics) of(kind string) *kindMetrics {
	if k, ok := m.kinds.Load(kind); ok {
		return k.(*kindMetrics) //nolint:forcetypeassert // nothing else is stored
	}
	k, _ := m.kinds.LoadOrStore(kind, &kindMetrics{
		duration: m.duration.WithLabelValues(kind),
		wait:     m.wait.WithLabelValues(kind),
		running:  m.running.WithLabelValues(kind),
	})
	return k.(*kindMetrics) //nolint:forcetypeassert // nothing else is stored
}

// unknownKind stands for all kinds without a worker.
const unknownKind = "unknown"

// stray counts a job that has no worker in this process.
func (m *metrics) stray(job *rivertype.JobRow) {
	r := resultFailed
	if job.Attempt >= job.MaxAttempts {
		r = resultDiscarded
	}
	m.attempts.WithLabelValues(unknownKind, string(r)).Inc()
}
