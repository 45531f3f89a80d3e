package app

import (
	"context"
	"fmt"
	"time"

	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/health"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/queue"
)

// checks are what readiness means: database, schema and queue are needed; without Redis requests are still answered.
func (a *App) checks() *health.Checks {
	checks := health.New(health.Config{Logger: a.logger, Registry: a.metrics.Registry(), Services: a.server.Services()})
	checks.Register("database", a.pool.Ping)
	checks.Register("migrations", a.migrated)
	checks.Register("queue", func(ctx context.Context) error { return queue.Ready(ctx, a.pool) })
	checks.RegisterOptional("redis", func(ctx context.Context) error { return a.redis.Ping(ctx).Err() })
	return checks
}

// migrated tells whether the schema is the one that this build needs. A newer schema is fine: during a rollout old and new builds run at once.
func (a *App) migrated(ctx context.Context) error {
	all, err := postgres.PoolStatus(ctx, a.pool, migrations.FS)
	if err != nil {
		return err
	}
	if n := len(postgres.Pending(all)); n > 0 {
		return fmt.Errorf("%d migrations are pending", n)
	}
	return nil
}

// readyPoll is how often awaitReady looks.
const readyPoll = 50 * time.Millisecond

// awaitReady waits until the process is ready; false when ctx ended first.
func (a *App) awaitReady(ctx context.Context) bool {
	for !a.health.Report(ctx).Ready() {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(readyPoll):
		}
	}
	return true
}
