package mail

import (
	"context"
	"crypto/x509"
	"net"
	"time"
)

// Trust makes the sender of [Open] trust other roots than this machine does.
func Trust(s Sender, roots *x509.CertPool) { s.(*server).roots = roots }

// Redirect makes the sender of [Open] reach its server at another address, as if its name led there.
func Redirect(s Sender, address string) {
	s.(*server).connect = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}

// SetClock stops the clock of a sender into a folder.
func SetClock(s Sender, now func() time.Time) { s.(*folder).now = now }
