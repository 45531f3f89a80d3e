package gateway

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/mindspace-app/mindspace/platform/identity"
)

func TestRequestID(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Config{}, ServerConfig{}, nil)
	tests := map[string]bool{
		"0192f0c1-aaaa":             true,
		"A.b_c-9":                   true,
		strings.Repeat("x", 64):     true,
		strings.Repeat("x", 65):     false,
		"two words":                 false,
		"semi;colon":                false,
		"<script>":                  false,
		"\u044f":                    false,
		"":                          false,
		"line\tbreak":               false,
		"../../etc":                 false,
		"quote\"":                   false,
		"percent%20":                false,
		"{{7*7}}":                   false,
		"0192f0c1/../../../aaaaaaa": false,
	}
	for sent, accepted := range tests {
		request := e.request(t, http.MethodPost, sayPath, `"who"`, "Content-Type", "application/json", requestIDHeader, sent)
		response, body := e.do(t, http1(t), request)
		got := response.Header.Get(requestIDHeader)
		if accepted && got != sent {
			t.Errorf("%q was not accepted: %q", sent, got)
		}
		if !accepted {
			if id, err := uuid.Parse(got); err != nil || id.Version() != 7 {
				t.Errorf("%q was answered with %q, which is no UUID of version 7", sent, got)
			}
		}
		if body != fmt.Sprintf(`"%s 127.0.0.1"`, got) {
			t.Errorf("the call saw %s, the answer says %s", body, got)
		}
	}
	twice := e.request(t, http.MethodGet, "/", "", requestIDHeader, "one", requestIDHeader, "two")
	if response, _ := e.do(t, http1(t), twice); len(response.Header[requestIDHeader]) != 1 || strings.Contains("one two", response.Header.Get(requestIDHeader)) {
		t.Errorf("two ids were answered with %q", response.Header[requestIDHeader])
	}
}

func TestTraceContext(t *testing.T) {
	t.Parallel()
	const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	routes := map[string]http.HandlerFunc{"GET /trace": func(w http.ResponseWriter, r *http.Request) {
		span := trace.SpanContextFromContext(r.Context())
		fmt.Fprint(w, span.TraceID(), " ", span.TraceState().String(), " ", identity.RequestFrom(r.Context()).ID)
	}}
	on := newEdge(t, Config{Propagator: propagation.TraceContext{}}, ServerConfig{}, routes)
	off := newEdge(t, Config{}, ServerConfig{}, routes)
	const none = "00000000000000000000000000000000"
	tests := []struct {
		edge           *edge
		sent, state    string
		trace, joining string
	}{
		{on, traceparent, "vendor=1", "4bf92f3577b34da6a3ce929d0e0e4736", "vendor=1"},
		{on, "00-rubbish-01", "vendor=1", none, ""},
		{on, "", "", none, ""},
		{off, traceparent, "vendor=1", none, ""},
	}
	for _, test := range tests {
		request := test.edge.request(t, http.MethodGet, "/trace", "", requestIDHeader, "id", "Tracestate", test.state)
		if test.sent != "" {
			request.Header.Set("traceparent", test.sent)
		}
		if _, body := test.edge.do(t, http1(t), request); body != test.trace+" "+test.joining+" id" {
			t.Errorf("traceparent %q: got %q", test.sent, body)
		}
	}
}

func TestCallerAddress(t *testing.T) {
	t.Parallel()
	trusted := proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	tests := []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"direct", "203.0.113.9:1", nil, "203.0.113.9"},
		{"direct, and lies", "203.0.113.9:1", []string{"198.51.100.1"}, "203.0.113.9"},
		{"through a proxy", "10.0.0.1:1", []string{"203.0.113.9"}, "203.0.113.9"},
		{"through a proxy, and lies", "10.0.0.1:1", []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		{"lies that it is a proxy", "10.0.0.1:1", []string{"10.9.9.9, 203.0.113.9"}, "203.0.113.9"},
		{"through two", "10.0.0.1:1", []string{"203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
		{"through two in two lines", "10.0.0.1:1", []string{"198.51.100.1, 203.0.113.9", "10.0.0.2"}, "203.0.113.9"},
		{"spaces and a port", "10.0.0.1:1", []string{"  203.0.113.9:4711 "}, "203.0.113.9"},
		{"IPv6", "[fd00::1]:1", []string{"2001:db8::7"}, "2001:db8::7"},
		{"IPv6 in brackets", "[fd00::1]:1", []string{"[2001:db8::7]"}, "2001:db8::7"},
		{"IPv6 with a port", "[fd00::1]:1", []string{"[2001:db8::7]:99"}, "2001:db8::7"},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:1", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"rubbish", "10.0.0.1:1", []string{"203.0.113.9, unknown"}, "10.0.0.1"},
		{"rubbish beyond a proxy", "10.0.0.1:1", []string{"<script>, 10.0.0.2"}, "10.0.0.2"},
		{"empty", "10.0.0.1:1", []string{""}, "10.0.0.1"},
		{"only proxies", "10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"a Unix socket", "@", []string{"203.0.113.9"}, "invalid IP"},
	}
	for _, test := range tests {
		request := &http.Request{RemoteAddr: test.remote, Header: http.Header{forwardedForHeader: test.forwarded}}
		if got := trusted.caller(request).String(); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
		if got := (proxies{}).caller(request); got != peer(request) {
			t.Errorf("%s: without trusted proxies got %s", test.name, got)
		}
	}
}

func FuzzCallerAddress(f *testing.F) {
	f.Add("10.0.0.1:1", "203.0.113.9, 10.0.0.2")
	f.Add("10.0.0.1:1", "[2001:db8::7]:99,,")
	trusted := proxies{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, remote, forwarded string) {
		request := &http.Request{RemoteAddr: remote, Header: http.Header{forwardedForHeader: {forwarded}}}
		got := trusted.caller(request)
		if direct := peer(request); !trusted.trusts(direct) && got != direct {
			t.Errorf("%q believed %q: %s", remote, forwarded, got)
		}
		if got.Is4In6() || got.Zone() != "" {
			t.Errorf("%s is not in its plain form", got)
		}
	})
}
