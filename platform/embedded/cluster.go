package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// clusterFolder is the folder of the database's files, in the server's home.
	clusterFolder = "data"
	// passwordFile holds the superuser's password.
	passwordFile = "password"
	// handover is how long to wait for the server of a program that has just been killed to end.
	handover = 30 * time.Second
)

// cluster is PostgreSQL's word for the files of one server.
type cluster struct {
	home    *home
	durable bool
	logger  *slog.Logger
}

func (c cluster) path(name string) string { return filepath.Join(c.home.dir, name) }

// inspect gives the major version of the data; 0 when there is none yet. It changes nothing.
func (c cluster) inspect() (int, error) {
	data := c.path(clusterFolder)
	info, err := os.Stat(data)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("data folder: %w", err)
	}
	const advice = "; nothing was changed. If you have a copy, restore it there; if the data can go, move the folder away and start again"
	if !info.IsDir() {
		return 0, fmt.Errorf("%s is not a folder%s", data, advice)
	}
	if extra := info.Mode().Perm() & 0o027; extra != 0 {
		return 0, fmt.Errorf("%s is open to other users (mode %#o), and PostgreSQL refuses that: chmod 700 %s", data, info.Mode().Perm(), data)
	}
	for _, name := range []string{"PG_VERSION", filepath.Join("global", "pg_control"), "base", "pg_wal"} {
		if _, err := os.Stat(filepath.Join(data, name)); errors.Is(err, fs.ErrNotExist) {
			return 0, fmt.Errorf("%s holds no complete database: %s is missing%s", data, name, advice)
		} else if err != nil {
			return 0, fmt.Errorf("data folder: %w; change its permissions, or choose another data folder", err)
		}
	}
	text, err := readFile(data, "PG_VERSION")
	if err != nil {
		return 0, fmt.Errorf("data folder: %w", err)
	}
	major, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%s holds no complete database: PG_VERSION says %q%s", data, text, advice)
	}
	if password, err := readFile(c.home.dir, passwordFile); err != nil || password == "" {
		return 0, fmt.Errorf("%s is missing, and the database in %s cannot be opened without it%s", c.path(passwordFile), data, advice)
	}
	return major, nil
}

// prepare makes new data, or waits until the server before has let go of the old. It returns the password.
func (c cluster) prepare(ctx context.Context, binaries Binaries, empty bool) (string, error) {
	if empty {
		return c.create(ctx, binaries)
	}
	if err := c.awaitPredecessor(ctx); err != nil {
		return "", err
	}
	return readFile(c.home.dir, passwordFile)
}

// create makes the data beside its place and moves it there when it is complete, so that an interruption leaves nothing half-made there.
func (c cluster) create(ctx context.Context, binaries Binaries) (string, error) {
	password, err := readFile(c.home.dir, passwordFile)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	if password == "" {
		password = newPassword()
		// Before the data: data without its password is lost, a password without data is not.
		if err := writeFile(c.home.dir, passwordFile, password+"\n"); err != nil {
			return "", fmt.Errorf("write the password: %w", err)
		}
	}
	if err := c.home.account.own(c.path(passwordFile)); err != nil {
		return "", fmt.Errorf("write the password: %w", err)
	}
	c.removePartial()
	started := time.Now()
	for _, ctype := range characterTypes() {
		err = c.initialize(ctx, binaries, ctype)
		if err == nil {
			c.logger.InfoContext(ctx, "database made", "version", binaries.Version, "folder", c.path(clusterFolder), "duration", time.Since(started))
			return password, nil
		}
		if !errors.Is(err, errNoLocale) {
			return "", err
		}
	}
	return "", err
}

// partialPrefix begins the names of folders that initdb has not finished.
const partialPrefix = clusterFolder + ".partial-"

// removePartial removes what an interrupted initdb left. No server has ever run on it, and the folder is locked.
func (c cluster) removePartial() {
	// The pattern is well formed, unless the folder's name holds brackets; then what was left stays.
	left, _ := filepath.Glob(c.path(partialPrefix) + "*")
	for _, path := range left {
		if err := os.RemoveAll(path); err != nil {
			c.logger.Warn("left an unfinished database folder behind", "path", path, "error", err)
		}
	}
}

