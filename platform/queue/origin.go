package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/tidwall/sjson"
	"go.opentelemetry.io/otel/propagation"

	"github.com/mindspace-app/mindspace/platform/identity"
)

// origin is what a job remembers of the request that it comes from, in River's metadata. It names nobody.
type origin struct {
	RequestID   string `json:"request_id"`
	TraceParent string `json:"traceparent"`
	TraceState  string `json:"tracestate"`
}

// maxOrigin bounds each part: ids are short, and a trace state from outside is not to fill the table.
const maxOrigin = 256

// originOf gives what the context says of the request.
func originOf(ctx context.Context) origin {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	o := origin{RequestID: identity.RequestFrom(ctx).ID, TraceParent: carrier["traceparent"], TraceState: carrier["tracestate"]}
	if len(o.RequestID) > maxOrigin {
		o.RequestID = o.RequestID[:maxOrigin]
	}
	if len(o.TraceState) > maxOrigin {
		o.TraceState = "" // a shortened one would not parse
	}
	return o
}

// originIn reads the origin from a job's metadata; metadata that holds none, or is not ours, gives an empty one.
func originIn(metadata []byte) origin {
	var o origin
	if json.Unmarshal(metadata, &o) != nil {
		return origin{}
	}
	return o
}

// addTo returns the metadata with the origin in it. What is there already stays.
func (o origin) addTo(metadata []byte) ([]byte, error) {
	present := originIn(metadata)
	for _, part := range []struct{ key, value, present string }{
		{"request_id", o.RequestID, present.RequestID},
		{"traceparent", o.TraceParent, present.TraceParent},
		{"tracestate", o.TraceState, present.TraceState},
	} {
		if part.value == "" || part.present != "" {
			continue
		}
		var err error
		if metadata, err = sjson.SetBytes(metadata, part.key, part.value); err != nil {
			return nil, fmt.Errorf("queue: job metadata: %w", err)
		}
	}
	return metadata, nil
}

// into returns a context that continues the request and the trace.
func (o origin) into(ctx context.Context) context.Context {
	if o.RequestID != "" {
		ctx = identity.WithRequest(ctx, identity.Request{ID: o.RequestID})
	}
	if o.TraceParent != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": o.TraceParent, "tracestate": o.TraceState})
	}
	return ctx
}

// originPlugin lets every job remember where it comes from when it is inserted.
type originPlugin struct {
	river.MiddlewareDefaults
	now func() time.Time
}

var _ rivertype.JobInsertMiddleware = (*originPlugin)(nil)

// InsertMany surrounds every insertion, of one job and of many.
func (p *originPlugin) InsertMany(ctx context.Context, jobs []*rivertype.JobInsertParams, insert func(context.Context) ([]*rivertype.JobInsertResult, error)) ([]*rivertype.JobInsertResult, error) {
	o := originOf(ctx)
	for _, job := range jobs {
		if o != (origin{}) {
			metadata, err := o.addTo(job.Metadata)
			if err != nil {
				return nil, err
			}
			job.Metadata = metadata
		}
		// River leaves a job that is due already to the scheduler, which comes by every five seconds.
		if job.State == rivertype.JobStateScheduled && job.ScheduledAt != nil && !job.ScheduledAt.After(p.now()) {
			job.State = rivertype.JobStateAvailable
		}
	}
	return insert(ctx)
}
