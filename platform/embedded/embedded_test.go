package embedded

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// childVariable makes this test binary play the program that starts a server; see [child].
	childVariable = "EMBEDDED_TEST_CHILD"
	// strictVariable forbids to skip what needs more than a bare machine.
	strictVariable = "MINDSPACE_TEST_STRICT"
	patience       = time.Minute
)

func TestMain(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		child(text)
		return
	}
	if len(os.Args) == 2 && os.Args[1] == lateArgument {
		late()
		return
	}
	code := m.Run()
	os.RemoveAll(originalFolder)
	os.Exit(code)
}

// lateArgument makes this test binary play a server that takes a moment until it heeds signals.
const lateArgument = "late"

func late() {
	<-time.After(300 * time.Millisecond)
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	<-interrupted
}

// originalFolder holds the original; empty until it is made.
var originalFolder string

// original is the home of a stopped server, made once: to copy it takes a fraction of initdb's time.
var original = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "mindspace-original-")
	if err != nil {
		return "", err
	}
	originalFolder = dir
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	home := filepath.Join(dir, "home")
	p, err := StartPostgres(context.Background(), PostgresConfig{Dir: home})
	if err != nil {
		return "", err
	}
	return home, p.Stop(context.Background())
})

// madeHome gives a home with a database, as the last run left it.
func madeHome(t *testing.T) string {
	t.Helper()
	from, err := original()
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(enterable(t), "home")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(to, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := os.FileMode(0o600)
		if entry.IsDir() {
			mode = 0o700
		}
		own(t, path)
		return os.Chmod(path, mode)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// childConfig says what the child starts.
type childConfig struct {
	Dir     string
	Redis   bool
	Durable bool
}

// childReport is what it says when the server is ready.
type childReport struct {
	URL, Home  string
	Supervisor int
	Error      string
}

// child starts a server, reports, and lives until its standard input ends.
func child(text string) {
	var config childConfig
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		panic(err)
	}
	var report childReport
	if config.Redis {
		if r, err := StartRedis(context.Background(), RedisConfig{Dir: config.Dir, Durable: config.Durable}); err != nil {
			report.Error = err.Error()
		} else {
			report.URL = r.URL()
		}
	} else {
		if p, err := StartPostgres(context.Background(), PostgresConfig{Dir: config.Dir, Durable: config.Durable}); err != nil {
			report.Error = err.Error()
		} else {
			report.URL, report.Home, report.Supervisor = p.URL(), p.home.dir, p.process.command.Process.Pid
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		panic(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// startChild runs the child as the given account.
func startChild(t *testing.T, config childConfig, us account, environment ...string) (*exec.Cmd, childReport) {
	t.Helper()
	// The build's own folder is closed to other users.
	program := filepath.Join(enterable(t), "program")
	if err := os.Link(os.Args[0], program); err != nil {
		copyFile(t, os.Args[0], program)
	}
	if err := os.Chmod(program, 0o755); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program)
	us.prepare(command)
	command.Env = append(append(os.Environ(), childVariable+"="+string(text)), environment...)
	command.Stderr = os.Stderr
	if _, err := command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	line, err := bufio.NewReader(output).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the child says nothing: %v", err)
	}
	var report childReport
	if err := json.Unmarshal(line, &report); err != nil {
		t.Fatal(err)
	}
	return command, report
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	source, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	target, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(target, source); err != nil {
		t.Fatal(err)
	}
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
}

// enterable makes a folder that every user may enter, which t.TempDir is not for root.
func enterable(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mindspace-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func startPostgresAt(t *testing.T, dir string) *Postgres {
	t.Helper()
	p, err := StartPostgres(t.Context(), PostgresConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopPostgres(t, p) })
	return p
}

func stopPostgres(t *testing.T, p *Postgres) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func execute(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func ask[V any](t *testing.T, conn *pgx.Conn, sql string) (value V) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), sql).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("not within %v: %s", patience, what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func postmaster(t *testing.T, home string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(home, clusterFolder, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func gone(path string) bool {
	_, err := os.Lstat(path)
	return os.IsNotExist(err)
}

// snapshot describes every file below a folder, but for the note of who used it last.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil || entry.Name() == pidFile {
			return err
		}
		stat := info.Sys().(*syscall.Stat_t)
		description := fmt.Sprint(info.Mode(), stat.Uid)
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			description += fmt.Sprintf(" %x", sha256.Sum256(text))
		}
		all[path] = description
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
