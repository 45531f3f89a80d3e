package rpc

import (
	"context"
	"math"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/limit"
)

// Limiter counts calls against a quota. [limit.Shared] is the one in use.
type Limiter interface {
	Allow(ctx context.Context, key string, q limit.Quota) (wait time.Duration, ok bool)
}

// limiting holds each caller to the quotas of the method's rule. scale multiplies every quota; 0 turns limits off.
func limiting(p *policies, limiter Limiter, scale float64) connect.ServerInterceptor {
	return p.ruled(func(ctx context.Context, r *rule, spec connect.Spec, stream connect.ServerStream, next connect.ServerFunc) error {
		if limiter != nil && scale > 0 && (r.perUser.Calls > 0 || r.perAddress.Calls > 0) {
			if err := charge(ctx, limiter, spec.Procedure, r, scale); err != nil {
				return err
			}
		}
		return next(ctx, spec, stream)
	})
}

// charge takes this call from the person's and from the address's quota.
func charge(ctx context.Context, limiter Limiter, procedure string, r *rule, scale float64) error {
	if user := identity.CallerFrom(ctx).UserID; user != uuid.Nil && r.perUser.Calls > 0 {
		if wait, ok := limiter.Allow(ctx, "user:"+user.String()+procedure, scaled(r.perUser, scale)); !ok {
			return tooMany(wait)
		}
	}
	if address := identity.RequestFrom(ctx).Address; address.IsValid() && r.perAddress.Calls > 0 {
		if wait, ok := limiter.Allow(ctx, "addr:"+limit.AddressKey(address)+procedure, scaled(r.perAddress, scale)); !ok {
			return tooMany(wait)
		}
	}
	return nil
}

func scaled(q limit.Quota, scale float64) limit.Quota {
	q.Calls = max(1, int(math.Round(float64(q.Calls)*scale)))
	return q
}

func tooMany(wait time.Duration) error {
	return fault.Exhausted("too many calls: try again in %s", wait.Round(time.Second)+time.Second).
		WithReason("RATE_LIMITED").WithRetryAfter(wait)
}
