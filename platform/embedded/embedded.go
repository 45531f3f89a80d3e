// Package embedded starts a real PostgreSQL and a Redis beside the program: for `mindspace up`, where a newcomer has no
// server of their own, and for tests. Both listen on 127.0.0.1 only, on a free port, with a random password, and go
// when the program goes, however it ends.
//
// It is never used where DATABASE_URL and REDIS_URL name servers, it upgrades no data to another major version of
// PostgreSQL, and it never deletes or overwrites data that it finds.
package embedded

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"strings"
)

// loopback is the only address that the servers listen on.
const loopback = "127.0.0.1"

// newPassword makes a secret that needs no escaping in a URL or a configuration file.
func newPassword() string { return strings.ToLower(rand.Text()) }

// freePort asks the kernel for a port. Someone else may take it before the server does; those who use it try again then.
func freePort(ctx context.Context) (int, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", net.JoinHostPort(loopback, "0"))
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

func orDiscard(logger *slog.Logger) *slog.Logger {
	if logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return logger
}
