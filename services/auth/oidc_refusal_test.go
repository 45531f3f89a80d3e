package auth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
)

const ana = "s1:ana@example.org:true"

func TestOidcFlowIsGoodOnce(t *testing.T) {
	t.Parallel()
	r := oidcRig(t)
	f := r.startOidc("basic")
	arrived := r.browse(f, ana)
	if _, err := r.finish(f, arrived); err != nil {
		t.Fatal(err)
	}
	_, err := r.finish(f, arrived)
	refused(t, "the same again", err, connect.CodeUnauthenticated, "OIDC_REFUSED")

	// The code that was used, in a flow of its own.
	again := r.startOidc("basic")
	query := r.browse(again, ana).Query()
	query.Set("code", arrived.Query().Get("code"))
	_, err = r.finish(again, &url.URL{RawQuery: query.Encode()})
	refused(t, "a code that was used", err, connect.CodeUnauthenticated, "OIDC_REFUSED")
}

// State, flow token, code, nonce and PKCE challenge hold together: an answer with one of them from elsewhere is refused.
func TestOidcMixedFlows(t *testing.T) {
	t.Parallel()
	r := oidcRig(t)
	replaced := func(f flow, name, value string) flow {
		address, _ := url.Parse(f.address)
		query := address.Query()
		if query.Get(name) == "" {
			t.Fatalf("no %s in %s", name, f.address)
		}
		query.Set(name, value)
		address.RawQuery = query.Encode()
		return flow{address: address.String(), token: f.token}
	}
	parameter := func(f flow, name string) string {
		address, _ := url.Parse(f.address)
		return address.Query().Get(name)
	}
	for name, try := range map[string]func(mine, others flow) error{
		"state": func(mine, others flow) error {
			_, err := r.finish(mine, r.browse(others, ana))
			return err
		},
		"flow token": func(mine, others flow) error {
			_, err := r.finish(flow{token: others.token}, r.browse(mine, ana))
			return err
		},
		"code": func(mine, others flow) error {
			query := r.browse(mine, ana).Query()
			query.Set("code", r.browse(others, ana).Query().Get("code"))
			_, err := r.finish(mine, &url.URL{RawQuery: query.Encode()})
			return err
		},
		"nonce": func(mine, others flow) error {
			_, err := r.finish(mine, r.browse(replaced(mine, "nonce", parameter(others, "nonce")), ana))
			return err
		},
		"challenge": func(mine, others flow) error {
			_, err := r.finish(mine, r.browse(replaced(mine, "code_challenge", parameter(others, "code_challenge")), ana))
			return err
		},
		"made-up code": func(mine, _ flow) error {
			query := r.browse(mine, ana).Query()
			query.Set("code", "made-up")
			_, err := r.finish(mine, &url.URL{RawQuery: query.Encode()})
			return err
		},
	} {
		err := try(r.startOidc("basic"), r.startOidc("basic"))
		refused(t, name, err, connect.CodeUnauthenticated, "OIDC_REFUSED")
	}
}

func TestOidcFlowExpires(t *testing.T) {
	t.Parallel()
	r := oidcRig(t)
	late, later := r.startOidc("basic"), r.startOidc("basic")
	inTime, tooLate := r.browse(late, ana), r.browse(later, ana)
	r.clock.advance(10*time.Minute - time.Second)
	if _, err := r.finish(late, inTime); err != nil {
		t.Errorf("just in time: %v", err)
	}
	r.clock.advance(time.Second)
	_, err := r.finish(later, tooLate)
	refused(t, "too late", err, connect.CodeUnauthenticated, "OIDC_REFUSED")
}

// A token that is signed with what we share with the provider could be made by whoever reads our settings.
func TestOidcSymmetricSignature(t *testing.T) {
	t.Parallel()
	r := oidcRig(t)
	_, err := r.signIn("symmetric", ana)
	refused(t, "HS256", err, connect.CodeUnauthenticated, "OIDC_REFUSED")
}

func TestOidcNobodyAgrees(t *testing.T) {
	t.Parallel()
	r := oidcRig(t)
	for _, provider := range []string{"basic", "slim"} {
		f := r.startOidc(provider)
		arrived := r.browse(f, "nobody")
		query := arrived.Query()
		if query.Get("error") != "access_denied" || query.Get("code") != "" || query.Get("state") == "" || strings.Contains(arrived.String(), "further") {
			t.Errorf("%s: arrived at %s", provider, arrived)
		}
	}
}

