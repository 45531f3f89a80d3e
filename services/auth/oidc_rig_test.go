package auth_test

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/services/auth"
)

const (
	callbackURL = publicURL + auth.OidcCallbackPath
	returnURL   = "org.example.app:/signed-in?from=browser"
)

// issuers are those of the provider in testdata/oidc.
type issuers struct {
	Token    string `json:"token"`
	UserInfo string `json:"userinfo"`
}

// sharedIssuers run as long as this process does: they end when their standard input does, which stopShared keeps open.
var (
	stopShared    func()
	sharedIssuers = sync.OnceValues(func() (found issuers, err error) {
		found, stopShared, err = startIssuers()
		return found, err
	})
)

// startIssuers starts a provider process, and gives what ends it.
func startIssuers() (found issuers, stop func(), err error) {
	folder := filepath.Join("testdata", "oidc")
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "oidc-provider")); err != nil {
		return found, nil, fmt.Errorf("run npm ci in services/auth/%s: %w", folder, err)
	}
	cmd := exec.Command("node", "provider.js", callbackURL)
	cmd.Dir = folder
	in, err := cmd.StdinPipe()
	if err != nil {
		return found, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return found, nil, err
	}
	if err := cmd.Start(); err != nil {
		return found, nil, fmt.Errorf("start node: %w", err)
	}
	stop = func() { _ = in.Close(); _ = cmd.Wait() }
	if err := json.NewDecoder(out).Decode(&found); err != nil {
		stop()
		return found, nil, fmt.Errorf("the provider does not start: %w", err)
	}
	return found, stop, nil
}

// ready skips the test when there is no provider to run, where that may be.
func ready(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("MINDSPACE_TEST_STRICT") == "1" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// oidcRig is a rig whose people sign in with the provider of testdata/oidc.
func oidcRig(t *testing.T, change ...func(*auth.Options)) *rig {
	t.Helper()
	found, err := sharedIssuers()
	ready(t, err)
	return newRig(t, append([]func(*auth.Options){withIssuers(found)}, change...)...)
}

func withIssuers(found issuers) func(*auth.Options) {
	of := func(id, issuer, client, mode string) auth.Provider {
		return auth.Provider{
			ID: id, Name: strings.ToUpper(id), Issuer: issuer, ClientID: client, ClientSecret: "secret of " + client, ResponseMode: mode,
		}
	}
	return func(o *auth.Options) {
		o.ReturnURLs = []string{returnURL}
		o.Providers = []auth.Provider{
			of("basic", found.Token, "basic", ""),
			of("slim", found.UserInfo, "basic", "form_post"),
			of("elliptic", found.Token, "elliptic", "query"),
			of("symmetric", found.Token, "symmetric", ""),
		}
	}
}

func verifiedOnly(o *auth.Options) { o.RequireVerifiedEmail = true }

// flow is a sign-in that is under way.
type flow struct {
	address, token string
}

func (r *rig) startOidc(provider string) flow {
	r.t.Helper()
	res, err := r.client.StartOidc(r.from("192.0.2.1"), &authv1.StartOidcRequest{Provider: provider, ReturnUrl: returnURL, Device: "browser"})
	if err != nil {
		r.t.Fatal(err)
	}
	return flow{address: res.GetAuthorizationUrl(), token: res.GetFlowToken()}
}

func (r *rig) linkOidc(tokens *authv1.Tokens, provider string) flow {
	r.t.Helper()
	res, err := r.as(tokens).LinkOidc(r.t.Context(), &authv1.LinkOidcRequest{Provider: provider, ReturnUrl: returnURL})
	if err != nil {
		r.t.Fatal(err)
	}
	return flow{address: res.GetAuthorizationUrl(), token: res.GetFlowToken()}
}

// browse is what a browser does: it opens the address, signs in there as who, comes to our callback and ends at the return URL.
func (r *rig) browse(f flow, who string) *url.URL {
	r.t.Helper()
	address, err := url.Parse(f.address)
	if err != nil {
		r.t.Fatal(err)
	}
	query := address.Query()
	query.Set("login_hint", who)
	address.RawQuery = query.Encode()
	jar, _ := cookiejar.New(nil)
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for range 10 {
		req, _ := http.NewRequestWithContext(r.t.Context(), http.MethodGet, address.String(), nil)
		res, err := client.Do(req)
		if err != nil {
			r.t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.Header.Get("Location") == "" {
			return r.postCallback(string(body))
		}
		if address, err = address.Parse(res.Header.Get("Location")); err != nil {
			r.t.Fatal(err)
		}
		if strings.HasPrefix(address.String(), callbackURL) {
			return r.arrive(httptest.NewRequest(http.MethodGet, address.String(), nil))
		}
	}
	r.t.Fatal("too many redirects")
	return nil
}

var formField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)

// postCallback submits the form of a provider's page.
func (r *rig) postCallback(page string) *url.URL {
	r.t.Helper()
	form := url.Values{}
	for _, field := range formField.FindAllStringSubmatch(page, -1) {
		form.Set(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
	}
	if !strings.Contains(page, `action="`+callbackURL+`"`) || form.Get("state") == "" {
		r.t.Fatalf("not a form for the callback:\n%s", page)
	}
	req := httptest.NewRequest(http.MethodPost, callbackURL, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r.arrive(req)
}

// arrive is where the callback sends the browser.
func (r *rig) arrive(req *http.Request) *url.URL {
	r.t.Helper()
	res := httptest.NewRecorder()
	r.service.OidcCallback().ServeHTTP(res, req)
	if res.Code != http.StatusSeeOther {
		r.t.Fatalf("the callback answers %d: %s", res.Code, res.Body)
	}
	target, err := url.Parse(res.Header().Get("Location"))
	if err != nil {
		r.t.Fatal(err)
	}
	return target
}

func (r *rig) finish(f flow, arrived *url.URL) (*authv1.FinishOidcResponse, error) {
	query := arrived.Query()
	return r.client.FinishOidc(r.from("192.0.2.1"), &authv1.FinishOidcRequest{
		FlowToken: f.token, State: query.Get("state"), Code: query.Get("code"),
	})
}

// signIn is the whole way in.
func (r *rig) signIn(provider, who string) (*authv1.FinishOidcResponse, error) {
	r.t.Helper()
	f := r.startOidc(provider)
	return r.finish(f, r.browse(f, who))
}

// mustSignIn is signIn where nothing may go wrong.
func (r *rig) mustSignIn(provider, who string) *authv1.FinishOidcResponse {
	r.t.Helper()
	res, err := r.signIn(provider, who)
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

func (r *rig) userID(tokens *authv1.Tokens) string {
	r.t.Helper()
	res, err := r.as(tokens).GetCaller(r.t.Context(), &authv1.GetCallerRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	return res.GetUserId()
}

func (r *rig) methods(tokens *authv1.Tokens) *authv1.GetSignInMethodsResponse {
	r.t.Helper()
	res, err := r.as(tokens).GetSignInMethods(r.t.Context(), &authv1.GetSignInMethodsRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}
