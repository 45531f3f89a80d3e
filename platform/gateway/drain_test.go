package gateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// held is a handler that tells when a request is in it, and keeps it there.
type held struct {
	entered, release chan struct{}
	ended            chan error
}

func newHeld() held {
	return held{entered: make(chan struct{}, 8), release: make(chan struct{}), ended: make(chan error, 8)}
}

func (h held) serve(w http.ResponseWriter, r *http.Request) {
	h.entered <- struct{}{}
	select {
	case <-h.release:
		_, _ = io.WriteString(w, "done")
	case <-r.Context().Done():
		h.ended <- context.Cause(r.Context())
	}
}

func (h held) routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"GET /held": h.serve, "GET /quick": func(http.ResponseWriter, *http.Request) {}}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	for name, client := range map[string]*http.Client{"HTTP/1.1": http1(t), "HTTP/2": http2(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHeld()
			var notReady, streamsEnded atomic.Int32
			e := newEdge(t, Config{}, ServerConfig{
				NotReady:   func() { notReady.Add(1) },
				EndStreams: func() { streamsEnded.Add(1) },
			}, h.routes())

			type answer struct {
				response *http.Response
				body     string
				err      error
			}
			answered := make(chan answer, 1)
			request := e.request(t, http.MethodGet, "/held", "")
			go func() {
				response, err := client.Do(request)
				if err != nil {
					answered <- answer{err: err}
					return
				}
				body, err := io.ReadAll(response.Body)
				_ = response.Body.Close()
				answered <- answer{response, string(body), err}
			}()
			<-h.entered
			idle := e.keepAlive(t)

			drained := make(chan error, 1)
			go func() { drained <- e.Drain(t.Context(), patience) }()
			<-e.Draining()
			if notReady.Load() != 1 {
				t.Error("readiness was not told first")
			}
			eventually(t, "a new connection is refused", func() bool {
				conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", e.Addr().String())
				if err == nil {
					_ = conn.Close()
				}
				return err != nil
			})
			if _, err := idle.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("the idle connection is kept: %v", err)
			}
			select {
			case err := <-drained:
				t.Fatalf("the drain did not wait for the request in flight: %v", err)
			default:
			}
			close(h.release)
			if got := <-answered; got.err != nil || got.body != "done" {
				t.Errorf("the request in flight: %q, %v", got.body, got.err)
			}
			if err := <-drained; err != nil {
				t.Errorf("Drain: %v", err)
			}
			if err := e.Drain(t.Context(), patience); err != nil || notReady.Load() != 1 || streamsEnded.Load() != 1 {
				t.Errorf("Drain again: %v, told %d and %d times", err, notReady.Load(), streamsEnded.Load())
			}
		})
	}
}

// keepAlive makes one request and gives the connection, which is idle then.
func (e *edge) keepAlive(t *testing.T) *bufio.Reader {
	t.Helper()
	conn := e.dial(t)
	reader := bufio.NewReader(conn)
	fmt.Fprint(conn, "GET /quick HTTP/1.1\r\nHost: x\r\n\r\n")
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != http.StatusOK || response.Close {
		t.Fatalf("%v, %v", response, err)
	}
	_ = response.Body.Close()
	return reader
}

// While load balancers have not noticed yet, everything goes on. Who cannot wait ends the delay.
func TestDrainDelay(t *testing.T) {
	t.Parallel()
	told := make(chan struct{})
	e := newEdge(t, Config{}, ServerConfig{NotReady: func() { close(told) }, DrainDelay: time.Hour}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- e.Drain(ctx, patience) }()
	<-told
	if _, err := e.call(t.Context(), http1(t), sayPath, "hello"); err != nil {
		t.Errorf("within the delay: %v", err)
	}
	select {
	case <-e.Draining():
		t.Error("streams were ended within the delay")
	default:
	}
	cancel()
	<-drained
	if _, err := e.call(t.Context(), http1(t), sayPath, "hello"); err == nil {
		t.Error("it still serves afterwards")
	}
}

func TestDrainEndsStreams(t *testing.T) {
	t.Parallel()
	for name, p := range protocols(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEdge(t, Config{}, ServerConfig{}, nil)
			stream, err := e.watch(t.Context(), p.client, p.options...)
			if err != nil {
				t.Fatal(err)
			}
			var message wrapperspb.StringValue
			if err := stream.Receive(&message); err != nil {
				t.Fatal(err)
			}
			drained := make(chan error, 1)
			go func() { drained <- e.Drain(t.Context(), patience) }()
			wantCode(t, name, stream.Receive(&message), connect.CodeUnavailable)
			if err := <-drained; err != nil {
				t.Errorf("Drain: %v", err)
			}
		})
	}
}

func TestDrainCutsAfterGrace(t *testing.T) {
	t.Parallel()
	for name, client := range map[string]*http.Client{"HTTP/1.1": http1(t), "HTTP/2": http2(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHeld()
			e := newEdge(t, Config{}, ServerConfig{}, h.routes())
			answered := make(chan error, 1)
			request := e.request(t, http.MethodGet, "/held", "")
			go func() {
				response, err := client.Do(request)
				if err == nil {
					_, err = io.ReadAll(response.Body)
					_ = response.Body.Close()
				}
				answered <- err
			}()
			<-h.entered
			if err := e.Drain(t.Context(), 50*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Drain: %v", err)
			}
			if err := <-h.ended; !errors.Is(err, errCut) {
				t.Errorf("the handler was told %v", err)
			}
			if err := <-answered; err == nil {
				t.Error("the caller got an answer")
			}
		})
	}
}

// Hijacked connections are nobody's but EndStreams': the drain waits for it, and no longer than its grace.
func TestDrainWaitsForEndStreams(t *testing.T) {
	t.Parallel()
	forever := make(chan struct{})
	defer close(forever)
	e := newEdge(t, Config{}, ServerConfig{EndStreams: func() { <-forever }}, nil)
	if err := e.Drain(t.Context(), 50*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Drain: %v", err)
	}
}
