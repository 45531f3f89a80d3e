package auth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/services/auth"
)

// forger is a provider that answers what no honest one does.
type forger struct {
	*httptest.Server
	t   *testing.T
	key *ecdsa.PrivateKey
	// document changes what it says of itself, claims what it says of a person.
	document func(map[string]any)
	claims   func(map[string]any)
	// sign makes the ID token; by default with its key.
	sign func(map[string]any) string
	// token and userInfo answer in its place.
	token, userInfo http.HandlerFunc
	nonce           string
}

func newForger(t *testing.T) *forger {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &forger{t: t, key: key, document: func(map[string]any) {}, claims: func(map[string]any) {}}
	f.sign = func(claims map[string]any) string { return f.signed(jose.ES256, f.key, claims) }
	f.userInfo = http.NotFound
	f.token = f.answer
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		document := map[string]any{
			"issuer": f.URL, "authorization_endpoint": f.URL + "/authorize", "token_endpoint": f.URL + "/token", "jwks_uri": f.URL + "/keys",
			"userinfo_endpoint": f.URL + "/userinfo", "id_token_signing_alg_values_supported": []string{"none", "HS256", "ES256"},
			"token_endpoint_auth_methods_supported": []string{"client_secret_post"},
		}
		f.document(document)
		_ = json.NewEncoder(w).Encode(document)
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) { f.token(w, r) })
	mux.HandleFunc("/userinfo", func(w http.ResponseWriter, r *http.Request) { f.userInfo(w, r) })
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

// answer is that of the token endpoint.
func (f *forger) answer(w http.ResponseWriter, _ *http.Request) {
	claims := map[string]any{
		"iss": f.URL, "aud": "client", "sub": "s1", "nonce": f.nonce, "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(),
		"email": "ana@example.org", "email_verified": "true", "locale": map[string]string{"country": "RS"},
	}
	f.claims(claims)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": f.sign(claims)})
}

// sendOn would answer well at another address.
func (f *forger) sendOn(w http.ResponseWriter, r *http.Request) {
	if r.URL.RawQuery == "" {
		http.Redirect(w, r, "/token?again", http.StatusTemporaryRedirect)
		return
	}
	f.answer(w, r)
}

func (f *forger) signed(algorithm jose.SignatureAlgorithm, key any, claims map[string]any) string {
	f.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		f.t.Fatal(err)
	}
	return text
}

func (f *forger) rig(t *testing.T, more ...func(*auth.Provider)) *rig {
	t.Helper()
	p := auth.Provider{ID: "forger", Name: "Forger", Issuer: f.URL, ClientID: "client", ClientSecret: "a secret of the client, 32 bytes"}
	for _, change := range more {
		change(&p)
	}
	return newRig(t, func(o *auth.Options) { o.Providers, o.ReturnURLs = []auth.Provider{p}, []string{returnURL} })
}

// signIn is a whole sign-in, without a page.
func (f *forger) signIn(r *rig) (*authv1.FinishOidcResponse, error) {
	started, err := r.client.StartOidc(r.from("192.0.2.1"), &authv1.StartOidcRequest{Provider: "forger", ReturnUrl: returnURL})
	if err != nil {
		return nil, err
	}
	address, _ := url.Parse(started.GetAuthorizationUrl())
	f.nonce = address.Query().Get("nonce")
	return r.client.FinishOidc(r.from("192.0.2.1"), &authv1.FinishOidcRequest{
		FlowToken: started.GetFlowToken(), State: address.Query().Get("state"), Code: "code",
	})
}

func TestOidcForgedTokens(t *testing.T) {
	t.Parallel()
	set := func(name string, value any) func(*forger) {
		return func(f *forger) { f.claims = func(claims map[string]any) { claims[name] = value } }
	}
	for name, c := range map[string]struct {
		forge func(*forger)
		good  bool
	}{
		"nothing":       {func(*forger) {}, true},
		"nonce":         {set("nonce", strings.Repeat("n", 43)), false},
		"no nonce":      {set("nonce", ""), false},
		"audience":      {set("aud", "another"), false},
		"issuer":        {set("iss", "https://another.example"), false},
		"expiry":        {set("exp", time.Now().Add(-time.Minute).Unix()), false},
		"no subject":    {set("sub", ""), false},
		"long subject":  {set("sub", strings.Repeat("s", 256)), false},
		"token's hash":  {set("at_hash", "x"), false},
		"asked by":      {set("azp", "another"), false},
		"asked by us":   {set("azp", "client"), true},
		"for others":    {set("aud", []string{"client", "another"}), false},
		"an odd flag":   {set("email_verified", []int{1}), true},
		"odd flag, two": {set("email_verified", "True"), true},
		"no token":      {func(f *forger) { f.sign = func(map[string]any) string { return "" } }, false},
		"no signature": {func(f *forger) {
			f.sign = func(claims map[string]any) string {
				parts := strings.Split(f.signed(jose.ES256, f.key, claims), ".")
				return "eyJhbGciOiJub25lIn0." + parts[1] + "."
			}
		}, false},
		"signed with the client's secret": {func(f *forger) {
			f.sign = func(claims map[string]any) string {
				return f.signed(jose.HS256, []byte("a secret of the client, 32 bytes"), claims)
			}
		}, false},
		"signed with another key": {func(f *forger) {
			other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			f.sign = func(claims map[string]any) string { return f.signed(jose.ES256, other, claims) }
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForger(t)
			c.forge(f)
			res, err := f.signIn(f.rig(t))
			if !c.good {
				refused(t, name, err, connect.CodeUnauthenticated, "OIDC_REFUSED")
			} else if err != nil || !res.GetRegistered() {
				t.Errorf("got %v, %v", res, err)
			}
		})
	}
}

