package auth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"testing"

	"github.com/descope/virtualwebauthn"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
)

// device makes one passkey and signs in with it, as a phone and the browser on it do together.
type device struct {
	t         *testing.T
	party     virtualwebauthn.RelyingParty
	authority virtualwebauthn.Authenticator
	key       virtualwebauthn.Credential
}

func newDevice(t *testing.T) *device {
	t.Helper()
	return &device{
		t: t, party: virtualwebauthn.RelyingParty{ID: "localhost", Name: "Mind Space", Origin: publicURL},
		authority: virtualwebauthn.NewAuthenticator(), key: newDeviceKey(t),
	}
}

// newDeviceKey makes a key whose coordinates have no zero at the front: the authenticator would leave that out, against RFC 9053, 7.1.1.
func newDeviceKey(t *testing.T) virtualwebauthn.Credential {
	t.Helper()
	for {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if point[1] == 0 || point[33] == 0 {
			continue
		}
		text, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return virtualwebauthn.NewCredentialWithImportedKey(virtualwebauthn.KeyTypeEC2, text)
	}
}

// create answers the options of a registration.
func (d *device) create(options string) string {
	d.t.Helper()
	asked, err := virtualwebauthn.ParseAttestationOptions(options)
	if err != nil {
		d.t.Fatalf("%v: %s", err, options)
	}
	d.authority.Options.UserHandle = []byte(asked.UserID)
	return virtualwebauthn.CreateAttestationResponse(d.party, d.authority, d.key, *asked)
}

// get answers the options of a sign-in, and counts.
func (d *device) get(options string) string {
	d.t.Helper()
	asked, err := virtualwebauthn.ParseAssertionOptions(options)
	if err != nil {
		d.t.Fatalf("%v: %s", err, options)
	}
	d.key.Counter++
	return virtualwebauthn.CreateAssertionResponse(d.party, d.authority, d.key, *asked)
}

// addPasskey registers a device's passkey.
func (r *rig) addPasskey(tokens *authv1.Tokens, d *device, name string) (*authv1.Passkey, error) {
	r.t.Helper()
	begun := r.beginRegistration(tokens)
	res, err := r.as(tokens).FinishPasskeyRegistration(r.t.Context(), &authv1.FinishPasskeyRegistrationRequest{
		ChallengeId: begun.GetChallengeId(), CredentialJson: d.create(begun.GetOptionsJson()), Name: name,
	})
	return res.GetPasskey(), err
}

func (r *rig) beginRegistration(tokens *authv1.Tokens) *authv1.BeginPasskeyRegistrationResponse {
	r.t.Helper()
	begun, err := r.as(tokens).BeginPasskeyRegistration(r.t.Context(), &authv1.BeginPasskeyRegistrationRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	return begun
}

func (r *rig) finishRegistration(tokens *authv1.Tokens, challenge, credential string) error {
	r.t.Helper()
	_, err := r.as(tokens).FinishPasskeyRegistration(r.t.Context(), &authv1.FinishPasskeyRegistrationRequest{ChallengeId: challenge, CredentialJson: credential})
	return err
}

// owner is somebody with a passkey.
func (r *rig) owner(email string) (*authv1.Tokens, *device) {
	r.t.Helper()
	tokens, d := r.register(email).GetTokens(), newDevice(r.t)
	if _, err := r.addPasskey(tokens, d, ""); err != nil {
		r.t.Fatal(err)
	}
	return tokens, d
}

// passkeyLogin signs in with a device; factor is the challenge that it answers as the second factor, or empty.
func (r *rig) passkeyLogin(ctx context.Context, d *device, factor string) (*authv1.FinishPasskeyLoginResponse, error) {
	r.t.Helper()
	begun := r.beginPasskeyLogin(factor)
	return r.finishPasskeyLogin(ctx, begun.GetChallengeId(), d.get(begun.GetOptionsJson()))
}

func (r *rig) beginPasskeyLogin(factor string) *authv1.BeginPasskeyLoginResponse {
	r.t.Helper()
	begun, err := r.client.BeginPasskeyLogin(r.t.Context(), &authv1.BeginPasskeyLoginRequest{ChallengeId: factor})
	if err != nil {
		r.t.Fatal(err)
	}
	return begun
}

func (r *rig) finishPasskeyLogin(ctx context.Context, challenge, credential string) (*authv1.FinishPasskeyLoginResponse, error) {
	return r.client.FinishPasskeyLogin(ctx, &authv1.FinishPasskeyLoginRequest{ChallengeId: challenge, CredentialJson: credential})
}

// exec changes the database behind the service's back.
func (r *rig) exec(statement string, args ...any) {
	r.t.Helper()
	if _, err := r.pool.Exec(r.t.Context(), statement, args...); err != nil {
		r.t.Fatal(err)
	}
}

// personOf is the account that the tokens are of.
func (r *rig) personOf(tokens *authv1.Tokens) *authv1.GetCallerResponse {
	r.t.Helper()
	res, err := r.as(tokens).GetCaller(r.t.Context(), &authv1.GetCallerRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}
