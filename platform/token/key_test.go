package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/mindspace-app/mindspace/platform/token"
)

func TestJWKS(t *testing.T) {
	t.Parallel()
	one, err := token.NewSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	text, err := token.JWKS([]token.PublicKey{one.Public()})
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 1 {
		t.Fatalf("%d keys", len(set.Keys))
	}
	got := set.Keys[0]
	for name, want := range map[string]string{"kid": one.ID, "use": "sig", "alg": "ES256", "kty": "EC", "crv": "P-256"} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if _, private := got["d"]; private || len(got) != 7 {
		t.Errorf("the key set has %v", got)
	}
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON(mustJSON(t, got)); err != nil {
		t.Fatal(err)
	}
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if want := base64.RawURLEncoding.EncodeToString(thumbprint); one.ID != want {
		t.Errorf("the id is %s, and the thumbprint %s", one.ID, want)
	}
}

func TestJWKSWithoutKeysIsEmptyAndNotNull(t *testing.T) {
	t.Parallel()
	if text, err := token.JWKS(nil); err != nil || string(text) != `{"keys":[]}` {
		t.Errorf("%s, %v", text, err)
	}
}

func TestJWKSRefusesOtherKeys(t *testing.T) {
	t.Parallel()
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p256, err := token.NewSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]token.PublicKey{
		"another curve": {ID: "a", Key: &p384.PublicKey},
		"no id":         {Key: &p256.Key.PublicKey},
		"no key":        {ID: "a"},
	} {
		if text, err := token.JWKS([]token.PublicKey{key}); err == nil {
			t.Errorf("%s gives %s", name, text)
		}
	}
}

func mustJSON(tb testing.TB, v any) []byte {
	tb.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}
