package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// AppleKey makes the client secrets of Sign in with Apple. It prints as its key id alone.
type AppleKey struct {
	// TeamID is the team that owns the key.
	TeamID string `json:"teamId"`
	// KeyID is what Apple calls the key.
	KeyID string `json:"keyId"`
	// PrivateKey is the content of the .p8 file: PKCS #8 in PEM, on P-256.
	PrivateKey string `json:"privateKey"`
}

// String gives the key id.
func (k AppleKey) String() string { return k.KeyID }

// GoString gives the key id.
func (k AppleKey) GoString() string { return k.KeyID }

// LogValue gives the key id.
func (k AppleKey) LogValue() slog.Value { return slog.StringValue(k.KeyID) }

// appleSecretLife is how long a client secret is good. Apple allows six months; it is used at once.
const appleSecretLife = 5 * time.Minute

func (k AppleKey) check() []error {
	var bad []error
	if k.TeamID == "" {
		bad = append(bad, errors.New("apple.teamId is missing"))
	}
	if k.KeyID == "" {
		bad = append(bad, errors.New("apple.keyId is missing"))
	}
	if _, err := k.parse(); err != nil {
		bad = append(bad, fmt.Errorf("apple.privateKey %w", err))
	}
	return bad
}

// parse reads the key. Its errors do not repeat it.
func (k AppleKey) parse() (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(k.PrivateKey))
	if block == nil {
		return nil, errors.New("is not in PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("is not a P-256 key in PKCS #8")
	}
	return key, nil
}

// clientSecret makes the secret that shows this program to Apple: a JWT (ES256), for issuer to read.
// Source: Apple, "Creating a client secret".
func (k AppleKey) clientSecret(issuer, clientID string, now time.Time) (string, error) {
	key, err := k.parse()
	if err != nil {
		return "", fmt.Errorf("apple key %w", err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: k.KeyID}}, nil)
	if err != nil {
		return "", fmt.Errorf("sign client secret: %w", err)
	}
	secret, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: k.TeamID, Subject: clientID, Audience: jwt.Audience{issuer},
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(appleSecretLife)),
	}).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign client secret: %w", err)
	}
	return secret, nil
}
