package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mindspace-app/mindspace/platform/compress"
	"github.com/mindspace-app/mindspace/platform/identity"
)

// patience is how long a test waits for what should happen at once.
const patience = 20 * time.Second

const (
	sayPath   = "/test.v1.Echo/Say"
	panicPath = "/test.v1.Echo/Panic"
	watchPath = "/test.v1.Echo/Watch"
)

func unary(path string) connect.Spec {
	return connect.Spec{Procedure: path, StreamType: connect.StreamTypeUnary}
}

// edge is a real server behind the edge, with RPC and pages, and what it logged.
type edge struct {
	*Server
	log *logBuffer
	// release lets every Watch send its second message and end.
	release chan struct{}
}

// newEdge serves until the end of the test. Routes come on top of those of the edge's own test service.
func newEdge(t *testing.T, cfg Config, serving ServerConfig, routes map[string]http.HandlerFunc) *edge {
	t.Helper()
	e := &edge{log: new(logBuffer), release: make(chan struct{})}
	cfg.Logger = slog.New(slog.NewJSONHandler(e.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	serving.Logger = cfg.Logger

	mux := http.NewServeMux()
	connecthttp.Mount(Procedures(mux), e.service(), connecthttp.WithCompressors(compress.All()...))
	for pattern, handler := range routes {
		mux.HandleFunc(pattern, handler)
	}
	mux.Handle("/", NotFound(mux))
	handler, err := New(cfg, mux)
	if err != nil {
		t.Fatal(err)
	}
	e.Server = NewServer(anyPort(), handler, serving)
	served := make(chan error, 1)
	go func() { served <- e.Serve() }()
	t.Cleanup(func() {
		_ = e.Close()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return e
}

// service has a call that answers with what it was sent, one that panics, and a stream of two messages.
func (e *edge) service() *connect.Server {
	server := connect.NewServer()
	server.Register(
		connect.Method{Spec: unary(sayPath), Handler: func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
			var text wrapperspb.StringValue
			if err := stream.Receive(&text); err != nil {
				return err
			}
			if text.GetValue() == "who" {
				request := identity.RequestFrom(ctx)
				text.Value = request.ID + " " + request.Address.String()
			}
			return stream.Send(&text)
		}},
		connect.Method{Spec: unary(panicPath), Handler: func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
			var text wrapperspb.StringValue
			if err := stream.Receive(&text); err != nil {
				return err
			}
			panic("a planted panic")
		}},
		connect.Method{
			Spec: connect.Spec{Procedure: watchPath, StreamType: connect.StreamTypeServer},
			Handler: func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
				var text wrapperspb.StringValue
				if err := stream.Receive(&text); err != nil {
					return err
				}
				if err := stream.Send(wrapperspb.String("first")); err != nil {
					return err
				}
				select {
				case <-e.release:
					return stream.Send(wrapperspb.String("second"))
				case <-e.Draining():
					return connect.NewError(connect.CodeUnavailable, "connect again")
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			},
		},
	)
	return server
}

func (e *edge) url(path string) string { return "http://" + e.Addr().String() + path }

// call sends text to the procedure.
func (e *edge) call(ctx context.Context, client *http.Client, path, text string, options ...connecthttp.Option) (string, error) {
	var answer wrapperspb.StringValue
	err := connect.NewClient(connecthttp.NewTransport(client, e.url(""), options...)).
		CallUnary(ctx, unary(path), wrapperspb.String(text), &answer)
	return answer.GetValue(), err
}

// do sends a request and reads the whole answer.
func (e *edge) do(t *testing.T, client *http.Client, request *http.Request) (*http.Response, string) {
	t.Helper()
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// request makes a request with pairs of header names and values.
func (e *edge) request(t *testing.T, method, path, body string, header ...string) *http.Request {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, e.url(path), reader)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Add(header[i], header[i+1])
	}
	return request
}

// http1 and http2 are clients that speak only that, and compress nothing by themselves.
func http1(t *testing.T) *http.Client { t.Helper(); return newClient(t, false) }

func http2(t *testing.T) *http.Client { t.Helper(); return newClient(t, true) }

func newClient(t *testing.T, two bool) *http.Client {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!two)
	protocols.SetUnencryptedHTTP2(two)
	transport := &http.Transport{Protocols: protocols, DisableCompression: true, DialContext: (&net.Dialer{Timeout: patience}).DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// protocols are the three that Connect speaks, with the client that each needs.
func protocols(t *testing.T) map[string]protocol {
	t.Helper()
	return map[string]protocol{
		"connect over 1.1":  {http1(t), nil},
		"connect over 2":    {http2(t), nil},
		"grpc over 2":       {http2(t), []connecthttp.Option{connecthttp.WithGRPC()}},
		"grpc-web over 1.1": {http1(t), []connecthttp.Option{connecthttp.WithGRPCWeb()}},
	}
}

type protocol struct {
	client  *http.Client
	options []connecthttp.Option
}

func wantCode(t *testing.T, name string, err error, want connect.Code) *connect.Error {
	t.Helper()
	var answer *connect.Error
	if !errors.As(err, &answer) || answer.Code() != want {
		t.Errorf("%s: got %v, want %v", name, err, want)
		return connect.NewError(want, "")
	}
	return answer
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestServesOverEveryProtocol(t *testing.T) {
	t.Parallel()
	e := newEdge(t, Config{}, ServerConfig{}, nil)
	for name, p := range protocols(t) {
		if answer, err := e.call(t.Context(), p.client, sayPath, "hello", p.options...); err != nil || answer != "hello" {
			t.Errorf("%s: %q, %v", name, answer, err)
		}
	}
	for want, client := range map[string]*http.Client{"HTTP/1.1": http1(t), "HTTP/2.0": http2(t)} {
		response, _ := e.do(t, client, e.request(t, http.MethodGet, "/nowhere", ""))
		if response.Proto != want {
			t.Errorf("spoke %s, want %s", response.Proto, want)
		}
	}
}

func TestIsProcedure(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"/mindspace.content.v1.ContentService/ListMeditations": true,
		"/grpc.health.v1.Health/Check":                         true,
		"/p.S/M":                                               true,
		"/p.S/M/":                                              false,
		"/p.S/":                                                false,
		"/p.S":                                                 false,
		"/Service/Method":                                      false,
		"/.well-known/jwks":                                    false,
		"/static/app.js":                                       false,
		"/favicon.ico":                                         false,
		"/p.S/app.js":                                          false,
		"/p.S/..":                                              false,
		"/p.S%2f/M":                                            false,
		"/":                                                    false,
		"":                                                     false,
	}
	for path, want := range tests {
		if got := isProcedure(path); got != want {
			t.Errorf("isProcedure(%q) = %v, want %v", path, got, want)
		}
	}
}

func ExampleNew() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") })
	mux.Handle("/", NotFound(mux))
	handler, err := New(Config{PerSecond: 50, Burst: 200}, mux)
	if err != nil {
		panic(err)
	}
	server := NewServer(anyPort(), handler, ServerConfig{})
	go func() { _ = server.Serve() }()
	response, err := http.Get("http://" + server.Addr().String() + "/hello")
	if err != nil {
		panic(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	fmt.Print(string(body), response.Header.Get("X-Content-Type-Options"), "\n")
	_ = server.Drain(context.Background(), time.Second)
	// Output:
	// hello
	// nosniff
}

// anyPort listens on a free port of loopback.
func anyPort() net.Listener {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	return listener
}
