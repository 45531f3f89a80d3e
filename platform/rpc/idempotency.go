package rpc

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/tink-crypto/tink-go/v2/tink"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/mindspace-app/mindspace/gen/db/rpcdb"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
)

const (
	// idempotencyHeader is the request header with the caller's own name for a call.
	idempotencyHeader = "Idempotency-Key"
	// replayedHeader marks an answer that was given before.
	replayedHeader = "Idempotency-Replayed"
	// answerKept is how long a retry gets the first answer.
	answerKept = 24 * time.Hour
	// abandonedAfter is when a claim without an answer is taken for one whose process died. No unary call runs that long.
	abandonedAfter = 2 * time.Minute
)

// Answers keeps the first answer to each call that came with an Idempotency-Key, encrypted, for a day.
// A retry with the same key and the same request gets that answer; with another request it is refused.
// A process that dies between its commit and the keeping of its answer lets the retry run again:
// a method whose effect must never happen twice also needs an id from its caller under a unique constraint.
type Answers struct {
	pool   *pgxpool.Pool
	aead   tink.AEAD
	now    func() time.Time
	logger *slog.Logger
}

// NewAnswers keeps answers in the pool's database, encrypted with aead.
func NewAnswers(pool *pgxpool.Pool, aead tink.AEAD, now func() time.Time, logger *slog.Logger) *Answers {
	return &Answers{pool: pool, aead: aead, now: now, logger: logger}
}

// idempotent replays answers for the methods whose rule allows it. It is for signed-in callers; others have no name to keep an answer under.
func idempotent(p *policies, answers *Answers) connect.ServerInterceptor {
	return p.ruled(func(ctx context.Context, r *rule, spec connect.Spec, stream connect.ServerStream, next connect.ServerFunc) error {
		key, err := keyOf(ctx, r, spec)
		if err != nil {
			return err
		}
		if key == "" || answers == nil {
			return next(ctx, spec, stream)
		}
		call := &keyedCall{ServerStream: stream, ctx: ctx, spec: spec, answers: answers, row: rpcdb.ClaimIdempotencyKeyParams{
			PersonID: identity.CallerFrom(ctx).UserID, Procedure: spec.Procedure, Key: key,
		}}
		defer call.release() // what was neither kept nor given back: the method failed or panicked
		err = next(ctx, spec, call)
		if errors.Is(err, errReplayed) {
			return call.replay()
		}
		return err
	})
}

// keyOf gives the caller's key for this call, "" when there is none that counts.
func keyOf(ctx context.Context, r *rule, spec connect.Spec) (string, error) {
	info, ok := connect.CallInfoForServerContext(ctx)
	if !ok || !r.idempotencyKey || spec.StreamType != connect.StreamTypeUnary || identity.CallerFrom(ctx).UserID == uuid.Nil {
		return "", nil
	}
	key := info.RequestHeader().Get(idempotencyHeader)
	if len(key) > 128 {
		return "", fault.Invalid("the header Idempotency-Key may have 128 bytes at most").WithReason("IDEMPOTENCY_KEY_INVALID")
	}
	return key, nil
}

// errReplayed ends a call whose answer is kept already, before the method runs.
var errReplayed = errors.New("rpc: answered before")

// keyedCall claims the key once the request is known and keeps the answer before it is sent.
type keyedCall struct {
	connect.ServerStream
	ctx     context.Context //nolint:containedctx // one call, as long as its stream
	spec    connect.Spec
	answers *Answers
	row     rpcdb.ClaimIdempotencyKeyParams
	claimed bool
	kept    []byte
}

// Receive reads the request and claims the key for it.
func (c *keyedCall) Receive(msg any) error {
	if err := c.ServerStream.Receive(msg); err != nil {
		return err
	}
	m, ok := msg.(proto.Message)
	if !ok {
		return fmt.Errorf("rpc: %T is not a protobuf message", msg)
	}
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return fmt.Errorf("hash request: %w", err)
	}
	hash := sha256.Sum256(encoded)
	return c.claim(hash[:])
}

