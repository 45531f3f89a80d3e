package token_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	policyv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/policy/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/token"
)

func TestCallerIsWhoTheTokenIsAbout(t *testing.T) {
	t.Parallel()
	p := newProcess(t, nil)
	claims := p.claims()
	text := p.sign(t, claims)
	for range 2 { // the second time from memory
		got := wantAccepted(t, p.verifier, text)
		if got.UserID != claims.UserID || got.SessionID != claims.SessionID || !got.SecondFactor || len(got.Roles) != 2 ||
			got.Roles[0] != policyv1.Role_ROLE_ADMIN || got.Roles[1] != policyv1.Role_ROLE_EDITOR {
			t.Errorf("caller %+v", got)
		}
		if want := claims.AuthenticatedAt.Truncate(time.Second); !got.AuthenticatedAt.Equal(want) {
			t.Errorf("authenticated at %v, want %v", got.AuthenticatedAt, want)
		}
		if got.Partner != "" || got.Service != "" {
			t.Errorf("caller %+v", got)
		}
		got.Roles[0] = policyv1.Role_ROLE_ANALYST // of this caller alone
	}
	plain := p.claims()
	plain.Roles, plain.SecondFactor, plain.AuthenticatedAt = nil, false, time.Time{}
	if got := wantAccepted(t, p.verifier, p.sign(t, plain)); got.Roles != nil || got.SecondFactor || !got.AuthenticatedAt.IsZero() {
		t.Errorf("caller %+v", got)
	}
}

// forgeries are tokens that are not ours, made from the process's own key set and a good token.
func forgeries(tb testing.TB, p *process) map[string]string {
	tb.Helper()
	key := p.keys[0]
	header, claims := p.parts()
	good := forge(tb, jose.ES256, key.Key, key.ID, header, claims)
	head, body, signature := split(good)
	encode := func(v any) string { return base64.RawURLEncoding.EncodeToString(mustJSON(tb, v)) }
	out := map[string]string{
		"empty": "", "dots": "..", "two parts": head + "." + body, "four parts": good + ".x", "JSON": `{"payload":"` + body + `"}`,
		"null bytes": "\x00" + good, "not base64": head + ".{}." + signature, "no signature": head + "." + body + ".",
		"short signature": head + "." + body + "." + signature[:40],
		"alg none":        encode(map[string]any{"typ": "at+jwt", "alg": "none", "kid": key.ID}) + "." + body + ".",
		"alg nOnE":        encode(map[string]any{"typ": "at+jwt", "alg": "nOnE", "kid": key.ID}) + "." + body + "." + signature,
		"no alg":          encode(map[string]any{"typ": "at+jwt", "kid": key.ID}) + "." + body + "." + signature,
		"another payload": head + "." + encode(map[string]any{"sub": uuid.NewString()}) + "." + signature,
		"another header":  encode(map[string]any{"typ": "at+jwt", "alg": "ES256", "kid": key.ID, "x": 1}) + "." + body + "." + signature,
		"zero signature":  head + "." + body + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)),
		"critical":        forge(tb, jose.ES256, key.Key, key.ID, map[string]any{"typ": "at+jwt", "crit": []string{"exp"}}, claims),
		"enormous":        strings.Repeat("a", 1<<20),
		"just too long":   good + strings.Repeat("=", 4<<10+1-len(good)),
		"unknown kid":     forge(tb, jose.ES256, key.Key, "nobody", header, claims),
		"no kid":          forge(tb, jose.ES256, key.Key, "", header, claims),
		"array":           head + "." + encode([]int{1}) + "." + signature,
	}
	for i, symbol := range []string{"header", "payload", "signature"} {
		parts := []string{head, body, signature}
		flipped := []byte(parts[i])
		at := len(flipped) / 2
		flipped[at] = "AB"[map[bool]int{true: 1, false: 0}[flipped[at] == 'A']]
		parts[i] = string(flipped)
		out["tampered "+symbol] = strings.Join(parts, ".")
	}

	// The public key as the secret of a symmetric algorithm, in the forms in which people have it.
	der, err := x509.MarshalPKIXPublicKey(&key.Key.PublicKey)
	if err != nil {
		tb.Fatal(err)
	}
	jwk := mustJSON(tb, jose.JSONWebKey{Key: &key.Key.PublicKey, KeyID: key.ID})
	for name, secret := range map[string][]byte{
		"PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "DER": der, "JWK": jwk,
	} {
		out["HS256 with the "+name] = forge(tb, jose.HS256, secret, key.ID, header, claims)
	}
	big, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	out["ES384"] = forge(tb, jose.ES384, big, key.ID, header, claims)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	out["RS256"] = forge(tb, jose.RS256, rsaKey, key.ID, header, claims)
	other, err := token.NewSigningKey()
	if err != nil {
		tb.Fatal(err)
	}
	out["another environment's key"] = forge(tb, jose.ES256, other.Key, other.ID, header, claims)
	out["another key under our id"] = forge(tb, jose.ES256, other.Key, key.ID, header, claims)
	embedded := map[string]any{"typ": "at+jwt", "jwk": jose.JSONWebKey{Key: &other.Key.PublicKey}}
	out["a key of its own"] = forge(tb, jose.ES256, other.Key, key.ID, embedded, claims)
	return out
}

