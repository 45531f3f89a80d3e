package rpc_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	probev1 "github.com/mindspace-app/mindspace/gen/go/mindspace/probe/v1"
	"github.com/mindspace-app/mindspace/platform/rpc"
)

func TestStreamsAreToldToReconnectWhenTheProcessDrains(t *testing.T) {
	t.Parallel()
	draining, drain := context.WithCancel(context.Background())
	defer drain()
	r := newRig(t, func(o *rpc.Options) { o.Draining = draining })
	for protocol, options := range protocols {
		stream, err := r.client("", options...).Watch(t.Context(), &probev1.WatchRequest{Count: 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Receive(); err != nil {
			t.Fatalf("%s: first message: %v", protocol, err)
		}
		defer func() {
			_, err := stream.Receive()
			if connect.CodeOf(err) != connect.CodeUnavailable || reason(t, err) != "DRAINING" {
				t.Errorf("%s: got %v, want unavailable with DRAINING", protocol, err)
			}
			if d := detail[*errdetails.RetryInfo](t, err).GetRetryDelay().AsDuration(); d <= 0 {
				t.Errorf("%s: retry delay %v", protocol, d)
			}
		}()
	}
	drain()
}

func TestUnaryCallsHaveADeadline(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *rpc.Options) { o.UnaryTimeout = 50 * time.Millisecond })
	r.probe.fail = func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	if _, err := r.client("user").User(t.Context(), &probev1.UserRequest{}); connect.CodeOf(err) != connect.CodeDeadlineExceeded {
		t.Errorf("got %v, want deadline_exceeded", err)
	}
	if strings.Contains(r.log.String(), "call failed") {
		t.Errorf("a deadline is no failure of ours, yet: %s", r.log)
	}
}
