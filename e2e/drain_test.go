package e2e

import (
	"net/http"
	"syscall"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// A stream is told that the process goes away, and does not hold it up.
func TestStreamsEndWhenTheProgramStops(t *testing.T) {
	t.Parallel()
	env, _, _ := configured(t)
	p := serve(t, append(env, "DRAIN_GRACE=60s"))
	ready(t, p, http.StatusOK)

	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	client := connect.NewClient(connecthttp.NewTransport(&http.Client{Transport: transport}, p.url, connecthttp.WithGRPC()))
	spec := connect.Spec{
		StreamType: connect.StreamTypeServer, Procedure: "/grpc.health.v1.Health/Watch",
		Schema: healthpb.File_grpc_health_v1_health_proto.Services().ByName("Health").Methods().ByName("Watch"),
	}
	stream, err := client.CallServerStream(t.Context(), spec, &healthpb.HealthCheckRequest{Service: "mindspace.content.v1.ContentService"})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	hear := func() (healthpb.HealthCheckResponse_ServingStatus, error) {
		var res healthpb.HealthCheckResponse
		err := stream.Receive(&res)
		return res.GetStatus(), err
	}
	if status, err := hear(); err != nil || status != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("before: %v, %v", status, err)
	}
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var last healthpb.HealthCheckResponse_ServingStatus
	for {
		status, err := hear()
		if err != nil {
			if connect.CodeOf(err) != connect.CodeUnavailable {
				t.Errorf("the stream ended with %v, want unavailable", err)
			}
			break
		}
		last = status
	}
	if last != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("heard %v at last, want NOT_SERVING", last)
	}
	if code := p.wait(t); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.out)
	}
}
