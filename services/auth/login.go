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
	"github.com/mindspace-app/mindspace/platform/postgres"
)

// errCredentialsWrong is the one answer to a wrong password and to an address without an account.
var errCredentialsWrong = fault.Unauthenticated("e-mail address or password is wrong").WithReason("CREDENTIALS_WRONG")

// Login signs in with a password. An address without an account takes the same way, at the same cost.
// Faults: Invalid (email), Unauthenticated, Exhausted (GUESSES_DELAYED), Precondition (EMAIL_UNVERIFIED), Denied (ACCOUNT_SUSPENDED).
func (s *Service) Login(ctx context.Context, req *authv1.LoginRequest) (*authv1.LoginResponse, error) {
	email, err := parseEmail(req.GetEmail())
	if err != nil {
		return nil, err
	}
	q := authdb.New(s.Pool)
	a, err := findAccount(ctx, q, email)
	if err != nil {
		return nil, err
	}
	device, err := s.shownDevice(ctx, q, a, req.GetPreviousRefreshToken())
	if err != nil {
		return nil, err
	}
	guards, err := s.guards.password(ctx, email, device)
	if err != nil {
		return nil, err
	}
	if err := s.guards.check(ctx, q, guards); err != nil {
		return nil, err
	}
	ok, err := s.verifyPassword(ctx, a, req.GetPassword())
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, s.guards.wrong(ctx, guards, errCredentialsWrong)
	}
	entry, err := s.enter(ctx, a, req.GetDevice(), false, func(tx pgx.Tx) error { return s.guards.right(ctx, tx, guards) })
	if err != nil {
		return nil, err
	}
	return &authv1.LoginResponse{Tokens: entry.tokens, SecondFactor: entry.challenge, RolesWithheld: entry.rolesWithheld}, nil
}

// shownDevice is the session of a refresh token that this account had, which only a device of its owner can know; uuid.Nil for anything else.
func (s *Service) shownDevice(ctx context.Context, q *authdb.Queries, a *account, refreshToken string) (uuid.UUID, error) {
	previous, ok := s.refreshes.Decode(refreshToken)
	if !ok {
		return uuid.Nil, nil
	}
	// Looked up without an account too: both take the same time.
	owner, err := q.GetSessionAccount(ctx, previous.Session)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, fmt.Errorf("find previous session: %w", err)
	}
	if a == nil || owner != a.AuthAccount.ID {
		return uuid.Nil, nil
	}
	return previous.Session, nil
}

// verifyPassword does the same work whether or not there is an account, or a password. Parameters that have changed since are brought up to date.
func (s *Service) verifyPassword(ctx context.Context, a *account, text string) (bool, error) {
	if a == nil || a.AuthAccount.PasswordHash == nil {
		return false, s.Hasher.Dummy(ctx, text)
	}
	stored := *a.AuthAccount.PasswordHash
	ok, outdated, err := s.Hasher.Verify(ctx, text, stored)
	if err != nil || !ok || !outdated {
		return ok, err
	}
	hash, err := s.Hasher.Hash(ctx, text)
	if err != nil {
		return false, err
	}
	err = authdb.New(s.Pool).UpgradePassword(ctx, authdb.UpgradePasswordParams{ID: a.AuthAccount.ID, OldHash: stored, NewHash: hash})
	if err != nil {
		return false, fmt.Errorf("upgrade password hash: %w", err)
	}
	return true, nil
}

// entry is what someone gets who has proved who they are: tokens, or a challenge for a second factor.
type entry struct {
	tokens        *authv1.Tokens
	challenge     *authv1.SecondFactor
	rolesWithheld bool
}

// enter lets a person in after their first factor, or after both. first runs in the same transaction, before anything else, and may refuse.
func (s *Service) enter(ctx context.Context, a *account, device string, bothFactors bool, first func(pgx.Tx) error) (*entry, error) {
	if err := s.admit(a); err != nil {
		return nil, s.refuse(ctx, a, err, first)
	}
	var result *entry
	var session *live
	var refusal error
	err := postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) (err error) {
		result, session, refusal = &entry{}, nil, nil
		current, err := s.unchanged(ctx, tx, a)
		if err != nil {
			return err
		}
		if err := first(tx); err != nil {
			return keep(err, &refusal)
		}
		if !bothFactors {
			if result.challenge, err = s.challengeSecondFactor(ctx, tx, current, device); err != nil || result.challenge != nil {
				return err
			}
		}
		session, err = s.openSession(ctx, tx, current, device, bothFactors)
		return err
	})
	if err != nil { // the refusal was not settled then
		return nil, err
	}
	if refusal != nil || session == nil {
		return result, refusal
	}
	result.rolesWithheld = s.rolesWithheld(session)
	result.tokens, err = s.tokens(ctx, session)
	return result, err
}

// settledError is a refusal whose writes stay: the transaction commits, and then it is the answer.
type settledError struct{ error }

// keep lets the transaction of a settled refusal commit, and notes what is to be answered.
func keep(err error, refusal *error) error {
	var settled settledError
	if errors.As(err, &settled) {
		*refusal = settled.error
		return nil
	}
	return err
}

// unchanged holds the account still until the end of the transaction, and refuses one that was changed since the proof: a password that
// was replaced meanwhile opens nothing.
func (s *Service) unchanged(ctx context.Context, tx pgx.Tx, seen *account) (*account, error) {
	q := authdb.New(tx)
	hold := q.ShareAccount
	if seen.AuthAccount.ErasureID != nil {
		hold = q.LockAccount // the sign-in writes to it: several at once would wait for each other for ever
	}
	_, err := hold(ctx, seen.AuthAccount.ID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, errCredentialsWrong
	}
	if err != nil {
		return nil, fmt.Errorf("hold account: %w", err)
	}
	current, err := getAccount(ctx, q, seen.AuthAccount.ID)
	if err != nil {
		return nil, err
	}
	if !samePassword(seen, current) {
		return nil, errCredentialsWrong
	}
	return current, s.admit(current)
}

// samePassword tells whether an account has the password still that it had when it was seen first.
func samePassword(seen, current *account) bool {
	before, after := seen.AuthAccount.PasswordSetAt, current.AuthAccount.PasswordSetAt
	return before == nil && after == nil || before != nil && after != nil && before.Equal(*after)
}

// refuse answers someone whose password was right and who may not come in. Who only lacks a verified address gets the mail again.
func (s *Service) refuse(ctx context.Context, a *account, refusal error, first func(pgx.Tx) error) error {
	var settled error
	err := postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		settled = nil
		if err := first(tx); err != nil {
			return keep(err, &settled)
		}
		if fault.KindOf(refusal) != fault.KindPrecondition {
			return nil
		}
		return s.emit(ctx, tx, VerificationRequested{AccountID: a.AuthAccount.ID})
	})
	if err != nil {
		return err
	}
	if settled != nil {
		return settled
	}
	return refusal
}
