package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp/hotp"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
)

const (
	// totpIssuer is what authenticator apps show.
	totpIssuer = "Mind Space"
	// totpSecretSize is the length that RFC 4226, 4, recommends, in bytes.
	totpSecretSize = 20
	// totpPeriod is how long a code is shown, in seconds (RFC 6238, 5.2).
	totpPeriod = 30
	// totpDigits is the length of a code.
	totpDigits = 6
	// totpSkew is how many periods a phone's clock may be off, either way.
	totpSkew = 1

	recoveryCodes = 10
	// recoveryCodeBytes gives codes of 16 characters, 80 bits: a hash of it without a salt cannot be searched.
	recoveryCodeBytes = 10
)

var (
	base32Code     = base32.StdEncoding.WithPadding(base32.NoPadding)
	errTotpEnabled = fault.Precondition("an authenticator app is set up already: switch it off first").WithReason("TOTP_ENABLED")
	errTotpMissing = fault.Precondition("no authenticator app is set up").WithReason("TOTP_NOT_ENROLLED")
)

// EnrollTotp makes a secret for an authenticator app; it counts once a code of it was seen.
// Faults: Unauthenticated (CREDENTIALS_WRONG), Exhausted (GUESSES_DELAYED), Precondition (SIGN_IN_AGAIN, TOTP_ENABLED).
func (s *Service) EnrollTotp(ctx context.Context, req *authv1.EnrollTotpRequest) (*authv1.EnrollTotpResponse, error) {
	q, person := authdb.New(s.Pool), identity.CallerFrom(ctx).UserID
	a, err := getAccount(ctx, q, person)
	if err != nil {
		return nil, err
	}
	if err := s.proveFully(ctx, a, req.GetPassword()); err != nil {
		return nil, err
	}
	key := make([]byte, totpSecretSize)
	_, _ = rand.Read(key) // never fails: it ends the program instead
	sealed, err := s.aead.Encrypt(key, totpPlace(person))
	if err != nil {
		return nil, fmt.Errorf("encrypt secret: %w", err)
	}
	n, err := q.PutTotp(ctx, authdb.PutTotpParams{AccountID: person, Secret: sealed, Now: s.now()})
	if err != nil {
		return nil, fmt.Errorf("keep secret: %w", err)
	}
	if n == 0 {
		return nil, errTotpEnabled
	}
	secret := base32Code.EncodeToString(key)
	return &authv1.EnrollTotpResponse{Secret: secret, Uri: totpURI(a.AuthAccount.Email, secret)}, nil
}

// totpURI is what authenticator apps read from a QR code. They take the defaults for granted, and some misread other values.
func totpURI(email, secret string) string {
	values := url.Values{"secret": {secret}, "issuer": {totpIssuer}}
	label := url.PathEscape(totpIssuer) + ":" + url.PathEscape(email)
	return "otpauth://totp/" + label + "?" + strings.ReplaceAll(values.Encode(), "+", "%20")
}

// totpPlace binds an encrypted secret to its row.
func totpPlace(person uuid.UUID) []byte { return append([]byte("auth.totps\x00"), person[:]...) }

// ConfirmTotp switches the second factor on. Faults: Unauthenticated (CODE_WRONG, SESSION_ENDED), Exhausted (GUESSES_DELAYED),
// Precondition (TOTP_NOT_ENROLLED, TOTP_ENABLED).
func (s *Service) ConfirmTotp(ctx context.Context, req *authv1.ConfirmTotpRequest) (*authv1.ConfirmTotpResponse, error) {
	caller := identity.CallerFrom(ctx)
	var codes []string
	err := s.guarded(ctx, caller.UserID, func(tx pgx.Tx) error { return s.confirmTotp(ctx, tx, caller.UserID, req.GetCode()) }, func(tx pgx.Tx) (err error) {
		q := authdb.New(tx)
		if err := s.strengthen(ctx, q, caller.UserID, caller.SessionID); err != nil {
			return err
		}
		if codes, err = s.newRecoveryCodes(ctx, q, caller.UserID); err != nil {
			return err
		}
		return s.recordEvent(ctx, tx, caller.UserID, eventTotpEnabled, "")
	})
	return &authv1.ConfirmTotpResponse{RecoveryCodes: codes}, err
}

