// Package health tells whether the process is alive and whether it can answer requests: over HTTP for orchestrators and
// load balancers, and by the gRPC health protocol.
// It runs the checks that others register; it never mends anything, and never tells a caller why a check failed.
package health

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"golang.org/x/sync/singleflight"
)

const (
	defaultTimeout  = 2 * time.Second
	defaultCacheFor = time.Second
)

// Config is what the checks are told. The zero value works.
type Config struct {
	// Logger hears of every change of a check, with the error; nil means [slog.Default].
	Logger *slog.Logger
	// Registry gets the state of each check; nil means none.
	Registry prometheus.Registerer
	// Timeout is how long one check may take; 0 means 2 s.
	Timeout time.Duration
	// CacheFor is how long results are answered from memory, so that probes cannot load what they ask about; 0 means 1 s.
	// Watchers hear of a change at most that much later.
	CacheFor time.Duration
	// Services are the names, besides the empty one, that the gRPC protocol may ask for, like "mindspace.content.v1.ContentService".
	// All have the status of the process.
	Services []string
}

// Checks are all checks of a process. Register them before anything asks.
type Checks struct {
	config Config
	state  *prometheus.GaugeVec
	checks []*check
	flight singleflight.Group

	mu     sync.Mutex
	last   Report
	lastAt time.Time

	draining, drained chan struct{}
	startDrain        sync.Once
	endDrain          sync.Once
}

// New returns checks that are all well: there are none yet.
func New(cfg Config) *Checks {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.CacheFor == 0 {
		cfg.CacheFor = defaultCacheFor
	}
	return &Checks{
		config: cfg,
		state: promauto.With(cfg.Registry).NewGaugeVec(prometheus.GaugeOpts{
			Name: "mindspace_health_check_ok",
			Help: "1 when the check succeeded the last time, else 0.",
		}, []string{"check"}),
		draining: make(chan struct{}),
		drained:  make(chan struct{}),
	}
}

// Register adds a check without which requests cannot be answered: while it fails, the process is not ready.
func (c *Checks) Register(name string, run func(context.Context) error) {
	c.checks = append(c.checks, &check{name: name, required: true, run: run})
}

// RegisterOptional adds a check of something that requests can be answered without. While it fails, the process is ready
// and says that it is degraded.
func (c *Checks) RegisterOptional(name string, run func(context.Context) error) {
	c.checks = append(c.checks, &check{name: name, run: run})
}

// StartDrain makes the process not ready, whatever its checks say, for good. Watchers hear of it at once.
func (c *Checks) StartDrain() { c.startDrain.Do(func() { close(c.draining) }) }

// EndDrain ends the calls of watchers, who may otherwise stay for ever.
func (c *Checks) EndDrain() {
	c.StartDrain()
	c.endDrain.Do(func() { close(c.drained) })
}

// Status is the state of the process as a whole.
type Status string

const (
	// StatusOK means that everything works.
	StatusOK Status = "ok"
	// StatusDegraded means that requests are answered, though something that helps with it is away.
	StatusDegraded Status = "degraded"
	// StatusUnavailable means that requests cannot be answered.
	StatusUnavailable Status = "unavailable"
	// StatusDraining means that the process is about to end.
	StatusDraining Status = "draining"
)

// Report is the state of the process with the results that it follows from.
type Report struct {
	Status Status   `json:"status"`
	Checks []Result `json:"checks"`
}

// Ready tells whether requests should be sent here.
func (r Report) Ready() bool { return r.Status == StatusOK || r.Status == StatusDegraded }

// Result is how one check went. Message is one of a few fixed texts: errors go to the log.
type Result struct {
	Name       string  `json:"name"`
	OK         bool    `json:"ok"`
	Required   bool    `json:"required"`
	DurationMS float64 `json:"durationMs"`
	Message    string  `json:"message"`
}

// Report gives results that are at most [Config.CacheFor] old. However many ask, the checks run once.
// While draining it runs none. When ctx ends first, the process counts as unavailable.
func (c *Checks) Report(ctx context.Context) Report {
	select {
	case <-c.draining:
		return Report{Status: StatusDraining, Checks: []Result{}}
	default:
	}
	if report, ok := c.cached(); ok {
		return report
	}
	select {
	case done := <-c.flight.DoChan("", func() (any, error) { return c.refresh(ctx), nil }):
		return done.Val.(Report)
	case <-ctx.Done():
		return Report{Status: StatusUnavailable, Checks: []Result{}}
	}
}

func (c *Checks) cached() (Report, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last, !c.lastAt.IsZero() && time.Since(c.lastAt) < c.config.CacheFor
}

// refresh runs all checks at once. The results are for all who ask, so the end of the first one's request does not end them.
func (c *Checks) refresh(ctx context.Context) Report {
	if report, ok := c.cached(); ok {
		return report // another flight landed since we looked
	}
	ctx = context.WithoutCancel(ctx)
	report := Report{Status: StatusOK, Checks: make([]Result, len(c.checks))}
	var running sync.WaitGroup
	for i, check := range c.checks {
		running.Go(func() { report.Checks[i] = c.ask(ctx, check) })
	}
	running.Wait()
	for _, result := range report.Checks {
		switch {
		case result.OK:
		case result.Required:
			report.Status = StatusUnavailable
		case report.Status == StatusOK:
			report.Status = StatusDegraded
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.lastAt = report, time.Now()
	return report
}
