package gateway

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A WebSocket takes the connection over, whatever the edge has wrapped around it.
func TestHijack(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Config{}, ServerConfig{}, map[string]http.HandlerFunc{
		"GET /socket": func(w http.ResponseWriter, _ *http.Request) {
			conn, buffered, err := w.(http.Hijacker).Hijack()
			if err != nil {
				http.Error(w, err.Error(), http.StatusNotImplemented)
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = io.WriteString(buffered, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
			_ = buffered.Flush()
			_, _ = io.Copy(conn, buffered)
		},
		"GET /panic": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				defer func() { _ = conn.Close() }()
			}
			panic("a planted panic")
		},
	})
	conn := e.dial(t)
	if _, err := io.WriteString(conn, "GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nAccept-Encoding: gzip\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, len("HTTP/1.1 101 Switching Protocols\r\n\r\n"))
	if _, err := io.ReadFull(conn, head); err != nil || !strings.Contains(string(head), " 101 ") {
		t.Fatalf("%q, %v", head, err)
	}
	echo := make([]byte, len("ping"))
	if _, err := io.WriteString(conn, "ping"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, echo); err != nil || string(echo) != "ping" {
		t.Errorf("%q, %v", echo, err)
	}
	if status, rest := e.doRaw(t, "GET /panic HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n"); status != "" {
		t.Errorf("something was written to a connection that was given away: %q %q", status, rest)
	}
	if response, _ := e.do(t, http2(t), e.request(t, http.MethodGet, "/socket", "")); response.StatusCode != http.StatusNotImplemented {
		t.Errorf("HTTP/2 has no connection to give away: %s", response.Status)
	}
}

func TestFilesAndDeadlines(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "bell.ogg")
	content := strings.Repeat("bell ", 50_000)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	e := newEdge(t, Config{}, ServerConfig{}, map[string]http.HandlerFunc{
		"GET /file": func(w http.ResponseWriter, r *http.Request) {
			if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(patience)); err != nil {
				t.Errorf("deadline: %v", err)
			}
			http.ServeFile(w, r, file)
		},
		"GET /written": func(w http.ResponseWriter, _ *http.Request) {
			if _, ok := w.(io.ReaderFrom); !ok {
				t.Error("files cannot be sent by the kernel")
			}
			_, _ = io.Copy(w, struct{ io.Reader }{strings.NewReader(content)})
		},
	})
	for _, client := range []*http.Client{http1(t), http2(t)} {
		for _, path := range []string{"/file", "/written"} {
			request := e.request(t, http.MethodGet, path, "", "Range", "bytes=0-") // players ask so
			if response, body := e.do(t, client, request); body != content {
				t.Errorf("%s %s: %d bytes, want %d", response.Proto, path, len(body), len(content))
			}
		}
	}
}
