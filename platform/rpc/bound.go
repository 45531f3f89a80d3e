package rpc

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/mindspace-app/mindspace/platform/fault"
)

// reconnectAfter is what a stream's caller is told to wait when this process stops; its clients add jitter of their own.
const reconnectAfter = time.Second

// errDraining is why a stream ends when its process is about to stop.
var errDraining = fault.Unavailable("this server is about to stop: reconnect to another one").
	WithReason("DRAINING").WithRetryAfter(reconnectAfter)

// bounding gives each unary call a deadline, and ends each stream when the process drains.
func bounding(draining context.Context, unary time.Duration) connect.ServerInterceptor {
	return func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			if spec.StreamType == connect.StreamTypeUnary {
				ctx, cancel := context.WithTimeout(ctx, unary)
				defer cancel()
				return next(ctx, spec, stream)
			}
			ctx, cancel := context.WithCancelCause(ctx)
			defer cancel(nil)
			if draining != nil {
				defer context.AfterFunc(draining, func() { cancel(errDraining) })()
			}
			err := next(ctx, spec, stream)
			if err == nil && errors.Is(context.Cause(ctx), errDraining) {
				return errDraining.Connect() // a handler that took the end of its context for its own would look finished
			}
			return err
		}
	}
}