// confirmTotp accepts the first code of a new secret.
func (s *Service) confirmTotp(ctx context.Context, tx pgx.Tx, person uuid.UUID, code string) error {
	q := authdb.New(tx)
	totp, err := getTotp(ctx, q, person)
	if err != nil {
		return err
	}
	if totp.ConfirmedAt != nil {
		return errTotpEnabled
	}
	if err := s.useTotp(ctx, q, totp, code); err != nil {
		return err
	}
	n, err := q.ConfirmTotp(ctx, authdb.ConfirmTotpParams{AccountID: person, Secret: totp.Secret, Now: s.now()})
	if err != nil {
		return fmt.Errorf("confirm secret: %w", err)
	}
	if n == 0 {
		return errTotpMissing // another secret was made in this moment
	}
	return nil
}

// strengthen notes that a second factor was used in a session. One that has ended meanwhile gains nothing, and the change of its caller is undone.
func (s *Service) strengthen(ctx context.Context, q *authdb.Queries, person, session uuid.UUID) error {
	n, err := q.StrengthenSession(ctx, authdb.StrengthenSessionParams{AccountID: person, ID: session, Now: s.now()})
	if err != nil {
		return fmt.Errorf("strengthen session: %w", err)
	}
	if n == 0 {
		return errSessionEnded
	}
	return nil
}

// DisableTotp switches the second factor off. Faults: Unauthenticated (CODE_WRONG), Exhausted (GUESSES_DELAYED), Precondition (TOTP_NOT_ENROLLED).
func (s *Service) DisableTotp(ctx context.Context, req *authv1.DisableTotpRequest) (*authv1.DisableTotpResponse, error) {
	person := identity.CallerFrom(ctx).UserID
	var outdated time.Time
	err := s.guarded(ctx, person, func(tx pgx.Tx) error { return s.useCode(ctx, tx, person, req.GetCode(), true) }, func(tx pgx.Tx) (err error) {
		q := authdb.New(tx)
		if _, err := q.DeleteTotp(ctx, person); err != nil {
			return fmt.Errorf("delete secret: %w", err)
		}
		if err := errors.Join(q.DeleteRecoveryCodes(ctx, person), q.DeleteChallenges(ctx, person)); err != nil {
			return fmt.Errorf("delete recovery codes and challenges: %w", err)
		}
		if outdated, err = s.weaken(ctx, q, person); err != nil {
			return err
		}
		return s.recordEvent(ctx, tx, person, eventTotpDisabled, "")
	})
	if err != nil {
		return nil, err
	}
	s.Revocations.Outdate(ctx, person, outdated)
	return &authv1.DisableTotpResponse{}, nil
}

// RenewRecoveryCodes replaces the recovery codes. Faults: as DisableTotp.
func (s *Service) RenewRecoveryCodes(ctx context.Context, req *authv1.RenewRecoveryCodesRequest) (*authv1.RenewRecoveryCodesResponse, error) {
	person := identity.CallerFrom(ctx).UserID
	var codes []string
	err := s.guarded(ctx, person, func(tx pgx.Tx) error { return s.useCode(ctx, tx, person, req.GetCode(), false) }, func(tx pgx.Tx) (err error) {
		if codes, err = s.newRecoveryCodes(ctx, authdb.New(tx), person); err != nil {
			return err
		}
		return s.recordEvent(ctx, tx, person, eventRecoveryCodesRenewed, "")
	})
	return &authv1.RenewRecoveryCodesResponse{RecoveryCodes: codes}, err
}

// guarded runs a change that a code proves: it looks at the code, which counts when it is wrong, and then makes the change.
func (s *Service) guarded(ctx context.Context, person uuid.UUID, look, change func(pgx.Tx) error) error {
	var refusal error
	ctx = context.WithoutCancel(ctx) // the caller may go away to avoid being counted
	err := postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		refusal = nil
		if _, err := authdb.New(tx).LockAccount(ctx, person); err != nil {
			return fmt.Errorf("lock account: %w", err)
		}
		err := s.guards.attempt(ctx, tx, s.guards.factor(person, "code"), func() error { return look(tx) })
		if err != nil {
			return keep(err, &refusal)
		}
		return change(tx)
	})
	if err != nil { // the refusal was not settled then
		return err
	}
	return refusal
}

