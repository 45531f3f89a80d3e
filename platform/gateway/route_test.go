package gateway

import (
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
)

func TestUnknownProcedure(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Config{}, ServerConfig{}, nil)
	for name, p := range protocols(t) {
		for _, path := range []string{"/test.v1.Nothing/Say", "/test.v1.Echo/Nothing"} {
			_, err := e.call(t.Context(), p.client, path, "hello", p.options...)
			if answer := wantCode(t, name, err, connect.CodeUnimplemented); !strings.Contains(answer.Message(), path) {
				t.Errorf("%s: the caller was told %q", name, answer.Message())
			}
		}
	}
}

func TestUnknownPath(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Config{}, ServerConfig{}, map[string]http.HandlerFunc{
		"GET /page":      func(http.ResponseWriter, *http.Request) {},
		"POST /page":     func(http.ResponseWriter, *http.Request) {},
		"GET /item/{id}": func(http.ResponseWriter, *http.Request) {},
		"GET /folder/":   func(http.ResponseWriter, *http.Request) {},
	})
	const get = "/test.v1.Nothing/Say?encoding=json&message=%7B%7D&connect=v1"
	tests := []struct {
		method, path, contentType string
		status                    int
		allow, body               string
	}{
		{"GET", "/nowhere", "", 404, "", "There is nothing here"},
		{"POST", "/nowhere", "application/json", 404, "", "There is nothing here"},
		{"PUT", "/page", "", 405, "GET, POST", "does not answer PUT"},
		{"DELETE", "/item/7", "", 405, "GET", "does not answer DELETE"},
		{"POST", "/folder/x", "", 405, "GET", "does not answer POST"},
		{"HEAD", "/page", "", 200, "", ""},
		{"GET", "/test.v1.Nothing/Say", "", 404, "", "There is nothing here"},
		{"GET", get, "", 501, "", `"unimplemented"`},
		{"POST", "/test.v1.Nothing/Say", "text/plain", 404, "", "There is nothing here"},
		{"POST", "/test.v1.Nothing/Say", "application/json", 501, "", `"unimplemented"`},
		// What Connect itself says of a known procedure.
		{"POST", sayPath, "text/plain", http.StatusUnsupportedMediaType, "", ""},
		{"POST", sayPath, "", http.StatusUnsupportedMediaType, "", ""},
		{"GET", sayPath, "", 405, "POST", ""},
		{"PUT", sayPath, "application/json", 405, "POST", ""},
	}
	for _, test := range tests {
		request := e.request(t, test.method, test.path, "")
		if test.contentType != "" {
			request.Header.Set("Content-Type", test.contentType)
		}
		response, body := e.do(t, http1(t), request)
		if response.StatusCode != test.status || response.Header.Get("Allow") != test.allow || !strings.Contains(body, test.body) {
			t.Errorf("%s %s (%s): got %d, Allow %q, %q", test.method, test.path, test.contentType,
				response.StatusCode, response.Header.Get("Allow"), body)
		}
		if response.StatusCode == http.StatusUnsupportedMediaType && !strings.Contains(response.Header.Get("Accept-Post"), "application/json") {
			t.Errorf("415 does not say what would do: %v", response.Header)
		}
	}
}

// A made-up path must not become part of the page as markup.
func TestNothingIsReflectedAsMarkup(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Config{}, ServerConfig{}, map[string]http.HandlerFunc{"GET /page": func(http.ResponseWriter, *http.Request) {}})
	if status, body := e.doRaw(t, "M<B>X /page HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nConnection: close\r\n\r\n"); strings.Contains(body, "<B>") {
		t.Errorf("got %s %q", status, body)
	}
}
