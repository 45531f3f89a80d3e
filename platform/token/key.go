package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// PublicKey verifies tokens. A key's id is never given to another key.
type PublicKey struct {
	ID  string
	Key *ecdsa.PublicKey
}

// SigningKey signs tokens.
type SigningKey struct {
	ID  string
	Key *ecdsa.PrivateKey
}

// Public is the key that verifies what this one signs.
func (k SigningKey) Public() PublicKey { return PublicKey{ID: k.ID, Key: &k.Key.PublicKey} }

// KeySource has the keys. A new key must be among the public ones for two minutes before it signs, since verifiers look
// for new keys each minute, and an old one for [Lifetime] plus [Leeway] after it signed last. A key that is taken away
// earlier makes its tokens invalid within about a minute.
type KeySource interface {
	// SigningKey gives the key to sign with now. It is called for each token.
	SigningKey(ctx context.Context) (SigningKey, error)
	// PublicKeys gives all keys whose tokens are good. It is called about once a minute, and at most every 5 s.
	PublicKeys(ctx context.Context) ([]PublicKey, error)
}

// NewSigningKey makes a key for ES256 whose id is its thumbprint (RFC 7638).
func NewSigningKey() (SigningKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return SigningKey{}, fmt.Errorf("token: make a key: %w", err)
	}
	print, err := (&jose.JSONWebKey{Key: &key.PublicKey}).Thumbprint(crypto.SHA256)
	if err != nil {
		return SigningKey{}, fmt.Errorf("token: name a key: %w", err)
	}
	return SigningKey{ID: base64.RawURLEncoding.EncodeToString(print), Key: key}, nil
}

// JWKS is the JSON Web Key Set (RFC 7517) of the keys.
func JWKS(keys []PublicKey) ([]byte, error) {
	set := jose.JSONWebKeySet{Keys: make([]jose.JSONWebKey, 0, len(keys))}
	for _, key := range keys {
		if err := key.check(); err != nil {
			return nil, fmt.Errorf("token: key set: %w", err)
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Key, KeyID: key.ID, Use: "sig", Algorithm: string(jose.ES256)})
	}
	return json.Marshal(set)
}

// check refuses a key that ES256 does not know.
func (k PublicKey) check() error {
	if k.ID == "" || k.Key == nil || k.Key.Curve != elliptic.P256() {
		return errors.New("a key is not of P-256, or has no id")
	}
	return nil
}
