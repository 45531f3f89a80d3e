package auth_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/jackc/pgx/v5/pgxpool"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/secret"
	"github.com/mindspace-app/mindspace/services/auth"
)

// keyOfToken is the id of the key that signed an access token.
func keyOfToken(t *testing.T, tokens *authv1.Tokens) string {
	t.Helper()
	signed, err := jwt.ParseSigned(tokens.GetAccessToken(), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	return signed.Headers[0].KeyID
}

// published are the keys that others fetch.
func published(t *testing.T, keys *auth.SigningKeys) jose.JSONWebKeySet {
	t.Helper()
	answer := httptest.NewRecorder()
	keys.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/.well-known/jwks.json", nil))
	if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != "application/jwk-set+json" || answer.Header().Get("Cache-Control") != "public, max-age=60" {
		t.Fatalf("%d %v %s", answer.Code, answer.Header(), answer.Body)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(answer.Body.Bytes(), &set); err != nil {
		t.Fatal(err)
	}
	return set
}

// keyIDs are the ids of what is published.
func keyIDs(t *testing.T, keys *auth.SigningKeys) []string {
	t.Helper()
	var ids []string
	for _, key := range published(t, keys).Keys {
		ids = append(ids, key.KeyID)
	}
	return ids
}

func TestFirstSigningKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	ids := make([]string, 8)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() {
			key, err := auth.NewSigningKeys(installation.pool, installation.keys, installation.clock.Now, slog.New(slog.DiscardHandler)).SigningKey(t.Context())
			if err != nil {
				t.Error(err)
			}
			ids[i] = key.ID
		})
	}
	all.Wait()
	if different := slices.Compact(slices.Sorted(slices.Values(ids))); len(different) != 1 {
		t.Errorf("keys: %v", different)
	}
	var rows int
	if err := installation.pool.QueryRow(t.Context(), "SELECT count(*) FROM auth.signing_keys").Scan(&rows); err != nil || rows != 1 {
		t.Errorf("%d keys were made, %v", rows, err)
	}
}

func TestPublishedKeysVerifyTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	registered := r.register("ana@example.org")
	set := published(t, r.signing)
	if len(set.Keys) != 1 || !set.Keys[0].IsPublic() || !set.Keys[0].Valid() || set.Keys[0].Use != "sig" || set.Keys[0].Algorithm != "ES256" {
		t.Fatalf("published: %+v", set)
	}
	signed, err := jwt.ParseSigned(registered.GetTokens().GetAccessToken(), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.Claims
	if err := signed.Claims(set, &claims); err != nil {
		t.Fatal(err)
	}
	if err := claims.Validate(jwt.Expected{Issuer: publicURL, Subject: registered.GetUserId(), AnyAudience: jwt.Audience{"mindspace"}, Time: r.clock.Now()}); err != nil {
		t.Error(err)
	}
	var private []byte
	if err := r.pool.QueryRow(t.Context(), "SELECT private_key FROM auth.signing_keys").Scan(&private); err != nil {
		t.Fatal(err)
	}
	if private[0] == 0x30 { // a PKCS #8 structure begins so
		t.Error("the private key is in the database in clear")
	}
}

// A new key is published before it signs, tokens of the one before stay good, and nobody is signed out.
func TestSigningKeyIsRotated(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	here, there := installation.process(t, inDemo), installation.process(t)
	admin := here.staff("admin@example.org", "admin")
	tokens := here.register("ana@example.org").GetTokens()
	before := keyOfToken(t, tokens)
	if ids := keyIDs(t, there.signing); !slices.Equal(ids, []string{before}) {
		t.Fatalf("published: %v", ids)
	}
	res, err := here.adminAs(admin).RotateSigningKey(t.Context(), &authv1.RotateSigningKeyRequest{})
	if err != nil {
		t.Fatal(err)
	}
	after := res.GetKeyId()
	here.clock.advance(10 * time.Second)
	for _, process := range []*rig{here, there} {
		if ids := keyIDs(t, process.signing); !slices.Equal(ids, []string{after, before}) {
			t.Errorf("published: %v", ids)
		}
	}
	here.clock.advance(time.Minute)
	old := there.refresh(tokens)
	if signer := keyOfToken(t, old); signer != before {
		t.Errorf("it signs already: %s", signer)
	}
	here.clock.advance(50 * time.Second)
	for _, process := range []*rig{here, there} {
		old = process.refresh(old)
		if signer := keyOfToken(t, old); signer != after {
			t.Errorf("after two minutes %s signs", signer)
		}
		for _, token := range []*authv1.Tokens{tokens, old} {
			if err := process.callerOf(token); err != nil {
				t.Error(err)
			}
		}
	}
}

