package embedded

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func TestPostgresKeepsItsData(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(enterable(t), "state", "postgres")
	first, err := StartPostgres(t.Context(), PostgresConfig{Dir: dir, Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	conn := connect(t, first.URL())
	execute(t, conn, "CREATE TABLE kept AS SELECT 7 AS n")
	for name, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
		"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "password_encryption": "scram-sha-256", "timezone": "UTC",
	} {
		if got := ask[string](t, conn, "SHOW "+name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]os.FileMode{clusterFolder: 0o700, passwordFile: 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, want %v (%v)", name, info.Mode().Perm(), want, err)
		}
	}
	select {
	case <-first.Done():
		t.Error("Done is closed while the server runs")
	default:
	}
	stopPostgres(t, first)
	<-first.Done()
	stopPostgres(t, first)

	second, err := StartPostgres(t.Context(), PostgresConfig{Dir: dir, Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	defer stopPostgres(t, second)
	if got := ask[int](t, connect(t, second.URL()), "SELECT n FROM kept"); got != 7 {
		t.Errorf("kept %d, want 7", got)
	}
	if second.password != first.password {
		t.Error("the password changed")
	}
}

func TestThrowawayPostgres(t *testing.T) {
	t.Parallel()
	p := startPostgresAt(t, "")
	conn := connect(t, p.URL())
	if got := ask[string](t, conn, "SHOW fsync"); got != "off" {
		t.Errorf("fsync = %s", got)
	}
	checkPassword(t, p.URL())
	checkLetters(t, conn)

	pid := postmaster(t, p.home.dir)
	// In a process group of its own, it does not get the terminal's Ctrl-C before the program has drained.
	if group, err := syscall.Getpgid(pid); err != nil || group == syscall.Getpgrp() {
		t.Errorf("the server is in process group %d (%v), like the program", group, err)
	}
	stopPostgres(t, p)
	if alive(pid) || !gone(p.home.dir) {
		t.Errorf("alive %v, folder gone %v", alive(pid), gone(p.home.dir))
	}
}

// Nobody on the same machine gets in without the password.
func checkPassword(t *testing.T, target string) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []*url.Userinfo{url.User(databaseUser), url.UserPassword(databaseUser, "guess")} {
		u.User = user
		conn, err := pgx.Connect(t.Context(), u.String())
		if err == nil {
			conn.Close(t.Context())
			t.Errorf("%v was let in", user)
		}
		var server *pgconn.PgError
		if !errors.As(err, &server) || server.Code != "28P01" {
			t.Errorf("%v: %v, want a refused password", user, err)
		}
	}
}

// People write in Russian and Serbian: letters beyond ASCII have upper and lower case, in search too.
func checkLetters(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	if got := ask[string](t, conn, "SELECT lower('ЖШĐŽ') || upper('жшđž')"); got != "жшđžЖШĐŽ" {
		t.Errorf("lower and upper give %q", got)
	}
	if !ask[bool](t, conn, "SELECT to_tsvector('russian', 'МЕДИТАЦИИ') @@ plainto_tsquery('russian', 'медитация')") {
		t.Error("search does not find a word in capitals")
	}
	if got := ask[string](t, conn, "SELECT string_agg(w, '' ORDER BY w) FROM unnest('{b,B,a,ж,A}'::text[]) w"); got != "ABabж" {
		t.Errorf("sorted %q, want the order of code points", got)
	}
	if got := ask[string](t, conn, "SHOW server_encoding"); got != "UTF8" {
		t.Errorf("encoding %s", got)
	}
}

func TestSecondStartIsRefused(t *testing.T) {
	t.Parallel()
	dir := madeHome(t)
	p := startPostgresAt(t, dir)
	_, err := StartPostgres(t.Context(), PostgresConfig{Dir: dir})
	if !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("got %v, want an error that names this process", err)
	}
	if got := ask[int](t, connect(t, p.URL()), "SELECT 1"); got != 1 {
		t.Error("the first server is harmed")
	}
}

// A program that is killed takes its server with it, and the next one finds every commit.
func TestPostgresEndsWithAKilledProgram(t *testing.T) {
	t.Parallel()
	us, err := selfAccount()
	if err != nil {
		t.Fatal(err)
	}
	dir := madeHome(t)
	command, report := startChild(t, childConfig{Dir: dir, Durable: true}, us)
	if report.Error != "" {
		t.Fatal(report.Error)
	}
	conn := connect(t, report.URL)
	execute(t, conn, "CREATE TABLE kept AS SELECT 7 AS n")
	execute(t, conn, "BEGIN; INSERT INTO kept VALUES (8)")
	pid := postmaster(t, report.Home)
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()

	// At once: it waits for the server that is still ending.
	p := startPostgresAt(t, dir)
	if alive(pid) {
		t.Error("the server of the killed program still runs")
	}
	if got := ask[int](t, connect(t, p.URL()), "SELECT sum(n) FROM kept"); got != 7 {
		t.Errorf("kept %d, want what was committed, 7", got)
	}
}

func TestThrowawayEndsWithAKilledProgram(t *testing.T) {
	t.Parallel()
	us, err := selfAccount()
	if err != nil {
		t.Fatal(err)
	}
	command, report := startChild(t, childConfig{}, us)
	if report.Error != "" {
		t.Fatal(report.Error)
	}
	pid := postmaster(t, report.Home)
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server ends", func() bool { return !alive(pid) })
	eventually(t, "the folder goes", func() bool { return gone(report.Home) })
}

func TestPostgresEndsWithItsSupervisor(t *testing.T) {
	t.Parallel()
	p := startPostgresAt(t, madeHome(t))
	pid := postmaster(t, p.home.dir)
	if err := syscall.Kill(p.process.command.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	eventually(t, "the server ends", func() bool { return !alive(pid) })
}

func TestDoneWhenPostgresEndsByItself(t *testing.T) {
	t.Parallel()
	dir := madeHome(t)
	p := startDurableAt(t, dir)
	execute(t, connect(t, p.URL()), "CREATE TABLE kept AS SELECT 7 AS n")
	if err := syscall.Kill(postmaster(t, p.home.dir), syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	stopPostgres(t, p)
	if got := ask[int](t, connect(t, startPostgresAt(t, dir).URL()), "SELECT n FROM kept"); got != 7 {
		t.Errorf("kept %d, want 7", got)
	}
}

func TestStopInAHurry(t *testing.T) {
	t.Parallel()
	dir := madeHome(t)
	p := startDurableAt(t, dir)
	pid := postmaster(t, p.home.dir)
	execute(t, connect(t, p.URL()), "CREATE TABLE kept AS SELECT 7 AS n")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Stop(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want an error that says that time was up", err)
	}
	if alive(pid) {
		t.Error("the server still runs")
	}
	if got := ask[int](t, connect(t, startPostgresAt(t, dir).URL()), "SELECT n FROM kept"); got != 7 {
		t.Errorf("kept %d, want 7", got)
	}
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(enterable(t), "postgres")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := StartPostgres(ended, PostgresConfig{Dir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want an error that says that time was up", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, clusterFolder+"*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
	startPostgresAt(t, dir)
}

func startDurableAt(t *testing.T, dir string) *Postgres {
	t.Helper()
	p, err := StartPostgres(t.Context(), PostgresConfig{Dir: dir, Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopPostgres(t, p) })
	return p
}
