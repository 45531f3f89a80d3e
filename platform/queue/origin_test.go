package queue_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/queue"
	"github.com/mindspace-app/mindspace/platform/telemetry/telemetrytest"
)

// followArgs are those of a job that another job inserts.
type followArgs struct{}

func (followArgs) Kind() string { return "test.follow" }

func TestRequestAndTraceReachTheJobAndItsJobs(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	type seen struct {
		request string
		span    trace.SpanContext
	}
	greeted, followed := make(chan seen, 1), make(chan seen, 1)
	look := func(ctx context.Context) seen {
		return seen{identity.RequestFrom(ctx).ID, trace.SpanContextFromContext(ctx)}
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, _ *river.Job[followArgs]) error {
		followed <- look(ctx)
		return nil
	}))
	client := start(t, pool, queue.Config{Workers: workers, Tracer: provider}, func(ctx context.Context, _ *river.Job[greetArgs]) error {
		greeted <- look(ctx)
		_, err := river.ClientFromContext[pgx.Tx](ctx).Insert(ctx, followArgs{}, nil)
		return err
	})

	ctx, span := provider.Tracer("test").Start(t.Context(), "request")
	ctx = identity.WithRequest(ctx, identity.Request{ID: "r-1"})
	ctx = identity.WithCaller(ctx, identity.Caller{Credential: "hunter2"})
	member, err := baggage.NewMember("who", "ana")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	job := insert(baggage.ContextWithBaggage(ctx, bag), t, newInserter(t, pool), greetArgs{}, &river.InsertOpts{Metadata: []byte(`{"mine":1}`)})
	span.End()
	wantState(t, client, job.ID, rivertype.JobStateCompleted)

	var metadata map[string]any
	if err := json.Unmarshal(job.Metadata, &metadata); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(metadata)); !slices.Equal(got, []string{"mine", "request_id", "traceparent"}) {
		t.Errorf("the job remembers %v, want its own, the request and the trace alone", metadata)
	}
	for what, from := range map[string]<-chan seen{"the job": greeted, "the job's job": followed} {
		got := <-from
		if got.request != "r-1" {
			t.Errorf("%s belongs to request %q", what, got.request)
		}
		if got.span.TraceID() != span.SpanContext().TraceID() || got.span.SpanID() == span.SpanContext().SpanID() {
			t.Errorf("%s runs in span %v, want another one of the trace %v", what, got.span, span.SpanContext().TraceID())
		}
	}
	eventually(t, "three spans have ended", func() bool { return len(spans.Ended()) == 3 })
	parents := map[string]trace.SpanID{}
	for _, s := range spans.Ended() {
		parents[s.Name()] = s.Parent().SpanID()
	}
	if parents["test.greet"] != span.SpanContext().SpanID() || parents["test.follow"] == span.SpanContext().SpanID() {
		t.Errorf("parents are %v, want a chain", parents)
	}
}

func TestWithoutTracingTheJobStillKnowsItsRequest(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	logger, logs := telemetrytest.NewLogs()
	remote := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{7}, SpanID: trace.SpanID{7}})
	client := start(t, pool, queue.Config{Logger: logger}, func(ctx context.Context, _ *river.Job[greetArgs]) error {
		logger.InfoContext(ctx, "greeted")
		return nil
	})
	ctx := trace.ContextWithSpanContext(identity.WithRequest(t.Context(), identity.Request{ID: "r-2"}), remote)
	wantState(t, client, insert(ctx, t, client, greetArgs{}, nil).ID, rivertype.JobStateCompleted)
	lines := logs.Lines(t, "greeted")
	if len(lines) != 1 || lines[0]["request_id"] != "r-2" || lines[0]["trace_id"] != remote.TraceID().String() {
		t.Errorf("logged %s, want the request and the trace", logs.Text())
	}
}

func TestJobOfNoRequestRemembersNothing(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	if job := insert(t.Context(), t, newInserter(t, pool), greetArgs{}, nil); string(job.Metadata) != "{}" {
		t.Errorf("the job remembers %s", job.Metadata)
	}
}

func TestJobThatIsDueAlreadyDoesNotWaitForTheScheduler(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	for want, at := range map[rivertype.JobState]time.Time{
		rivertype.JobStateAvailable: time.Now().Add(-time.Minute),
		rivertype.JobStateScheduled: time.Now().Add(time.Minute),
	} {
		job := insert(t.Context(), t, newInserter(t, pool), greetArgs{}, &river.InsertOpts{ScheduledAt: at})
		if job.State != want {
			t.Errorf("a job for %v is %s, want %s", at, job.State, want)
		}
	}
}

func TestEveryResultIsCounted(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	registry := prometheus.NewPedanticRegistry()
	client := start(t, pool, queue.Config{Registry: registry}, func(_ context.Context, job *river.Job[greetArgs]) error {
		switch job.Args.Name {
		case "cancel":
			return river.JobCancel(context.Canceled)
		case "fail once":
			if job.Attempt == 1 {
				return context.DeadlineExceeded
			}
		}
		return nil
	})
	inserter := newInserter(t, pool)
	wantState(t, client, insert(t.Context(), t, inserter, greetArgs{Name: "fail once"}, nil).ID, rivertype.JobStateCompleted)
	wantState(t, client, insert(t.Context(), t, inserter, greetArgs{Name: "cancel"}, nil).ID, rivertype.JobStateCancelled)
	wantState(t, client, insert(t.Context(), t, inserter, followArgs{}, &river.InsertOpts{MaxAttempts: 1}).ID, rivertype.JobStateDiscarded)

	want := map[string]float64{"test.greet completed": 1, "test.greet failed": 1, "test.greet cancelled": 1, "unknown discarded": 1}
	if got := telemetrytest.Samples(t, registry, "mindspace_queue_jobs_total"); !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
	for _, name := range []string{"mindspace_queue_job_duration_seconds", "mindspace_queue_job_wait_seconds"} {
		if got := telemetrytest.Samples(t, registry, name); !maps.Equal(got, map[string]float64{"test.greet": 3}) {
			t.Errorf("%s has %v, want three attempts", name, got)
		}
	}
	if got := telemetrytest.Samples(t, registry, "mindspace_queue_jobs_running"); !maps.Equal(got, map[string]float64{"test.greet": 0}) {
		t.Errorf("running are %v, want none", got)
	}
	telemetrytest.Documented(t, registry, "../../docs/metrics.md")
}
