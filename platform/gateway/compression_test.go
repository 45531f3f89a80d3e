package gateway

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

func TestCompressionOfPages(t *testing.T) {
	t.Parallel()
	page := "<!doctype html><p>" + strings.Repeat("breathe in, breathe out. ", 500)
	e := newEdge(t, Config{}, ServerConfig{}, map[string]http.HandlerFunc{
		"GET /page": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(w, page)
		},
		"GET /short": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "short") },
		"GET /audio": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "audio/ogg")
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(page))
		},
		"GET /text": func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "long.txt", time.Time{}, strings.NewReader(page))
		},
	})
	tests := []struct {
		path, accept, rng string
		want              string
	}{
		{"/page", "gzip, deflate, br, zstd", "", "zstd"},
		{"/page", "gzip, deflate, br", "", "gzip"},
		{"/page", "gzip;q=1.0, zstd;q=0.5", "", "gzip"},
		{"/page", "gzip;q=0", "", ""},
		{"/page", "br", "", ""},
		{"/page", "", "", ""},
		{"/short", "gzip, zstd", "", ""},
		{"/audio", "gzip, zstd", "", ""},
		{"/text", "gzip", "", "gzip"},
		{"/text", "gzip", "bytes=0-9999", ""},
	}
	for _, test := range tests {
		request := e.request(t, http.MethodGet, test.path, "", "Accept-Encoding", test.accept)
		if test.rng != "" {
			request.Header.Set("Range", test.rng)
		}
		response, body := e.do(t, http1(t), request)
		if got := response.Header.Get("Content-Encoding"); got != test.want {
			t.Errorf("%s, Accept-Encoding %q: got %q, want %q", test.path, test.accept, got, test.want)
			continue
		}
		if test.path == "/page" && !strings.Contains(strings.Join(response.Header["Vary"], ","), "Accept-Encoding") {
			t.Errorf("caches do not know that the answer depends on Accept-Encoding: %v", response.Header)
		}
		want := page
		switch {
		case test.path == "/short":
			want = "short"
		case test.rng != "":
			want = page[:10000]
		}
		if got := unpack(t, test.want, body); got != want {
			t.Errorf("%s, Accept-Encoding %q: %d bytes, want %d", test.path, test.accept, len(got), len(want))
		}
	}
}

func unpack(t *testing.T, encoding, body string) string {
	t.Helper()
	var reader io.Reader = strings.NewReader(body)
	var err error
	switch encoding {
	case "gzip":
		reader, err = gzip.NewReader(reader)
	case "zstd":
		reader, err = zstd.NewReader(reader, zstd.WithDecoderConcurrency(1))
	}
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

// Connect compresses its own answers, so the edge must not do it again.
func TestCallsAreCompressedOnce(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Config{}, ServerConfig{}, map[string]http.HandlerFunc{
		"POST /test.v1.Plain/Say": func(w http.ResponseWriter, _ *http.Request) { // as Connect does below its threshold
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, strings.Repeat(" ", 5000)+"{}")
		},
	})
	plain := e.request(t, http.MethodPost, "/test.v1.Plain/Say", "{}", "Content-Type", "application/json", "Accept-Encoding", "gzip")
	if response, _ := e.do(t, http1(t), plain); response.Header.Get("Content-Encoding") != "" {
		t.Errorf("the edge compressed a call: %v", response.Header)
	}
	long := `"` + strings.Repeat("breathe in, breathe out. ", 500) + `"`
	for _, encoding := range []string{"gzip", "zstd"} {
		request := e.request(t, http.MethodPost, sayPath, long, "Content-Type", "application/json", "Accept-Encoding", encoding)
		response, body := e.do(t, http1(t), request)
		if got := response.Header["Content-Encoding"]; len(got) != 1 || got[0] != encoding {
			t.Errorf("Content-Encoding %q, want %q once", got, encoding)
		}
		if got := unpack(t, encoding, body); got != long {
			t.Errorf("%s: %d bytes, want %d", encoding, len(got), len(long))
		}
	}
}

// A page that is sent bit by bit arrives bit by bit, compressed or not.
func TestFlushedPageArrives(t *testing.T) {
	t.Parallel()
	goOn := make(chan struct{})
	e := newEdge(t, Config{}, ServerConfig{}, map[string]http.HandlerFunc{
		"GET /slow": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, "first")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Errorf("flush: %v", err)
			}
			<-goOn
			_, _ = io.WriteString(w, "second")
		},
	})
	response, err := http1(t).Do(e.request(t, http.MethodGet, "/slow", "", "Accept-Encoding", "gzip"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	reader, err := gzip.NewReader(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, len("first"))
	if _, err := io.ReadFull(reader, first); err != nil || !bytes.Equal(first, []byte("first")) {
		t.Fatalf("%q, %v", first, err)
	}
	close(goOn)
	if rest, err := io.ReadAll(reader); err != nil || string(rest) != "second" {
		t.Errorf("%q, %v", rest, err)
	}
}
