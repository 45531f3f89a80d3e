// Package fault holds the closed list of ways in which a request can fail that the caller may be told about.
// A service returns a fault; [Interceptor] turns it into a Connect code with machine-readable details.
// Every other error becomes "internal" with a fixed message: the text of an unknown error never reaches a caller.
package fault

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
)

// Kind is a class of failure. The list is closed: new kinds are appended, none is renamed.
type Kind uint8

const (
	// KindInternal is any error that is not a fault. It is never made on purpose.
	KindInternal Kind = iota
	// KindInvalid means the request itself is wrong; sending it again cannot help.
	KindInvalid
	// KindUnauthenticated means we do not know who is calling.
	KindUnauthenticated
	// KindDenied means we know who is calling, and they may not.
	KindDenied
	// KindNotFound means there is no such thing, or none that this caller may see.
	KindNotFound
	// KindExists means what was to be made is there already.
	KindExists
	// KindConflict means someone else was faster; read again and retry.
	KindConflict
	// KindPrecondition means the system is not in the state that the call needs; something else has to be done first.
	KindPrecondition
	// KindExhausted means a limit or quota is used up.
	KindExhausted
	// KindUnavailable means something that we depend on is away; the same call may work later.
	KindUnavailable
)

// Field is one field of the request that is wrong.
type Field struct {
	// Path in JSON names, for example "profile.weightKg" or "goals[2].text".
	Path string
	// Description says what is expected, in plain words.
	Description string
	// Reason is a stable code for programs, for example "string.max_len"; may be empty.
	Reason string
}

// Error is a failure that the caller is told about. Its message, reason, fields, retry delay and detail are public;
// its cause stays in this process.
type Error struct {
	kind       Kind
	message    string
	reason     string
	fields     []Field
	retryAfter time.Duration
	detail     proto.Message
	cause      error
}

// Invalid says that the request is wrong. Name the field with [Error.WithField] wherever one is to blame.
func Invalid(format string, args ...any) *Error { return newError(KindInvalid, format, args) }

// Unauthenticated says that the caller has to sign in first.
func Unauthenticated(format string, args ...any) *Error {
	return newError(KindUnauthenticated, format, args)
}

// Denied says that this caller may not do that.
func Denied(format string, args ...any) *Error { return newError(KindDenied, format, args) }

// NotFound says that there is no such thing for this caller.
func NotFound(format string, args ...any) *Error { return newError(KindNotFound, format, args) }

// Exists says that the thing is there already.
func Exists(format string, args ...any) *Error { return newError(KindExists, format, args) }

// Conflict says that someone else was faster.
func Conflict(format string, args ...any) *Error { return newError(KindConflict, format, args) }

// Precondition says that something else has to be done first.
func Precondition(format string, args ...any) *Error { return newError(KindPrecondition, format, args) }

// Exhausted says that a limit is used up. Say when to come back with [Error.WithRetryAfter].
func Exhausted(format string, args ...any) *Error { return newError(KindExhausted, format, args) }

// Unavailable says that something we depend on is away.
func Unavailable(format string, args ...any) *Error { return newError(KindUnavailable, format, args) }

func newError(kind Kind, format string, args []any) *Error {
	return &Error{kind: kind, message: fmt.Sprintf(format, args...)}
}

// WithReason returns a copy with a stable code for programs, in UPPER_SNAKE_CASE.
func (e *Error) WithReason(reason string) *Error {
	c := *e
	c.reason = reason
	return &c
}

// WithField returns a copy that also names a field of the request, by its path in JSON names.
func (e *Error) WithField(path, description string) *Error {
	return e.WithFields(Field{Path: path, Description: description})
}

// WithFields returns a copy that also names these fields of the request.
func (e *Error) WithFields(fields ...Field) *Error {
	c := *e
	c.fields = append(append([]Field(nil), e.fields...), fields...)
	return &c
}

// WithRetryAfter returns a copy that says how long to wait before the same call may work.
func (e *Error) WithRetryAfter(d time.Duration) *Error {
	c := *e
	c.retryAfter = d
	return &c
}

// WithDetail returns a copy that also shows the caller a message, for example what is there already.
func (e *Error) WithDetail(detail proto.Message) *Error {
	c := *e
	c.detail = detail
	return &c
}

// WithCause returns a copy that keeps err for the log and for errors.Is. It is never sent.
func (e *Error) WithCause(err error) *Error {
	c := *e
	c.cause = err
	return &c
}

// Kind is the class of the failure.
func (e *Error) Kind() Kind { return e.kind }

// Message is the public text.
func (e *Error) Message() string { return e.message }

// Reason is the public code for programs; may be empty.
func (e *Error) Reason() string { return e.reason }

// Fields are the fields of the request that are wrong.
func (e *Error) Fields() []Field { return e.fields }

// RetryAfter is how long to wait; 0 when not said.
func (e *Error) RetryAfter() time.Duration { return e.retryAfter }

// Detail is the message that is shown to the caller beside the text; nil for none.
func (e *Error) Detail() proto.Message { return e.detail }

// Error is the text for the log: the public message and the cause.
func (e *Error) Error() string {
	if e.cause != nil {
		return e.message + ": " + e.cause.Error()
	}
	return e.message
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.cause }

// As finds the fault in err's chain.
func As(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}

// KindOf is the kind of the fault in err's chain, [KindInternal] when there is none.
func KindOf(err error) Kind {
	if e, ok := As(err); ok {
		return e.kind
	}
	return KindInternal
}
