package fault

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"connectrpc.com/connect/v2"
)

// Interceptor belongs around every other interceptor that may fail, on every server of ours, for unary calls and streams alike.
// It turns what a call returns into what the caller may know, logs what it hides once, and survives a panic.
func Interceptor(logger *slog.Logger, classifiers ...Classifier) connect.ServerInterceptor {
	return func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = hide(ctx, logger, spec, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
				}
			}()
			err = next(ctx, spec, stream)
			if err == nil {
				return nil
			}
			public := Resolve(ctx, err, classifiers...)
			if public == nil {
				return hide(ctx, logger, spec, err)
			}
			sayRetryAfter(ctx, public)
			return public
		}
	}
}

// Code tells which code a call that returned err ends with, for telemetry, which sits inside of the mapping.
func Code(ctx context.Context, err error, classifiers ...Classifier) connect.Code {
	if public := Resolve(ctx, err, classifiers...); public != nil {
		return public.Code()
	}
	return connect.CodeInternal
}

func hide(ctx context.Context, logger *slog.Logger, spec connect.Spec, err error) error {
	logger.ErrorContext(ctx, "call failed", "procedure", spec.Procedure, "error", err)
	return connect.NewError(connect.CodeInternal, internalMessage).WithCause(err)
}

// sayRetryAfter repeats the delay in the header that plain HTTP clients know.
func sayRetryAfter(ctx context.Context, public *connect.Error) {
	e, ok := As(public)
	if !ok || e.RetryAfterSeconds() == "" {
		return
	}
	if info, ok := connect.CallInfoForServerContext(ctx); ok {
		info.ResponseHeader().Set("Retry-After", e.RetryAfterSeconds())
	}
}
