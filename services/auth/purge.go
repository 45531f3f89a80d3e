package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
)

const day = 24 * time.Hour

// purgeBatch is how many rows go in one statement.
const purgeBatch = 1000

// Purge deletes what has had its time, and tells how many rows. It may run at any time, and twice.
func Purge(ctx context.Context, pool *pgxpool.Pool, now time.Time) (int64, error) {
	q := authdb.New(pool)
	total := int64(0)
	var problems []error
	for _, p := range []struct {
		what string
		kept time.Duration
		del  func(before time.Time) (int64, error)
	}{
		{"email tokens", 0, func(b time.Time) (int64, error) {
			return q.PurgeEmailTokens(ctx, authdb.PurgeEmailTokensParams{Before: b, Batch: purgeBatch})
		}},
		{"challenges", 0, func(b time.Time) (int64, error) {
			return q.PurgeChallenges(ctx, authdb.PurgeChallengesParams{Before: b, Batch: purgeBatch})
		}},
		{"sign-ins with providers", 0, func(b time.Time) (int64, error) {
			return q.PurgeOidcFlows(ctx, authdb.PurgeOidcFlowsParams{Before: b, Batch: purgeBatch})
		}},
		// Long enough that nothing of the longest delays is forgotten.
		{"guards", 2 * day, func(b time.Time) (int64, error) {
			return q.PurgeGuards(ctx, authdb.PurgeGuardsParams{Before: b, Batch: purgeBatch})
		}},
		// Until then a token of the session that comes back is known as one that was used.
		{"sessions", 30 * day, func(b time.Time) (int64, error) {
			return q.PurgeSessions(ctx, authdb.PurgeSessionsParams{Before: b, Batch: purgeBatch})
		}},
		{"known networks", 90 * day, func(b time.Time) (int64, error) {
			return q.PurgeKnownNetworks(ctx, authdb.PurgeKnownNetworksParams{Before: b, Batch: purgeBatch})
		}},
		{"security events", 365 * day, func(b time.Time) (int64, error) {
			return q.PurgeSecurityEvents(ctx, authdb.PurgeSecurityEventsParams{Before: b, Batch: purgeBatch})
		}},
	} {
		for {
			n, err := p.del(now.Add(-p.kept))
			if err != nil {
				problems = append(problems, fmt.Errorf("purge %s: %w", p.what, err))
				break
			}
			total += n
			if n < purgeBatch {
				break
			}
		}
	}
	return total, errors.Join(problems...)
}