func TestForgeriesAreRefusedAlike(t *testing.T) {
	t.Parallel()
	p := newProcess(t, nil)
	var public string
	for name, text := range forgeries(t, p) {
		_, err := p.verifier.Authenticate(context.Background(), text)
		f, ok := fault.As(err)
		if !ok {
			t.Errorf("%s: %v", name, err)
			continue
		}
		answer := string(mustJSON(t, []any{f.Kind(), f.Reason(), f.Message(), f.Fields(), f.RetryAfter()}))
		if public == "" {
			public = answer
		}
		if f.Reason() != "TOKEN_INVALID" || f.Kind() != fault.KindUnauthenticated || answer != public {
			t.Errorf("%s: %s, others %s", name, answer, public)
		}
	}
}

func TestClaimsThatAreNotOurs(t *testing.T) {
	t.Parallel()
	p := newProcess(t, nil)
	key := p.keys[0]
	now := p.now().Unix()
	for name, test := range map[string]struct {
		change func(header, claims map[string]any)
		reason string
	}{
		"as it should be":   {func(_, _ map[string]any) {}, ""},
		"another issuer":    {func(_, c map[string]any) { c["iss"] = issuer + ".evil" }, "TOKEN_INVALID"},
		"no issuer":         {func(_, c map[string]any) { delete(c, "iss") }, "TOKEN_INVALID"},
		"another audience":  {func(_, c map[string]any) { c["aud"] = "mindspace-partner" }, "TOKEN_INVALID"},
		"several audiences": {func(_, c map[string]any) { c["aud"] = []string{"mindspace", "other"} }, "TOKEN_INVALID"},
		"an ID token":       {func(h, _ map[string]any) { h["typ"] = "JWT" }, "TOKEN_INVALID"},
		"no type":           {func(h, _ map[string]any) { delete(h, "typ") }, "TOKEN_INVALID"},
		"a type of numbers": {func(h, _ map[string]any) { h["typ"] = 7 }, "TOKEN_INVALID"},
		"no session":        {func(_, c map[string]any) { delete(c, "sid") }, "TOKEN_INVALID"},
		"nobody's session":  {func(_, c map[string]any) { c["sid"] = uuid.Nil.String() }, "TOKEN_INVALID"},
		"no person":         {func(_, c map[string]any) { delete(c, "sub") }, "TOKEN_INVALID"},
		"an odd person":     {func(_, c map[string]any) { c["sub"] = "admin" }, "TOKEN_INVALID"},
		"no expiry":         {func(_, c map[string]any) { delete(c, "exp") }, "TOKEN_INVALID"},
		"endless":           {func(_, c map[string]any) { c["exp"] = int64(1) << 62 }, "TOKEN_INVALID"},
		"a day":             {func(_, c map[string]any) { c["exp"] = now + 86400 }, "TOKEN_INVALID"},
		"a second too long": {func(_, c map[string]any) { c["exp"] = now + 901 }, "TOKEN_INVALID"},
		"no time of issue":  {func(_, c map[string]any) { delete(c, "iat_ms") }, "TOKEN_INVALID"},
		"times in words":    {func(_, c map[string]any) { c["exp"] = "tomorrow" }, "TOKEN_INVALID"},
		"expired": {func(_, c map[string]any) {
			c["iat_ms"], c["exp"] = (now-1000)*1000, now-100
		}, "TOKEN_EXPIRED"},
		"just expired elsewhere": {func(_, c map[string]any) {
			c["iat_ms"], c["exp"] = (now-930)*1000, now-30
		}, ""},
		"a minute ahead": {func(_, c map[string]any) {
			c["iat_ms"], c["nbf"], c["exp"] = (now+60)*1000, now+60, now+900
		}, ""},
		"two minutes ahead": {func(_, c map[string]any) {
			c["iat_ms"], c["exp"] = (now+120)*1000, now+900
		}, "TOKEN_INVALID"},
		"not yet":        {func(_, c map[string]any) { c["nbf"] = now + 120 }, "TOKEN_INVALID"},
		"a role of ours": {func(_, c map[string]any) { c["roles"] = []string{"admin", "unspecified", "", "emperor"} }, ""},
	} {
		header, claims := p.parts()
		test.change(header, claims)
		text := forge(t, jose.ES256, key.Key, key.ID, header, claims)
		if got := reasonOf(t, p.verifier, text); got != test.reason {
			t.Errorf("%s: reason %q, want %q", name, got, test.reason)
		}
	}
}

