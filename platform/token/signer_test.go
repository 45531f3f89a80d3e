package token_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	policyv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/policy/v1"
	"github.com/mindspace-app/mindspace/platform/token"
)

func decode(tb testing.TB, part string) map[string]any {
	tb.Helper()
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		tb.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		tb.Fatal(err)
	}
	return out
}

func TestWhatATokenSays(t *testing.T) {
	t.Parallel()
	p := newProcess(t, nil)
	at := time.UnixMilli(1_800_000_000_789)
	staff := token.Claims{
		UserID: uuid.MustParse("01980000-0000-7000-8000-000000000001"), SessionID: uuid.MustParse("01980000-0000-7000-8000-000000000002"),
		Roles:    []policyv1.Role{policyv1.Role_ROLE_ADMIN, policyv1.Role_ROLE_NUTRITIONIST},
		IssuedAt: at, ExpiresAt: at.Add(token.Lifetime), AuthenticatedAt: at.Add(-time.Hour), SecondFactor: true,
	}
	user := staff
	user.Roles, user.SecondFactor, user.AuthenticatedAt = nil, false, time.Time{}
	common := map[string]any{
		"iss": issuer, "aud": "mindspace", "sub": staff.UserID.String(), "sid": staff.SessionID.String(),
		"iat": 1.8e9, "iat_ms": 1_800_000_000_789.0, "exp": 1.8e9 + 900,
	}
	for name, test := range map[string]struct {
		claims token.Claims
		more   map[string]any
	}{
		"staff": {staff, map[string]any{"auth_time": 1.8e9 - 3600, "amr": []any{"mfa"}, "roles": []any{"admin", "nutritionist"}}},
		"user":  {user, nil},
	} {
		header, payload, _ := split(p.sign(t, test.claims))
		if got, want := decode(t, header), map[string]any{"alg": "ES256", "kid": p.keys[0].ID, "typ": "at+jwt"}; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: header %v, want %v", name, got, want)
		}
		got, want := decode(t, payload), map[string]any{}
		for _, part := range []map[string]any{common, test.more} {
			for k, v := range part {
				want[k] = v
			}
		}
		if id, err := uuid.Parse(got["jti"].(string)); err != nil || id.Version() != 4 {
			t.Errorf("%s: jti %v", name, got["jti"])
		}
		delete(got, "jti")
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: claims %v, want %v", name, got, want)
		}
	}
}

func TestSignerRefusesWhatNoVerifierWouldTake(t *testing.T) {
	t.Parallel()
	p := newProcess(t, nil)
	for name, change := range map[string]func(*token.Claims){
		"no person":        func(c *token.Claims) { c.UserID = uuid.Nil },
		"no session":       func(c *token.Claims) { c.SessionID = uuid.Nil },
		"no time of issue": func(c *token.Claims) { c.IssuedAt = time.Time{} },
		"no end":           func(c *token.Claims) { c.ExpiresAt = time.Time{} },
		"ended":            func(c *token.Claims) { c.ExpiresAt = c.IssuedAt },
		"too long":         func(c *token.Claims) { c.ExpiresAt = c.IssuedAt.Add(token.Lifetime + time.Second) },
		"unspecified role": func(c *token.Claims) { c.Roles = []policyv1.Role{policyv1.Role_ROLE_UNSPECIFIED} },
		"no such role":     func(c *token.Claims) { c.Roles = []policyv1.Role{99} },
	} {
		claims := p.claims()
		change(&claims)
		if text, err := p.signer.Sign(context.Background(), claims); err == nil {
			t.Errorf("%s gives %s", name, text)
		}
	}
}
