package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"github.com/mindspace-app/mindspace/platform/fault"
)

// retryAfter is what a caller is told to wait when the database is away. Recovery takes the pool no longer than that.
const retryAfter = time.Second

// Classify translates what is true of any database error, whatever the query, into a fault; the error stays inside as its cause.
// It returns nil when it knows nothing: for errors of no database, for faults, for the caller's own cancellation or deadline
// while a statement ran, and for constraint violations, which only the query's author can name: see [Constraint].
//
//   - connection refused, lost or timed out; server starting, stopping, full or read-only; statement ended by a timeout;
//     pool exhausted: Unavailable, retry after a second
//   - serialization failure or deadlock that outlived [InTx]: Conflict, retry after a second
//   - text that the database cannot hold (a NUL character, invalid UTF-8): Invalid
func Classify(err error) *fault.Error {
	if err == nil {
		return nil
	}
	if _, ok := fault.As(err); ok {
		return nil
	}
	// A failure to connect also wraps the server's refusal or a deadline: it is asked about first.
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return unavailable(err)
	}
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return classifyState(server.Code, err)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		// A deadline that passes while a statement runs is wrapped by pgconn. The bare one comes from waiting for the pool.
		if pgconn.Timeout(err) {
			return nil
		}
		return unavailable(err)
	case lost(err), errors.Is(err, puddle.ErrClosedPool):
		return unavailable(err)
	}
	return nil
}

// Constraint is the name of the constraint that err violates; "" when it violates none. Compare it with a constant beside the query.
func Constraint(err error) (name string) {
	var server *pgconn.PgError
	// Class 23: integrity constraint violation.
	if errors.As(err, &server) && strings.HasPrefix(server.Code, "23") {
		return server.ConstraintName
	}
	return ""
}

// classifyState follows the table "PostgreSQL Error Codes" of the PostgreSQL manual (appendix A).
func classifyState(state string, err error) *fault.Error {
	switch state {
	case "22021", "22P05": // character_not_in_repertoire, untranslatable_character
		return fault.Invalid("text holds a character that cannot be stored").WithReason("TEXT_NOT_STORABLE").WithCause(err)
	case stateSerializationFailure, stateDeadlockDetected:
		return fault.Conflict("someone else changed the same data; try again").WithRetryAfter(retryAfter).WithCause(err)
	case "57P01", "57P02", "57P03", // admin_shutdown, crash_shutdown, cannot_connect_now
		"57P05", "25P03", "25P04", // idle session, idle in transaction and transaction timeouts
		"57014", // query_canceled: statement_timeout or an operator; a caller's own cancellation never gets this far
		"55P03", // lock_not_available: lock_timeout
		"25006": // read_only_sql_transaction: the primary has become a replica
		return unavailable(err)
	}
	switch state[:min(2, len(state))] {
	case "08", // connection exceptions
		"53": // insufficient resources: too_many_connections, disk_full, out_of_memory
		return unavailable(err)
	}
	return nil
}

func unavailable(err error) *fault.Error {
	return fault.Unavailable("the service is temporarily unavailable").WithRetryAfter(retryAfter).WithCause(err)
}

// lost tells whether err is a broken connection.
func lost(err error) bool {
	var network *net.OpError
	return errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network) || pgconn.Timeout(err)
}