func TestUnknownRolesGiveNothing(t *testing.T) {
	t.Parallel()
	p := newProcess(t, nil)
	header, claims := p.parts()
	claims["roles"] = []string{"emperor", "unspecified", "", "support"}
	got := wantAccepted(t, p.verifier, forge(t, jose.ES256, p.keys[0].Key, p.keys[0].ID, header, claims))
	if len(got.Roles) != 1 || got.Roles[0] != policyv1.Role_ROLE_SUPPORT {
		t.Errorf("roles %v", got.Roles)
	}
}

func TestRememberedTokenExpires(t *testing.T) {
	t.Parallel()
	p := newProcess(t, nil)
	text := p.sign(t, p.claims())
	wantAccepted(t, p.verifier, text)
	p.add(token.Lifetime + token.Leeway - time.Second)
	wantAccepted(t, p.verifier, text)
	p.add(time.Second)
	wantRefused(t, p.verifier, text, "TOKEN_EXPIRED")
	wantRefused(t, p.another(nil), text, "TOKEN_EXPIRED")
}

func TestExpiredForgeryIsNotToldFromAnyOther(t *testing.T) {
	t.Parallel()
	p := newProcess(t, nil)
	text := p.sign(t, p.claims())
	p.add(time.Hour)
	head, body, _ := split(text)
	wantRefused(t, p.verifier, text, "TOKEN_EXPIRED")
	wantRefused(t, p.verifier, head+"."+body+"."+base64.RawURLEncoding.EncodeToString(make([]byte, 64)), "TOKEN_INVALID")
}

// FuzzAuthenticate looks for texts that are accepted and say what nobody signed.
func FuzzAuthenticate(f *testing.F) {
	p := newProcess(f, nil)
	header, claims := p.parts()
	good := forge(f, jose.ES256, p.keys[0].Key, p.keys[0].ID, header, claims)
	f.Add(good)
	for _, text := range forgeries(f, p) {
		if len(text) < 10_000 {
			f.Add(text)
		}
	}
	signedHead, signedBody, _ := split(good)
	f.Fuzz(func(t *testing.T, text string) {
		caller, err := p.verifier.Authenticate(context.Background(), text)
		if err != nil {
			if fault.KindOf(err) != fault.KindUnauthenticated || !caller.Anonymous() {
				t.Fatalf("%v, caller %+v", err, caller)
			}
			return
		}
		head, body, _ := split(text)
		if !sameJSON(head, signedHead) || !sameJSON(body, signedBody) {
			t.Fatalf("accepted what was not signed: %q", text)
		}
	})
}

// sameJSON compares what two parts of a token say.
func sameJSON(a, b string) bool {
	var texts [2]json.RawMessage
	for i, part := range []string{a, b} {
		text, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			return false
		}
		texts[i] = text
	}
	return string(texts[0]) == string(texts[1])
}