func TestOidcBrokenProvider(t *testing.T) {
	t.Parallel()
	fails := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	long := `{"x":"` + strings.Repeat("x", 2<<20) + `"}`
	withoutEmail := func(claims map[string]any) { delete(claims, "email") }
	says := func(name string, value any) func(*forger) {
		return func(f *forger) { f.document = func(document map[string]any) { document[name] = value } }
	}
	for name, c := range map[string]struct {
		breaks func(*forger)
		code   connect.Code
		reason string
	}{
		"code refused":     {func(f *forger) { f.token = fails(400, `{"error":"invalid_grant","error_description":"secret"}`) }, connect.CodeUnauthenticated, "OIDC_REFUSED"},
		"no words":         {func(f *forger) { f.token = fails(400, `secret`) }, connect.CodeUnauthenticated, "OIDC_REFUSED"},
		"client refused":   {func(f *forger) { f.token = fails(401, `{"error":"invalid_client","error_description":"secret"}`) }, connect.CodeInternal, ""},
		"overloaded":       {func(f *forger) { f.token = fails(503, `secret`) }, connect.CodeUnavailable, "OIDC_UNAVAILABLE"},
		"too long":         {func(f *forger) { f.token = fails(200, long) }, connect.CodeUnavailable, "OIDC_UNAVAILABLE"},
		"sent on":          {func(f *forger) { f.token = f.sendOn }, connect.CodeUnauthenticated, "OIDC_REFUSED"},
		"keys away":        {says("jwks_uri", "http://127.0.0.1:1/"), connect.CodeUnavailable, "OIDC_UNAVAILABLE"},
		"keys not secure":  {says("jwks_uri", "http://keys.example/"), connect.CodeUnavailable, "OIDC_UNAVAILABLE"},
		"page not secure":  {says("authorization_endpoint", "http://pages.example/"), connect.CodeUnavailable, "OIDC_UNAVAILABLE"},
		"another issuer":   {says("issuer", "https://another.example"), connect.CodeUnavailable, "OIDC_UNAVAILABLE"},
		"shared keys only": {says("id_token_signing_alg_values_supported", []string{"HS256"}), connect.CodeUnavailable, "OIDC_UNAVAILABLE"},
		"somebody else's userinfo": {func(f *forger) {
			f.claims, f.userInfo = withoutEmail, fails(200, `{"sub":"s2","email":"boris@example.org"}`)
		}, connect.CodeUnauthenticated, "OIDC_REFUSED"},
		"userinfo away": {func(f *forger) { f.claims, f.userInfo = withoutEmail, fails(500, "") }, connect.CodeUnavailable, "OIDC_UNAVAILABLE"},
		"no userinfo": {func(f *forger) {
			f.claims = withoutEmail
			f.document = func(document map[string]any) { delete(document, "userinfo_endpoint") }
		}, connect.CodeFailedPrecondition, "EMAIL_MISSING"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForger(t)
			c.breaks(f)
			r := f.rig(t)
			_, err := f.signIn(r)
			refused(t, name, err, c.code, c.reason)
			if strings.Contains(r.log.String(), "secret") || strings.Contains(err.Error(), "secret") {
				t.Errorf("the provider's text gets further: %v\n%s", err, r.log)
			}
		})
	}
}

// A discovery that failed is tried again after a pause.
func TestOidcDiscoveryIsTriedAgain(t *testing.T) {
	t.Parallel()
	f := newForger(t)
	f.document = func(document map[string]any) { document["issuer"] = "https://another.example" }
	r := f.rig(t)
	_, err := f.signIn(r)
	refused(t, "broken", err, connect.CodeUnavailable, "OIDC_UNAVAILABLE")
	f.document = func(map[string]any) {}
	_, err = f.signIn(r)
	refused(t, "within the pause", err, connect.CodeUnavailable, "OIDC_UNAVAILABLE")
	r.clock.advance(2 * time.Second)
	if _, err = f.signIn(r); err != nil {
		t.Errorf("after the pause: %v", err)
	}
}

// Apple gets a secret that is made for the occasion, and answers by a form.
func TestOidcApple(t *testing.T) {
	t.Parallel()
	f := newForger(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, _ := x509.MarshalPKCS8PrivateKey(key)
	shown := make(chan string, 1)
	f.token = func(w http.ResponseWriter, r *http.Request) {
		shown <- r.PostFormValue("client_secret")
		f.answer(w, r)
	}
	r := f.rig(t, func(p *auth.Provider) {
		p.ClientSecret = ""
		p.Apple = &auth.AppleKey{TeamID: "team", KeyID: "key", PrivateKey: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}
	})
	started, err := r.client.StartOidc(t.Context(), &authv1.StartOidcRequest{Provider: "forger", ReturnUrl: returnURL})
	if err != nil {
		t.Fatal(err)
	}
	address, _ := url.Parse(started.GetAuthorizationUrl())
	if query := address.Query(); query.Get("response_mode") != "form_post" || query.Get("scope") != "openid email" {
		t.Errorf("asked for %v", query)
	}
	res, err := f.signIn(r)
	if err != nil || !r.methods(res.GetTokens()).GetEmailVerified() {
		t.Fatalf("%v, %v", res, err)
	}
	secret, err := jwt.ParseSigned(<-shown, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.Claims
	if err := secret.Claims(&key.PublicKey, &claims); err != nil {
		t.Fatal(err)
	}
	want := jwt.Expected{Issuer: "team", Subject: "client", AnyAudience: jwt.Audience{f.URL}, Time: r.clock.Now()}
	if err := claims.ValidateWithLeeway(want, 0); err != nil || secret.Headers[0].KeyID != "key" {
		t.Errorf("the secret says %+v: %v", claims, err)
	}
}
