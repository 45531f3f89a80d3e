package gateway

import (
	"net/http"
	"strings"
	"testing"
)

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Config{}, ServerConfig{}, map[string]http.HandlerFunc{
		"GET /page": func(http.ResponseWriter, *http.Request) {},
		"GET /own": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Security-Policy", "default-src 'self'")
			w.Header().Add("Referrer-Policy", "no-referrer")
		},
	})
	page := map[string]string{
		"Content-Security-Policy":      contentSecurityPolicy,
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Permissions-Policy":           permissionsPolicy,
		"Referrer-Policy":              "same-origin",
		"X-Content-Type-Options":       "nosniff",
		"Strict-Transport-Security":    "",
	}
	call := map[string]string{
		"Content-Security-Policy":   "default-src 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options":    "nosniff",
		"Permissions-Policy":        "",
		"Strict-Transport-Security": "",
	}
	if response, _ := e.do(t, http1(t), e.request(t, http.MethodGet, "/own", "")); response.Header.Get("Content-Security-Policy") != "default-src 'self'" {
		t.Errorf("a handler's own policy is lost: %v", response.Header)
	}
	requests := []struct {
		request *http.Request
		want    map[string]string
	}{
		{e.request(t, http.MethodGet, "/page", ""), page}, // and what /own did to its answer stays there
		{e.request(t, http.MethodGet, "/nowhere", ""), page},
		{e.request(t, http.MethodPost, sayPath, `"hello"`, "Content-Type", "application/json"), call},
		{e.request(t, http.MethodPost, "/test.v1.Nothing/Say", `{}`, "Content-Type", "application/json"), call},
	}
	for _, test := range requests {
		response, _ := e.do(t, http1(t), test.request)
		for name, want := range test.want {
			if got := strings.Join(response.Header[name], " | "); got != want {
				t.Errorf("%s: %s is %q, want %q", test.request.URL.Path, name, got, want)
			}
		}
	}
	for _, unsafe := range []string{"unsafe-inline", "unsafe-eval", "*", "http:"} {
		if strings.Contains(contentSecurityPolicy, unsafe) {
			t.Errorf("the policy allows %s", unsafe)
		}
	}
}

func TestStrictTransport(t *testing.T) {
	t.Parallel()
	trusting := newEdge(t, Config{TrustedProxies: loopback()}, ServerConfig{}, nil)
	other := newEdge(t, Config{}, ServerConfig{}, nil)
	tests := []struct {
		edge  *edge
		proto string
		want  string
	}{
		{trusting, "https", strictTransport},
		{trusting, "http", ""},
		{trusting, "", ""},
		{other, "https", ""},
	}
	for _, test := range tests {
		response, _ := test.edge.do(t, http1(t), test.edge.request(t, http.MethodGet, "/", "", "X-Forwarded-Proto", test.proto))
		if got := response.Header.Get("Strict-Transport-Security"); got != test.want {
			t.Errorf("X-Forwarded-Proto %q: got %q, want %q", test.proto, got, test.want)
		}
	}
}
