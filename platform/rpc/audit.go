package rpc

import (
	"context"
	"log/slog"

	"connectrpc.com/connect/v2"

	"github.com/mindspace-app/mindspace/platform/audit"
)

// watchAudit notices a method whose rule says audit and which succeeded without recording anything. The log has it as an error.
func watchAudit(p *policies, logger *slog.Logger) connect.ServerInterceptor {
	return p.ruled(func(ctx context.Context, r *rule, spec connect.Spec, stream connect.ServerStream, next connect.ServerFunc) error {
		if !r.audit {
			return next(ctx, spec, stream)
		}
		ctx, recorded := audit.Watch(ctx)
		err := next(ctx, spec, stream)
		if err == nil && !recorded() {
			logger.ErrorContext(ctx, "audited method recorded nothing", "procedure", spec.Procedure)
		}
		return err
	})
}
