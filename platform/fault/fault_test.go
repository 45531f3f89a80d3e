package fault_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mindspace-app/mindspace/platform/fault"
)

func TestKindsAndCodes(t *testing.T) {
	t.Parallel()
	want := map[connect.Code]*fault.Error{
		connect.CodeInvalidArgument:    fault.Invalid("x"),
		connect.CodeUnauthenticated:    fault.Unauthenticated("x"),
		connect.CodePermissionDenied:   fault.Denied("x"),
		connect.CodeNotFound:           fault.NotFound("x"),
		connect.CodeAlreadyExists:      fault.Exists("x"),
		connect.CodeAborted:            fault.Conflict("x"),
		connect.CodeFailedPrecondition: fault.Precondition("x"),
		connect.CodeResourceExhausted:  fault.Exhausted("x"),
		connect.CodeUnavailable:        fault.Unavailable("x"),
	}
	for code, e := range want {
		if got := e.Connect().Code(); got != code {
			t.Errorf("kind %d has code %v, want %v", e.Kind(), got, code)
		}
		if got := fault.KindOf(fmt.Errorf("wrapped: %w", e)); got != e.Kind() {
			t.Errorf("kind of the wrapped error = %d, want %d", got, e.Kind())
		}
	}
	if got := fault.KindOf(errors.New("any")); got != fault.KindInternal {
		t.Errorf("an unknown error is of kind %d", got)
	}
}

func TestWithCopies(t *testing.T) {
	t.Parallel()
	base := fault.Invalid("wrong").WithField("a", "first")
	left, right := base.WithField("b", "second"), base.WithField("c", "third").WithReason("R")
	if len(base.Fields()) != 1 || left.Fields()[1].Path != "b" || right.Fields()[1].Path != "c" || base.Reason() != "" {
		t.Errorf("copies share what they should not: %v %v %v", base.Fields(), left.Fields(), right.Fields())
	}
}

func TestDetails(t *testing.T) {
	t.Parallel()
	sent := fault.Exhausted("slow down").WithReason("RATE_LIMITED").WithRetryAfter(1500*time.Millisecond).WithField("a.b", "too many").Connect()
	found := map[string]bool{}
	for _, d := range sent.Details() {
		msg, err := connectproto.UnmarshalErrorDetail(d)
		if err != nil {
			t.Fatal(err)
		}
		switch m := msg.(type) {
		case *errdetails.BadRequest:
			found["field"] = m.GetFieldViolations()[0].GetField() == "a.b"
		case *errdetails.ErrorInfo:
			found["reason"] = m.GetReason() == "RATE_LIMITED" && m.GetDomain() == fault.Domain
		case *errdetails.RetryInfo:
			found["retry"] = m.GetRetryDelay().AsDuration() == 1500*time.Millisecond
		}
	}
	if !found["field"] || !found["reason"] || !found["retry"] {
		t.Errorf("details = %v", found)
	}
	if got := fault.Exhausted("x").WithRetryAfter(1500 * time.Millisecond).RetryAfterSeconds(); got != "2" {
		t.Errorf("Retry-After = %q, want whole seconds, rounded up", got)
	}
}

// What one service of ours says, another can read back whole.
func TestFromClientReadsWhatConnectSends(t *testing.T) {
	t.Parallel()
	sent := fault.Precondition("consent first").WithReason("CONSENT_MISSING").WithField("profile", "is health data").WithRetryAfter(time.Minute).WithDetail(&wrapperspb.StringValue{Value: "as it is stored"})
	got, ok := fault.As(fault.FromClient(sent.Connect().WithRemote()))
	if !ok || got.Kind() != fault.KindPrecondition || got.Message() != "consent first" || got.Reason() != "CONSENT_MISSING" ||
		got.Fields()[0].Path != "profile" || got.RetryAfter() != time.Minute {
		t.Errorf("got %#v", got)
	}
	if detail, ok := got.Detail().(*wrapperspb.StringValue); !ok || detail.GetValue() != "as it is stored" {
		t.Errorf("detail: %v", got.Detail())
	}
	for name, err := range map[string]error{
		"internal of a peer": connect.NewError(connect.CodeInternal, "secret").WithRemote(),
		"not from a peer":    connect.NewError(connect.CodeNotFound, "local"),
		"plain":              errors.New("plain"),
	} {
		if _, ok := fault.As(fault.FromClient(err)); ok {
			t.Errorf("%s became a fault", name)
		}
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	ended, end := context.WithCancelCause(context.Background())
	end(fault.Unavailable("draining"))
	gone, leave := context.WithCancel(context.Background())
	leave()
	dbAway := errors.New("connection refused")
	classify := func(err error) *fault.Error {
		if errors.Is(err, dbAway) {
			return fault.Unavailable("the database is away").WithCause(err)
		}
		return nil
	}
	tests := map[string]struct {
		ctx  context.Context //nolint:containedctx // what the case is about
		err  error
		want connect.Code // 0: hidden
	}{
		"fault":                         {context.Background(), fmt.Errorf("x: %w", fault.Denied("no")), connect.CodePermissionDenied},
		"the context's own reason":      {ended, context.Canceled, connect.CodeUnavailable},
		"the caller left":               {gone, fmt.Errorf("query: %w", context.Canceled), connect.CodeCanceled},
		"a cancellation of our own":     {context.Background(), context.Canceled, 0},
		"classified":                    {context.Background(), fmt.Errorf("query: %w", dbAway), connect.CodeUnavailable},
		"unknown":                       {context.Background(), errors.New("boom"), 0},
		"body does not parse":           {context.Background(), connect.NewError(connect.CodeInvalidArgument, "bad"), connect.CodeInvalidArgument},
		"peer says not found":           {context.Background(), connect.NewError(connect.CodeNotFound, "x").WithRemote(), 0},
		"peer is away":                  {context.Background(), connect.NewError(connect.CodeUnavailable, "x").WithRemote(), connect.CodeUnavailable},
		"peer says who are you":         {context.Background(), connect.NewError(connect.CodeUnauthenticated, "x").WithRemote(), 0},
		"a fault of a peer, in process": {context.Background(), fault.NotFound("row 42").Connect().WithRemote(), 0},
		"a fault made of a peer's":      {context.Background(), fault.FromClient(fault.NotFound("row 42").Connect().WithRemote()), connect.CodeNotFound},
		"outage of a peer among others": {context.Background(), errors.Join(errors.New("x"), connect.NewError(connect.CodeUnavailable, "x").WithRemote()), connect.CodeUnavailable},
		"not found of Connect's own":    {context.Background(), connect.NewError(connect.CodeNotFound, "x"), 0},
		"unknown of Connect's own":      {context.Background(), connect.NewError(connect.CodeUnknown, "x"), 0},
		"fault wins over its reason":    {ended, fault.NotFound("x"), connect.CodeNotFound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := fault.Resolve(tt.ctx, tt.err, classify)
			if tt.want == 0 {
				if got != nil {
					t.Errorf("told as %v, want it hidden", got)
				}
				return
			}
			if got == nil || got.Code() != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
