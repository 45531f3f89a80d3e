package fault

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Domain is the ErrorInfo.domain of every reason that this system sends.
const Domain = "mindspace"

// internalMessage is all that a caller learns of an error that is not a fault.
const internalMessage = "something went wrong on our side; the request id helps us to find it"

// codes is the one table from kinds to Connect codes.
var codes = [...]connect.Code{
	KindInternal:        connect.CodeInternal,
	KindInvalid:         connect.CodeInvalidArgument,
	KindUnauthenticated: connect.CodeUnauthenticated,
	KindDenied:          connect.CodePermissionDenied,
	KindNotFound:        connect.CodeNotFound,
	KindExists:          connect.CodeAlreadyExists,
	KindConflict:        connect.CodeAborted,
	KindPrecondition:    connect.CodeFailedPrecondition,
	KindExhausted:       connect.CodeResourceExhausted,
	KindUnavailable:     connect.CodeUnavailable,
}

// Code is the Connect code of the kind.
func (k Kind) Code() connect.Code {
	if int(k) < len(codes) {
		return codes[k]
	}
	return connect.CodeInternal
}

// kindOfCode is the way back, for a caller that got a code from another service.
func kindOfCode(code connect.Code) Kind {
	for kind, c := range codes {
		if c == code {
			return Kind(kind)
		}
	}
	return KindInternal
}

// Connect gives the error as Connect sends it: code, public message and details
// (google.rpc.BadRequest, ErrorInfo, RetryInfo). The cause stays local.
func (e *Error) Connect() *connect.Error {
	c := connect.NewError(e.kind.Code(), e.message).WithCause(e)
	if len(e.fields) > 0 {
		c = withDetail(c, badRequest(e.fields))
	}
	if e.reason != "" {
		c = withDetail(c, &errdetails.ErrorInfo{Reason: e.reason, Domain: Domain})
	}
	if e.retryAfter > 0 {
		c = withDetail(c, &errdetails.RetryInfo{RetryDelay: durationpb.New(e.retryAfter)})
	}
	if e.detail != nil {
		c = withDetail(c, e.detail)
	}
	return c
}

func badRequest(fields []Field) *errdetails.BadRequest {
	bad := &errdetails.BadRequest{FieldViolations: make([]*errdetails.BadRequest_FieldViolation, 0, len(fields))}
	for _, f := range fields {
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field: f.Path, Description: f.Description, Reason: f.Reason,
		})
	}
	return bad
}

// withDetail adds a detail; one that cannot be encoded (text that is not UTF-8) is left out rather than hiding the error itself.
func withDetail(c *connect.Error, detail proto.Message) *connect.Error {
	encoded, err := connectproto.NewErrorDetail(detail)
	if err != nil {
		return c
	}
	return c.WithDetail(encoded)
}

// RetryAfterSeconds is the value of the HTTP header Retry-After: whole seconds, rounded up; "" when not said.
func (e *Error) RetryAfterSeconds() string {
	if e.retryAfter <= 0 {
		return ""
	}
	return strconv.FormatInt(int64(math.Ceil(e.retryAfter.Seconds())), 10)
}

// FromClient gives the fault that another service of ours answered with, for a caller that passes it on or shows it:
// kind, message, reason, fields and retry delay. An error that is no such answer comes back as it is.
func FromClient(err error) error {
	var remote *connect.Error
	if !errors.As(err, &remote) || !remote.IsRemote() {
		return err
	}
	kind := kindOfCode(remote.Code())
	if kind == KindInternal {
		return err
	}
	e := &Error{kind: kind, message: remote.Message(), cause: err}
	for _, detail := range remote.Details() {
		e.addDetail(detail)
	}
	return e
}

// InField renames fields for a caller whose own request holds what it passed on under another name: InField(err, "account", "user") makes
// user.timeZone of account.timeZone. Any other error comes back as it is.
func InField(err error, theirs, ours string) error {
	e, ok := As(err)
	if !ok {
		return err
	}
	renamed := *e
	renamed.fields = nil
	for _, f := range e.fields {
		if rest, found := strings.CutPrefix(f.Path, theirs+"."); found {
			f.Path = ours + "." + rest
		}
		renamed.fields = append(renamed.fields, f)
	}
	return &renamed
}

func (e *Error) addDetail(detail *connect.ErrorDetail) {
	msg, err := connectproto.UnmarshalErrorDetail(detail)
	if err != nil {
		return // a detail of a newer version: the code and message still stand
	}
	switch d := msg.(type) {
	case *errdetails.BadRequest:
		for _, v := range d.GetFieldViolations() {
			e.fields = append(e.fields, Field{Path: v.GetField(), Description: v.GetDescription(), Reason: v.GetReason()})
		}
	case *errdetails.ErrorInfo:
		e.reason = d.GetReason()
	case *errdetails.RetryInfo:
		e.retryAfter = d.GetRetryDelay().AsDuration()
	default:
		e.detail = msg
	}
}

// Classifier recognises the errors of one dependency, for example a database that is away. It gives nil for what it does not know.
type Classifier func(error) *Error

// Resolve finds what the caller may be told of err: the fault that it is; the reason why the context ended;
// what a classifier recognises; a passing problem. It gives nil when err is none of these, and is then internal.
// What another service answered with is judged alike whether it runs in this process or not: its text stays hidden,
// unless the service that called it made a fault of it with [FromClient].
func Resolve(ctx context.Context, err error, classifiers ...Classifier) *connect.Error {
	call := nearestConnect(err)
	if call != nil && call.IsRemote() {
		return passing(call, "another service that this needs is away")
	}
	if e, ok := As(err); ok {
		return e.Connect()
	}
	if e, ok := As(context.Cause(ctx)); ok && ctx.Err() != nil {
		return e.Connect()
	}
	if call != nil {
		return ofTransport(call)
	}
	switch {
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return connect.NewError(connect.CodeCanceled, "the caller went away").WithCause(err)
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil:
		return connect.NewError(connect.CodeDeadlineExceeded, "this took longer than the call may take").WithCause(err)
	}
	for _, classify := range classifiers {
		if e := classify(err); e != nil {
			return e.Connect()
		}
	}
	return nil
}

// nearestConnect is the Connect error in err's chain, unless a fault stands in front of it.
func nearestConnect(err error) *connect.Error {
	switch e := err.(type) { //nolint:errorlint // it walks the chain itself, to know what comes first
	case nil, *Error:
		return nil
	case *connect.Error:
		return e
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if found := nearestConnect(inner); found != nil {
				return found
			}
		}
		return nil
	default:
		return nearestConnect(errors.Unwrap(err))
	}
}

// ofTransport handles errors that Connect made in this process. The text is for the caller only where the caller's own request
// is what it speaks of: a body that does not parse, a message that is too long. That of a failed connection names our machines.
func ofTransport(err *connect.Error) *connect.Error {
	switch err.Code() {
	case connect.CodeInvalidArgument, connect.CodeResourceExhausted, connect.CodeUnimplemented:
		return err
	default:
		return passing(err, "a connection that this needs broke off")
	}
}

// passing keeps the code of what may work later, with a text of our own; nil for anything else.
func passing(err *connect.Error, text string) *connect.Error {
	switch err.Code() {
	case connect.CodeUnavailable, connect.CodeCanceled, connect.CodeDeadlineExceeded:
		return connect.NewError(err.Code(), text).WithCause(err)
	default:
		return nil
	}
}
