package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
)

// finishLink adds an identity to the account that the flow was begun for, unless the session that began it has ended since: whoever began it
// may have been somebody else.
func (s *Service) finishLink(ctx context.Context, flow authdb.AuthOidcFlow, v *visitor) error {
	if err := v.complete(ctx); err != nil {
		return err
	}
	return postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		q := authdb.New(tx)
		a, err := lockedAccount(ctx, q, *flow.AccountID)
		if err != nil {
			return err
		}
		if err := s.stillLive(ctx, q, flow); err != nil {
			return err
		}
		if err := s.admit(a); err != nil {
			return err
		}
		return s.link(ctx, tx, a.AuthAccount.ID, flow.Device, v)
	})
}

// stillLive refuses a flow whose session has ended.
func (s *Service) stillLive(ctx context.Context, q *authdb.Queries, flow authdb.AuthOidcFlow) error {
	if flow.SessionID == nil {
		return errSessionEnded
	}
	session, err := q.GetSession(ctx, authdb.GetSessionParams{AccountID: *flow.AccountID, ID: *flow.SessionID})
	if errors.Is(err, pgx.ErrNoRows) || err == nil && session.EndedAt != nil {
		return errSessionEnded
	}
	if err != nil {
		return fmt.Errorf("get session: %w", err)
	}
	return nil
}

// link adds an identity to an account, which stands still meanwhile. One that is there already is fine. Fault: Exists (IDENTITY_TAKEN).
func (s *Service) link(ctx context.Context, tx pgx.Tx, person uuid.UUID, device string, v *visitor) error {
	q := authdb.New(tx)
	n, err := q.InsertIdentity(ctx, v.row(person, s.now()))
	if err != nil {
		return fmt.Errorf("insert identity: %w", err)
	}
	if n > 0 {
		return s.recordEvent(ctx, tx, person, eventIdentityLinked, device)
	}
	owner, err := q.GetIdentityAccount(ctx, v.identity())
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return errOtherIdentity
	case err != nil:
		return fmt.Errorf("find identity: %w", err)
	case owner != person:
		return errIdentityTaken
	}
	return nil
}

func (v *visitor) row(person uuid.UUID, now time.Time) authdb.InsertIdentityParams {
	return authdb.InsertIdentityParams{
		AccountID: person, Provider: v.provider.ID, Subject: v.subject, Email: v.canonicalEmail(), CreatedAt: now,
	}
}

// UnlinkOidc removes a provider from the caller's account. Faults: NotFound, Precondition (SIGN_IN_AGAIN, LAST_METHOD).
func (s *Service) UnlinkOidc(ctx context.Context, req *authv1.UnlinkOidcRequest) (*authv1.UnlinkOidcResponse, error) {
	person := identity.CallerFrom(ctx).UserID
	a, err := getAccount(ctx, authdb.New(s.Pool), person)
	if err != nil {
		return nil, err
	}
	if err := s.proveFully(ctx, a, ""); err != nil {
		return nil, err
	}
	err = postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		q := authdb.New(tx)
		current, err := lockedAccount(ctx, q, person)
		if err != nil {
			return err
		}
		n, err := q.DeleteIdentity(ctx, authdb.DeleteIdentityParams{AccountID: person, Provider: req.GetProvider()})
		if err != nil {
			return fmt.Errorf("delete identity: %w", err)
		}
		if n == 0 {
			return fault.NotFound("the provider %q is not linked to this account", req.GetProvider())
		}
		if err := s.stillEnters(ctx, q, current); err != nil {
			return err
		}
		return s.recordEvent(ctx, tx, person, eventIdentityUnlinked, "")
	})
	if err != nil {
		return nil, err
	}
	return &authv1.UnlinkOidcResponse{}, nil
}

var errLastMethod = fault.Precondition("there would be nothing left to sign in with: set a password first").WithReason("LAST_METHOD")

// stillEnters refuses when an account has nothing left to sign in with. A provider that is not configured any more lets nobody in.
func (s *Service) stillEnters(ctx context.Context, q *authdb.Queries, a *account) error {
	if a.AuthAccount.PasswordHash != nil {
		return nil
	}
	factors, err := q.CountFactors(ctx, a.AuthAccount.ID)
	if err != nil {
		return fmt.Errorf("count factors: %w", err)
	}
	if factors.Passkeys > 0 {
		return nil
	}
	identities, err := q.ListIdentities(ctx, a.AuthAccount.ID)
	if err != nil {
		return fmt.Errorf("list identities: %w", err)
	}
	for _, row := range identities {
		if s.providers.find(row.Provider) != nil {
			return nil
		}
	}
	return errLastMethod
}
