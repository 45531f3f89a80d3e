package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// consumption is what a server has used since its start.
type consumption struct {
	CPU    time.Duration
	Allocs uint64
	Bytes  uint64
}

func (c consumption) minus(before consumption) consumption {
	return consumption{CPU: c.CPU - before.CPU, Allocs: c.Allocs - before.Allocs, Bytes: c.Bytes - before.Bytes}
}

// usage tells what this process has used.
func usage(w http.ResponseWriter, _ *http.Request) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	_ = json.NewEncoder(w).Encode(consumption{
		CPU: time.Duration(r.Utime.Nano() + r.Stime.Nano()), Allocs: m.Mallocs, Bytes: m.TotalAlloc,
	})
}

func serve(ctx context.Context, address string, handler http.Handler) error {
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// server is a process under test.
type server struct {
	name     string
	address  string
	usageURL string
	command  *exec.Cmd
}

// start runs this program again as a server and waits until it answers.
func start(ctx context.Context, name string, env []string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{name: name, address: freeAddress(), usageURL: freeAddress()}
	if name != "ours" {
		s.usageURL = s.address
	}
	s.command = exec.CommandContext(ctx, self, name, s.address, s.usageURL) //nolint:gosec // ourselves
	s.command.Env = append(os.Environ(), env...)
	s.command.Stderr = os.Stderr
	s.command.Cancel = func() error { return s.command.Process.Signal(syscall.SIGTERM) }
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		if conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", s.address); err == nil {
			_ = conn.Close()
			if _, err := s.used(ctx); err == nil {
				return s, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil, fmt.Errorf("%s did not start", name)
}

// used asks the server what it has used so far.
func (s *server) used(ctx context.Context) (consumption, error) {
	var c consumption
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.usageURL+"/usage", nil)
	if err != nil {
		return c, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return c, err
	}
	defer res.Body.Close()
	return c, json.NewDecoder(res.Body).Decode(&c)
}

func (s *server) stop() {
	_ = s.command.Process.Signal(syscall.SIGTERM)
	_ = s.command.Wait()
}

// freeAddress is a loopback address that nobody listens on at this moment.
func freeAddress() string {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // immediate
	if err != nil {
		return "127.0.0.1:0"
	}
	defer l.Close()
	return l.Addr().String()
}
