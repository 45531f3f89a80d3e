// Package e2e tests the program from outside: it is built, started and asked as its users do, through clients and pages only.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1/contentv1connect"
)

// binary is the program, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "mindspace-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "mindspace")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "../cmd/mindspace")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// patience is how long a test waits for what has to happen. It is generous: machines are shared.
const patience = 90 * time.Second

// program is a running process of ours.
type program struct {
	command *exec.Cmd
	url     string
	opsURL  string
	out     *output
	exited  chan struct{}
	err     error
}

// output is what a process printed so far.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// folder is an empty folder that also a database under another user can reach.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mindspace-e2e-data-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// run starts the program. It is ended when the test is.
func run(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	p := &program{command: exec.Command(binary, args...), out: &output{}, exited: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = p.out, p.out
	p.command.Env = append(environment(), env...)
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.command.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = p.command.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.exited:
		case <-time.After(patience):
			_ = p.command.Process.Kill()
			t.Errorf("did not stop:\n%s", p.out)
		}
	})
	return p
}

// environment is ours without what would configure the program.
func environment() []string {
	var env []string
	for _, setting := range os.Environ() {
		name, _, _ := strings.Cut(setting, "=")
		switch name {
		case "DATABASE_URL", "REDIS_URL", "KEYRING", "KEYRING_FILE", "ADDR", "OPS_ADDR", "MINDSPACE_DATA", "MINDSPACE_ENV", "PUBLIC_URL", "MAIL_URL", "MAIL_FROM":
		default:
			env = append(env, setting)
		}
	}
	return env
}

var (
	catalogueLine = regexp.MustCompile(`Catalogue\s+(http://\S+)/\n`)
	metricsLine   = regexp.MustCompile(`Metrics\s+(http://\S+)/metrics\n`)
)

// up starts `mindspace up` and waits until it says that it is ready.
func up(t *testing.T, data string) *program {
	t.Helper()
	p := run(t, nil, "up", "--addr=127.0.0.1:0", "--ops-addr=127.0.0.1:0", "--data="+data, "--limit-scale=0")
	await(t, p, "up to be ready", func() bool {
		found := catalogueLine.FindStringSubmatch(p.out.String())
		if found == nil {
			return false
		}
		p.url = found[1]
		if ops := metricsLine.FindStringSubmatch(p.out.String()); ops != nil {
			p.opsURL = ops[1]
		}
		return true
	})
	return p
}

// serve starts `mindspace serve` on a free port and waits until it answers.
func serve(t *testing.T, env []string) *program {
	t.Helper()
	address := freeAddress(t)
	p := run(t, append(env, "OPS_ADDR=", "ADDR="+address), "serve")
	p.url = "http://" + address
	await(t, p, "serve to answer", func() bool {
		status, _ := get(t, p.url+"/healthz")
		return status == http.StatusOK
	})
	return p
}

// await waits for a condition, and fails with what the program printed when it does not come or the program ends.
func await(t *testing.T, p *program, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-p.exited:
			if condition() {
				return
			}
			t.Fatalf("waiting for %s, the program ended (%v):\n%s", what, p.err, p.out)
		case <-deadline.C:
			t.Fatalf("waited in vain for %s:\n%s", what, p.out)
		}
	}
}

// stop asks the program to end and gives its exit code.
func (p *program) stop(t *testing.T) int {
	t.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	return p.wait(t)
}

// wait waits for the end of the program and gives its exit code.
func (p *program) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		t.Fatalf("did not end:\n%s", p.out)
	}
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		return exit.ExitCode()
	}
	if p.err != nil {
		t.Fatal(p.err)
	}
	return 0
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// get fetches a page; status 0 means that nobody answered.
func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	return request(t, http.MethodGet, url, nil, "")
}

// request sends anything; status 0 means that nobody answered.
func request(t *testing.T, method, url string, header http.Header, body string) (status int, answer string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	var b bytes.Buffer
	_, _ = b.ReadFrom(res.Body)
	return res.StatusCode, b.String()
}

// content is a generated client of the program.
func (p *program) content(options ...connecthttp.Option) contentv1connect.ContentServiceClient {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	return contentv1connect.NewContentServiceClient(connect.NewClient(
		connecthttp.NewTransport(&http.Client{Transport: transport, Timeout: 30 * time.Second}, p.url, options...)))
}
