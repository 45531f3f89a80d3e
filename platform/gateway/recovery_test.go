package gateway

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"github.com/prometheus/client_golang/prometheus"
)

func TestPanicInCall(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Config{}, ServerConfig{}, nil)
	for name, p := range protocols(t) {
		_, err := e.call(t.Context(), p.client, panicPath, "a planted secret", p.options...)
		answer := wantCode(t, name, err, connect.CodeInternal)
		if answer.Message() != somethingWrong {
			t.Errorf("%s: the caller was told %q", name, answer.Message())
		}
		if answer, err := e.call(t.Context(), p.client, sayPath, "still here", p.options...); err != nil || answer != "still here" {
			t.Errorf("%s after a panic: %q, %v", name, answer, err)
		}
	}
	log := e.log.String()
	if got, want := strings.Count(log, "handler panicked"), len(protocols(t)); got != want {
		t.Errorf("%d panics were logged %d times", want, got)
	}
	if !strings.Contains(log, "edge_test.go") || !strings.Contains(log, `"route":"`+panicPath+`"`) {
		t.Errorf("the log does not tell where: %s", log)
	}
	if strings.Contains(log, "a planted secret") {
		t.Errorf("the log has the body: %s", log)
	}
}

func TestPanicInPage(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	e := newEdge(t, Config{Registry: registry}, ServerConfig{}, map[string]http.HandlerFunc{
		"GET /media/{signature}": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5000")
			w.Header().Set("Etag", `"half"`)
			panic("a planted panic")
		},
	})
	for _, client := range []*http.Client{http1(t), http2(t)} {
		for _, accept := range []string{"text/html,*/*", "*/*"} {
			request := e.request(t, http.MethodGet, "/media/signed-token", "", "Accept", accept, "Accept-Encoding", "gzip",
				"Cookie", "session=planted-cookie", requestIDHeader, "its-id")
			response, body := e.do(t, client, request)
			if response.StatusCode != http.StatusInternalServerError {
				t.Errorf("status %d", response.StatusCode)
			}
			if !strings.Contains(body, "Something went wrong") || !strings.Contains(body, "its-id") || strings.Contains(body, "planted") {
				t.Errorf("body %q", body)
			}
			if html := strings.Contains(accept, "html"); html != strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") {
				t.Errorf("Accept %q was answered with %q", accept, response.Header.Get("Content-Type"))
			}
			if response.Header.Get("Etag") != "" || response.Header.Get("Content-Security-Policy") != contentSecurityPolicy {
				t.Errorf("header %v", response.Header)
			}
		}
	}
	log := e.log.String()
	if strings.Contains(log, "signed-token") || strings.Contains(log, "planted-cookie") {
		t.Errorf("the log has the path or a header: %s", log)
	}
	if !strings.Contains(log, `"route":"GET /media/{signature}"`) {
		t.Errorf("the log does not name the route: %s", log)
	}
	if n := counted(t, registry, "mindspace_gateway_panics_total"); n != 4 {
		t.Errorf("%v panics were counted, want 4", n)
	}
}

// counted is the value of a counter.
func counted(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// What was begun cannot be taken back, so the caller has to see that it is not whole.
func TestPanicAfterAnswerBegan(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Config{}, ServerConfig{}, map[string]http.HandlerFunc{
		"GET /half": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half of it")
			w.(http.Flusher).Flush()
			panic("a planted panic")
		},
		"GET /small": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half of it")
			panic("a planted panic")
		},
	})
	for _, client := range []*http.Client{http1(t), http2(t)} {
		for _, path := range []string{"/half", "/small"} {
			for _, encoding := range []string{"", "gzip"} {
				response, err := client.Do(e.request(t, http.MethodGet, path, "", "Accept-Encoding", encoding))
				if err != nil {
					continue // cut before a byte was sent
				}
				body, err := io.ReadAll(response.Body)
				_ = response.Body.Close()
				if err == nil && response.StatusCode == http.StatusOK {
					t.Errorf("%s %s, encoding %q: half an answer passes for a whole one: %q", response.Proto, path, encoding, body)
				}
			}
		}
	}
}

func TestAbortIsNotAPanic(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Config{}, ServerConfig{}, map[string]http.HandlerFunc{
		"GET /abort": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	})
	if response, err := http1(t).Do(e.request(t, http.MethodGet, "/abort", "")); err == nil {
		_ = response.Body.Close()
		t.Errorf("the connection was not ended: %v", response.Status)
	}
	if log := e.log.String(); strings.Contains(log, "panic") {
		t.Errorf("it was logged: %s", log)
	}
}
