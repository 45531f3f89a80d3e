package queue

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/trace"
)

// Config says what a worker does.
type Config struct {
	// Workers are the kinds of jobs that it can run.
	Workers *river.Workers
	// Periodic are the jobs that one of all workers inserts, each once per period. Make them with [Periodic], and give every worker the same.
	Periodic []*river.PeriodicJob
	// Queues are the queues that it works on and how many jobs of each run at once; nil is the default queue, two jobs for each processor.
	Queues map[string]river.QueueConfig
	// Logger hears once of each job that fails; nil is nobody.
	Logger *slog.Logger
	// Registry gets the metrics; nil is none.
	Registry prometheus.Registerer
	// Tracer makes a span for each attempt at a job; nil is none.
	Tracer trace.TracerProvider
	// JobTimeout is how long a job may take when its worker does not say otherwise; 0 is a minute.
	JobTimeout time.Duration
	// PollOnly asks for jobs once a second instead of listening for notifications. It is for a pool behind PgBouncer in
	// transaction mode, which has no sessions to listen on. A job then waits for up to a second.
	PollOnly bool
}

const (
	defaultJobTimeout = time.Minute
	// RescueAfter is how long after its time limit a job that is still marked as running is taken for lost, since its worker died, and tried again.
	RescueAfter = 5 * time.Minute
	// Finished jobs are kept for this long. Completed ones have to outlive the longest period that is made up for after a pause, see [Periodic].
	completedRetention = 2 * longestCatchUp
	cancelledRetention = 7 * 24 * time.Hour
	discardedRetention = 30 * 24 * time.Hour
	// softStop only makes the end of the context given to Start a soft stop, without a limit of its own: Stop has one.
	softStop = 24 * time.Hour
)

// NewWorker returns a client that runs jobs once it is started, and inserts them too. Start it with a context that ends with the process;
// end it with [Stop]. Any number of workers may run; they elect one of them to look after periodic, delayed and lost jobs.
//
// A job that returns an error or panics is tried again after a pause that grows. It is not when its arguments cannot be read:
// then it is cancelled, since they will not change.
func NewWorker(pool *pgxpool.Pool, c Config) (*Client, error) {
	if c.Workers == nil {
		return nil, errors.New("queue: Config.Workers is missing")
	}
	metrics, err := newMetrics(c.Registry)
	if err != nil {
		return nil, err
	}
	logger := c.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	timeout := c.JobTimeout
	if timeout == 0 {
		timeout = defaultJobTimeout
	}
	queues := c.Queues
	if queues == nil {
		queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 2 * runtime.GOMAXPROCS(0)}}
	}
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		CancelledJobRetentionPeriod: cancelledRetention,
		CompletedJobRetentionPeriod: completedRetention,
		DiscardedJobRetentionPeriod: discardedRetention,
		ErrorHandler:                &strays{metrics: metrics},
		JobTimeout:                  timeout,
		Logger:                      riverLogger(logger),
		MaxAttempts:                 MaxAttempts,
		PeriodicJobs:                c.Periodic,
		Plugins:                     []rivertype.Plugin{&originPlugin{now: time.Now}, newAttempts(logger, metrics, c.Tracer)},
		PollOnly:                    c.PollOnly,
		Queues:                      queues,
		RescueStuckJobsAfter:        timeout + RescueAfter,
		Schema:                      Schema,
		SoftStopTimeout:             softStop,
		Workers:                     c.Workers,
	})
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	return client, nil
}
