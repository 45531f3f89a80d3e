package gateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func TestLongBodyOfCall(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Config{MaxBodyBytes: 10_000}, ServerConfig{}, nil)
	for name, p := range protocols(t) {
		if _, err := e.call(t.Context(), p.client, sayPath, strings.Repeat("x", 9_900), p.options...); err != nil {
			t.Errorf("%s, just short enough: %v", name, err)
		}
		_, err := e.call(t.Context(), p.client, sayPath, strings.Repeat("x", 10_001), p.options...)
		answer := wantCode(t, name, err, connect.CodeResourceExhausted)
		if !strings.Contains(answer.Message(), "10000 bytes") {
			t.Errorf("%s: the caller was told %q", name, answer.Message())
		}
		if _, err := e.call(t.Context(), p.client, sayPath, "hello", p.options...); err != nil {
			t.Errorf("%s, afterwards: %v", name, err)
		}
	}
}

func TestLongBodyOfCallInChunks(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Config{MaxBodyBytes: 10_000}, ServerConfig{}, nil)
	for _, client := range []*http.Client{http1(t), http2(t)} {
		request := e.request(t, http.MethodPost, sayPath, "", "Content-Type", "application/json")
		request.Body, request.ContentLength = io.NopCloser(unsized{strings.NewReader(strings.Repeat("x", 10_001))}), -1
		response, body := e.do(t, client, request)
		if !strings.Contains(body, `"resource_exhausted"`) || !strings.Contains(body, "longer than 10000 bytes") {
			t.Errorf("%s: got %s", response.Proto, body)
		}
	}
}

// unsized hides the length of a body, so that it is sent in chunks.
type unsized struct{ io.Reader }

func TestLongBodyOfPage(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Config{MaxBodyBytes: 10_000}, ServerConfig{}, map[string]http.HandlerFunc{
		"POST /form": func(w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			var tooLong *http.MaxBytesError
			if errors.As(err, &tooLong) {
				http.Error(w, "the handler says so", http.StatusRequestEntityTooLarge)
				return
			}
			fmt.Fprint(w, n, err)
		},
	})
	tests := []struct {
		name   string
		length int
		chunks bool
		status int
		body   string
	}{
		{"fits", 10_000, false, 200, "10000"},
		{"fits in chunks", 10_000, true, 200, "10000"},
		{"declared too long", 10_001, false, 413, "longer than 10000 bytes"},
		{"too long in chunks", 10_001, true, 413, "the handler says so"},
	}
	for _, client := range []*http.Client{http1(t), http2(t)} {
		for _, test := range tests {
			request := e.request(t, http.MethodPost, "/form", "")
			request.Body = io.NopCloser(strings.NewReader(strings.Repeat("x", test.length)))
			request.ContentLength = int64(test.length)
			if test.chunks {
				request.Body, request.ContentLength = io.NopCloser(unsized{strings.NewReader(strings.Repeat("x", test.length))}), -1
			}
			response, body := e.do(t, client, request)
			if response.StatusCode != test.status || !strings.Contains(body, test.body) {
				t.Errorf("%s, %s: got %d %q", response.Proto, test.name, response.StatusCode, body)
			}
		}
	}
}

// trickle begins a body and never ends it.
func trickle(t *testing.T) io.Reader {
	t.Helper()
	reader, writer := io.Pipe()
	t.Cleanup(func() { _ = writer.Close() })
	go func() { _, _ = writer.Write([]byte("{")) }()
	return reader
}

func TestSlowBodyIsCut(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Config{BodyTimeout: 100 * time.Millisecond}, ServerConfig{}, map[string]http.HandlerFunc{
		"POST /form": func(w http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			http.Error(w, fmt.Sprint(err), http.StatusRequestTimeout)
		},
	})
	for name, client := range map[string]*http.Client{"HTTP/1.1": http1(t), "HTTP/2": http2(t)} {
		for _, path := range []string{sayPath, "/form"} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.url(path), trickle(t))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/json")
			response, body := e.do(t, client, request)
			if response.StatusCode < 400 || !strings.Contains(body, "took longer than 100ms") {
				t.Errorf("%s %s: got %d %q", name, path, response.StatusCode, body)
			}
			if strings.Contains(body, "127.0.0.1") || strings.Contains(body, "i/o timeout") {
				t.Errorf("%s %s: the caller was told about our connection: %q", name, path, body)
			}
		}
	}
}

// The deadline of a body must not outlive it: neither for the stream of answers nor for the next request on the connection.
func TestStreamOutlivesBodyTimeout(t *testing.T) {
	t.Parallel()
	const timeout = 500 * time.Millisecond // in which a busy machine has to send a few bytes
	for name, p := range protocols(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEdge(t, Config{BodyTimeout: timeout}, ServerConfig{}, nil)
			stream, err := e.watch(t.Context(), p.client, p.options...)
			if err != nil {
				t.Fatal(err)
			}
			var message wrapperspb.StringValue
			if err := stream.Receive(&message); err != nil || message.GetValue() != "first" {
				t.Fatalf("%q, %v", message.GetValue(), err)
			}
			<-time.After(2 * timeout)
			close(e.release)
			if err := stream.Receive(&message); err != nil || message.GetValue() != "second" {
				t.Fatalf("after the timeout: %q, %v", message.GetValue(), err)
			}
			if err := stream.Receive(&message); !errors.Is(err, io.EOF) {
				t.Errorf("the stream ended with %v", err)
			}
		})
	}
}

// watch opens the stream.
func (e *edge) watch(ctx context.Context, client *http.Client, options ...connecthttp.Option) (connect.ClientStream, error) {
	spec := connect.Spec{Procedure: watchPath, StreamType: connect.StreamTypeServer}
	return connect.NewClient(connecthttp.NewTransport(client, e.url(""), options...)).
		CallServerStream(ctx, spec, wrapperspb.String("watch"))
}

func TestConnectionOutlivesBodyTimeout(t *testing.T) {
	t.Parallel()
	const timeout = 50 * time.Millisecond
	e := newEdge(t, Config{BodyTimeout: timeout}, ServerConfig{}, map[string]http.HandlerFunc{
		"POST /ignore": func(http.ResponseWriter, *http.Request) {},
	})
	conn := e.dial(t)
	reader := bufio.NewReader(conn)
	for _, path := range []string{sayPath, "/ignore", sayPath} {
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n\"hello\"", path)
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatalf("%s on a kept connection: %v", path, err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK || response.Close {
			t.Fatalf("%s: %s", path, response.Status)
		}
		<-time.After(3 * timeout)
	}
}

// dial opens a bare connection.
func (e *edge) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", e.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
