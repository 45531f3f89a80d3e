package app

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/platform/reseal"
)

// What is done about persons in the background is done with the rights of the worker's database role, which are no more than that takes.
func TestRightsOfTheWorkerSuffice(t *testing.T) {
	t.Parallel()
	config := configured(t)
	owner, err := pgx.Connect(t.Context(), config.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = owner.Close(t.Context()) }()
	if err := DatabaseRoles(t.Context(), config.DatabaseURL, io.Discard); err != nil {
		t.Fatal(err)
	}
	person := uuid.Must(uuid.NewV7())
	for _, statement := range []string{
		"INSERT INTO auth.accounts (id, email, display_name, locale, time_zone, created_at, erase_after, erasure_id) VALUES ($1, 'ana@example.org', '', 'en', 'UTC', now(), now(), gen_random_uuid())",
		"INSERT INTO auth.erasures (id, account_id, requested_at, by_staff, erase_after) SELECT erasure_id, id, now(), false, now() FROM auth.accounts WHERE id = $1",
		"INSERT INTO users.consents (user_id, id, purpose, granted, policy_version, recorded_at) VALUES ($1, gen_random_uuid(), 'marketing', true, '1', now())",
		"INSERT INTO rpc.idempotency_keys (person_id, procedure, key, request_hash, claimed_at, expires_at) VALUES ($1, '/x', 'x', 'x', now(), now() - interval '1 day')",
	} {
		if _, err := owner.Exec(t.Context(), statement, person); err != nil {
			t.Fatal(err)
		}
	}
	separator := "?"
	if strings.Contains(config.DatabaseURL, "?") {
		separator = "&"
	}
	config.DatabaseURL += separator + "role=mindspace_worker"
	a, err := New(t.Context(), config, []string{"worker"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	var export strings.Builder
	if err := a.people.registry.Export(t.Context(), a.pool, person, time.Now(), &export); err != nil || export.Len() == 0 {
		t.Errorf("export: %d bytes, %v", export.Len(), err)
	}
	if deleted, err := a.people.registry.Retain(t.Context(), a.pool, time.Now()); err != nil || deleted["rpc.idempotency_keys"] != 1 {
		t.Errorf("retention: %v, %v", deleted, err)
	}
	if report, err := reseal.Run(t.Context(), a.pool, a.keys, sealedColumns(), 10); err != nil {
		t.Errorf("reseal: %+v, %v", report, err)
	}
	for range 2 { // both passes
		if err := a.people.erasures.Sweep(t.Context()); err != nil {
			t.Errorf("erasure: %v", err)
		}
		if _, err := owner.Exec(t.Context(), "UPDATE auth.erasures SET erased_at = now() - interval '1 hour' WHERE erased_at IS NOT NULL"); err != nil {
			t.Fatal(err)
		}
	}
	var complete bool
	if err := owner.QueryRow(t.Context(), "SELECT completed_at IS NOT NULL AND account_id IS NULL FROM auth.erasures").Scan(&complete); err != nil || !complete {
		t.Errorf("the erasure is complete: %v, %v", complete, err)
	}
}