func (c *keyedCall) claim(hash []byte) error {
	q, now := rpcdb.New(c.answers.pool), c.answers.now().UTC().Truncate(time.Microsecond)
	c.row.RequestHash, c.row.ClaimedAt, c.row.ExpiresAt, c.row.AbandonedBefore = hash, now, now.Add(answerKept), now.Add(-abandonedAfter)
	n, err := q.ClaimIdempotencyKey(c.ctx, c.row)
	if err != nil {
		return fmt.Errorf("claim idempotency key: %w", err)
	}
	if n == 1 {
		c.claimed = true
		return nil
	}
	first, err := q.GetIdempotencyKey(c.ctx, rpcdb.GetIdempotencyKeyParams{PersonID: c.row.PersonID, Procedure: c.row.Procedure, Key: c.row.Key})
	gone := errors.Is(err, pgx.ErrNoRows) // the first call has just failed and given it back
	if err != nil && !gone {
		return fmt.Errorf("read idempotency key: %w", err)
	}
	switch {
	case !gone && string(first.RequestHash) != string(hash):
		return fault.Invalid("this Idempotency-Key was used for another request").WithReason("IDEMPOTENCY_KEY_REUSED")
	case gone || first.Response == nil:
		return fault.Conflict("the first call with this Idempotency-Key is still running").
			WithReason("IDEMPOTENCY_KEY_IN_USE").WithRetryAfter(time.Second)
	}
	c.kept = first.Response
	return errReplayed
}

// Send keeps the answer, then sends it. An answer that cannot be kept is still sent: the work is done.
func (c *keyedCall) Send(msg any) error {
	if err := c.keep(msg); err != nil {
		c.answers.logger.ErrorContext(c.ctx, "answer not kept for its idempotency key", "procedure", c.row.Procedure, "error", err)
	}
	return c.ServerStream.Send(msg)
}

func (c *keyedCall) keep(msg any) error {
	m, ok := msg.(proto.Message)
	if !ok || !c.claimed {
		return nil
	}
	c.claimed = false
	encoded, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	sealed, err := c.answers.aead.Encrypt(encoded, c.associated())
	if err != nil {
		return err
	}
	// The caller may have gone away; the answer is then all the more worth keeping.
	return rpcdb.New(c.answers.pool).FinishIdempotencyKey(context.WithoutCancel(c.ctx), rpcdb.FinishIdempotencyKeyParams{
		Response: sealed, PersonID: c.row.PersonID, Procedure: c.row.Procedure, Key: c.row.Key, ClaimedAt: c.row.ClaimedAt,
	})
}

// release gives the key back after a failure, so that a retry may succeed.
func (c *keyedCall) release() {
	if !c.claimed {
		return
	}
	err := rpcdb.New(c.answers.pool).ReleaseIdempotencyKey(context.WithoutCancel(c.ctx), rpcdb.ReleaseIdempotencyKeyParams{
		PersonID: c.row.PersonID, Procedure: c.row.Procedure, Key: c.row.Key, ClaimedAt: c.row.ClaimedAt,
	})
	if err != nil {
		c.answers.logger.WarnContext(c.ctx, "idempotency key not released", "procedure", c.row.Procedure, "error", err)
	}
}

// replay sends the kept answer.
func (c *keyedCall) replay() error {
	plain, err := c.answers.aead.Decrypt(c.kept, c.associated())
	if err != nil {
		return fmt.Errorf("open kept answer: %w", err)
	}
	msg, err := newOutput(c.spec)
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(plain, msg); err != nil {
		return fmt.Errorf("decode kept answer: %w", err)
	}
	if info, ok := connect.CallInfoForServerContext(c.ctx); ok {
		info.ResponseHeader().Set(replayedHeader, "true")
	}
	return c.ServerStream.Send(msg)
}

// newOutput makes an empty answer of the method.
func newOutput(spec connect.Spec) (proto.Message, error) {
	method, ok := spec.Schema.(protoreflect.MethodDescriptor)
	if !ok {
		return nil, fmt.Errorf("%s: has no protobuf descriptor", spec.Procedure)
	}
	kind, err := protoregistry.GlobalTypes.FindMessageByName(method.Output().FullName())
	if err != nil {
		return nil, fmt.Errorf("answer of %s: %w", spec.Procedure, err)
	}
	return kind.New().Interface(), nil
}

// associated binds a kept answer to its place, so that it opens nowhere else.
func (c *keyedCall) associated() []byte {
	b := append([]byte(nil), c.row.PersonID[:]...)
	for _, part := range []string{c.row.Procedure, c.row.Key} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part))) //nolint:gosec // both are far below 4 GiB
		b = append(b, part...)
	}
	return b
}
