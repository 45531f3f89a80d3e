package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	defaultReadHeaderTimeout = 10 * time.Second
	defaultIdleTimeout       = 2 * time.Minute
	defaultMaxHeaderBytes    = 32 << 10
)

// Bounds on HTTP/2, in whose connections one client could otherwise hold much.
const (
	maxStreams       = 250
	maxFrameBytes    = 64 << 10
	maxStreamBuffer  = 256 << 10
	maxConnBuffer    = 1 << 20
	pingAfter        = time.Minute // of silence, to find clients that went away without a word
	pingTimeout      = 15 * time.Second
	writeByteTimeout = 30 * time.Second
)

// ServerConfig is what a server is told. The zero value works.
type ServerConfig struct {
	// Logger gets, at debug level, what net/http has to say about connections; nil means [slog.Default].
	Logger *slog.Logger
	// NotReady is called when the server begins to drain, to tell load balancers by the readiness check.
	NotReady func()
	// DrainDelay is how long the server goes on as before after NotReady, so that load balancers notice; 0 means not at all.
	DrainDelay time.Duration
	// EndStreams is called once no connection is accepted any more: long streams and hijacked connections have to end
	// now, telling their clients to connect again. [Server.Draining] is closed at the same time. It may wait for them:
	// net/http knows of hijacked connections no more, so nobody else will.
	EndStreams func()
	// ReadHeaderTimeout is how long a client may take to send the headers of a request; 0 means 10 s.
	ReadHeaderTimeout time.Duration
	// IdleTimeout is how long a connection is kept without a request; 0 means 2 min.
	IdleTimeout time.Duration
	// MaxHeaderBytes is how long the headers of a request may be; 0 means 32 KiB.
	MaxHeaderBytes int
}

// Server serves a handler over HTTP/1.1 and over HTTP/2 without TLS, which gRPC needs; TLS ends at the proxy in front.
// It sets no limit on how long an answer takes, as some are streams.
type Server struct {
	config   ServerConfig
	listener net.Listener
	http     *http.Server
	cut      context.CancelCauseFunc
	draining chan struct{}
	ended    chan struct{} // EndStreams has returned
	drained  sync.Once
	result   error
}

// NewServer serves the handler on a listener, once [Server.Serve] is called. It owns the listener from then on.
func NewServer(listener net.Listener, handler http.Handler, cfg ServerConfig) *Server {
	server := newServer(listener, handler, cfg.withDefaults())
	server.http.Protocols.SetUnencryptedHTTP2(true)
	return server
}

// NewOperationsServer serves what operators ask for: metrics and profiles. It speaks HTTP/1.1 alone.
func NewOperationsServer(listener net.Listener, handler http.Handler, logger *slog.Logger) *Server {
	return newServer(listener, handler, ServerConfig{Logger: logger}.withDefaults())
}

func (c ServerConfig) withDefaults() ServerConfig {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.ReadHeaderTimeout == 0 {
		c.ReadHeaderTimeout = defaultReadHeaderTimeout
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = defaultIdleTimeout
	}
	if c.MaxHeaderBytes == 0 {
		c.MaxHeaderBytes = defaultMaxHeaderBytes
	}
	return c
}

func newServer(listener net.Listener, handler http.Handler, cfg ServerConfig) *Server {
	base, cut := context.WithCancelCause(context.Background())
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	s := &Server{config: cfg, listener: listener, cut: cut, draining: make(chan struct{}), ended: make(chan struct{})}
	s.http = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: cfg.ReadHeaderTimeout,
		IdleTimeout:       cfg.IdleTimeout,
		MaxHeaderBytes:    cfg.MaxHeaderBytes,
		Protocols:         protocols,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReadFrameSize:              maxFrameBytes,
			MaxReceiveBufferPerConnection: maxConnBuffer,
			MaxReceiveBufferPerStream:     maxStreamBuffer,
			SendPingTimeout:               pingAfter,
			PingTimeout:                   pingTimeout,
			WriteByteTimeout:              writeByteTimeout,
		},
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
	}
	// net/http calls this when it has stopped accepting, which is when clients may be sent elsewhere.
	s.http.RegisterOnShutdown(s.endStreams)
	return s
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Draining is closed when long streams have to end, see [ServerConfig.EndStreams].
func (s *Server) Draining() <-chan struct{} { return s.draining }

// Serve answers until [Server.Drain] or [Server.Close]; it gives nil then, at once, while requests may still be running.
func (s *Server) Serve() error {
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("gateway: serve on %s: %w", s.Addr(), err)
	}
	return nil
}

// Close ends everything at once.
func (s *Server) Close() error {
	s.cut(errCut)
	err := s.http.Close()
	_ = s.listener.Close() // which the former does not know of unless it was served
	if err != nil {
		return fmt.Errorf("gateway: close: %w", err)
	}
	return nil
}
