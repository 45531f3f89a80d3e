package health

import (
	"context"
	"slices"
	"time"

	"connectrpc.com/connect/v2"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// RegisterGRPC puts grpc.health.v1.Health on the server. Its contract is in third_party/proto/grpc/health/v1/health.proto,
// its Go messages are those of google.golang.org/grpc, since the name of a message can be registered only once in a program.
func (c *Checks) RegisterGRPC(server *connect.Server) {
	methods := healthpb.File_grpc_health_v1_health_proto.Services().ByName("Health").Methods()
	method := func(name protoreflect.Name, stream connect.StreamType, handler connect.ServerFunc) connect.Method {
		return connect.Method{
			Spec: connect.Spec{
				Procedure:  "/grpc.health.v1.Health/" + string(name),
				StreamType: stream,
				Schema:     methods.ByName(name),
			},
			Handler: handler,
		}
	}
	server.Register(
		method("Check", connect.StreamTypeUnary, c.serveCheck),
		method("List", connect.StreamTypeUnary, c.serveList),
		method("Watch", connect.StreamTypeServer, c.serveWatch),
	)
}

func (c *Checks) serveCheck(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
	var request healthpb.HealthCheckRequest
	if err := stream.Receive(&request); err != nil {
		return err
	}
	if !c.knows(request.GetService()) {
		return connect.NewError(connect.CodeNotFound, "there is no such service here")
	}
	return stream.Send(&healthpb.HealthCheckResponse{Status: c.serving(ctx)})
}

func (c *Checks) serveList(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
	var request healthpb.HealthListRequest
	if err := stream.Receive(&request); err != nil {
		return err
	}
	status := c.serving(ctx)
	response := &healthpb.HealthListResponse{Statuses: map[string]*healthpb.HealthCheckResponse{"": {Status: status}}}
	for _, service := range c.config.Services {
		response.Statuses[service] = &healthpb.HealthCheckResponse{Status: status}
	}
	return stream.Send(response)
}

// serveWatch sends the status, and again when it changes, until the caller goes or the drain ends.
func (c *Checks) serveWatch(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
	var request healthpb.HealthCheckRequest
	if err := stream.Receive(&request); err != nil {
		return err
	}
	known := c.knows(request.GetService())
	tick := time.NewTicker(c.config.CacheFor)
	defer tick.Stop()
	draining, ended := c.draining, false
	sent := healthpb.HealthCheckResponse_UNKNOWN
	for {
		status := healthpb.HealthCheckResponse_SERVICE_UNKNOWN
		if known {
			status = c.serving(ctx)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if status != sent {
			if err := stream.Send(&healthpb.HealthCheckResponse{Status: status}); err != nil {
				return err
			}
			sent = status
		}
		if ended {
			return connect.NewError(connect.CodeUnavailable, "the server is going away; connect again")
		}
		select {
		case <-tick.C:
		case <-draining:
			draining = nil // heard
		case <-c.drained:
			ended = true // once more around: the last word is the status
		case <-ctx.Done():
		}
	}
}

func (c *Checks) knows(service string) bool {
	return service == "" || slices.Contains(c.config.Services, service)
}

func (c *Checks) serving(ctx context.Context) healthpb.HealthCheckResponse_ServingStatus {
	if c.Report(ctx).Ready() {
		return healthpb.HealthCheckResponse_SERVING
	}
	return healthpb.HealthCheckResponse_NOT_SERVING
}
