package e2e

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/platform/cache/redistest"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
)

// line is a network connection to a server that a test can cut.
type line struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool
}

// newLine stands in for the server of the address, and gives the address with itself in its place.
func newLine(t *testing.T, server string) (*line, string) {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{listener: listener, target: u.Host, conns: map[net.Conn]bool{}}
	t.Cleanup(func() { _ = listener.Close(); l.cut() })
	go l.accept()
	u.Host = listener.Addr().String()
	return l, u.String()
}

func (l *line) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		go l.carry(near)
	}
}

func (l *line) carry(near net.Conn) {
	defer near.Close()
	far, err := new(net.Dialer).DialContext(context.Background(), "tcp", l.target)
	if err != nil {
		return
	}
	defer far.Close()
	l.mu.Lock()
	if l.down {
		l.mu.Unlock()
		return
	}
	l.conns[near], l.conns[far] = true, true
	l.mu.Unlock()
	go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
	_, _ = io.Copy(near, far)
}

// cut ends every connection and lets none come up.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for conn := range l.conns {
		_ = conn.Close()
		delete(l.conns, conn)
	}
}

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}

// configured is the environment of a program on its own database, migrated and seeded, with lines that can be cut.
func configured(t *testing.T) (env []string, database, redis *line) {
	t.Helper()
	database, databaseURL := newLine(t, pgtest.Empty(t))
	redis, redisURL := newLine(t, redistest.New(t))
	dir := folder(t)
	keyring := filepath.Join(dir, "keyring.json")
	env = []string{
		"DATABASE_URL=" + databaseURL, "REDIS_URL=" + redisURL, "KEYRING_FILE=" + keyring,
		"BLOB_URL=file://" + dir + "/blobs?create_dir=1", "LIMIT_SCALE=0",
		"PUBLIC_URL=https://api.example.org", "MAIL_URL=file://" + dir + "/mail", "MAIL_FROM=hello@example.org",
	}
	for _, args := range [][]string{{"keys", "create", keyring}, {"migrate", "up"}, {"seed", "demo"}} {
		if p := run(t, env, args...); p.wait(t) != 0 {
			t.Fatalf("%v:\n%s", args, p.out)
		}
	}
	return env, database, redis
}

// ready waits until readiness is what it should be.
func ready(t *testing.T, p *program, want int) string {
	t.Helper()
	var body string
	await(t, p, http.StatusText(want)+" from /readyz", func() bool {
		var status int
		status, body = get(t, p.url+"/readyz")
		return status == want
	})
	return body
}

func TestDatabaseOutage(t *testing.T) {
	t.Parallel()
	env, database, _ := configured(t)
	p := serve(t, env)
	ready(t, p, http.StatusOK)
	list := func(size int32) error {
		_, err := p.content().ListMeditations(t.Context(), &contentv1.ListMeditationsRequest{PageSize: size})
		return err
	}
	if err := list(5); err != nil {
		t.Fatal(err)
	}
	database.cut()
	body := ready(t, p, http.StatusServiceUnavailable)
	if strings.Contains(body, "127.0.0.1") || strings.Contains(body, "refused") {
		t.Errorf("readiness tells too much: %s", body)
	}
	if err := list(6); connect.CodeOf(err) != connect.CodeUnavailable { // a page that is not remembered
		t.Errorf("database away: %v, want unavailable", err)
	}
	if err := list(5); err != nil { // one that is
		t.Errorf("a remembered page: %v", err)
	}
	if status, body := get(t, p.url+"/?q=breath"); status != http.StatusServiceUnavailable || strings.Contains(body, "127.0.0.1") {
		t.Errorf("page: status %d: %.300s", status, body)
	}
	if status, _ := get(t, p.url+"/healthz"); status != http.StatusOK {
		t.Errorf("the process is alive, yet /healthz says %d", status)
	}
	database.mend()
	ready(t, p, http.StatusOK)
	if err := list(7); err != nil {
		t.Errorf("after recovery: %v", err)
	}
}

