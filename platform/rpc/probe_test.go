package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectgzip"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectproto"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	policyv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/policy/v1"
	probev1 "github.com/mindspace-app/mindspace/gen/go/mindspace/probe/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/probe/v1/probev1connect"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/gateway"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/rpc"
)

// probe is a service with one method for each kind of rule. fail and call stand in for what a method may do.
type probe struct {
	probev1connect.UnimplementedProbeServiceHandler
	fail func(context.Context) error
	runs atomic.Int32
	hold chan struct{}
	// pool and audit are there when the test gives them.
	pool  *pgxpool.Pool
	audit *audit.Log
}

func (p *probe) failure(ctx context.Context) error {
	if p.fail == nil {
		return nil
	}
	return p.fail(ctx)
}

func (p *probe) Empty(context.Context, *probev1.EmptyRequest) (*probev1.EmptyResponse, error) {
	return &probev1.EmptyResponse{}, nil
}

func (p *probe) Public(ctx context.Context, req *probev1.PublicRequest) (*probev1.PublicResponse, error) {
	return &probev1.PublicResponse{Text: req.GetText()}, p.failure(ctx)
}

func (p *probe) Either(ctx context.Context, _ *probev1.EitherRequest) (*probev1.EitherResponse, error) {
	return &probev1.EitherResponse{UserId: identity.CallerFrom(ctx).UserID.String()}, p.failure(ctx)
}

func (p *probe) Often(context.Context, *probev1.OftenRequest) (*probev1.OftenResponse, error) {
	return &probev1.OftenResponse{}, nil
}

func (p *probe) User(ctx context.Context, _ *probev1.UserRequest) (*probev1.UserResponse, error) {
	return &probev1.UserResponse{UserId: identity.CallerFrom(ctx).UserID.String()}, p.failure(ctx)
}

func (p *probe) Staff(ctx context.Context, req *probev1.StaffRequest) (*probev1.StaffResponse, error) {
	if !req.GetRecord() {
		return &probev1.StaffResponse{}, p.failure(ctx)
	}
	err := postgres.InTx(ctx, p.pool, func(tx pgx.Tx) error {
		return p.audit.Record(ctx, tx, audit.Entry{Action: "probe.staff.called", SubjectType: "probe", SubjectID: "1"})
	})
	return &probev1.StaffResponse{}, err
}

func (p *probe) Partner(context.Context, *probev1.PartnerRequest) (*probev1.PartnerResponse, error) {
	return &probev1.PartnerResponse{}, nil
}

func (p *probe) Service(context.Context, *probev1.ServiceRequest) (*probev1.ServiceResponse, error) {
	return &probev1.ServiceResponse{}, nil
}

func (p *probe) Forwarded(context.Context, *probev1.ForwardedRequest) (*probev1.ForwardedResponse, error) {
	return &probev1.ForwardedResponse{}, nil
}

func (p *probe) Keyed(ctx context.Context, _ *probev1.KeyedRequest) (*probev1.KeyedResponse, error) {
	n := p.runs.Add(1)
	if p.hold != nil {
		<-p.hold
	}
	return &probev1.KeyedResponse{Run: n}, p.failure(ctx)
}

func (p *probe) Profile(_ context.Context, req *probev1.ProfileRequest) (*probev1.ProfileResponse, error) {
	return &probev1.ProfileResponse{Medications: int32(len(req.GetProfile().GetMedications()))}, nil
}

