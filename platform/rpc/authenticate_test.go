package rpc_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"

	probev1 "github.com/mindspace-app/mindspace/gen/go/mindspace/probe/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/probe/v1/probev1connect"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/rpc"
)

// authenticator is one in a function.
type authenticator func(credential string) (identity.Caller, error)

func (a authenticator) Authenticate(_ context.Context, credential string) (identity.Caller, error) {
	return a(credential)
}

// A phone whose token has just expired sends it along to the calls that are for everybody, such as the one for a new token.
func TestBadCredentialIsNobodyWhereEverybodyMayCall(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	var caller identity.Caller
	r.probe.fail = func(ctx context.Context) error { caller = identity.CallerFrom(ctx); return nil }
	for name, options := range protocols {
		if _, err := r.client("expired", options...).Public(t.Context(), &probev1.PublicRequest{}); err != nil || !caller.Anonymous() || caller.Credential != "" {
			t.Errorf("%s: caller %+v, %v", name, caller, err)
		}
	}
	if _, err := r.client("user").Public(t.Context(), &probev1.PublicRequest{}); err != nil || caller.UserID != anaID {
		t.Errorf("with a good credential: caller %+v, %v", caller, err)
	}
	// In process, a bad credential must not leave the caller whom the context names.
	client := probev1connect.NewProbeServiceClient(rpc.NewDirectory(r.server).Client(probev1connect.ProbeServiceName))
	ctx := identity.WithCaller(t.Context(), identity.Caller{UserID: anaID, Credential: "expired"})
	if _, err := client.Public(ctx, &probev1.PublicRequest{}); err != nil || !caller.Anonymous() {
		t.Errorf("in process: caller %+v, %v", caller, err)
	}
}

func TestBadCredentialIsToldWhereSomeoneMayBeKnown(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	if _, err := r.client("expired").Either(t.Context(), &probev1.EitherRequest{}); connect.CodeOf(err) != connect.CodeUnauthenticated || reason(t, err) != "TOKEN_INVALID" {
		t.Errorf("public and user: %v", err)
	}
	if _, err := r.client("expired").User(t.Context(), &probev1.UserRequest{}); connect.CodeOf(err) != connect.CodeUnauthenticated || reason(t, err) != "TOKEN_INVALID" {
		t.Errorf("user: %v", err)
	}
	for token, want := range map[string]string{"": uuid.Nil.String(), "user": anaID.String()} {
		res, err := r.client(token).Either(t.Context(), &probev1.EitherRequest{})
		if err != nil || res.GetUserId() != want {
			t.Errorf("token %q: %v, %v", token, res, err)
		}
	}
}

func TestMalformedAuthorization(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, header := range []string{"Basic dXNlcjpwYXNz", "Bearer", "Bearer ", "user"} {
		for method, want := range map[string]int{"Public": http.StatusOK, "Either": http.StatusUnauthorized, "User": http.StatusUnauthorized} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/mindspace.probe.v1.ProbeService/"+method, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", header)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != want {
				t.Errorf("%q to %s: %s, want %d", header, method, res.Status, want)
			}
		}
	}
}

// An authenticator that cannot tell is not one that says no.
func TestFailingAuthenticatorFailsTheCall(t *testing.T) {
	t.Parallel()
	for want, failure := range map[connect.Code]error{
		connect.CodeUnavailable:      fault.Unavailable("keys cannot be looked up"),
		connect.CodePermissionDenied: fault.Denied("this account is suspended"),
		connect.CodeInternal:         errors.New("it broke"),
	} {
		r := newRig(t, func(o *rpc.Options) {
			o.Authenticator = authenticator(func(string) (identity.Caller, error) { return identity.Caller{}, failure })
		})
		if _, err := r.client("any").Public(t.Context(), &probev1.PublicRequest{}); connect.CodeOf(err) != want {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}

func TestPartnerScopes(t *testing.T) {
	t.Parallel()
	const service, method = probev1connect.ProbeServiceName, probev1connect.ProbeServiceName + "/Partner"
	for name, c := range map[string]struct {
		scopes []string
		denied bool
	}{
		"service":          {scopes: []string{service}},
		"method":           {scopes: []string{method}},
		"one of several":   {scopes: []string{"mindspace.content.v1.ContentService", method}},
		"none":             {denied: true},
		"empty":            {scopes: []string{""}, denied: true},
		"another service":  {scopes: []string{"mindspace.content.v1.ContentService"}, denied: true},
		"another method":   {scopes: []string{service + "/User"}, denied: true},
		"a longer service": {scopes: []string{service + "s", method + "s"}, denied: true},
		"a part":           {scopes: []string{"mindspace.probe.v1", "mindspace", "Partner", service + "/", "*"}, denied: true},
		"with a slash":     {scopes: []string{"/" + method}, denied: true},
		"another case":     {scopes: []string{strings.ToLower(service)}, denied: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(o *rpc.Options) {
				o.Authenticator = tokens{"key": {Partner: "shop", Scopes: c.scopes}}
			})
			_, err := r.client("key").Partner(t.Context(), &probev1.PartnerRequest{})
			if c.denied && (connect.CodeOf(err) != connect.CodePermissionDenied || reason(t, err) != "SCOPE_MISSING") || !c.denied && err != nil {
				t.Errorf("got %v", err)
			}
			// What is not for partners stays so, whatever the scope; what is for everybody needs none.
			if _, err := r.client("key").User(t.Context(), &probev1.UserRequest{}); connect.CodeOf(err) != connect.CodePermissionDenied || reason(t, err) != "ROLE_MISSING" {
				t.Errorf("a method for people: %v", err)
			}
			if _, err := r.client("key").Public(t.Context(), &probev1.PublicRequest{}); err != nil {
				t.Errorf("a method for everybody: %v", err)
			}
		})
	}
}
