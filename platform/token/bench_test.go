package token_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/platform/cache/redistest"
	"github.com/mindspace-app/mindspace/platform/token"
)

// The hot path: a token that was verified before, with Redis, a standing subscription and 10,000 revocations.
func BenchmarkAuthenticateRemembered(b *testing.B) {
	n := newCluster().start(b, redistest.New(b))
	for range 100 {
		ids := make([]uuid.UUID, 100)
		for i := range ids {
			ids[i] = uuid.New()
		}
		n.EndSessions(context.Background(), ids...)
	}
	p := newProcess(b, nil)
	v := token.NewVerifier(token.VerifierConfig{Issuer: issuer, Keys: p.source, Revocations: n.Revocations})
	claims := p.claims()
	claims.Roles = nil
	text := p.sign(b, claims)
	wantAccepted(b, v, text)
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		if _, err := v.Authenticate(b.Context(), text); err != nil {
			b.Fatal(err)
		}
	}
}

// The first time that a token is seen: its signature is verified.
func BenchmarkAuthenticateFirst(b *testing.B) {
	p := newProcess(b, nil)
	v := token.NewVerifier(token.VerifierConfig{Issuer: issuer, Keys: p.source})
	texts := make([]string, 2000)
	for i := range texts {
		c := p.claims()
		c.IssuedAt = time.Now()
		c.ExpiresAt = c.IssuedAt.Add(token.Lifetime)
		texts[i] = p.sign(b, c)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		if i%len(texts) == 0 {
			v = token.NewVerifier(token.VerifierConfig{Issuer: issuer, Keys: p.source})
		}
		if _, err := v.Authenticate(b.Context(), texts[i%len(texts)]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSign is what a refresh costs for the token alone.
func BenchmarkSign(b *testing.B) {
	p := newProcess(b, nil)
	c := p.claims()
	b.ReportAllocs()
	for b.Loop() {
		p.sign(b, c)
	}
}
