package gateway

import (
	"net/http"
	"strings"
	"testing"
)

func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	open := newEdge(t, Config{AllowedOrigins: []string{"https://app.example.org", "http://localhost:5173"}}, ServerConfig{}, nil)
	closed := newEdge(t, Config{}, ServerConfig{}, nil)
	const headers = "authorization,connect-protocol-version,connect-timeout-ms,content-type,grpc-timeout,idempotency-key,traceparent,tracestate,x-grpc-web,x-request-id,x-user-agent"
	tests := []struct {
		name    string
		edge    *edge
		origin  string
		headers string
		allowed bool
	}{
		{"allowed", open, "https://app.example.org", headers, true},
		{"allowed with a port", open, "http://localhost:5173", headers, true},
		{"another port", open, "http://localhost:5174", headers, false},
		{"another scheme", open, "http://app.example.org", headers, false},
		{"a subdomain", open, "https://evil.app.example.org", headers, false},
		{"a longer name", open, "https://app.example.org.evil.test", headers, false},
		{"null", open, "null", headers, false},
		{"a header that is not allowed", open, "https://app.example.org", "x-evil", false},
		{"an empty list", closed, "https://app.example.org", headers, false},
	}
	for _, test := range tests {
		preflight := test.edge.request(t, http.MethodOptions, sayPath, "",
			"Origin", test.origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", test.headers)
		response, _ := test.edge.do(t, http1(t), preflight)
		want := ""
		if test.allowed {
			want = test.origin
		}
		if got := response.Header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("%s: preflight allows %q, want %q", test.name, got, want)
		}
		if test.allowed && response.Header.Get("Access-Control-Max-Age") != "7200" {
			t.Errorf("%s: preflight %v", test.name, response.Header)
		}
		if test.headers != headers {
			continue
		}
		actual := test.edge.request(t, http.MethodPost, sayPath, `"hello"`, "Content-Type", "application/json", "Origin", test.origin)
		response, _ = test.edge.do(t, http1(t), actual)
		if got := response.Header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("%s: the answer allows %q, want %q", test.name, got, want)
		}
		if response.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: cookies are accepted across origins", test.name)
		}
		if !test.allowed {
			continue
		}
		exposed := strings.ToLower(strings.Join(response.Header["Access-Control-Expose-Headers"], ","))
		for _, name := range []string{"grpc-status", "grpc-message", "grpc-status-details-bin", "x-request-id", "retry-after", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"} {
			if !strings.Contains(exposed, name) {
				t.Errorf("%s: scripts cannot read %s: %s", test.name, name, exposed)
			}
		}
		if !strings.Contains(strings.Join(response.Header["Vary"], ","), "Origin") {
			t.Errorf("%s: caches do not know that the answer depends on the origin: %v", test.name, response.Header)
		}
	}
}

func TestOriginsMustBeExact(t *testing.T) {
	t.Parallel()
	for _, origin := range []string{
		"*", "https://*", "https://*.example.org", "app.example.org", "https://app.example.org/", "https://app.example.org/path",
		"https://user@app.example.org", "https://App.example.org", "ftp://app.example.org", "null", "", "https://", "https://app.example.org?x",
	} {
		if _, err := New(Config{AllowedOrigins: []string{"https://fine.example.org", origin}}, http.NotFoundHandler()); err == nil {
			t.Errorf("%q was accepted", origin)
		}
	}
	for _, origin := range []string{"https://app.example.org", "http://localhost:5173", "http://[::1]:5173", "https://xn--80ak6aa92e.example"} {
		if _, err := New(Config{AllowedOrigins: []string{origin}}, http.NotFoundHandler()); err != nil {
			t.Errorf("%q: %v", origin, err)
		}
	}
}
