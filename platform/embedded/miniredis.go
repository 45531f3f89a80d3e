package embedded

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"

	"github.com/alicebob/miniredis/v2"
)

// startInProcess runs miniredis.
func startInProcess() (*Redis, error) {
	server := miniredis.NewMiniRedis()
	// Made for tests, its clock stands still unless told to go.
	server.ClockTTL(true)
	password := newPassword()
	server.RequireAuth(password)
	if err := server.StartAddr(net.JoinHostPort(loopback, "0")); err != nil {
		return nil, fmt.Errorf("in process: %w", err)
	}
	port, err := strconv.Atoi(server.Port())
	if err != nil {
		server.Close()
		return nil, fmt.Errorf("in process: %w", err)
	}
	done := make(chan struct{})
	stop := sync.OnceFunc(func() {
		server.Close()
		close(done)
	})
	return &Redis{
		kind: RedisInProcess, password: password, port: port, done: done,
		stop: func(context.Context) error { stop(); return nil },
	}, nil
}