// characterTypes are the locales to try for lower and upper case and for full-text search; with plain C only ASCII letters have case.
// Sorting is by code point, whatever is chosen: it never changes under an index when the system's library does.
func characterTypes() []string {
	if runtime.GOOS == "darwin" {
		return []string{"UTF-8", "en_US.UTF-8", "C"}
	}
	return []string{"C.UTF-8", "C.utf8", "en_US.UTF-8", "C"}
}

var errNoLocale = errors.New("no such locale")

func (c cluster) initialize(ctx context.Context, binaries Binaries, ctype string) error {
	partial := c.path(partialPrefix + newPassword()[:8])
	if err := os.Mkdir(partial, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if err := c.home.account.own(partial); err != nil {
		return errors.Join(fmt.Errorf("data folder: %w", err), os.Remove(partial))
	}
	args := []string{
		filepath.Join(binaries.Dir, "initdb"), "--pgdata=" + partial, "--username=" + databaseUser,
		"--pwfile=" + c.path(passwordFile), "--auth=scram-sha-256",
		"--encoding=UTF8", "--locale=C", "--lc-ctype=" + ctype, "--no-instructions",
	}
	if !c.durable {
		args = append(args, "--no-sync")
	}
	text, err := c.run(ctx, filepath.Base(partial)+".log", args)
	switch {
	case err == nil:
		err = os.Rename(partial, c.path(clusterFolder))
	case strings.Contains(text, "invalid locale name"):
		err = fmt.Errorf("%w: %s", errNoLocale, ctype)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("initdb of PostgreSQL %s: %w", binaries.Version, err), os.RemoveAll(partial))
	}
	return nil
}

// run runs a program of PostgreSQL to its end and gives the end of what it wrote. It does not outlive this program either.
func (c cluster) run(ctx context.Context, log string, args []string) (string, error) {
	defer os.Remove(c.path(log))
	p, err := program{
		account: c.home.account, home: c.home.dir, log: log, throwaway: c.home.throwaway,
		stopSignal: "INT", killSignal: syscall.SIGKILL, args: args,
	}.start()
	if err != nil {
		return "", err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	text := p.explain()
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if stopErr := p.abandon(cleanup); stopErr != nil || err != nil {
		return text, errors.Join(err, stopErr)
	}
	if !p.ok {
		return text, fmt.Errorf("it failed: %s", text)
	}
	return text, nil
}

// awaitPredecessor waits while a server still uses the data: that of a program that was killed ends by itself within moments.
func (c cluster) awaitPredecessor(ctx context.Context) error {
	deadline := time.Now().Add(handover)
	for first := true; ; first = false {
		text, err := readFile(c.path(clusterFolder), "postmaster.pid")
		if err != nil {
			return fmt.Errorf("data folder: %w", err)
		}
		line, _, _ := strings.Cut(text, "\n")
		pid, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			return nil //nolint:nilerr // no server, so no number
		}
		if !isPostgres(pid) {
			return c.setAside(pid)
		}
		if first {
			c.logger.InfoContext(ctx, "waiting for the server of the last run to end", "pid", pid)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("a PostgreSQL server (pid %d) still uses %s: stop it (kill -INT %d) and start again", pid, c.path(clusterFolder), pid)
		}
		timer := time.NewTimer(4 * readyPoll)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("waiting for the server of the last run (pid %d): %w", pid, ctx.Err())
		case <-timer.C:
		}
	}
}

// setAside renames what a crash left, when another program has the server's number by now: the new server would take that one for
// a server. A number that nobody has it clears away by itself.
func (c cluster) setAside(pid int) error {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return nil
	}
	root, err := os.OpenRoot(c.path(clusterFolder))
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	defer root.Close()
	if err := root.Rename("postmaster.pid", "postmaster.pid.stale"); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return nil
}

// isPostgres tells whether the process lives and is a PostgreSQL server, not another that got its number since.
func isPostgres(pid int) bool {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return false
	}
	if text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm"); err == nil {
		return strings.TrimSpace(string(text)) == "postgres"
	}
	text, err := exec.Command("ps", "-o", "comm=", "-p", strconv.Itoa(pid)).Output() //nolint:gosec,noctx // a number, and a program that answers at once
	return err == nil && strings.Contains(filepath.Base(strings.TrimSpace(string(text))), "postgres")
}
