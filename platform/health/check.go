package health

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// The messages that callers see.
const (
	messageOK     = "ok"
	messageFailed = "failed"
	messageSlow   = "gave no answer in time"
)

// errSlow is the failure of a check that does not come back.
var errSlow = errors.New("no answer in time")

// check is one thing that is asked about, and how it was the last time.
type check struct {
	name     string
	required bool
	run      func(context.Context) error

	busy  atomic.Bool // it runs, perhaps from long ago
	known bool        // it ran before; only the flight touches this and the next
	ok    bool
}

// ask runs the check and makes its change known.
func (c *Checks) ask(ctx context.Context, check *check) Result {
	began := time.Now()
	err := check.answer(ctx, c.config.Timeout)
	took := time.Since(began)
	c.note(ctx, check, err)
	result := Result{Name: check.name, OK: err == nil, Required: check.required, Message: messageOK, DurationMS: float64(took.Microseconds()) / 1000}
	switch {
	case errors.Is(err, errSlow):
		result.Message = messageSlow
	case err != nil:
		result.Message = messageFailed
	}
	return result
}

// answer runs the check for at most timeout. One that ignores the end of its context is left behind,
// and not started again before it has come back.
func (k *check) answer(ctx context.Context, timeout time.Duration) error {
	if !k.busy.CompareAndSwap(false, true) {
		return fmt.Errorf("an earlier run has not come back: %w", errSlow)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errSlow)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		defer k.busy.Store(false)
		done <- k.safely(ctx)
	}()
	select {
	case err := <-done:
		if err != nil && ctx.Err() != nil {
			return errors.Join(errSlow, err)
		}
		return err
	case <-ctx.Done():
		return errSlow
	}
}

// safely makes an error of a panic: no probe may end the process.
func (k *check) safely(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return k.run(ctx)
}

// note logs a change, once, and not how things go on.
func (c *Checks) note(ctx context.Context, check *check, err error) {
	changed := !check.known || check.ok != (err == nil)
	recovered := check.known && err == nil
	check.known, check.ok = true, err == nil
	gauge := c.state.WithLabelValues(check.name)
	if err == nil {
		gauge.Set(1)
	} else {
		gauge.Set(0)
	}
	switch {
	case changed && err != nil:
		c.config.Logger.ErrorContext(ctx, "health check fails", "check", check.name, "required", check.required, "error", err)
	case changed && recovered:
		c.config.Logger.InfoContext(ctx, "health check succeeds again", "check", check.name)
	}
}
