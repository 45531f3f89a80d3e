package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"github.com/mindspace-app/mindspace/services/auth"
)

// AuthUpkeepArgs asks to look after the keys that sign access tokens.
type AuthUpkeepArgs struct{}

// Kind is the job's name in the queue.
func (AuthUpkeepArgs) Kind() string { return "auth_upkeep" }

// InsertOpts gives up early: the next period brings another such job.
func (AuthUpkeepArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 3} }

type authUpkeep struct {
	river.WorkerDefaults[AuthUpkeepArgs]
	keys *auth.SigningKeys
}

// Timeout is more than making a key takes.
func (w *authUpkeep) Timeout(*river.Job[AuthUpkeepArgs]) time.Duration { return time.Minute }

// Work makes the next key in time, and removes those that nothing is signed with any more.
func (w *authUpkeep) Work(ctx context.Context, _ *river.Job[AuthUpkeepArgs]) error {
	return w.keys.Maintain(ctx)
}
