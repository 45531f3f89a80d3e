package auth

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
)

// The constraints that a second passkey with the same id violates: it is one account's own, or another's.
const (
	passkeysPkey            = "passkeys_pkey"
	passkeysCredentialIDKey = "passkeys_credential_id_key" //nolint:gosec // the name of a constraint
)

var (
	errTooManyPasskeys = fault.Precondition("there are %d passkeys already: remove one first", passkeyLimit).WithReason("TOO_MANY_PASSKEYS")
	errPasskeyExists   = fault.Exists("this passkey is registered already").WithReason("PASSKEY_EXISTS")
)

// BeginPasskeyRegistration returns what a device makes a passkey from.
// Faults: Unauthenticated (CREDENTIALS_WRONG), Exhausted (GUESSES_DELAYED), Precondition (SIGN_IN_AGAIN, TOO_MANY_PASSKEYS).
func (s *Service) BeginPasskeyRegistration(ctx context.Context, req *authv1.BeginPasskeyRegistrationRequest) (*authv1.BeginPasskeyRegistrationResponse, error) {
	q, person := authdb.New(s.Pool), identity.CallerFrom(ctx).UserID
	a, err := getAccount(ctx, q, person)
	if err != nil {
		return nil, err
	}
	if err := s.proveFully(ctx, a, req.GetPassword()); err != nil {
		return nil, err
	}
	rows, err := q.ListPasskeys(ctx, person)
	if err != nil {
		return nil, fmt.Errorf("list passkeys: %w", err)
	}
	if len(rows) >= passkeyLimit {
		return nil, errTooManyPasskeys
	}
	owner, err := newPasskeyOwner(a, rows...)
	if err != nil {
		return nil, err
	}
	options, session, err := s.passkeys.party.BeginRegistration(owner,
		webauthn.WithCredentialParameters(webauthn.CredentialParametersRecommendedL3()),
		webauthn.WithExclusions(webauthn.Credentials(owner.credentials).CredentialDescriptors()),
		webauthn.WithAuthenticatorSelection(passkeySelection()),
	)
	if err != nil {
		return nil, fmt.Errorf("begin registration: %w", err)
	}
	text, err := json.Marshal(options.Response)
	if err != nil {
		return nil, fmt.Errorf("write options: %w", err)
	}
	id, err := s.beginCeremony(ctx, challengeRegistration, &person, "", ceremony{Session: *session})
	if err != nil {
		return nil, err
	}
	return &authv1.BeginPasskeyRegistrationResponse{ChallengeId: id, OptionsJson: string(text)}, nil
}

// passkeySelection asks for what makes a passkey a whole sign-in: the device finds it without being told whose it is, and has checked,
// by finger, face or PIN, that its owner holds it. So each is possession and one factor more, and a key that cannot check is not taken.
func passkeySelection() protocol.AuthenticatorSelection {
	return protocol.AuthenticatorSelection{
		ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(),
		UserVerification: protocol.VerificationRequired,
	}
}

// FinishPasskeyRegistration stores the new passkey. The session then counts as signed in with a second factor, since the device has just
// checked its owner. Faults: Invalid (credentialJson), Unauthenticated (CHALLENGE_GONE), Exists, Precondition (TOO_MANY_PASSKEYS, when
// others were added meanwhile).
func (s *Service) FinishPasskeyRegistration(ctx context.Context, req *authv1.FinishPasskeyRegistrationRequest) (*authv1.FinishPasskeyRegistrationResponse, error) {
	created, err := protocol.ParseCredentialCreationResponseBytes([]byte(req.GetCredentialJson()))
	if err != nil {
		return nil, badCredential("is not what PublicKeyCredential.toJSON() gives", err)
	}
	caller := identity.CallerFrom(ctx)
	challenge, begun, err := s.takeCeremony(ctx, challengeRegistration, req.GetChallengeId())
	if err != nil {
		return nil, err
	}
	if challenge.AccountID == nil || *challenge.AccountID != caller.UserID {
		return nil, errChallengeGone
	}
	row, err := s.newPasskey(ctx, caller.UserID, begun, created, req.GetName())
	if err != nil {
		return nil, err
	}
	err = postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error { return s.addPasskey(ctx, tx, caller.SessionID, row) })
	if err != nil {
		return nil, err
	}
	return &authv1.FinishPasskeyRegistrationResponse{Passkey: passkeyMessage(row)}, nil
}

// newPasskey verifies what a device made.
func (s *Service) newPasskey(ctx context.Context, person uuid.UUID, begun ceremony, created *protocol.ParsedCredentialCreationData, name string) (authdb.AuthPasskey, error) {
	a, err := getAccount(ctx, authdb.New(s.Pool), person)
	if err != nil {
		return authdb.AuthPasskey{}, err
	}
	credential, err := s.passkeys.party.CreateCredential(passkeyOwner{account: a}, begun.Session, created)
	if err != nil {
		return authdb.AuthPasskey{}, badCredential("is not an answer to these options", err)
	}
	// No attestation is asked for; what a device says of itself all the same is not for us to keep.
	credential.Attestation = webauthn.CredentialAttestation{}
	record, err := json.Marshal(credential)
	if err != nil {
		return authdb.AuthPasskey{}, fmt.Errorf("write passkey: %w", err)
	}
	if name = oneLine(name); name == "" {
		name = passkeyName
	}
	return authdb.AuthPasskey{AccountID: person, CredentialID: credential.ID, Credential: record, Name: name, CreatedAt: s.now()}, nil
}

// addPasskey stores a passkey in the session that made it.
func (s *Service) addPasskey(ctx context.Context, tx pgx.Tx, session uuid.UUID, row authdb.AuthPasskey) error {
	q := authdb.New(tx)
	if _, err := q.LockAccount(ctx, row.AccountID); err != nil {
		return fmt.Errorf("lock account: %w", err)
	}
	factors, err := q.CountFactors(ctx, row.AccountID)
	if err != nil {
		return fmt.Errorf("count factors: %w", err)
	}
	if factors.Passkeys >= passkeyLimit {
		return errTooManyPasskeys
	}
	err = q.InsertPasskey(ctx, authdb.InsertPasskeyParams{
		AccountID: row.AccountID, CredentialID: row.CredentialID, Credential: row.Credential, Name: row.Name, CreatedAt: row.CreatedAt,
	})
	if name := postgres.Constraint(err); name == passkeysPkey || name == passkeysCredentialIDKey {
		return errPasskeyExists
	}
	if err != nil {
		return fmt.Errorf("insert passkey: %w", err)
	}
	if err := s.strengthen(ctx, q, row.AccountID, session); err != nil {
		return err
	}
	return s.recordEvent(ctx, tx, row.AccountID, eventPasskeyAdded, "")
}