// useCode accepts a code of the authenticator app or, when they count, a recovery code; either is good once.
func (s *Service) useCode(ctx context.Context, tx pgx.Tx, person uuid.UUID, text string, recoveryCounts bool) error {
	q := authdb.New(tx)
	totp, err := getTotp(ctx, q, person)
	if err != nil {
		return err
	}
	if totp.ConfirmedAt == nil {
		return errTotpMissing
	}
	code := cleanCode(text)
	if len(code) == totpDigits || !recoveryCounts {
		return s.useTotp(ctx, q, totp, code)
	}
	n, err := q.UseRecoveryCode(ctx, authdb.UseRecoveryCodeParams{AccountID: person, Hash: hashSecret(code)})
	if err != nil {
		return fmt.Errorf("use recovery code: %w", err)
	}
	if n == 0 {
		return errCodeWrong
	}
	return s.recordEvent(ctx, tx, person, eventRecoveryCodeUsed, "")
}

func getTotp(ctx context.Context, q *authdb.Queries, person uuid.UUID) (authdb.AuthTotp, error) {
	totp, err := q.GetTotp(ctx, person)
	if errors.Is(err, pgx.ErrNoRows) {
		return totp, errTotpMissing
	}
	if err != nil {
		return totp, fmt.Errorf("get secret: %w", err)
	}
	return totp, nil
}

// useTotp accepts the code of this period or of one beside it, unless one of that period or a later one was accepted before.
func (s *Service) useTotp(ctx context.Context, q *authdb.Queries, totp authdb.AuthTotp, text string) error {
	key, err := s.aead.Decrypt(totp.Secret, totpPlace(totp.AccountID))
	if err != nil {
		return fmt.Errorf("decrypt secret: %w", err)
	}
	secret, code := base32Code.EncodeToString(key), cleanCode(text)
	step := s.now().Unix() / totpPeriod
	for at := step - totpSkew; at <= step+totpSkew; at++ {
		want, err := hotp.GenerateCode(secret, uint64(at)) //nolint:gosec // after 1970
		if err != nil {
			return fmt.Errorf("make code: %w", err)
		}
		if !hmac.Equal([]byte(want), []byte(code)) {
			continue
		}
		n, err := q.UseTotpStep(ctx, authdb.UseTotpStepParams{AccountID: totp.AccountID, Step: at})
		if err != nil {
			return fmt.Errorf("use code: %w", err)
		}
		if n == 1 {
			return nil
		}
	}
	return errCodeWrong
}

// newRecoveryCodes replaces the recovery codes. They are shown in groups of four.
func (s *Service) newRecoveryCodes(ctx context.Context, q *authdb.Queries, person uuid.UUID) ([]string, error) {
	if err := q.DeleteRecoveryCodes(ctx, person); err != nil {
		return nil, fmt.Errorf("delete recovery codes: %w", err)
	}
	shown, hashes := make([]string, recoveryCodes), make([][]byte, recoveryCodes)
	for i := range shown {
		var raw [recoveryCodeBytes]byte
		_, _ = rand.Read(raw[:]) // never fails: it ends the program instead
		code := base32Code.EncodeToString(raw[:])
		shown[i], hashes[i] = strings.Join([]string{code[:4], code[4:8], code[8:12], code[12:]}, "-"), hashSecret(code)
	}
	if err := q.InsertRecoveryCodes(ctx, authdb.InsertRecoveryCodesParams{AccountID: person, Hashes: hashes, Now: s.now()}); err != nil {
		return nil, fmt.Errorf("keep recovery codes: %w", err)
	}
	return shown, nil
}

// cleanCode takes away what people put between digits and groups.
func cleanCode(text string) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "", "\u00a0", "").Replace(text))
}
