package postgres_test

import (
	"context"
	"errors"
	"io"
	"net"
	neturl "net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/platform/embedded"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/postgres"
)

// A pool lives through the end and the new start of its server: meanwhile every error is "unavailable", afterwards all works.
func TestPoolRecovers(t *testing.T) {
	t.Parallel()
	folder, err := os.MkdirTemp("", "mindspace-recovery-") // not t.TempDir: as root, the server's user could not enter it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	start := func() *embedded.Postgres {
		server, err := embedded.StartPostgres(t.Context(), embedded.PostgresConfig{Dir: folder + "/db"})
		if err != nil {
			t.Fatal(err)
		}
		return server
	}
	stop := func(server *embedded.Postgres) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
	server := start()
	// Each start takes another port; the pool sees one address, as behind a failover.
	address := newRelay(t)
	pool := open(t, postgres.Config{URL: address.lead(t, server.URL()), MaxConns: 3})
	touch := func() error {
		return postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), "SELECT 1")
			return err
		})
	}
	// Fill the pool, so that every connection in it breaks.
	var all sync.WaitGroup
	var first [3]error
	for i := range first {
		all.Go(func() { _, first[i] = pool.Exec(t.Context(), "SELECT pg_sleep(0.1)") })
	}
	all.Wait()
	if err := errors.Join(first[:]...); err != nil {
		t.Fatal(err)
	}

	// One statement is under way when the server goes.
	cut := make(chan error, 1)
	go func() {
		_, err := pool.Exec(t.Context(), "SELECT pg_sleep(60)")
		cut <- err
	}()
	for busy := 0; busy == 0; {
		if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'").Scan(&busy); err != nil {
			t.Fatal(err)
		}
	}
	stop(server)
	if err := <-cut; kind(err) != fault.KindUnavailable {
		t.Errorf("the statement that was cut: %v is %v, want unavailable", err, kind(err))
	}
	for range 6 {
		if err := touch(); kind(err) != fault.KindUnavailable {
			t.Errorf("while away: %v is %v, want unavailable", err, kind(err))
		}
		if err := pool.Ping(t.Context()); kind(err) != fault.KindUnavailable {
			t.Errorf("while away: %v is %v, want unavailable", err, kind(err))
		}
	}

	server = start()
	defer stop(server)
	address.lead(t, server.URL())
	if err := touch(); err != nil {
		t.Errorf("after the server is back: %v", err)
	}

	// A restart that the pool does not notice: its idle connections are dead, and each transaction finds a live one all the same.
	stop(server)
	server = start()
	address.lead(t, server.URL())
	for range 6 {
		if err := touch(); err != nil {
			t.Errorf("after an unnoticed restart: %v", err)
		}
	}
}

// relay passes connections on to a server that may move.
type relay struct {
	listener net.Listener
	target   atomic.Pointer[string]
}

func newRelay(t *testing.T) *relay {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: listener}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go r.pass(client)
		}
	}()
	return r
}

func (r *relay) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp4", *r.target.Load())
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		defer server.Close()
		_, _ = io.Copy(server, client)
	}()
	_, _ = io.Copy(client, server)
}

// lead points the relay at the server and gives the URL through the relay.
func (r *relay) lead(t *testing.T, serverURL string) string {
	t.Helper()
	u, err := neturl.Parse(serverURL)
	if err != nil {
		t.Fatal(err)
	}
	host := u.Host
	r.target.Store(&host)
	u.Host = r.listener.Addr().String()
	return u.String()
}
