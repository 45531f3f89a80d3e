package audit

import (
	"context"
	"sync/atomic"
)

type watchKey struct{}

// Watch gives a context that notices records made with it, and a function that tells whether there was one. It sees
// what was inserted, not whether it was committed. Of nested watches the innermost one notices.
func Watch(ctx context.Context) (context.Context, func() bool) {
	recorded := new(atomic.Bool)
	return context.WithValue(ctx, watchKey{}, recorded), recorded.Load
}

// mark tells the watch of the context, if any, that a record was made.
func mark(ctx context.Context) {
	if recorded, ok := ctx.Value(watchKey{}).(*atomic.Bool); ok {
		recorded.Store(true)
	}
}
