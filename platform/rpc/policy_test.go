package rpc_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	probev1 "github.com/mindspace-app/mindspace/gen/go/mindspace/probe/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/probe/v1/probev1connect"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/rpc"
)

func TestWhoMayCall(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *rpc.Options) { o.LimitScale = 0 })
	calls := map[string]func(context.Context, probev1connect.ProbeServiceClient) error{
		"public": func(ctx context.Context, c probev1connect.ProbeServiceClient) error {
			_, err := c.Public(ctx, &probev1.PublicRequest{})
			return err
		},
		"either": func(ctx context.Context, c probev1connect.ProbeServiceClient) error {
			_, err := c.Either(ctx, &probev1.EitherRequest{})
			return err
		},
		"user": func(ctx context.Context, c probev1connect.ProbeServiceClient) error {
			_, err := c.User(ctx, &probev1.UserRequest{})
			return err
		},
		"staff": func(ctx context.Context, c probev1connect.ProbeServiceClient) error {
			_, err := c.Staff(ctx, &probev1.StaffRequest{})
			return err
		},
		"partner": func(ctx context.Context, c probev1connect.ProbeServiceClient) error {
			_, err := c.Partner(ctx, &probev1.PartnerRequest{})
			return err
		},
		"service": func(ctx context.Context, c probev1connect.ProbeServiceClient) error {
			_, err := c.Service(ctx, &probev1.ServiceRequest{})
			return err
		},
		"forwarded": func(ctx context.Context, c probev1connect.ProbeServiceClient) error {
			_, err := c.Forwarded(ctx, &probev1.ForwardedRequest{})
			return err
		},
	}
	const ok, unauthenticated, denied, unknown = connect.Code(0), connect.CodeUnauthenticated, connect.CodePermissionDenied, connect.CodeUnimplemented
	want := map[string]map[string]connect.Code{ // token → method → code
		"":         {"public": ok, "either": ok, "user": unauthenticated, "staff": unauthenticated, "partner": unauthenticated, "service": unknown, "forwarded": unknown},
		"user":     {"public": ok, "either": ok, "user": ok, "staff": denied, "partner": denied, "service": unknown, "forwarded": unknown},
		"editor":   {"public": ok, "either": ok, "user": ok, "staff": denied, "partner": denied, "service": unknown, "forwarded": unknown},
		"admin":    {"public": ok, "either": ok, "user": ok, "staff": ok, "partner": denied, "service": unknown, "forwarded": unknown},
		"roleless": {"public": ok, "either": ok, "user": ok, "staff": denied, "partner": denied, "service": unknown, "forwarded": unknown},
		"partner":  {"public": ok, "either": ok, "user": denied, "staff": denied, "partner": ok, "service": unknown, "forwarded": unknown},
		"service":  {"public": ok, "either": ok, "user": denied, "staff": denied, "partner": denied, "service": unknown, "forwarded": unknown},
		"forged":   {"public": ok, "either": unauthenticated, "user": unauthenticated, "staff": unauthenticated, "partner": unauthenticated, "service": unknown, "forwarded": unknown},
	}
	for token, methods := range want {
		for method, code := range methods {
			t.Run(token+"/"+method, func(t *testing.T) {
				t.Parallel()
				err := calls[method](t.Context(), r.client(token))
				if err == nil && code == ok {
					return
				}
				if got := connect.CodeOf(err); err == nil || got != code {
					t.Errorf("got %v, want %v", err, code)
				}
			})
		}
	}
}

func TestServiceMethodsAnswerInProcessOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	directory := rpc.NewDirectory(r.server)
	client := probev1connect.NewProbeServiceClient(directory.Client(probev1connect.ProbeServiceName))
	for token, want := range map[string]connect.Code{"": connect.CodeUnauthenticated, "user": connect.CodePermissionDenied, "service": 0} {
		ctx := identity.WithCaller(t.Context(), identity.Caller{Credential: token})
		_, err := client.Service(ctx, &probev1.ServiceRequest{})
		if want == 0 && err != nil || want != 0 && connect.CodeOf(err) != want {
			t.Errorf("token %q: got %v, want code %v", token, err, want)
		}
	}
	for token, want := range map[string]connect.Code{"": connect.CodeUnauthenticated, "user": 0, "service": connect.CodePermissionDenied, "partner": connect.CodePermissionDenied} {
		ctx := identity.WithCaller(t.Context(), identity.Caller{Credential: token})
		_, err := client.Forwarded(ctx, &probev1.ForwardedRequest{})
		if want == 0 && err != nil || want != 0 && connect.CodeOf(err) != want {
			t.Errorf("forwarded token %q: got %v, want code %v", token, err, want)
		}
	}
}

// A caller's identity in the context must not count on the other side: only the credential does.
func TestInProcessCallIsJudgedByItsCredential(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	client := probev1connect.NewProbeServiceClient(rpc.NewDirectory(r.server).Client(probev1connect.ProbeServiceName))
	ctx := identity.WithCaller(t.Context(), identity.Caller{UserID: anaID}) // claims to be someone, holds nothing
	if _, err := client.User(ctx, &probev1.UserRequest{}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("got %v, want unauthenticated", err)
	}
	ctx = identity.WithCaller(t.Context(), identity.Caller{Credential: "user"})
	res, err := client.User(ctx, &probev1.UserRequest{})
	if err != nil || res.GetUserId() != anaID.String() {
		t.Errorf("got %v, %v, want %s", res, err, anaID)
	}
}

func TestMethodWithoutRuleStopsTheStart(t *testing.T) {
	t.Parallel()
	server, err := rpc.NewServer(rpc.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	probev1connect.RegisterProbeServiceHandler(server.Server, &probe{})
	if err := server.Check(); err != nil {
		t.Errorf("a service with rules: %v", err)
	}
	server.Register(connect.Method{
		Spec: connect.Spec{Procedure: "/grpc.health.v1.Health/Check", Schema: healthpb.File_grpc_health_v1_health_proto.Services().Get(0).Methods().ByName("Check")},
		Handler: func(context.Context, connect.Spec, connect.ServerStream) error {
			t.Error("a method without a rule was run")
			return nil
		},
	})
	if err := server.Check(); err == nil || !strings.Contains(err.Error(), "Health/Check") {
		t.Errorf("Check() = %v, want it to name Health/Check", err)
	}
}

func TestDirectoryNamesServicesThatNobodyServes(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	directory := rpc.NewDirectory(r.server)
	directory.Client(probev1connect.ProbeServiceName)
	if err := directory.Check(); err != nil {
		t.Errorf("Check() = %v for a service that is here", err)
	}
	directory.Client("mindspace.nowhere.v1.Service")
	if err := directory.Check(); err == nil || !strings.Contains(err.Error(), "mindspace.nowhere.v1.Service") {
		t.Errorf("Check() = %v, want it to name the missing service", err)
	}
}
