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
)

// The kinds of challenges.
const (
	challengeFactor       = "second_factor"
	challengeRegistration = "passkey_registration"
	challengeLogin        = "passkey_login"
)

const (
	// challengeLife is how long a sign-in or registration may stay half done.
	challengeLife = 5 * time.Minute
	// challengeGuesses is how many wrong codes end a challenge: the first factor is then needed again.
	challengeGuesses = 5
)

var (
	errChallengeGone = fault.Unauthenticated("this took too long, or was finished already: begin again").WithReason("CHALLENGE_GONE")
	errCodeWrong     = fault.Unauthenticated("the code is wrong").WithField("code", "is wrong, or was used before").WithReason("CODE_WRONG")
)

// putChallenge keeps what was begun, and gives the secret that finishes it.
func (s *Service) putChallenge(ctx context.Context, tx authdb.DBTX, kind string, person *uuid.UUID, device string, data []byte) (string, error) {
	now := s.now()
	id, hash := newSecret()
	if data == nil {
		data = []byte{}
	}
	err := authdb.New(tx).InsertChallenge(ctx, authdb.InsertChallengeParams{
		Hash: hash, Kind: kind, AccountID: person, Device: oneLine(device), Data: data, CreatedAt: now, ExpiresAt: now.Add(challengeLife),
	})
	if err != nil {
		return "", fmt.Errorf("insert challenge: %w", err)
	}
	return id, nil
}

// challengeSecondFactor asks for a second factor where the account has one; nil where it has none.
func (s *Service) challengeSecondFactor(ctx context.Context, tx pgx.Tx, a *account, device string) (*authv1.SecondFactor, error) {
	factors, err := authdb.New(tx).CountFactors(ctx, a.AuthAccount.ID)
	if err != nil {
		return nil, fmt.Errorf("count factors: %w", err)
	}
	var methods []authv1.SecondFactorMethod
	if factors.Totps > 0 {
		methods = append(methods, authv1.SecondFactorMethod_SECOND_FACTOR_METHOD_TOTP)
		if factors.RecoveryCodes > 0 {
			methods = append(methods, authv1.SecondFactorMethod_SECOND_FACTOR_METHOD_RECOVERY_CODE)
		}
	}
	if factors.Passkeys > 0 && (factors.Totps > 0 || s.passkeyIsFactor(a)) {
		methods = append(methods, authv1.SecondFactorMethod_SECOND_FACTOR_METHOD_PASSKEY)
	}
	if len(methods) == 0 {
		return nil, nil //nolint:nilnil // none is needed
	}
	id, err := s.putChallenge(ctx, tx, challengeFactor, &a.AuthAccount.ID, device, nil)
	if err != nil {
		return nil, err
	}
	return &authv1.SecondFactor{ChallengeId: id, Methods: methods}, nil
}

// passkeyIsFactor tells whether a passkey alone is asked for after a password: it is another way in, and not a second factor that its owner has
// wanted, unless their roles depend on one.
func (s *Service) passkeyIsFactor(a *account) bool { return len(a.Roles) > 0 && !s.Demo }

// FinishSecondFactor answers a challenge with a code. Faults: Unauthenticated (CODE_WRONG, CHALLENGE_GONE), Exhausted (GUESSES_DELAYED).
func (s *Service) FinishSecondFactor(ctx context.Context, req *authv1.FinishSecondFactorRequest) (*authv1.FinishSecondFactorResponse, error) {
	q, hash := authdb.New(s.Pool), hashSecret(req.GetChallengeId())
	challenge, err := q.GetChallenge(ctx, authdb.GetChallengeParams{Hash: hash, Kind: challengeFactor, Now: s.now()})
	if errors.Is(err, pgx.ErrNoRows) || err == nil && challenge.AccountID == nil {
		return nil, errChallengeGone
	}
	if err != nil {
		return nil, fmt.Errorf("get challenge: %w", err)
	}
	a, err := getAccount(ctx, q, *challenge.AccountID)
	if err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx) // the caller may go away to avoid being counted
	entry, err := s.enter(ctx, a, challenge.Device, true, func(tx pgx.Tx) error {
		return s.guards.attempt(ctx, tx, s.guards.factor(a.AuthAccount.ID, "code"), func() error {
			return s.answerChallenge(ctx, tx, hash, a.AuthAccount.ID, req.GetCode())
		})
	})
	if err != nil {
		return nil, err
	}
	return &authv1.FinishSecondFactorResponse{Tokens: entry.tokens}, nil
}

// answerChallenge ends a challenge with a right code; a wrong one is counted against it.
func (s *Service) answerChallenge(ctx context.Context, tx pgx.Tx, hash []byte, person uuid.UUID, code string) error {
	q := authdb.New(tx)
	challenge, err := q.LockChallenge(ctx, authdb.LockChallengeParams{Hash: hash, Kind: challengeFactor, Now: s.now()})
	if errors.Is(err, pgx.ErrNoRows) || err == nil && challenge.WrongGuesses >= challengeGuesses {
		return errChallengeGone
	}
	if err != nil {
		return fmt.Errorf("lock challenge: %w", err)
	}
	err = s.useCode(ctx, tx, person, code, true)
	if errors.Is(err, errCodeWrong) {
		if err := q.CountWrongGuess(ctx, hash); err != nil {
			return fmt.Errorf("count a wrong guess: %w", err)
		}
		return err
	}
	if errors.Is(err, errTotpMissing) {
		return errChallengeGone // the authenticator app was switched off meanwhile
	}
	if err != nil {
		return err
	}
	if err := q.DeleteChallenge(ctx, hash); err != nil {
		return fmt.Errorf("delete challenge: %w", err)
	}
	return nil
}

// takeChallenge removes a challenge that still bears a guess.
func (s *Service) takeChallenge(ctx context.Context, tx pgx.Tx, hash []byte) error {
	taken, err := authdb.New(tx).TakeChallenge(ctx, authdb.TakeChallengeParams{Hash: hash, Kind: challengeFactor, Now: s.now()})
	if errors.Is(err, pgx.ErrNoRows) || err == nil && taken.WrongGuesses >= challengeGuesses {
		return errChallengeGone
	}
	if err != nil {
		return fmt.Errorf("take challenge: %w", err)
	}
	return nil
}
