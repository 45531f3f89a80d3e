package jobs_test

import (
	"context"
	"testing"
	"time"

	"github.com/riverqueue/river/rivertype"
	"gocloud.dev/blob/memblob"

	"github.com/mindspace-app/mindspace/jobs"
	"github.com/mindspace-app/mindspace/platform/queue"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
)

// The job erases whose time has come, and its own row knows nobody.
func TestErasuresAreCarriedOut(t *testing.T) {
	t.Parallel()
	r := authtest.New(t)
	blobs := memblob.OpenBucket(nil)
	t.Cleanup(func() { _ = blobs.Close() })
	ana := r.Register("ana@example.org")
	erasure := r.RequestErasure(ana)
	workers := jobs.Workers(jobs.Needs{Pool: r.Pool, Erasures: r.Erasures(r.Registry(), blobs), Logger: r.Logger})
	client, err := queue.NewWorker(r.Pool, queue.Config{Workers: workers, Logger: r.Logger})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Pool.Exec(t.Context(), "DELETE FROM river.river_job"); err != nil { // letters, which nobody works on here
		t.Fatal(err)
	}
	if err := client.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = queue.Stop(context.Background(), client, 5*time.Second) })
	for _, step := range []struct {
		wait time.Duration
		want string
	}{
		{0, "ERASURE_STATE_SCHEDULED"},
		{authtest.CoolingOff, "ERASURE_STATE_ERASED"},
		{20 * time.Minute, "ERASURE_STATE_COMPLETE"},
	} {
		r.Clock.Advance(step.wait)
		if job := work(t, r.Pool, client, jobs.ErasuresArgs{}); job.State != rivertype.JobStateCompleted {
			t.Fatalf("it ended %s: %v", job.State, job.Errors)
		}
		if got := r.Receipt(erasure).GetState().String(); got != step.want {
			t.Errorf("after %s: %s, want %s", step.wait, got, step.want)
		}
	}
	var known int
	if err := r.Pool.QueryRow(t.Context(), "SELECT count(*) FROM river.river_job j WHERE strpos(to_jsonb(j)::text, $1) > 0", ana.ID).Scan(&known); err != nil || known != 0 {
		t.Errorf("the queue knows the person %d times, %v", known, err)
	}
	if letters := r.Post.Take(); len(letters) != 1 || letters[0].To != ana.Email {
		t.Errorf("letters: %v", letters)
	}
}
