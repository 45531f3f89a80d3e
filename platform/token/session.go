package token

import (
	"context"
	"math"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/platform/identity"
)

// SessionEnded tells whether the session was ended lately, with the guarantees that tokens have. It is for credentials of other kinds
// whose end is announced by [Revocations.EndSessions].
func (r *Revocations) SessionEnded(ctx context.Context, id uuid.UUID) bool {
	return r.refuse(ctx, &verified{caller: identity.Caller{SessionID: id}, issued: math.MaxInt64})
}
