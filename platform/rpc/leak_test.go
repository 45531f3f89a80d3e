package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"

	probev1 "github.com/mindspace-app/mindspace/gen/go/mindspace/probe/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
)

// planted must never reach a caller.
const planted = "postgres://root:hunter2@10.1.2.3/prod"

// hidden are the ways in which a method may fail with a text that is not for its caller.
var hidden = map[string]func(context.Context) error{
	"plain error":       func(context.Context) error { return errors.New(planted) },
	"wrapped error":     func(context.Context) error { return fmt.Errorf("query: %w", errors.New(planted)) },
	"panic":             func(context.Context) error { panic(planted) },
	"remote error":      func(context.Context) error { return connect.NewError(connect.CodeNotFound, planted).WithRemote() },
	"remote outage":     func(context.Context) error { return connect.NewError(connect.CodeUnavailable, planted).WithRemote() },
	"unknown of ours":   func(context.Context) error { return connect.NewError(connect.CodeUnknown, planted) },
	"internal of ours":  func(context.Context) error { return connect.NewError(connect.CodeInternal, planted) },
	"cause of a fault":  func(context.Context) error { return fault.NotFound("no such thing").WithCause(errors.New(planted)) },
	"cause of an error": func(context.Context) error { return fmt.Errorf("%s: %w", planted, fault.Denied("not you")) },
	"failed dial":       func(context.Context) error { return connect.NewError(connect.CodeUnavailable, planted) },
	"fault of a peer":   func(context.Context) error { return fault.NotFound(planted).Connect().WithRemote() },
	"joined errors":     func(context.Context) error { return errors.Join(errors.New(planted), errors.New("more")) },
}

func TestNoErrorTextLeaks(t *testing.T) {
	t.Parallel()
	for protocol, options := range protocols {
		for name, fail := range hidden {
			t.Run(protocol+"/"+name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, nil)
				r.probe.fail = fail
				_, err := r.client("user", options...).User(t.Context(), &probev1.UserRequest{})
				assertHidden(t, "unary", err)

				stream, err := r.client("", options...).Watch(t.Context(), &probev1.WatchRequest{Count: 1})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := stream.Receive(); err != nil {
					t.Fatalf("first message: %v", err)
				}
				_, err = stream.Receive()
				assertHidden(t, "stream", err)
			})
		}
	}
}

func assertHidden(t *testing.T, where string, err error) {
	t.Helper()
	var c *connect.Error
	if !errors.As(err, &c) {
		t.Fatalf("%s: got %v, want an error of the call", where, err)
	}
	if c.Message() == "" {
		t.Errorf("%s: the caller is told nothing at all", where)
	}
	told := c.Message()
	for _, d := range c.Details() {
		told += string(d.Value) + string(d.Debug)
	}
	if strings.Contains(told, "hunter2") {
		t.Errorf("%s: the caller was told %q", where, told)
	}
}

func TestUnknownErrorIsLoggedOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.probe.fail = hidden["wrapped error"]
	_, err := r.client("user").User(t.Context(), &probev1.UserRequest{})
	if got := connect.CodeOf(err); got != connect.CodeInternal {
		t.Errorf("code = %v, want internal", got)
	}
	if n := strings.Count(r.log.String(), "hunter2"); n != 1 {
		t.Errorf("logged %d times, want once: %s", n, r.log)
	}
}

func TestBodyIsNeverLogged(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, body := range []string{`{"text":"my diagnosis is private`, `{"text":"my diagnosis is private and long"}`, `{"text":5,"my diagnosis":1}`} {
		if status, answer := r.post(t, "/mindspace.probe.v1.ProbeService/Public", "application/json", []byte(body)); status != 400 {
			t.Errorf("%s: status %d: %s", body, status, answer)
		}
	}
	if strings.Contains(r.log.String(), "diagnosis") {
		t.Errorf("the log holds the body: %s", r.log)
	}
}
