package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/services/auth/password"
)

// ResetPassword sets a new password with the token of a mail, and ends every session. Whoever reads the mail owns the address, so it is
// verified, too, the network is known as the owner's, and guesses at the password before delay nobody. An authenticator app is asked for at
// the next sign-in as ever.
// Faults: Invalid (token, newPassword).
func (s *Service) ResetPassword(ctx context.Context, req *authv1.ResetPasswordRequest) (*authv1.ResetPasswordResponse, error) {
	// A password that is refused must not cost the token.
	owner, err := authdb.New(s.Pool).GetEmailToken(ctx, authdb.GetEmailTokenParams{Hash: hashSecret(req.GetToken()), Purpose: purposeReset, Now: s.now()})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, errEmailToken
	}
	if err != nil {
		return nil, fmt.Errorf("get token: %w", err)
	}
	if err := password.Check("newPassword", req.GetNewPassword(), password.Owner{Email: owner.Email, DisplayName: owner.DisplayName}); err != nil {
		return nil, err
	}
	hash, err := s.Hasher.Hash(ctx, req.GetNewPassword())
	if err != nil {
		return nil, err
	}
	var ended []uuid.UUID
	err = postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) (err error) {
		// The account before its tokens: two resets would wait for each other.
		if _, err := authdb.New(tx).LockAccount(ctx, owner.AccountID); err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("lock account: %w", err)
		}
		used, err := s.useEmailToken(ctx, tx, purposeReset, req.GetToken())
		if err != nil {
			return err
		}
		ended, err = s.resetPassword(ctx, tx, used, hash)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.Revocations.EndSessions(ctx, ended...)
	return &authv1.ResetPasswordResponse{}, nil
}

func (s *Service) resetPassword(ctx context.Context, tx pgx.Tx, used authdb.UseEmailTokenRow, hash string) ([]uuid.UUID, error) {
	q := authdb.New(tx)
	ended, err := s.setPassword(ctx, tx, used.AccountID, hash, "password_reset")
	if err != nil {
		return nil, err
	}
	first, err := q.VerifyEmail(ctx, authdb.VerifyEmailParams{ID: used.AccountID, Email: used.Email, Now: s.now()})
	if err != nil {
		return nil, fmt.Errorf("verify address: %w", err)
	}
	if first > 0 {
		if err := closeOtherWays(ctx, q, used.AccountID); err != nil {
			return nil, err
		}
	}
	if err := s.guards.forget(ctx, q, used.Email); err != nil {
		return nil, fmt.Errorf("forget guesses: %w", err)
	}
	if network := identity.RequestFrom(ctx).Network(); network != nil {
		if _, err := q.KnowNetwork(ctx, authdb.KnowNetworkParams{AccountID: used.AccountID, Network: *network, Now: s.now()}); err != nil {
			return nil, fmt.Errorf("remember network: %w", err)
		}
	}
	return ended, s.recordEvent(ctx, tx, used.AccountID, eventPasswordReset, "")
}

// closeOtherWays removes passkeys, providers and authenticator app of an account whose address was proven just now: whoever made it could
// have typed the address of somebody else, and would come back by them or keep the owner out.
func closeOtherWays(ctx context.Context, q *authdb.Queries, person uuid.UUID) error {
	if err := removeFactors(ctx, q, person); err != nil {
		return err
	}
	identities, err := q.ListIdentities(ctx, person)
	if err != nil {
		return fmt.Errorf("list identities: %w", err)
	}
	for _, row := range identities {
		if _, err := q.DeleteIdentity(ctx, authdb.DeleteIdentityParams{AccountID: person, Provider: row.Provider}); err != nil {
			return fmt.Errorf("delete identity: %w", err)
		}
	}
	return nil
}

// removeFactors removes every second factor of an account.
func removeFactors(ctx context.Context, q *authdb.Queries, person uuid.UUID) error {
	_, err := q.DeleteTotp(ctx, person)
	if err := errors.Join(err, q.DeleteRecoveryCodes(ctx, person), q.DeletePasskeys(ctx, person)); err != nil {
		return fmt.Errorf("remove factors: %w", err)
	}
	return nil
}
