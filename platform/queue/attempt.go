package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/mindspace-app/mindspace/platform/telemetry"
)

// attempts surrounds every attempt at a job: it continues the request's trace, turns panics into errors, decides what the outcome means,
// and tells it to log, metrics and trace, once each.
type attempts struct {
	river.PluginDefaults
	logger  *slog.Logger
	metrics *metrics
	tracer  trace.Tracer
}

var (
	_ rivertype.WorkerMiddleware = (*attempts)(nil)
	_ rivertype.HookWorkBegin    = (*attempts)(nil)
	_ rivertype.HookWorkEnd      = (*attempts)(nil)
)

func newAttempts(logger *slog.Logger, metrics *metrics, provider trace.TracerProvider) *attempts {
	if provider == nil {
		provider = noop.NewTracerProvider()
	}
	return &attempts{logger: logger, metrics: metrics, tracer: provider.Tracer("github.com/mindspace-app/mindspace/platform/queue")}
}

// progress is how far an attempt got. River reads a job's arguments after its hooks for the begin of work and before the work itself,
// so an attempt that was begun and never worked had arguments that cannot be read.
type progress struct{ begun, worked bool }

type progressKey struct{}

// WorkBegin is called right before the arguments are read.
func (a *attempts) WorkBegin(ctx context.Context, _ *rivertype.JobRow) error {
	if p, ok := ctx.Value(progressKey{}).(*progress); ok {
		p.begun = true
	}
	return nil
}

// WorkEnd is called after the worker has returned.
func (a *attempts) WorkEnd(ctx context.Context, _ *rivertype.JobRow, err error) error {
	if p, ok := ctx.Value(progressKey{}).(*progress); ok {
		p.worked = true
	}
	return err
}

// Work surrounds the attempt.
func (a *attempts) Work(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
	end := a.metrics.begin(job)
	ctx, span := a.tracer.Start(originIn(job.Metadata).into(ctx), job.Kind, trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attribute.Int64("job.id", job.ID), attribute.Int("job.attempt", job.Attempt), attribute.String("job.queue", job.Queue)))
	defer span.End()

	p := &progress{}
	err := survive(context.WithValue(ctx, progressKey{}, p), work)
	if err != nil && p.begun && !p.worked && !isPanic(err) {
		err = river.JobCancel(unreadable(err))
	}
	r, err := judge(ctx, job, err)
	end(r)
	if err != nil && r != resultSnoozed {
		span.SetStatus(codes.Error, string(r))
		a.tell(ctx, job, r, err)
	}
	return err
}

// PanicError is what a job that panicked failed with.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

func isPanic(err error) bool { return errors.As(err, new(*PanicError)) }

// survive turns a panic into an error.
func survive(ctx context.Context, work func(context.Context) error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &PanicError{Value: value, Stack: debug.Stack()}
		}
	}()
	return work(ctx)
}

// unreadable says what is wrong with arguments without repeating them.
func unreadable(err error) error {
	var wrongType *json.UnmarshalTypeError
	var malformed *json.SyntaxError
	switch {
	case errors.As(err, &wrongType):
		return fmt.Errorf("queue: arguments cannot be read: field %q should be a %s", wrongType.Field, wrongType.Type)
	case errors.As(err, &malformed):
		return fmt.Errorf("queue: arguments cannot be read: malformed JSON at byte %d", malformed.Offset)
	default:
		return fmt.Errorf("queue: arguments cannot be read: %T", err)
	}
}

// judge gives the result of an attempt, and the error as River is to have it: without personal data, as it is stored with the job,
// and recognisable as an interruption when that is what it is.
func judge(ctx context.Context, job *rivertype.JobRow, err error) (result, error) {
	switch {
	case err == nil:
		return resultCompleted, nil
	case errors.As(err, new(*river.JobSnoozeError)):
		return resultSnoozed, err
	case errors.As(err, new(*river.JobCancelError)):
		return resultCancelled, maskedError(err)
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), river.ErrJobCancelledRemotely):
		return resultCancelled, maskedError(err)
	case ctx.Err() != nil && !isPanic(err): // the attempt's own deadline is not on this context
		if !errors.Is(err, context.Canceled) {
			err = fmt.Errorf("%w: %w", context.Canceled, err)
		}
		return resultInterrupted, maskedError(err)
	case job.Attempt >= job.MaxAttempts:
		return resultDiscarded, maskedError(err)
	default:
		return resultFailed, maskedError(err)
	}
}

// masked is an error whose text is safe to be stored.
type masked struct {
	error
	text string
}

func (m *masked) Error() string { return m.text }
func (m *masked) Unwrap() error { return m.error }

func maskedError(err error) error {
	text := err.Error()
	if safe := telemetry.Mask(text); safe != text {
		return &masked{error: err, text: safe}
	}
	return err
}

// tell logs an attempt that did not complete. The arguments are not part of it.
func (a *attempts) tell(ctx context.Context, job *rivertype.JobRow, r result, err error) {
	attrs := []slog.Attr{
		slog.String("job_kind", job.Kind), slog.Int64("job_id", job.ID), slog.Int("attempt", job.Attempt), slog.Int("max_attempts", job.MaxAttempts),
		slog.String("error", err.Error()),
	}
	var p *PanicError
	if errors.As(err, &p) {
		attrs = append(attrs, slog.String("stack", string(p.Stack)))
	}
	switch r {
	case resultDiscarded:
		a.logger.LogAttrs(ctx, slog.LevelError, "job failed for the last time", attrs...)
	case resultCancelled:
		a.logger.LogAttrs(ctx, slog.LevelWarn, "job cancelled", attrs...)
	case resultInterrupted:
		a.logger.LogAttrs(ctx, slog.LevelInfo, "job interrupted and available again", attrs...)
	default:
		level := slog.LevelWarn
		if p != nil {
			level = slog.LevelError // a panic is a mistake of ours
		}
		a.logger.LogAttrs(ctx, level, "job failed and will be tried again", attrs...)
	}
}

// strays hears of jobs that never reach an attempt: their kind has no worker here, which happens while a new version is rolled out,
// or their row cannot be read. River logs those itself; they are tried again, by another worker perhaps.
type strays struct{ metrics *metrics }

// HandleError counts what never became an attempt. Failed attempts have been told of already.
func (s *strays) HandleError(_ context.Context, job *rivertype.JobRow, err error) *river.ErrorHandlerResult {
	if errors.As(err, new(*rivertype.UnknownJobKindError)) {
		s.metrics.stray(job)
	}
	return nil
}

// HandlePanic has nothing to do: attempts survive panics.
func (s *strays) HandlePanic(context.Context, *rivertype.JobRow, any, string) *river.ErrorHandlerResult {
	return nil
}
