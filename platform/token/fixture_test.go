package token_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	policyv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/policy/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/token"
)

const issuer = "https://mindspace.example"

// patience bounds waiting for what must happen; it is used up only when it does not.
const patience = 30 * time.Second

// eventually waits until it is so.
func eventually(tb testing.TB, what string, so func() bool) {
	tb.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !so(); <-tick.C {
		if time.Now().After(deadline) {
			tb.Fatalf("did not happen: %s", what)
		}
	}
}

// clock is a time that stands still until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// errAway is what a key source gives that is away.
var errAway = errors.New("away")

// source has keys, the last of which signs.
type source struct {
	mu    sync.Mutex
	keys  []token.SigningKey
	err   error
	loads int
	// hold makes loads wait until it is closed.
	hold chan struct{}
}

func newSource(tb testing.TB) *source {
	tb.Helper()
	s := &source{}
	s.rotate(tb)
	return s
}

// rotate adds a key, which signs from now on.
func (s *source) rotate(tb testing.TB) {
	tb.Helper()
	key, err := token.NewSigningKey()
	if err != nil {
		tb.Fatal(err)
	}
	s.change(func() { s.keys = append(s.keys, key) })
}

func (s *source) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *source) loaded() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loads
}

// SigningKey gives the newest.
func (s *source) SigningKey(context.Context) (token.SigningKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[len(s.keys)-1], nil
}

// PublicKeys gives all.
func (s *source) PublicKeys(context.Context) ([]token.PublicKey, error) {
	s.mu.Lock()
	s.loads++
	hold := s.hold
	s.mu.Unlock()
	if hold != nil {
		<-hold
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	var out []token.PublicKey
	for _, key := range s.keys {
		out = append(out, key.Public())
	}
	return out, nil
}

// process is what one process has to sign and verify.
type process struct {
	*source
	*clock
	signer   *token.Signer
	verifier *token.Verifier
}

func newProcess(tb testing.TB, revocations *token.Revocations) *process {
	tb.Helper()
	p := &process{source: newSource(tb), clock: newClock()}
	p.signer = token.NewSigner(issuer, p.source)
	p.verifier = p.another(revocations)
	return p
}

// another gives a further verifier with the keys and time of the process.
func (p *process) another(revocations *token.Revocations) *token.Verifier {
	return token.NewVerifier(token.VerifierConfig{Issuer: issuer, Keys: p.source, Revocations: revocations, Now: p.now})
}

// claims are those of a new member of staff with a session.
func (p *process) claims() token.Claims {
	now := p.now()
	return token.Claims{
		UserID: uuid.Must(uuid.NewV7()), SessionID: uuid.Must(uuid.NewV7()), Roles: []policyv1.Role{policyv1.Role_ROLE_ADMIN, policyv1.Role_ROLE_EDITOR},
		IssuedAt: now, ExpiresAt: now.Add(token.Lifetime), AuthenticatedAt: now.Add(-time.Hour), SecondFactor: true,
	}
}

func (p *process) sign(tb testing.TB, c token.Claims) string {
	tb.Helper()
	text, err := p.signer.Sign(context.Background(), c)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// header and claims of a token as they should be, for tests that change something and sign it all the same.
func (p *process) parts() (header, claims map[string]any) {
	now := p.now().Unix()
	return map[string]any{"typ": "at+jwt"}, map[string]any{
		"iss": issuer, "aud": "mindspace", "sub": uuid.NewString(), "sid": uuid.NewString(), "jti": uuid.NewString(),
		"iat": now, "iat_ms": now * 1000, "exp": now + 900, "auth_time": now,
	}
}

// forge signs whatever it is told, with the key of that id.
func forge(tb testing.TB, algorithm jose.SignatureAlgorithm, key any, id string, header, claims map[string]any) string {
	tb.Helper()
	options := &jose.SignerOptions{}
	for name, value := range header {
		options.WithHeader(jose.HeaderKey(name), value)
	}
	if id != "" {
		options.WithHeader("kid", id)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	if err != nil {
		tb.Fatal(err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		tb.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		tb.Fatal(err)
	}
	out, err := signed.CompactSerialize()
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// wantAccepted checks that the token is good.
func wantAccepted(tb testing.TB, v *token.Verifier, text string) identity.Caller {
	tb.Helper()
	caller, err := v.Authenticate(context.Background(), text)
	if err != nil {
		tb.Fatalf("refused: %v", err)
	}
	return caller
}

// wantRefused checks that the token is refused for a reason.
func wantRefused(tb testing.TB, v *token.Verifier, text, reason string) {
	tb.Helper()
	if got := reasonOf(tb, v, text); got != reason {
		tb.Errorf("reason %q, want %q", got, reason)
	}
}

// reasonOf gives why the token is refused, empty when it is not.
func reasonOf(tb testing.TB, v *token.Verifier, text string) string {
	tb.Helper()
	caller, err := v.Authenticate(context.Background(), text)
	if err == nil {
		return ""
	}
	f, ok := fault.As(err)
	if !ok {
		tb.Fatalf("no fault: %v", err)
	}
	if !caller.Anonymous() {
		tb.Errorf("refused, and gives the caller %v", caller)
	}
	if f.Kind() != fault.KindUnauthenticated && f.Reason() != "KEYS_UNAVAILABLE" {
		tb.Errorf("kind %v with reason %s", f.Kind(), f.Reason())
	}
	return f.Reason()
}

// split gives the three parts of a token.
func split(text string) (header, payload, signature string) {
	header, rest, _ := strings.Cut(text, ".")
	payload, signature, _ = strings.Cut(rest, ".")
	return header, payload, signature
}
