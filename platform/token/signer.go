package token

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// Signer makes tokens. It is safe for use by several goroutines.
type Signer struct {
	issuer string
	keys   KeySource
}

// NewSigner makes a signer. The issuer is the address of this installation, and a [Verifier] takes tokens of the same one only.
func NewSigner(issuer string, keys KeySource) *Signer { return &Signer{issuer: issuer, keys: keys} }

// Sign gives the token that says the claims.
func (s *Signer) Sign(ctx context.Context, c Claims) (string, error) {
	p, err := c.payload(s.issuer)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	key, err := s.keys.SigningKey(ctx)
	if err != nil {
		return "", fmt.Errorf("token: signing key: %w", err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("token: encode: %w", err)
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key.Key, KeyID: key.ID}},
		(&jose.SignerOptions{}).WithType(tokenType))
	if err != nil {
		return "", fmt.Errorf("token: signing key: %w", err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		return "", fmt.Errorf("token: sign: %w", err)
	}
	return signed.CompactSerialize()
}
