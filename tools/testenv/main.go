// Testenv runs a command with a throwaway PostgreSQL, and Redis where redis-server is installed, beside it:
//
//	go run ./tools/testenv -- go test ./...
//
// It starts them once for all packages, names them to the command in TEST_DATABASE_URL and TEST_REDIS_URL, hands signals
// on, stops the servers, and exits with the command's code. A variable that is set already is left as it is, and no server
// started for it. Nothing stays behind, whatever ends it. It is for tests only: the servers do not keep what they are given.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/mindspace-app/mindspace/platform/embedded"
)

// stopPatience bounds the stop of each server, which take a fraction of a second.
const stopPatience = 20 * time.Second

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: testenv [--] command [argument ...]")
		os.Exit(2)
	}
	code, err := run(args, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testenv:", err)
		if code == 0 {
			code = 1
		}
	}
	os.Exit(code)
}

// run gives the command's exit code; the error is about the servers or about a command that could not be started.
func run(args []string, log io.Writer) (code int, err error) {
	// From here on a signal ends the command or the start, and then this function, in order.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(signals)

	environment, stop, err := startServers(signals, slog.New(slog.NewTextHandler(log, nil)))
	defer func() { err = errors.Join(err, stop()) }()
	if err != nil {
		return 1, err
	}
	return runCommand(args, environment, signals)
}

// startServers starts what the environment does not name already. stop is never nil.
func startServers(signals <-chan os.Signal, logger *slog.Logger) (environment []string, stop func() error, err error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	started := make(chan struct{})
	defer close(started)
	go func() {
		select {
		case s := <-signals:
			cancel(fmt.Errorf("signal: %v", s))
		case <-started:
		}
	}()

	var stops []func(context.Context) error
	stop = func() error {
		var errs []error
		for _, stop := range stops {
			ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
			errs = append(errs, stop(ctx))
			cancel()
		}
		return errors.Join(errs...)
	}
	if os.Getenv("TEST_DATABASE_URL") == "" {
		database, err := embedded.StartPostgres(ctx, embedded.PostgresConfig{MaxConnections: 400, Logger: logger})
		if err != nil {
			return nil, stop, err
		}
		stops = append(stops, database.Stop)
		environment = append(environment, "TEST_DATABASE_URL="+database.URL())
	}
	if os.Getenv("TEST_REDIS_URL") == "" {
		_, _, installed, err := embedded.FindRedis()
		if err != nil {
			return nil, stop, err
		}
		if installed {
			redis, err := embedded.StartRedis(ctx, embedded.RedisConfig{Logger: logger})
			if err != nil {
				return nil, stop, err
			}
			stops = append(stops, redis.Stop)
			environment = append(environment, "TEST_REDIS_URL="+redis.URL())
		}
	}
	return environment, stop, context.Cause(ctx)
}

// runCommand runs the command with the terminal's input and output, and hands signals on.
func runCommand(args, environment []string, signals <-chan os.Signal) (int, error) {
	command := exec.Command(args[0], args[1:]...) //nolint:gosec,noctx // that is what it is for; it ends with its signals
	command.Env = append(os.Environ(), environment...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	// On a terminal Ctrl-C reaches the command by itself, as it is in the same process group. Elsewhere the command gets a group of
	// its own, so that a signal to testenv reaches what the command has started too: "go test" does not hand it on.
	terminal := isatty.IsTerminal(os.Stdin.Fd())
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: !terminal}
	if err := command.Start(); err != nil {
		return 127, err
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for {
			select {
			case s := <-signals:
				hand(s.(syscall.Signal), command.Process.Pid, terminal)
			case <-ended:
				return
			}
		}
	}()
	err := command.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 1, err
	}
	status := command.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return status.ExitStatus(), nil
}

// hand passes a signal on. A command that has ended meanwhile needs none.
func hand(s syscall.Signal, pid int, terminal bool) {
	switch {
	case !terminal:
		_ = syscall.Kill(-pid, s)
	case s == syscall.SIGTERM, s == syscall.SIGHUP:
		_ = syscall.Kill(pid, s)
	}
}
