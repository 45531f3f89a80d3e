package rpc

import (
	"context"
	"strings"

	"connectrpc.com/connect/v2"

	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
)

// Authenticator tells who presents a credential. It answers with fault.Unauthenticated when the credential is not good (any more).
type Authenticator interface {
	Authenticate(ctx context.Context, credential string) (identity.Caller, error)
}

// authenticate finds out who calls from the authorization header alone. An in-process call shares its caller's context,
// so what that context says of an identity is always replaced. A credential that is not good fails the call, except where
// everybody may call and nobody needs to be known: a phone sends its expired token along even when it asks for a new one.
func authenticate(p *policies, authenticator Authenticator) connect.ServerInterceptor {
	return p.ruled(func(ctx context.Context, r *rule, spec connect.Spec, stream connect.ServerStream, next connect.ServerFunc) error {
		caller, err := callerOf(ctx, authenticator)
		if err != nil && (!r.onlyPublic() || fault.KindOf(err) != fault.KindUnauthenticated) {
			return err
		}
		if !caller.Anonymous() || !identity.CallerFrom(ctx).Anonymous() {
			ctx = identity.WithCaller(ctx, caller)
		}
		return next(ctx, spec, stream)
	})
}

// callerOf gives the caller whom the header names: the anonymous one without a header or with an error.
func callerOf(ctx context.Context, authenticator Authenticator) (identity.Caller, error) {
	info, ok := connect.CallInfoForServerContext(ctx)
	if !ok || authenticator == nil {
		return identity.Caller{}, nil
	}
	header := info.RequestHeader().Get("Authorization")
	if header == "" {
		return identity.Caller{}, nil
	}
	credential, ok := Bearer(header)
	if !ok {
		return identity.Caller{}, fault.Unauthenticated("the authorization header must be: Bearer <token>").WithReason("CREDENTIAL_MALFORMED")
	}
	caller, err := authenticator.Authenticate(ctx, credential)
	if err != nil {
		return identity.Caller{}, err
	}
	caller.Credential = credential
	return caller, nil
}

// Bearer gives the credential in an authorization header; false when the header holds none, or one of another scheme.
func Bearer(header string) (credential string, ok bool) {
	scheme, credential, _ := strings.Cut(header, " ")
	return credential, strings.EqualFold(scheme, "Bearer") && credential != ""
}
