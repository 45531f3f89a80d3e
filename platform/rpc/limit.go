package rpc

import (
	"context"
	"math"
	"strconv"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/limit"
)

// Limiter counts calls against a quota. [limit.Shared] is the one in use.
type Limiter interface {
	Allow(ctx context.Context, key string, q limit.Quota) limit.Result
}

// quotaKeys is how many quotas that are counted in this process alone are remembered.
const quotaKeys = 100_000

// here counts in this process alone.
type here struct{ *limit.Local }

// Allow takes one call from the key's quota.
func (h here) Allow(_ context.Context, key string, q limit.Quota) limit.Result {
	return h.Local.Allow(key, q)
}

// limiting holds each caller to the quotas of the method's rule, and says in headers of every answer what is left of them.
// scale multiplies every quota; 0 turns limits off.
func limiting(p *policies, limiter Limiter, scale float64) connect.ServerInterceptor {
	alone := here{limit.NewLocal(quotaKeys)}
	return p.ruled(func(ctx context.Context, r *rule, spec connect.Spec, stream connect.ServerStream, next connect.ServerFunc) error {
		if limiter != nil && scale > 0 && (r.perUser.Calls > 0 || r.perAddress.Calls > 0) {
			counter := limiter
			if r.perProcess {
				counter = alone
			}
			result := charge(ctx, counter, spec.Procedure, r, scale)
			sayQuota(ctx, result)
			if !result.Allowed {
				return tooMany(result.RetryAfter)
			}
		}
		return next(ctx, spec, stream)
	})
}

// charge takes this call from the person's quota and, when that has room, from the address's. It gives the tighter of the two.
func charge(ctx context.Context, limiter Limiter, procedure string, r *rule, scale float64) limit.Result {
	tighter := limit.Result{Allowed: true}
	if who := payer(identity.CallerFrom(ctx)); who != "" && r.perUser.Calls > 0 {
		tighter = limiter.Allow(ctx, who+procedure, scaled(r.perUser, scale))
	}
	if address := identity.RequestFrom(ctx).Address; tighter.Allowed && address.IsValid() && r.perAddress.Calls > 0 {
		result := limiter.Allow(ctx, "addr:"+limit.AddressKey(address)+procedure, scaled(r.perAddress, scale))
		if tighter.Limit == 0 || !result.Allowed || result.Remaining < tighter.Remaining {
			tighter = result
		}
	}
	return tighter
}

// payer is whose quota a call is charged to: a person's or a partner's; "" for anybody else, who has only the address's.
func payer(caller identity.Caller) string {
	switch {
	case caller.UserID != uuid.Nil:
		return "user:" + caller.UserID.String()
	case caller.Partner != "":
		return "partner:" + caller.Partner
	default:
		return ""
	}
}

func scaled(q limit.Quota, scale float64) limit.Quota {
	q.Calls = max(1, int(math.Round(float64(q.Calls)*scale)))
	return q
}

// sayQuota puts the quota into the headers that clients know (draft-ietf-httpapi-ratelimit-headers-06): its number of calls,
// how many are left, and in how many seconds all of them are there again.
func sayQuota(ctx context.Context, r limit.Result) {
	info, ok := connect.CallInfoForServerContext(ctx)
	if !ok || r.Limit == 0 {
		return
	}
	header := info.ResponseHeader()
	header.Set("RateLimit-Limit", strconv.Itoa(r.Limit))
	header.Set("RateLimit-Remaining", strconv.Itoa(r.Remaining))
	header.Set("RateLimit-Reset", strconv.FormatFloat(math.Ceil(r.ResetAfter.Seconds()), 'f', 0, 64))
}

func tooMany(wait time.Duration) error {
	seconds := time.Duration(math.Ceil(wait.Seconds())) * time.Second
	return fault.Exhausted("too many calls: try again in %s", seconds).WithReason("RATE_LIMITED").WithRetryAfter(wait)
}