func TestRedisOutage(t *testing.T) {
	t.Parallel()
	env, _, redis := configured(t)
	p := serve(t, env)
	ready(t, p, http.StatusOK)
	redis.cut()
	slowest := time.Duration(0)
	for size := range int32(40) {
		begin := time.Now()
		if _, err := p.content().ListMeditations(t.Context(), &contentv1.ListMeditationsRequest{PageSize: size + 1}); err != nil {
			t.Fatalf("Redis away: %v", err)
		}
		slowest = max(slowest, time.Since(begin))
	}
	t.Logf("slowest answer without Redis: %v", slowest)
	says := func(status string) {
		t.Helper()
		await(t, p, status+" from /readyz", func() bool {
			code, body := get(t, p.url+"/readyz")
			return code == http.StatusOK && strings.Contains(body, `"status":"`+status+`"`)
		})
	}
	says("degraded")
	redis.mend()
	says("ok")
	if _, err := p.content().ListMeditations(t.Context(), &contentv1.ListMeditationsRequest{PageSize: 100}); err != nil {
		t.Error(err)
	}
}

// A process may start before its database.
func TestStartWithoutDatabase(t *testing.T) {
	t.Parallel()
	env, database, redis := configured(t)
	database.cut()
	redis.cut()
	p := serve(t, env)
	ready(t, p, http.StatusServiceUnavailable)
	database.mend()
	redis.mend()
	ready(t, p, http.StatusOK)
	if _, err := p.content().ListMeditations(t.Context(), &contentv1.ListMeditationsRequest{}); err != nil {
		t.Error(err)
	}
}

func TestReadinessWaitsForMigrations(t *testing.T) {
	t.Parallel()
	env, _, _ := configured(t)
	for n, setting := range env {
		if strings.HasPrefix(setting, "DATABASE_URL=") {
			env[n] = "DATABASE_URL=" + pgtest.Empty(t)
		}
	}
	p := serve(t, env)
	if body := ready(t, p, http.StatusServiceUnavailable); !strings.Contains(body, "migrations") {
		t.Errorf("readiness does not name what is missing: %s", body)
	}
	migrations := make([]*program, 4) // at once, as replicas do
	for n := range migrations {
		migrations[n] = run(t, env, "migrate", "up")
	}
	for _, m := range migrations {
		if m.wait(t) != 0 {
			t.Errorf("migrate up:\n%s", m.out)
		}
	}
	ready(t, p, http.StatusOK)
}

func TestProductionRefusesDemoKeys(t *testing.T) {
	t.Parallel()
	env, _, _ := configured(t)
	dir := folder(t)
	keyring := filepath.Join(dir, "keyring.json")
	for n, setting := range env {
		if file, ok := strings.CutPrefix(setting, "KEYRING_FILE="); ok {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			demo := regexp.MustCompile(`"demo":\s*false`).ReplaceAllString(string(content), `"demo": true`)
			if demo == string(content) {
				t.Fatalf("this keyring says nothing of demo")
			}
			writeFile(t, keyring, demo)
			env[n] = "KEYRING_FILE=" + keyring
		}
	}
	p := run(t, append(env, "ADDR=127.0.0.1:0", "OPS_ADDR="), "serve")
	if code := p.wait(t); code != 1 || !strings.Contains(p.out.String(), "demo") {
		t.Errorf("exit code %d:\n%s", code, p.out)
	}
}

func TestServeNamesEverythingThatIsMissing(t *testing.T) {
	t.Parallel()
	p := run(t, []string{"LIMIT_SCALE=-1", "TRUSTED_PROXIES=nonsense"}, "serve", "--roles=gateway,poet")
	if code := p.wait(t); code != 1 {
		t.Errorf("exit code %d", code)
	}
	for _, setting := range []string{"DATABASE_URL", "REDIS_URL", "BLOB_URL", "KEYRING_FILE", "PUBLIC_URL", "MAIL_URL", "LIMIT_SCALE", "TRUSTED_PROXIES", "poet"} {
		if !strings.Contains(p.out.String(), setting) {
			t.Errorf("does not name %s:\n%s", setting, p.out)
		}
	}
}
