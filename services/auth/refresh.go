package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/services/auth/refresh"
)

var (
	errRefreshInvalid = fault.Unauthenticated("this is no refresh token of ours: sign in again").WithReason("REFRESH_TOKEN_INVALID")
	errRefreshExpired = fault.Unauthenticated("this refresh token has expired: sign in again").WithReason("REFRESH_TOKEN_EXPIRED")
	errRefreshReused  = fault.Unauthenticated("this refresh token was used before, so its session was ended: sign in again").WithReason("REFRESH_TOKEN_REUSED")
	errSessionEnded   = fault.Unauthenticated("this session has ended: sign in again").WithReason("SESSION_ENDED")
)

// Refresh exchanges a refresh token for the next pair. Calls with one token take turns at the row of its session: the first one makes the
// next token, the others within the grace get that same one.
// Faults: Unauthenticated, Denied (ACCOUNT_SUSPENDED).
func (s *Service) Refresh(ctx context.Context, req *authv1.RefreshRequest) (*authv1.RefreshResponse, error) {
	presented, ok := s.refreshes.Decode(req.GetRefreshToken())
	if !ok {
		return nil, errRefreshInvalid
	}
	var session *live
	var refusal error
	err := postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) (err error) {
		session, refusal, err = s.exchange(ctx, tx, presented)
		return err
	})
	if err != nil {
		return nil, err
	}
	if errors.Is(refusal, errRefreshReused) {
		s.Revocations.EndSessions(ctx, presented.Session)
	}
	if refusal != nil {
		return nil, refusal
	}
	tokens, err := s.tokens(ctx, session)
	if err != nil {
		return nil, err
	}
	return &authv1.RefreshResponse{Tokens: tokens}, nil
}

// exchange gives the session with its next token. A refusal is told after the commit: what it has written is to stay.
func (s *Service) exchange(ctx context.Context, tx pgx.Tx, presented refresh.Token) (session *live, refusal, err error) {
	q := authdb.New(tx)
	// The account first, as everywhere, and still until the end: its roles must not change between their reading and the token.
	held, err := q.ShareAccountOfSession(ctx, presented.Session)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, errSessionEnded, nil // it ended so long ago that it was forgotten, or its person was erased
	}
	if err != nil {
		return nil, nil, fmt.Errorf("hold account: %w", err)
	}
	a := account{AuthAccount: held}
	row, err := q.LockSession(ctx, authdb.LockSessionParams{AccountID: a.AuthAccount.ID, ID: presented.Session})
	if err != nil {
		return nil, nil, fmt.Errorf("lock session: %w", err)
	}
	stored := row.AuthSession
	switch {
	case stored.EndedAt != nil:
		return nil, errSessionEnded, nil
	case !s.now().Before(stored.ExpiresAt):
		return nil, errRefreshExpired, nil
	case a.AuthAccount.State == stateSuspended:
		return nil, errSuspended, nil
	case a.AuthAccount.Demo && !s.Demo:
		return nil, errDemoAccount, nil
	}
	session = &live{
		account: stored.AccountID, roles: row.Roles, authenticatedAt: stored.AuthenticatedAt, secondFactor: stored.SecondFactor,
		refreshUntil: stored.ExpiresAt, asOf: s.issuedAt(&a),
	}
	children := s.refreshes.Children(presented)
	switch {
	// One that is newer than what is stored is ours all the same: the database lost its latest moments, and nobody is to be signed out for that.
	case len(children) > 0 && (presented.Generation > stored.Generation || presented.Generation == stored.Generation && presented.Matches(stored.SecretHash)):
		session.token, session.refreshUntil = children[0], s.now().Add(refreshLife)
		return session, nil, s.rotate(ctx, q, stored, session)
	case presented.Generation+1 == stored.Generation && row.TokenAgeSeconds <= refreshGrace.Seconds():
		for _, child := range children {
			if child.Matches(stored.SecretHash) {
				session.token = child
				err := q.TouchSession(ctx, authdb.TouchSessionParams{AccountID: stored.AccountID, ID: stored.ID, Now: session.asOf})
				return session, nil, err
			}
		}
	}
	return nil, errRefreshReused, s.endReused(ctx, tx, stored)
}

func (s *Service) rotate(ctx context.Context, q *authdb.Queries, stored authdb.AuthSession, session *live) error {
	network := identity.RequestFrom(ctx).Network()
	err := q.RotateSession(ctx, authdb.RotateSessionParams{
		AccountID: stored.AccountID, ID: stored.ID, Generation: session.token.Generation, SecretHash: session.token.Hash(),
		Now: session.asOf, ExpiresAt: session.refreshUntil, Network: network,
	})
	if err != nil {
		return fmt.Errorf("rotate session: %w", err)
	}
	if network == nil {
		return nil
	}
	// Who stays signed in for months is no stranger where they are. Someone who has only a token makes no network known.
	if err := q.TouchKnownNetwork(ctx, authdb.TouchKnownNetworkParams{AccountID: stored.AccountID, Network: *network, Now: session.asOf}); err != nil {
		return fmt.Errorf("touch network: %w", err)
	}
	return nil
}

// endReused ends a session of which a used token was presented: its owner or a thief has a copy, and we cannot tell who.
func (s *Service) endReused(ctx context.Context, tx pgx.Tx, stored authdb.AuthSession) error {
	_, err := authdb.New(tx).EndSession(ctx, authdb.EndSessionParams{AccountID: stored.AccountID, ID: stored.ID, Now: s.now(), Reason: "reuse"})
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return s.recordEvent(ctx, tx, stored.AccountID, eventRefreshReuse, stored.Device)
}

// Logout ends the session of a refresh token, or the caller's. Faults: Unauthenticated.
func (s *Service) Logout(ctx context.Context, req *authv1.LogoutRequest) (*authv1.LogoutResponse, error) {
	session, person, err := s.loggingOut(ctx, req.GetRefreshToken())
	if err != nil {
		return nil, err
	}
	if person != uuid.Nil {
		_, err = authdb.New(s.Pool).EndSession(ctx, authdb.EndSessionParams{AccountID: person, ID: session, Now: s.now(), Reason: "logout"})
		if err != nil {
			return nil, fmt.Errorf("end session: %w", err)
		}
	}
	s.Revocations.EndSessions(ctx, session)
	return &authv1.LogoutResponse{}, nil
}

// loggingOut tells which session is to end, and whose it is; uuid.Nil when it is gone already.
func (s *Service) loggingOut(ctx context.Context, refreshToken string) (session, person uuid.UUID, err error) {
	if refreshToken == "" {
		caller := identity.CallerFrom(ctx)
		if caller.SessionID == uuid.Nil {
			return uuid.Nil, uuid.Nil, fault.Unauthenticated("give the refresh token, or the access token in the authorization header").WithReason("CREDENTIAL_MISSING")
		}
		return caller.SessionID, caller.UserID, nil
	}
	presented, ok := s.refreshes.Decode(refreshToken)
	if !ok {
		return uuid.Nil, uuid.Nil, errRefreshInvalid
	}
	person, err = authdb.New(s.Pool).GetSessionAccount(ctx, presented.Session)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, uuid.Nil, fmt.Errorf("find session: %w", err)
	}
	return presented.Session, person, nil
}
