package gateway

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// doRaw sends bytes over a connection of their own and gives the status line and the rest.
func (e *edge) doRaw(t *testing.T, request string) (status, rest string) {
	t.Helper()
	conn := e.dial(t)
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, net.ErrClosed) && len(answer) == 0 {
		t.Fatal(err)
	}
	status, rest, _ = strings.Cut(string(answer), "\r\n")
	return status, rest
}

func TestSlowHeadersAreCut(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Config{}, ServerConfig{ReadHeaderTimeout: 100 * time.Millisecond}, nil)
	for _, begun := range []string{"", "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", "PRI * HTTP/2.0\r\n\r\n"} {
		conn := e.dial(t)
		if _, err := io.WriteString(conn, begun); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after %q the connection is kept", begun)
		}
	}
}

func TestIdleConnectionIsClosed(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Config{}, ServerConfig{IdleTimeout: 100 * time.Millisecond}, nil)
	conn := e.dial(t)
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	if _, err := reader.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection is kept: %v", err)
	}
}

func TestLongHeadersAreRefused(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Config{}, ServerConfig{}, nil)
	for name, client := range map[string]*http.Client{"HTTP/1.1": http1(t), "HTTP/2": http2(t)} {
		long := e.request(t, http.MethodGet, "/", "")
		for i := range 10 {
			long.Header.Set(fmt.Sprintf("X-Long-%d", i), strings.Repeat("x", 4<<10))
		}
		if response, err := client.Do(long); err == nil {
			_ = response.Body.Close()
			if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("%s: 40 KiB of headers: %s", name, response.Status)
			}
		} else if name == "HTTP/1.1" { // over HTTP/2 the server may end the connection, and the client may know the limit
			t.Errorf("%s: 40 KiB of headers: %v", name, err)
		}
		short := e.request(t, http.MethodGet, "/", "", "X-Long", strings.Repeat("x", 24<<10))
		if response, _ := e.do(t, client, short); response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: 24 KiB of headers: %s", name, response.Status)
		}
	}
	if status, _ := e.doRaw(t, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("x", 64<<10)); !strings.Contains(status, "431") {
		t.Errorf("headers that never end: %q", status)
	}
}

func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Config{}, ServerConfig{}, nil)
	for _, request := range []string{
		"rubbish and more rubbish\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n", // no Host
		"GET / HTTP/1.1\r\nHost: x\r\nBad Header: x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
	} {
		if status, _ := e.doRaw(t, request); !strings.Contains(status, " 400 ") && !strings.Contains(status, " 501 ") {
			t.Errorf("%q was answered with %q", request, status)
		}
	}
}

func TestCloseBeforeServe(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*Server) error{
		"close": (*Server).Close,
		"drain": func(s *Server) error { return s.Drain(t.Context(), patience) },
	} {
		server := NewServer(anyPort(), http.NotFoundHandler(), ServerConfig{})
		if err := end(server); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := server.Serve(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Addr().String()); err == nil {
			_ = conn.Close()
			t.Errorf("%s: the port is still open", name)
		}
	}
}

func TestOperationsServer(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) })
	server := NewOperationsServer(anyPort(), handler, slog.New(slog.NewTextHandler(&log, nil)))
	served := make(chan error, 1)
	go func() { served <- server.Serve() }()
	e := &edge{Server: server}
	if _, body := e.do(t, http1(t), e.request(t, http.MethodGet, "/metrics", "")); body != "HTTP/1.1" {
		t.Errorf("got %q", body)
	}
	if response, err := http2(t).Do(e.request(t, http.MethodGet, "/metrics", "")); err == nil {
		_ = response.Body.Close()
		t.Error("it speaks HTTP/2")
	}
	if err := server.Drain(t.Context(), patience); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
