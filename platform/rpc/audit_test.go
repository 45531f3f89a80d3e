package rpc_test

import (
	"errors"
	"strings"
	"testing"

	"context"

	probev1 "github.com/mindspace-app/mindspace/gen/go/mindspace/probe/v1"
	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
	"github.com/mindspace-app/mindspace/platform/secret"
)

const nothingRecorded = "audited method recorded nothing"

func TestAuditedMethodThatRecordsNothingIsNoticed(t *testing.T) {
	t.Parallel()
	keys, err := secret.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, nil)
	r.probe.pool, r.probe.audit = pgtest.New(t, migrations.FS), audit.New(keys)
	if _, err := r.client("admin").Staff(t.Context(), &probev1.StaffRequest{Record: true}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.log.String(), nothingRecorded) {
		t.Errorf("it did record: %s", r.log)
	}
	var actor, action string
	if err := r.probe.pool.QueryRow(t.Context(), "SELECT actor_id, action FROM audit.records").Scan(&actor, &action); err != nil || actor != anaID.String() {
		t.Errorf("recorded %q by %q, %v", action, actor, err)
	}
	r.probe.fail = func(context.Context) error { return errors.New("down") }
	_, _ = r.client("admin").Staff(t.Context(), &probev1.StaffRequest{})
	if strings.Contains(r.log.String(), nothingRecorded) {
		t.Errorf("a call that failed has nothing to record: %s", r.log)
	}
	r.probe.fail = nil
	if _, err := r.client("admin").Staff(t.Context(), &probev1.StaffRequest{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(r.log.String(), nothingRecorded) {
		t.Errorf("not noticed: %s", r.log)
	}
}
