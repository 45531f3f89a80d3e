package jobs_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/jobs"
	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
	"github.com/mindspace-app/mindspace/platform/queue"
	"github.com/mindspace-app/mindspace/platform/secret"
)

// The first job, from end to end: records written in a transaction are sealed by a worker, through the queue.
func TestWorkerSealsTheAuditLog(t *testing.T) {
	t.Parallel()
	pool, quiet := pgtest.New(t, migrations.FS), slog.New(slog.DiscardHandler)
	keys, err := secret.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	log := audit.New(keys)
	client, err := queue.NewWorker(pool, queue.Config{
		Workers: jobs.Workers(jobs.Needs{Pool: pool, Logger: quiet}), Logger: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	err = postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		for range 3 {
			if err := log.Record(t.Context(), tx, audit.Entry{Action: "test.thing.done", SubjectType: "thing", SubjectID: "1"}); err != nil {
				return err
			}
		}
		_, err := client.InsertTx(t.Context(), tx, jobs.SealAuditArgs{}, nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = queue.Stop(context.Background(), client, time.Second) })
	deadline := time.Now().Add(time.Minute)
	for {
		report, err := audit.Verify(t.Context(), pool)
		if err != nil || !report.Intact() {
			t.Fatalf("%+v, %v", report, err)
		}
		if report.Sealed == 3 && report.Unsealed == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not sealed: %+v", report)
		}
		select {
		case <-t.Context().Done():
			t.Fatal("ended")
		case <-time.After(20 * time.Millisecond):
		}
	}
}
