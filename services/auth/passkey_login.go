package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
)

// errPasskeyRefused is the one answer to a passkey that is unknown, another account's, removed or copied, and to one that signed the wrong thing.
var errPasskeyRefused = fault.Unauthenticated("this passkey was not accepted: try again, or sign in by other means").WithReason("PASSKEY_REFUSED")

// BeginPasskeyLogin returns what a device answers with a passkey: with any of this site, which says whose it is, or, with the challenge
// that Login gave, with one of that account. A passkey that is the only proof has to check its owner; after a password it need not.
// Faults: Unauthenticated (CHALLENGE_GONE).
func (s *Service) BeginPasskeyLogin(ctx context.Context, req *authv1.BeginPasskeyLoginRequest) (*authv1.BeginPasskeyLoginResponse, error) {
	if req.GetChallengeId() != "" {
		return s.beginPasskeyFactor(ctx, hashSecret(req.GetChallengeId()))
	}
	options, session, err := s.passkeys.party.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, fmt.Errorf("begin login: %w", err)
	}
	return s.beginPasskeyLogin(ctx, nil, "", options, ceremony{Session: *session})
}

// beginPasskeyFactor begins the answer to a challenge for a second factor, which stays open for other answers until one is right.
func (s *Service) beginPasskeyFactor(ctx context.Context, factor []byte) (*authv1.BeginPasskeyLoginResponse, error) {
	q := authdb.New(s.Pool)
	challenge, err := q.GetChallenge(ctx, authdb.GetChallengeParams{Hash: factor, Kind: challengeFactor, Now: s.now()})
	if errors.Is(err, pgx.ErrNoRows) || err == nil && (challenge.AccountID == nil || challenge.WrongGuesses >= challengeGuesses) {
		return nil, errChallengeGone
	}
	if err != nil {
		return nil, fmt.Errorf("get challenge: %w", err)
	}
	a, err := getAccount(ctx, q, *challenge.AccountID)
	if err != nil {
		return nil, err
	}
	rows, err := q.ListPasskeys(ctx, *challenge.AccountID)
	if err != nil {
		return nil, fmt.Errorf("list passkeys: %w", err)
	}
	if len(rows) == 0 {
		return nil, errChallengeGone
	}
	owner, err := newPasskeyOwner(a, rows...)
	if err != nil {
		return nil, err
	}
	options, session, err := s.passkeys.party.BeginLogin(owner, webauthn.WithUserVerification(protocol.VerificationPreferred))
	if err != nil {
		return nil, fmt.Errorf("begin login: %w", err)
	}
	// Which passkeys are the account's is asked again at the end; this list would then be out of date.
	session.AllowedCredentialIDs = nil
	return s.beginPasskeyLogin(ctx, challenge.AccountID, challenge.Device, options, ceremony{Session: *session, Factor: factor})
}

func (s *Service) beginPasskeyLogin(ctx context.Context, person *uuid.UUID, device string, options *protocol.CredentialAssertion, begun ceremony) (*authv1.BeginPasskeyLoginResponse, error) {
	text, err := json.Marshal(options.Response)
	if err != nil {
		return nil, fmt.Errorf("write options: %w", err)
	}
	id, err := s.beginCeremony(ctx, challengeLogin, person, device, begun)
	if err != nil {
		return nil, err
	}
	return &authv1.BeginPasskeyLoginResponse{ChallengeId: id, OptionsJson: string(text)}, nil
}

