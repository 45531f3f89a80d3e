package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// listeners are the ports of this process; nil where it has none.
type listeners struct {
	public, ops net.Listener
}

// listen takes the ports. With spare, an operations port in use (Prometheus itself likes that one) is replaced by a free one.
func listen(ctx context.Context, addr, opsAddr string, spare bool) (*listeners, error) {
	var config net.ListenConfig
	l := &listeners{}
	var err error
	if addr != "" {
		if l.public, err = config.Listen(ctx, "tcp", addr); err != nil {
			return nil, portError("--addr", addr, err)
		}
	}
	if opsAddr == "" {
		return l, nil
	}
	l.ops, err = config.Listen(ctx, "tcp", opsAddr)
	if errors.Is(err, syscall.EADDRINUSE) && spare {
		l.ops, err = config.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		l.close()
		return nil, portError("--ops-addr", opsAddr, err)
	}
	return l, nil
}

func portError(flag, addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use by another program: stop it, or choose another address with %s", addr, flag)
	}
	return fmt.Errorf("listen on %s: %w", addr, err)
}

func (l *listeners) close() {
	for _, one := range []net.Listener{l.public, l.ops} {
		if one != nil {
			_ = one.Close()
		}
	}
}

// browserURL is where a person on this machine finds the listener.
func browserURL(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "http://" + addr.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}
