package rpc

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	policyv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/policy/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/limit"
)

// rule is a method's policy, read once from its descriptor.
type rule struct {
	// name is the method's: its procedure without the slash in front.
	name                                      string
	public, user, partner, service, forwarded bool
	roles                                     []policyv1.Role
	perUser, perAddress                       limit.Quota
	perProcess                                bool
	audit                                     bool
	idempotencyKey                            bool
}

// onlyServices tells that nobody but services of ours may call, for themselves or for a person: such a method has no route on the public port.
func (r *rule) onlyServices() bool {
	return (r.service || r.forwarded) && !r.public && !r.user && !r.partner && len(r.roles) == 0
}

// onlyPublic tells that the method is for everybody alike: it has nothing that is for some callers alone.
func (r *rule) onlyPublic() bool {
	return r.public && !r.user && !r.partner && !r.service && !r.forwarded && len(r.roles) == 0
}

// permit gives nil when the caller may call.
func (r *rule) permit(caller identity.Caller) error {
	switch {
	case r.public:
		return nil
	case caller.Anonymous():
		return fault.Unauthenticated("sign in first: this call needs a bearer token").WithReason("CREDENTIAL_MISSING")
	case (r.user || r.forwarded) && caller.UserID != uuid.Nil && caller.Partner == "" && caller.Service == "",
		r.partner && caller.Partner != "" && r.inScope(caller.Scopes),
		r.service && caller.Service != "",
		caller.HasAnyRole(r.roles...):
		return nil
	case r.partner && caller.Partner != "":
		return fault.Denied("this partner key has no scope for this call: it needs %s", r.name).WithReason("SCOPE_MISSING")
	default:
		return fault.Denied("this caller may not do that").WithReason("ROLE_MISSING")
	}
}

// inScope tells whether a partner's scopes have the method, or the whole service that it belongs to.
func (r *rule) inScope(scopes []string) bool {
	return slices.Contains(scopes, r.name) || slices.Contains(scopes, serviceOf(r.name))
}

// parseRule reads the policy of a method. A method without one, or with one that lets nobody in, is an error.
func parseRule(spec connect.Spec) (*rule, error) {
	method, ok := spec.Schema.(protoreflect.MethodDescriptor)
	if !ok {
		return nil, fmt.Errorf("%s: has no protobuf descriptor", spec.Procedure)
	}
	options, _ := method.Options().(*descriptorpb.MethodOptions)
	if options == nil || !proto.HasExtension(options, policyv1.E_Rule) {
		return nil, fmt.Errorf("%s: has no (mindspace.policy.v1.rule)", spec.Procedure)
	}
	declared, _ := proto.GetExtension(options, policyv1.E_Rule).(*policyv1.Rule)
	r := &rule{name: strings.TrimPrefix(spec.Procedure, "/"), roles: declared.GetRoles(), audit: declared.GetAudit(), idempotencyKey: declared.GetIdempotencyKey()}
	for _, access := range declared.GetAccess() {
		switch access {
		case policyv1.Access_ACCESS_PUBLIC:
			r.public = true
		case policyv1.Access_ACCESS_USER:
			r.user = true
		case policyv1.Access_ACCESS_PARTNER:
			r.partner = true
		case policyv1.Access_ACCESS_SERVICE:
			r.service = true
		case policyv1.Access_ACCESS_FORWARDED:
			r.forwarded = true
		default:
			return nil, fmt.Errorf("%s: access %v means nothing", spec.Procedure, access)
		}
	}
	if len(declared.GetAccess()) == 0 && len(r.roles) == 0 {
		return nil, fmt.Errorf("%s: its rule lets nobody in", spec.Procedure)
	}
	r.perProcess = declared.GetLimit().GetPerProcess()
	var err error
	if r.perUser, err = parseQuota(declared.GetLimit().GetPerUser()); err != nil {
		return nil, fmt.Errorf("%s: limit.per_user: %w", spec.Procedure, err)
	}
	if r.perAddress, err = parseQuota(declared.GetLimit().GetPerAddress()); err != nil {
		return nil, fmt.Errorf("%s: limit.per_address: %w", spec.Procedure, err)
	}
	return r, nil
}

var quotaUnits = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}

// parseQuota reads "30/m".
func parseQuota(text string) (limit.Quota, error) {
	if text == "" {
		return limit.Quota{}, nil
	}
	calls, unit, found := strings.Cut(text, "/")
	n, err := strconv.Atoi(calls)
	per, known := quotaUnits[unit]
	if !found || err != nil || n < 1 || !known {
		return limit.Quota{}, fmt.Errorf("%q is not <calls>/<s|m|h|d>", text)
	}
	return limit.Quota{Calls: n, Per: per}, nil
}

// policies remembers the rule of each method. Methods are few and fixed, so it never shrinks.
type policies struct {
	rules sync.Map // procedure → *rule
}

// of gives the method's rule.
func (p *policies) of(spec connect.Spec) (*rule, error) {
	if known, ok := p.rules.Load(spec.Procedure); ok {
		return known.(*rule), nil
	}
	r, err := parseRule(spec)
	if err != nil {
		return nil, err
	}
	p.rules.Store(spec.Procedure, r)
	return r, nil
}

// ruledFunc serves a call with its method's rule at hand, by way of next.
type ruledFunc func(ctx context.Context, r *rule, spec connect.Spec, stream connect.ServerStream, next connect.ServerFunc) error

// ruled is the interceptor that looks up the method's rule and leaves the call to serve. A method without a rule is never run.
func (p *policies) ruled(serve ruledFunc) connect.ServerInterceptor {
	return func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			r, err := p.of(spec)
			if err != nil {
				return err
			}
			return serve(ctx, r, spec, stream, next)
		}
	}
}

// enforcing refuses callers that the method's rule does not name, before anything of the body is read.
func enforcing(p *policies) connect.ServerInterceptor {
	return p.ruled(func(ctx context.Context, r *rule, spec connect.Spec, stream connect.ServerStream, next connect.ServerFunc) error {
		if err := r.permit(identity.CallerFrom(ctx)); err != nil {
			return err
		}
		return next(ctx, spec, stream)
	})
}
