package auth

import (
	"testing"

	"github.com/descope/virtualwebauthn"
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
)

// FuzzPasskeyCredential hands anything to what reads and verifies answers of devices. The seeds are real answers to other challenges, so
// none is ever right.
func FuzzPasskeyCredential(f *testing.F) {
	const challenge = "another challenge, another time."
	p, err := newPasskeys("http://localhost:8080", nil)
	if err != nil {
		f.Fatal(err)
	}
	owner := passkeyOwner{account: &account{AuthAccount: authdb.AuthAccount{ID: uuid.MustParse("019937e3-0000-7000-8000-000000000001"), Email: "ana@example.com"}}}
	party := virtualwebauthn.RelyingParty{ID: "localhost", Name: passkeyParty, Origin: "http://localhost:8080"}
	authority := virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: owner.WebAuthnID()})
	ec, rsa := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2), virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeRSA)
	for _, key := range []virtualwebauthn.Credential{ec, rsa} {
		created := virtualwebauthn.CreateAttestationResponse(party, authority, key, virtualwebauthn.AttestationOptions{Challenge: make([]byte, 32)})
		f.Add(created)
		f.Add(virtualwebauthn.CreateAssertionResponse(party, authority, key, virtualwebauthn.AssertionOptions{Challenge: make([]byte, 32)}))
		owner.credentials = append(owner.credentials, webauthn.Credential{ID: key.ID, PublicKey: key.Key.AttestationData()})
	}
	f.Add(`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AA","attestationObject":"oA"}}`)
	session := webauthn.SessionData{
		Challenge: protocol.URLEncodedBase64(challenge).String(), RelyingPartyID: "localhost", UserID: owner.WebAuthnID(),
		UserVerification: protocol.VerificationRequired, CredParams: webauthn.CredentialParametersRecommendedL3(),
	}
	right := virtualwebauthn.CreateAssertionResponse(party, authority, rsa, virtualwebauthn.AssertionOptions{Challenge: []byte(challenge)})
	if assertion, err := protocol.ParseCredentialRequestResponseBytes([]byte(right)); err != nil {
		f.Fatal(err)
	} else if _, err := p.party.ValidateLogin(owner, session, assertion); err != nil {
		f.Fatalf("the right answer is refused: %v", err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if created, err := protocol.ParseCredentialCreationResponseBytes([]byte(text)); err == nil {
			if _, err := p.party.CreateCredential(owner, session, created); err == nil {
				t.Errorf("registered with %s", text)
			}
		}
		if assertion, err := protocol.ParseCredentialRequestResponseBytes([]byte(text)); err == nil {
			if _, err := p.party.ValidateLogin(owner, session, assertion); err == nil {
				t.Errorf("signed in with %s", text)
			}
		}
	})
}
