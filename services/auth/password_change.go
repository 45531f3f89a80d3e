package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/services/auth/password"
)

// ChangePassword sets a new password, ends every session and begins a new one for the caller.
// Faults: Invalid (newPassword), Unauthenticated (CREDENTIALS_WRONG), Exhausted (GUESSES_DELAYED), Precondition (SIGN_IN_AGAIN).
func (s *Service) ChangePassword(ctx context.Context, req *authv1.ChangePasswordRequest) (*authv1.ChangePasswordResponse, error) {
	caller := identity.CallerFrom(ctx)
	a, err := getAccount(ctx, authdb.New(s.Pool), caller.UserID)
	if err != nil {
		return nil, err
	}
	if err := password.Check("newPassword", req.GetNewPassword(), password.Owner{Email: a.AuthAccount.Email, DisplayName: a.AuthAccount.DisplayName}); err != nil {
		return nil, err
	}
	// With a password, a sign-in of late does not stand in for it here: a phone left unlocked must not cost the account.
	if err := s.prove(ctx, a, req.GetCurrentPassword(), a.AuthAccount.PasswordHash == nil); err != nil {
		return nil, err
	}
	hash, err := s.Hasher.Hash(ctx, req.GetNewPassword())
	if err != nil {
		return nil, err
	}
	var ended []uuid.UUID
	var session *live
	err = postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) (err error) {
		ended, session, err = s.changePassword(ctx, tx, a, hash)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.Revocations.EndSessions(ctx, ended...)
	tokens, err := s.tokens(ctx, session)
	if err != nil {
		return nil, err
	}
	return &authv1.ChangePasswordResponse{Tokens: tokens}, nil
}

// changePassword sets the password of the caller, who has proved to be the owner of the account as it was seen then. What has changed since,
// by the owner on another device perhaps, goes first: the password, the roles, the end of this very session.
func (s *Service) changePassword(ctx context.Context, tx pgx.Tx, seen *account, hash string) (ended []uuid.UUID, session *live, err error) {
	q, caller := authdb.New(tx), identity.CallerFrom(ctx)
	if _, err := q.LockAccount(ctx, caller.UserID); err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, nil, fmt.Errorf("lock account: %w", err)
	}
	current, err := s.unchanged(ctx, tx, seen)
	if err != nil {
		return nil, nil, err
	}
	if ended, err = s.setPassword(ctx, tx, caller.UserID, hash, "password_changed"); err != nil {
		return nil, nil, err
	}
	if !slices.Contains(ended, caller.SessionID) {
		return nil, nil, errSessionEnded
	}
	before, err := q.GetSession(ctx, authdb.GetSessionParams{AccountID: caller.UserID, ID: caller.SessionID})
	if err != nil {
		return nil, nil, fmt.Errorf("get session: %w", err)
	}
	if err := s.recordEvent(ctx, tx, caller.UserID, eventPasswordChanged, before.Device); err != nil {
		return nil, nil, err
	}
	session, err = s.openSession(ctx, tx, current, before.Device, before.SecondFactor)
	return ended, session, err
}

// setPassword stores a password, and voids whatever the one before may have led to: sessions, tokens under way, half-done sign-ins.
func (s *Service) setPassword(ctx context.Context, tx pgx.Tx, person uuid.UUID, hash, reason string) ([]uuid.UUID, error) {
	q := authdb.New(tx)
	if _, err := q.LockAccount(ctx, person); err != nil {
		return nil, fmt.Errorf("lock account: %w", err)
	}
	if err := q.SetPassword(ctx, authdb.SetPasswordParams{ID: person, PasswordHash: hash, Now: s.now()}); err != nil {
		return nil, fmt.Errorf("set password: %w", err)
	}
	if err := q.DeleteEmailTokens(ctx, authdb.DeleteEmailTokensParams{AccountID: person, Purpose: purposeReset}); err != nil {
		return nil, fmt.Errorf("delete reset tokens: %w", err)
	}
	if err := errors.Join(q.DeleteChallenges(ctx, person), q.DeleteOidcFlows(ctx, person)); err != nil {
		return nil, fmt.Errorf("delete what is half done: %w", err)
	}
	return s.endSessions(ctx, tx, person, reason)
}
