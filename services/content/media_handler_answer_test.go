package content

import (
	"bufio"
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// wire is a listener with the one connection that was put on it.
type wire chan net.Conn

func (w wire) Accept() (net.Conn, error) {
	conn, ok := <-w
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

// Close implements [net.Listener]; the server calls it once.
func (w wire) Close() error {
	close(w)
	return nil
}

func (w wire) Addr() net.Addr { return &net.TCPAddr{} }

// serveOnWire serves half a mebibyte over HTTP/1.1. It gives the client's end of the connection, and how many bytes each answer could write.
func serveOnWire(t *testing.T) (client net.Conn, sent <-chan int64) {
	t.Helper()
	near, far := net.Pipe()
	results := make(chan int64, 2)
	server := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "524288")
		answer := &audioAnswer{ResponseWriter: w, status: http.StatusOK}
		n, _ := io.Copy(answer, io.LimitReader(zeros{}, 512<<10))
		results <- n
	})}
	listener := make(wire, 1)
	listener <- far
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() {
		_ = near.Close()
		_ = server.Close()
	})
	return near, results
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func askOn(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
}

// Whoever holds a connection and takes nothing loses it.
func TestStalledReaderIsCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn, sent := serveOnWire(t)
		askOn(t, conn)
		start := time.Now()
		if _, err := io.CopyN(io.Discard, conn, 100<<10); err != nil {
			t.Fatal(err)
		}
		if n := <-sent; n >= 512<<10 || time.Since(start) != audioPatience {
			t.Errorf("%d bytes were written, and it was cut off after %s", n, time.Since(start))
		}
		if rest, err := io.Copy(io.Discard, conn); err != nil || rest > 64<<10 {
			t.Errorf("the connection goes on: %d bytes, %v", rest, err)
		}
	})
}

// A slow reader is served for as long as it takes something, and its connection is good for more after.
func TestSlowReaderIsNotCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn, sent := serveOnWire(t)
		pace := time.NewTicker(audioPatience / 4)
		defer pace.Stop()
		buffered := bufio.NewReaderSize(conn, 16)
		for range 2 {
			askOn(t, conn)
			res, err := http.ReadResponse(buffered, nil)
			if err != nil {
				t.Fatal(err)
			}
			var body bytes.Buffer
			for body.Len() < 512<<10 {
				<-pace.C
				if _, err := io.CopyN(&body, res.Body, 16<<10); err != nil {
					t.Fatalf("after %d bytes: %v", body.Len(), err)
				}
			}
			if n := <-sent; n != 512<<10 {
				t.Errorf("%d bytes were written", n)
			}
			for range 10 { // longer than any deadline
				<-pace.C
			}
		}
	})
}
