// Package identity carries who calls, and in which request, through the context.
// It decides nothing: authentication fills it, policy and services read it.
package identity

import (
	"context"
	"net/netip"
	"time"

	"github.com/google/uuid"

	policyv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/policy/v1"
)

// Caller is who calls. The zero value is nobody in particular: an anonymous caller.
type Caller struct {
	// UserID is the signed-in person or member of staff; uuid.Nil for none.
	UserID uuid.UUID
	// SessionID is the session of that person's device.
	SessionID uuid.UUID
	// Roles are the staff roles; empty for everyone who is not staff.
	Roles []policyv1.Role
	// AuthenticatedAt is when that person last proved who they are, not merely refreshed a token; zero when that is not known.
	AuthenticatedAt time.Time
	// SecondFactor tells whether they proved it with a second factor too.
	SecondFactor bool
	// Partner is the id of the partner whose key was presented.
	Partner string
	// Scopes are what that key may call: full names of services, or of methods as in "mindspace.probe.v1.ProbeService/Partner".
	Scopes []string
	// Service is the name of the service of ours that calls for itself.
	Service string
	// Credential is what the caller presented, a secret. It is forwarded when a service acts for the caller, and never logged.
	Credential string
}

// Anonymous tells whether nothing is known of the caller.
func (c Caller) Anonymous() bool {
	return c.UserID == uuid.Nil && c.Partner == "" && c.Service == ""
}

// HasAnyRole tells whether the caller holds at least one of the roles.
func (c Caller) HasAnyRole(roles ...policyv1.Role) bool {
	for _, held := range c.Roles {
		for _, wanted := range roles {
			if held == wanted && held != policyv1.Role_ROLE_UNSPECIFIED {
				return true
			}
		}
	}
	return false
}

// Request says in which request the work happens.
type Request struct {
	// ID is the request id that answers and logs carry.
	ID string
	// Address is the caller's network address, as the gateway sees it behind trusted proxies; invalid when there is none.
	Address netip.Addr
}

type (
	callerKey  struct{}
	requestKey struct{}
)

// WithCaller returns a context that carries the caller.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom gives the caller; the zero value when nobody is known.
func CallerFrom(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// WithRequest returns a context that carries the request.
func WithRequest(ctx context.Context, r Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// RequestFrom gives the request; the zero value outside of one.
func RequestFrom(ctx context.Context) Request {
	r, _ := ctx.Value(requestKey{}).(Request)
	return r
}
