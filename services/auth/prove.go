package auth

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
)

var errSignInAgain = fault.Precondition("this needs a sign-in of the last five minutes: sign in again, or give the password").WithReason("SIGN_IN_AGAIN")

var errFactorFirst = fault.Precondition("this account has a second factor: sign in with it first").WithReason("SECOND_FACTOR_NEEDED")

// proveFully is [Service.prove] for changes of how an account is signed in to: where there is a second factor, the session has to have had it, or
// a stolen password would be enough to add another one. Fault beside those of prove: Precondition (SECOND_FACTOR_NEEDED).
func (s *Service) proveFully(ctx context.Context, a *account, text string) error {
	if err := s.hadFactor(ctx, a); err != nil {
		return err
	}
	return s.prove(ctx, a, text, true)
}

// hadFactor refuses a session that has not had the second factor of its account. Fault: Precondition (SECOND_FACTOR_NEEDED).
func (s *Service) hadFactor(ctx context.Context, a *account) error {
	if identity.CallerFrom(ctx).SecondFactor {
		return nil
	}
	factors, err := authdb.New(s.Pool).CountFactors(ctx, a.AuthAccount.ID)
	if err != nil {
		return fmt.Errorf("count factors: %w", err)
	}
	if factors.Totps > 0 || factors.Passkeys > 0 && s.passkeyIsFactor(a) {
		return errFactorFirst
	}
	return nil
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
