package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
)

const (
	// passkeyParty is the name that a device shows beside its passkey.
	passkeyParty = "Mind Space"
	// passkeyLimit is how many passkeys an account may have.
	passkeyLimit = 20
	// passkeyName is what a passkey is called whose owner gave it no name.
	passkeyName = "Passkey"
	// androidOrigin begins what Android sends in place of a web origin; the digest of the app's signing certificate follows in base64url.
	androidOrigin = "android:apk-key-hash:"
)

// passkeys is this program as a relying party of WebAuthn (W3C Web Authentication, Level 3). Which of a person's passkeys is whose, and
// until when a challenge is good, is for the database to say.
type passkeys struct {
	party *webauthn.WebAuthn
}

// newPasskeys makes the relying party whose id is the host of publicURL. Passkeys are taken from its origin and from the others named,
// which are web origins on the same host or below it, or Android apps ("android:apk-key-hash:…"). An app on iOS has the origin of the host.
//
// It fails where no device would make a passkey: for an address in place of a host name, and for origins elsewhere.
func newPasskeys(publicURL string, origins []string) (*passkeys, error) {
	home, err := url.Parse(publicURL)
	if err != nil {
		return nil, fmt.Errorf("public URL: %w", err)
	}
	host := strings.ToLower(home.Hostname())
	homeOrigin, err := webOrigin((&url.URL{Scheme: home.Scheme, Host: home.Host}).String(), host)
	if err != nil {
		return nil, fmt.Errorf("public URL %q: %w", publicURL, err)
	}
	web, apps := []string{homeOrigin}, []string(nil)
	for _, text := range origins {
		if digest, ok := strings.CutPrefix(text, androidOrigin); ok {
			if raw, err := base64.RawURLEncoding.DecodeString(digest); err != nil || !slices.Contains([]int{20, 32}, len(raw)) {
				return nil, fmt.Errorf("origin %q must end with a SHA-256 digest in base64url without padding", text)
			}
			apps = append(apps, text)
			continue
		}
		origin, err := webOrigin(text, host)
		if err != nil {
			return nil, fmt.Errorf("origin %q: %w", text, err)
		}
		web = append(web, origin)
	}
	timeout := webauthn.TimeoutConfig{Timeout: challengeLife, TimeoutUVD: challengeLife}
	party, err := webauthn.New(&webauthn.Config{
		RPID: host, RPDisplayName: passkeyParty, RPOrigins: web, RPOpaqueOrigins: apps,
		AttestationPreference: protocol.PreferNoAttestation,
		Timeouts:              webauthn.TimeoutsConfig{Login: timeout, Registration: timeout},
		// Some password managers say things that nobody asked for; nothing here depends on them.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, err
	}
	return &passkeys{party: party}, nil
}

// webOrigin reads the origin of pages on a host or below it.
func webOrigin(text, host string) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", err
	}
	if u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || text != u.Scheme+"://"+u.Host {
		return "", errors.New("must be scheme://host or scheme://host:port, with https or http")
	}
	if own := strings.ToLower(u.Hostname()); own != host && !strings.HasSuffix(own, "."+host) {
		return "", fmt.Errorf("must be on %s or below it, or browsers refuse its passkeys", host)
	}
	return strings.ToLower(text), nil
}

// passkeyMessage is a passkey as its owner sees it.
func passkeyMessage(row authdb.AuthPasskey) *authv1.Passkey {
	return &authv1.Passkey{
		Id: base64.RawURLEncoding.EncodeToString(row.CredentialID), Name: row.Name,
		CreatedAt: timestamppb.New(row.CreatedAt), LastUsedAt: timestampOf(row.LastUsedAt),
	}
}

// passkeyOwner is a person as WebAuthn sees them.
type passkeyOwner struct {
	*account
	credentials []webauthn.Credential
}

var _ webauthn.User = passkeyOwner{}

// newPasskeyOwner gives a person with some of their passkeys.
func newPasskeyOwner(a *account, rows ...authdb.AuthPasskey) (passkeyOwner, error) {
	owner := passkeyOwner{account: a, credentials: make([]webauthn.Credential, len(rows))}
	for i, row := range rows {
		if err := json.Unmarshal(row.Credential, &owner.credentials[i]); err != nil {
			return owner, fmt.Errorf("read passkey: %w", err)
		}
	}
	return owner, nil
}

// WebAuthnID is the user handle: it says nothing of the person.
func (o passkeyOwner) WebAuthnID() []byte { return o.AuthAccount.ID[:] }

// WebAuthnName is what tells accounts apart in a list of passkeys.
func (o passkeyOwner) WebAuthnName() string { return o.AuthAccount.Email }

// WebAuthnDisplayName is the person's own name.
func (o passkeyOwner) WebAuthnDisplayName() string { return o.AuthAccount.DisplayName }

// WebAuthnCredentials are the passkeys that are asked for.
func (o passkeyOwner) WebAuthnCredentials() []webauthn.Credential { return o.credentials }

// ceremony is what is remembered between the two calls of a registration or a sign-in.
type ceremony struct {
	Session webauthn.SessionData `json:"session"`
	// Factor is the hash of the challenge that the passkey answers as a second factor; empty when it is the first.
	Factor []byte `json:"factor,omitempty"`
}

// beginCeremony keeps a ceremony, and gives the secret that finishes it.
func (s *Service) beginCeremony(ctx context.Context, kind string, person *uuid.UUID, device string, begun ceremony) (string, error) {
	data, err := json.Marshal(begun)
	if err != nil {
		return "", fmt.Errorf("write ceremony: %w", err)
	}
	return s.putChallenge(ctx, s.Pool, kind, person, device, data)
}

// takeCeremony gives what was begun. It does so once: an attempt that fails is begun again.
func (s *Service) takeCeremony(ctx context.Context, kind, id string) (challenge authdb.AuthChallenge, begun ceremony, err error) {
	challenge, err = authdb.New(s.Pool).TakeChallenge(ctx, authdb.TakeChallengeParams{Hash: hashSecret(id), Kind: kind, Now: s.now()})
	if errors.Is(err, pgx.ErrNoRows) {
		return challenge, begun, errChallengeGone
	}
	if err != nil {
		return challenge, begun, fmt.Errorf("take challenge: %w", err)
	}
	if err = json.Unmarshal(challenge.Data, &begun); err != nil {
		return challenge, begun, fmt.Errorf("read ceremony: %w", err)
	}
	return challenge, begun, nil
}

// badCredential refuses what is no answer of a device, or none to what was asked.
func badCredential(description string, cause error) error {
	return fault.Invalid("the passkey was not taken: credentialJson %s", description).WithField("credentialJson", description).WithCause(cause)
}
