package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	"github.com/mindspace-app/mindspace/platform/token"
)

// RecentRevocations tells from the database which tokens are refused, for [token.RevocationsConfig]: so an emptied Redis is filled again.
func RecentRevocations(pool *pgxpool.Pool) func(ctx context.Context, since time.Time) ([]token.Revocation, error) {
	return func(ctx context.Context, since time.Time) ([]token.Revocation, error) {
		q := authdb.New(pool)
		ended, endedErr := q.ListEndedSessions(ctx, since)
		outdated, outdatedErr := q.ListOutdated(ctx, since)
		keys, keysErr := q.ListRevokedPartnerKeys(ctx, since)
		if err := errors.Join(endedErr, outdatedErr, keysErr); err != nil {
			return nil, fmt.Errorf("list revocations: %w", err)
		}
		all := make([]token.Revocation, 0, len(ended)+len(outdated)+len(keys))
		for _, row := range ended {
			all = append(all, token.Revocation{SessionID: row.ID, At: *row.EndedAt})
		}
		for _, row := range outdated {
			all = append(all, token.Revocation{UserID: row.ID, At: *row.OutdatedAt})
		}
		for _, row := range keys {
			all = append(all, token.Revocation{SessionID: row.ID, At: *row.RevokedAt})
		}
		return all, nil
	}
}

// outdate refuses every access token that the person has so far, whatever clock made it. The account is locked, and whoever makes a token holds
// it still, so none is made in between of what was true before. Give the time to [token.Revocations.Outdate] after the commit.
func (o Options) outdate(ctx context.Context, q *authdb.Queries, person uuid.UUID) (time.Time, error) {
	at, err := q.OutdateTokens(ctx, authdb.OutdateTokensParams{ID: person, Now: o.now()})
	if err != nil {
		return at, fmt.Errorf("outdate tokens: %w", err)
	}
	return at, nil
}

// weaken takes away what a second factor gave to the sessions of a person who has none any more, and outdates their access tokens.
func (o Options) weaken(ctx context.Context, q *authdb.Queries, person uuid.UUID) (time.Time, error) {
	if err := q.WeakenSessions(ctx, person); err != nil {
		return time.Time{}, fmt.Errorf("weaken sessions: %w", err)
	}
	return o.outdate(ctx, q, person)
}
