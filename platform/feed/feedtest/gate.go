// Package feedtest stands between a client and Redis, so that tests can cut or silence the connection. It is for tests only.
package feedtest

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Mode is what a gate does with connections.
type Mode int32

const (
	// Open lets everything through.
	Open Mode = iota
	// Shut ends every connection at once.
	Shut
	// Silent takes everything and answers nothing.
	Silent
)

// Gate stands between clients and a Redis.
type Gate struct {
	target string
	port   net.Listener
	mode   atomic.Int32

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// New gives an open gate to the Redis of the URL, and the URL that leads through it.
func New(tb testing.TB, url string) (*Gate, string) {
	tb.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		tb.Fatal(err)
	}
	port, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it opens at once
	if err != nil {
		tb.Fatal(err)
	}
	g := &Gate{target: options.Addr, port: port, conns: map[net.Conn]struct{}{}}
	go g.serve()
	tb.Cleanup(func() {
		_ = port.Close()
		g.Set(Shut)
	})
	return g, strings.Replace(url, options.Addr, port.Addr().String(), 1)
}

// Set opens, shuts or silences the gate. Connections that exist end, except when it falls silent.
func (g *Gate) Set(mode Mode) {
	g.mu.Lock()
	defer g.mu.Unlock()
	was := Mode(g.mode.Swap(int32(mode)))
	if mode == Shut || (mode == Open && was == Silent) {
		for conn := range g.conns {
			_ = conn.Close()
		}
		clear(g.conns)
	}
}

func (g *Gate) is(mode Mode) bool { return Mode(g.mode.Load()) == mode }

func (g *Gate) serve() {
	for {
		conn, err := g.port.Accept()
		if err != nil {
			return
		}
		if !g.track(conn) || g.is(Silent) {
			continue
		}
		server, err := net.Dial("tcp", g.target) //nolint:noctx // to this machine
		if err != nil || !g.track(server) {
			_ = conn.Close()
			continue
		}
		go g.pipe(server, conn)
		go g.pipe(conn, server)
	}
}

// track keeps a connection to be closed later; a gate that is shut closes it at once.
func (g *Gate) track(conn net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.is(Shut) {
		_ = conn.Close()
		return false
	}
	g.conns[conn] = struct{}{}
	return true
}

func (g *Gate) pipe(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if g.is(Silent) {
			_, _ = io.Copy(io.Discard, from)
			return
		}
		if n > 0 {
			_, _ = to.Write(buf[:n])
		}
		if err != nil {
			_ = to.Close()
			return
		}
	}
}