// FinishPasskeyLogin signs in with a passkey, which counts as both factors: it has checked its owner, or a password came before it.
// Faults: Invalid (credentialJson), Unauthenticated (PASSKEY_REFUSED, CHALLENGE_GONE), Precondition (EMAIL_UNVERIFIED), Denied (ACCOUNT_SUSPENDED).
func (s *Service) FinishPasskeyLogin(ctx context.Context, req *authv1.FinishPasskeyLoginRequest) (*authv1.FinishPasskeyLoginResponse, error) {
	assertion, err := protocol.ParseCredentialRequestResponseBytes([]byte(req.GetCredentialJson()))
	if err != nil {
		return nil, badCredential("is not what PublicKeyCredential.toJSON() gives", err)
	}
	challenge, begun, err := s.takeCeremony(ctx, challengeLogin, req.GetChallengeId())
	if err != nil {
		return nil, err
	}
	a, err := s.passkeyAccount(ctx, challenge, assertion)
	if err != nil {
		return nil, err
	}
	device := req.GetDevice()
	if device == "" {
		device = challenge.Device
	}
	entry, err := s.enter(ctx, a, device, true, func(tx pgx.Tx) error {
		if begun.Factor != nil {
			if err := s.takeChallenge(ctx, tx, begun.Factor); err != nil {
				return err
			}
		}
		return s.usePasskey(ctx, tx, a, begun.Session, assertion)
	})
	if err != nil {
		return nil, s.refusePasskey(ctx, err)
	}
	return &authv1.FinishPasskeyLoginResponse{Tokens: entry.tokens}, nil
}

// passkeyAccount gives whose passkey is asked for: that of the challenge, or the one that the passkey names.
func (s *Service) passkeyAccount(ctx context.Context, challenge authdb.AuthChallenge, assertion *protocol.ParsedCredentialAssertionData) (*account, error) {
	person := challenge.AccountID
	if person == nil {
		named, err := uuid.FromBytes(assertion.Response.UserHandle)
		if err != nil {
			return nil, errPasskeyRefused
		}
		person = &named
	}
	a, err := getAccount(ctx, authdb.New(s.Pool), *person)
	if fault.KindOf(err) == fault.KindUnauthenticated {
		return nil, errPasskeyRefused
	}
	return a, err
}

// usePasskey verifies an answer with the passkey that it names, if that is the account's, and keeps the counter that came with it.
func (s *Service) usePasskey(ctx context.Context, tx pgx.Tx, a *account, session webauthn.SessionData, assertion *protocol.ParsedCredentialAssertionData) error {
	q := authdb.New(tx)
	// Answers of one passkey take turns, or two could both be newer than the counter.
	row, err := q.GetPasskeyForUpdate(ctx, authdb.GetPasskeyForUpdateParams{AccountID: a.AuthAccount.ID, CredentialID: assertion.RawID})
	if errors.Is(err, pgx.ErrNoRows) {
		return errPasskeyRefused
	}
	if err != nil {
		return fmt.Errorf("get passkey: %w", err)
	}
	owner, err := newPasskeyOwner(a, row)
	if err != nil {
		return err
	}
	session.UserID = owner.WebAuthnID()
	used, err := s.passkeys.party.ValidateLogin(owner, session, assertion)
	if err != nil {
		return errPasskeyRefused.WithCause(err)
	}
	if used.Authenticator.CloneWarning {
		return &copiedPasskeyError{kept: used.Authenticator.SignCount, sent: assertion.Response.AuthenticatorData.Counter}
	}
	record, err := json.Marshal(used)
	if err != nil {
		return fmt.Errorf("write passkey: %w", err)
	}
	err = q.UsePasskey(ctx, authdb.UsePasskeyParams{AccountID: row.AccountID, CredentialID: row.CredentialID, Credential: record, Now: s.now()})
	if err != nil {
		return fmt.Errorf("keep use of passkey: %w", err)
	}
	return nil
}

// copiedPasskeyError is about a counter that did not grow, which of one device it always does (Level 3, 6.1.1).
type copiedPasskeyError struct {
	kept, sent uint32
}

// Error says what was seen.
func (e *copiedPasskeyError) Error() string {
	return fmt.Sprintf("the passkey's counter was %d and is now %d", e.kept, e.sent)
}

// refusePasskey gives the answer to a sign-in that failed. A passkey that may have been copied is the operator's to know.
func (s *Service) refusePasskey(ctx context.Context, err error) error {
	var copied *copiedPasskeyError
	if errors.As(err, &copied) {
		s.Logger.WarnContext(ctx, "refused a passkey whose counter did not grow: there may be a copy of it", "kept", copied.kept, "sent", copied.sent)
		return errPasskeyRefused
	}
	// The account is gone, or its password was changed, between the two calls.
	if errors.Is(err, errCredentialsWrong) {
		return errPasskeyRefused
	}
	return err
}