func (p *probe) Watch(ctx context.Context, req *probev1.WatchRequest, stream probev1connect.ProbeServiceWatchServerStream) error {
	for n := range req.GetCount() {
		if err := stream.Send(&probev1.WatchResponse{Number: n + 1}); err != nil {
			return err
		}
	}
	if err := p.failure(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

// tokens is an authenticator that knows a few credentials.
type tokens map[string]identity.Caller

func (t tokens) Authenticate(_ context.Context, credential string) (identity.Caller, error) {
	if caller, ok := t[credential]; ok {
		return caller, nil
	}
	return identity.Caller{}, fault.Unauthenticated("this token is not good").WithReason("TOKEN_INVALID")
}

var (
	anaID   = uuid.MustParse("01920000-0000-7000-8000-000000000001")
	someone = tokens{
		"user":     {UserID: anaID},
		"editor":   {UserID: anaID, Roles: []policyv1.Role{policyv1.Role_ROLE_EDITOR}},
		"admin":    {UserID: anaID, Roles: []policyv1.Role{policyv1.Role_ROLE_ADMIN}},
		"roleless": {UserID: anaID, Roles: []policyv1.Role{policyv1.Role_ROLE_UNSPECIFIED}},
		"partner":  {Partner: "shop", Scopes: []string{probev1connect.ProbeServiceName}},
		"service":  {Service: "meditation"},
	}
)

// rig is a server of the probe service on a real listener.
type rig struct {
	probe  *probe
	server *rpc.Server
	url    string
	log    *safeBuffer
}

func newRig(t *testing.T, change func(*rpc.Options)) *rig {
	t.Helper()
	r := &rig{probe: &probe{}, log: &safeBuffer{}}
	options := rpc.Options{Logger: slog.New(slog.NewJSONHandler(r.log, nil)), Authenticator: someone, LimitScale: 1}
	if change != nil {
		change(&options)
	}
	var err error
	if r.server, err = rpc.NewServer(options); err != nil {
		t.Fatal(err)
	}
	probev1connect.RegisterProbeServiceHandler(r.server.Server, r.probe)
	mux := http.NewServeMux()
	if err := r.server.MountPublic(mux, connectgzip.New()); err != nil {
		t.Fatal(err)
	}
	mux.Handle("/", gateway.NotFound(mux))
	web := httptest.NewUnstartedServer(mux)
	web.Config.Protocols = new(http.Protocols)
	web.Config.Protocols.SetHTTP1(true)
	web.Config.Protocols.SetUnencryptedHTTP2(true)
	web.Start()
	t.Cleanup(web.Close)
	r.url = web.URL
	return r
}

// client speaks one of the protocols, as the holder of the token ("" for nobody).
func (r *rig) client(token string, options ...connecthttp.Option) probev1connect.ProbeServiceClient {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	return probev1connect.NewProbeServiceClient(connect.NewClient(
		connecthttp.NewTransport(&http.Client{Transport: transport, Timeout: 20 * time.Second}, r.url, options...), bearer(token)))
}

func bearer(token string) connect.ClientInterceptor {
	return func(next connect.ClientFunc) connect.ClientFunc {
		return func(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
			if info, ok := connect.CallInfoForClientContext(ctx); ok && token != "" {
				info.RequestHeader().Set("Authorization", "Bearer "+token)
			}
			return next(ctx, spec)
		}
	}
}

// protocols are the three that every port speaks.
var protocols = map[string][]connecthttp.Option{
	"connect json": {connecthttp.WithProtoJSON()},
	"connect":      nil,
	"grpc":         {connecthttp.WithGRPC()},
	"grpc-web":     {connecthttp.WithGRPCWeb()},
}

// detail finds the detail of the wanted type in an error.
func detail[M proto.Message](t *testing.T, err error) M {
	t.Helper()
	var c *connect.Error
	if errors.As(err, &c) {
		for _, d := range c.Details() {
			if msg, err := connectproto.UnmarshalErrorDetail(d); err == nil {
				if found, ok := msg.(M); ok {
					return found
				}
			}
		}
	}
	var none M
	t.Fatalf("no %T in %v", none, err)
	return none
}

func reason(t *testing.T, err error) string {
	t.Helper()
	return detail[*errdetails.ErrorInfo](t, err).GetReason()
}

// post sends a body as it is.
func (r *rig) post(t *testing.T, path, contentType string, body []byte) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, b.String()
}

// safeBuffer is a log that handlers write while the test reads.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
