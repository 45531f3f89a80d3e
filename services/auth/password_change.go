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
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/services/auth/password"
)

// What a token of a mail is for.
const (
	purposeVerify = "verify"
	purposeReset  = "reset"
)

// errEmailToken does not tell an unknown token from one that was used or has expired.
var errEmailToken = fault.Invalid("this link is not good any more: ask for a new mail").
	WithField("token", "is unknown, used or expired").WithReason("TOKEN_UNUSABLE")

// VerifyEmail proves an address with the token of a mail. Faults: Invalid (token).
func (s *Service) VerifyEmail(ctx context.Context, req *authv1.VerifyEmailRequest) (*authv1.VerifyEmailResponse, error) {
	err := postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		used, err := s.useEmailToken(ctx, tx, purposeVerify, req.GetToken())
		if err != nil {
			return err
		}
		_, err = authdb.New(tx).VerifyEmail(ctx, authdb.VerifyEmailParams{ID: used.AccountID, Email: used.Email, Now: s.now()})
		return err
	})
	return &authv1.VerifyEmailResponse{}, err
}

func (s *Service) useEmailToken(ctx context.Context, tx pgx.Tx, purpose, text string) (authdb.UseEmailTokenRow, error) {
	used, err := authdb.New(tx).UseEmailToken(ctx, authdb.UseEmailTokenParams{Hash: hashSecret(text), Purpose: purpose, Now: s.now()})
	if errors.Is(err, pgx.ErrNoRows) {
		return used, errEmailToken
	}
	if err != nil {
		return used, fmt.Errorf("use token: %w", err)
	}
	return used, nil
}

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

var errSignInAgain = fault.Precondition("this needs a sign-in of the last five minutes: sign in again, or give the password").WithReason("SIGN_IN_AGAIN")

var errFactorFirst = fault.Precondition("this account has a second factor: sign in with it first").WithReason("SECOND_FACTOR_NEEDED")

// proveFully is [Service.prove] for changes of how an account is signed in to: where there is a second factor, the session has to have had it, or
// a stolen password would be enough to add another one. Fault beside those of prove: Precondition (SECOND_FACTOR_NEEDED).
func (s *Service) proveFully(ctx context.Context, a *account, text string) error {
	if !identity.CallerFrom(ctx).SecondFactor {
		factors, err := authdb.New(s.Pool).CountFactors(ctx, a.AuthAccount.ID)
		if err != nil {
			return fmt.Errorf("count factors: %w", err)
		}
		if factors.Totps > 0 || factors.Passkeys > 0 && s.passkeyIsFactor(a) {
			return errFactorFirst
		}
	}
	return s.prove(ctx, a, text, true)
}

// prove makes sure that it is the owner who asks for something grave: by their password, or, where that is enough, by having signed in
// within the last minutes. Faults: Unauthenticated (CREDENTIALS_WRONG), Exhausted (GUESSES_DELAYED), Precondition (SIGN_IN_AGAIN).
func (s *Service) prove(ctx context.Context, a *account, text string, recentIsEnough bool) error {
	if text == "" {
		if recentIsEnough && s.now().Sub(identity.CallerFrom(ctx).AuthenticatedAt) <= recent {
			return nil
		}
		return errSignInAgain
	}
	guards := []guard{s.guards.factor(a.AuthAccount.ID, "password")}
	if err := s.guards.check(ctx, authdb.New(s.Pool), guards); err != nil {
		return err
	}
	ok, err := s.verifyPassword(ctx, a, text)
	if err != nil {
		return err
	}
	if !ok {
		return s.guards.wrong(ctx, guards, fault.Unauthenticated("the password is wrong").WithReason("CREDENTIALS_WRONG"))
	}
	return postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error { return s.guards.right(ctx, tx, guards) })
}
