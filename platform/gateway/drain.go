package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mindspace-app/mindspace/platform/fault"
)

// errCut is why the context of a request ends that outlived the drain.
var errCut = fault.Unavailable("the server is going away; try again").WithRetryAfter(time.Second)

// Drain ends the server without hurting anyone, and returns when it has:
// readiness goes false; after [ServerConfig.DrainDelay] no connection is accepted any more and idle ones are closed; streams are told
// to end; requests in flight finish. Those that are still running after grace, or when ctx ends, are cut, and Drain gives an error.
// Further calls wait for the first and give its result.
func (s *Server) Drain(ctx context.Context, grace time.Duration) error {
	s.drained.Do(func() { s.result = s.drain(ctx, grace) })
	return s.result
}

func (s *Server) drain(ctx context.Context, grace time.Duration) error {
	if s.config.NotReady != nil {
		s.config.NotReady()
	}
	if s.config.DrainDelay > 0 {
		delay := time.NewTimer(s.config.DrainDelay)
		defer delay.Stop()
		select {
		case <-delay.C:
		case <-ctx.Done():
		}
	}
	patience, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	err := s.shutdown(patience)
	if err == nil {
		s.cut(errCut)
		return nil
	}
	if closing := s.Close(); closing != nil {
		err = errors.Join(err, closing)
	}
	return fmt.Errorf("gateway: requests that still ran were cut: %w", err)
}

func (s *Server) shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	_ = s.listener.Close() // which Shutdown does not know of unless it was served
	if err != nil {
		return err
	}
	select {
	case <-s.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// endStreams is called by Shutdown, once.
func (s *Server) endStreams() {
	defer close(s.ended)
	close(s.draining)
	if s.config.EndStreams != nil {
		s.config.EndStreams()
	}
}