// Keys age with the work of a job, which may run late, and twice.
func TestSigningKeysAreMaintained(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.register("ana@example.org").GetTokens()
	first := keyOfToken(t, tokens)
	maintain := func() []string {
		t.Helper()
		for range 2 {
			if err := r.signing.Maintain(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		keys, err := r.signing.PublicKeys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, key := range keys {
			ids = append(ids, key.ID)
		}
		return ids
	}
	r.clock.advance(30 * 24 * time.Hour)
	if ids := maintain(); !slices.Equal(ids, []string{first}) {
		t.Fatalf("after 30 days: %v", ids)
	}
	r.clock.advance(time.Second)
	ids := maintain()
	if len(ids) != 2 || ids[1] != first {
		t.Fatalf("a second later: %v", ids)
	}
	second := ids[0]
	r.clock.advance(2*time.Minute - time.Second)
	tokens = r.login("ana@example.org").GetTokens()
	if signer := keyOfToken(t, tokens); signer != first {
		t.Errorf("%s signs", signer)
	}
	r.clock.advance(time.Second)
	if signer := keyOfToken(t, r.login("ana@example.org").GetTokens()); signer != second {
		t.Errorf("%s signs", signer)
	}
	r.clock.advance(16*time.Minute - 2*time.Second) // the leeway included
	if ids := maintain(); len(ids) != 2 {
		t.Errorf("a key is gone whose tokens are good: %v", ids)
	}
	if err := r.callerOf(tokens); err != nil {
		t.Errorf("its last token: %v", err)
	}
	r.clock.advance(16*time.Minute + 2*time.Second)
	if ids := maintain(); len(ids) != 2 {
		t.Errorf("a key is gone that others may remember: %v", ids)
	}
	r.clock.advance(time.Second)
	if ids := maintain(); !slices.Equal(ids, []string{second}) {
		t.Errorf("in the end: %v", ids)
	}
	refused(t, "a token of the key that is gone", r.callerOf(tokens), connect.CodeUnauthenticated, "TOKEN_EXPIRED")
}

// A key that another keyring has encrypted is no key of ours: it may be a demo's, whose secrets others know.
func TestSigningKeyOfAnotherKeyring(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	here := installation.process(t)
	tokens := here.register("ana@example.org").GetTokens()
	keys, err := secret.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	installation.keys = keys
	there := installation.process(t)
	refused(t, "what it signed", there.callerOf(tokens), connect.CodeUnauthenticated, "TOKEN_INVALID")
	others := there.register("bob@example.org").GetTokens()
	if keyOfToken(t, others) == keyOfToken(t, tokens) {
		t.Error("both sign with one key")
	}
	if !strings.Contains(there.log.String(), "does not open with this keyring") {
		t.Errorf("the log does not tell: %s", there.log)
	}
	here.clock.advance(time.Minute)
	if signer := keyOfToken(t, here.login("ana@example.org").GetTokens()); signer != keyOfToken(t, tokens) {
		t.Errorf("%s signs, which does not open", signer)
	}
	refused(t, "the other's token", here.callerOf(others), connect.CodeUnauthenticated, "TOKEN_INVALID")
}

func TestSigningKeysWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	pool, err := pgxpool.NewWithConfig(t.Context(), r.pool.Config())
	if err != nil {
		t.Fatal(err)
	}
	keys := auth.NewSigningKeys(pool, r.keys, r.clock.Now, slog.New(slog.DiscardHandler))
	signing, err := keys.SigningKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pool.Close()
	r.clock.advance(time.Hour)
	if ids := keyIDs(t, keys); !slices.Equal(ids, []string{signing.ID}) {
		t.Errorf("published: %v", ids)
	}
	if again, err := keys.SigningKey(t.Context()); err != nil || again.ID != signing.ID {
		t.Errorf("it signs with %q, %v", again.ID, err)
	}
	if _, err := keys.PublicKeys(t.Context()); err == nil {
		t.Error("what cannot be read is given to verifiers as what there is")
	}

	fresh := auth.NewSigningKeys(pool, r.keys, r.clock.Now, slog.New(slog.DiscardHandler))
	answer := httptest.NewRecorder()
	fresh.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", nil))
	if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" || strings.Contains(answer.Body.String(), "pool") {
		t.Errorf("one that has read none: %d %v %s", answer.Code, answer.Header(), answer.Body)
	}
	if _, err := fresh.SigningKey(t.Context()); err == nil {
		t.Error("one that has read none signs")
	}
}