func TestOidcCallback(t *testing.T) {
	t.Parallel()
	r := newRig(t, withIssuers(issuers{Token: "https://one.example", UserInfo: "https://two.example"}))
	state := strings.Repeat("s", 43)
	hash := "sha256(convert_to($1, 'utf8'))"
	_, err := r.pool.Exec(t.Context(), `INSERT INTO auth.oidc_flows (state_hash, provider, return_url, device, created_at, expires_at)
		VALUES (`+hash+`, 'basic', $2, '', now(), now() + interval '10 minutes')`, state, returnURL+"&state=theirs")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, query, want string }{
		{"code", "code=c%26d&state=" + state, "code=c%26d&from=browser&state=" + state},
		{"of this provider", "code=c&iss=https%3A%2F%2Fone.example&state=" + state, "code=c&from=browser&state=" + state},
		{"of another provider", "code=c&iss=https%3A%2F%2Ftwo.example&state=" + state, "error=server_error&from=browser&state=" + state},
		{"error", "error=login_required&error_description=x&error_uri=y&state=" + state, "error=login_required&from=browser&state=" + state},
		{"error and code", "error=login_required&code=c&state=" + state, "error=login_required&from=browser&state=" + state},
		{"text for an error", "error=Call+this+number&state=" + state, "error=server_error&from=browser&state=" + state},
		{"neither", "state=" + state, "error=server_error&from=browser&state=" + state},
		{"long code", "code=" + strings.Repeat("c", 4097) + "&state=" + state, "error=server_error&from=browser&state=" + state},
		{"other address", "code=c&return_url=https%3A%2F%2Fevil.example&state=" + state, "code=c&from=browser&state=" + state},
		{"unknown state", "code=c&state=x" + state, ""},
		{"long state", "code=c&state=" + strings.Repeat("s", 200), ""},
		{"no state", "code=c", ""},
		{"nothing", "", ""},
	} {
		form := httptest.NewRequest(http.MethodPost, callbackURL, strings.NewReader(c.query))
		form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for _, req := range []*http.Request{httptest.NewRequest(http.MethodGet, callbackURL+"?"+c.query, nil), form} {
			res := httptest.NewRecorder()
			r.service.OidcCallback().ServeHTTP(res, req)
			want, code := "org.example.app:/signed-in?"+c.want, http.StatusSeeOther
			if c.want == "" {
				want, code = "", http.StatusBadRequest
			}
			if res.Code != code || res.Header().Get("Location") != want {
				t.Errorf("%s %s: %d %q", req.Method, c.name, res.Code, res.Header().Get("Location"))
			}
			if res.Header().Get("Cache-Control") != "no-store" || res.Header().Get("Referrer-Policy") != "no-referrer" {
				t.Errorf("%s %s: headers %v", req.Method, c.name, res.Header())
			}
		}
	}
	// It may be opened again: only FinishOidc ends a flow. What is in the query of a form's address does not count.
	mixed := httptest.NewRequest(http.MethodPost, callbackURL+"?state="+state, strings.NewReader("code=c"))
	mixed.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for req, want := range map[*http.Request]int{
		mixed: http.StatusBadRequest,
		httptest.NewRequest(http.MethodPut, callbackURL+"?state="+state, nil): http.StatusMethodNotAllowed,
	} {
		res := httptest.NewRecorder()
		r.service.OidcCallback().ServeHTTP(res, req)
		if res.Code != want {
			t.Errorf("%s: %d, want %d", req.Method, res.Code, want)
		}
	}
}

// What an attacker who saw the return URL has is not enough: the flow token never left the app.
func TestOidcReturnURLAlone(t *testing.T) {
	t.Parallel()
	r := oidcRig(t)
	f := r.startOidc("basic")
	arrived := r.browse(f, ana)
	query := arrived.Query()
	for _, token := range []string{"x", query.Get("state"), strings.Repeat("A", 43)} {
		_, err := r.client.FinishOidc(t.Context(), &authv1.FinishOidcRequest{FlowToken: token, State: query.Get("state"), Code: query.Get("code")})
		refused(t, token, err, connect.CodeUnauthenticated, "OIDC_REFUSED")
	}
	if _, err := r.finish(f, arrived); err != nil {
		t.Errorf("such attempts ended the flow: %v", err)
	}
}
