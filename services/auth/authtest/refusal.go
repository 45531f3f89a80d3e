package authtest

import (
	"errors"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
)

// Refused checks that a call failed with a code and a reason.
func Refused(tb testing.TB, what string, err error, code connect.Code, reason string) {
	tb.Helper()
	if got := Detail[*errdetails.ErrorInfo](err).GetReason(); connect.CodeOf(err) != code || got != reason {
		tb.Errorf("%s: got %v (reason %q), want %v with %s", what, err, got, code, reason)
	}
}

// WrongField is the first field that an error names; empty when it names none.
func WrongField(err error) string {
	bad := Detail[*errdetails.BadRequest](err)
	if len(bad.GetFieldViolations()) == 0 {
		return ""
	}
	return bad.GetFieldViolations()[0].GetField()
}

// Detail finds a detail of an error; nil when it has none of that type.
func Detail[M proto.Message](err error) M {
	var none M
	var c *connect.Error
	if !errors.As(err, &c) {
		return none
	}
	for _, d := range c.Details() {
		if msg, err := connectproto.UnmarshalErrorDetail(d); err == nil {
			if found, ok := msg.(M); ok {
				return found
			}
		}
	}
	return none
}
