package auth_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/platform/personal"
	"github.com/mindspace-app/mindspace/services/auth"
)

// perished is a row of each kind that has its time: $1 is the person, $2 a random id, $3 when its time began or ends.
var perished = []struct {
	table, insert string
	kept          time.Duration
}{
	{"email_tokens", "INSERT INTO auth.email_tokens (account_id, hash, purpose, email, created_at, expires_at) VALUES ($1, uuid_send($2), 'reset', 'x', now(), $3)", 0},
	{"challenges", "INSERT INTO auth.challenges (account_id, hash, kind, device, data, created_at, expires_at) VALUES ($1, uuid_send($2), 'second_factor', '', '', now(), $3)", 0},
	{"oidc_flows", "INSERT INTO auth.oidc_flows (account_id, state_hash, provider, return_url, device, created_at, expires_at) VALUES ($1, uuid_send($2), '', '', '', now(), $3)", 0},
	{"guards", "INSERT INTO auth.guards (key, level, updated_at, locked_until) SELECT uuid_send($2), 1, $3, now() WHERE $1::uuid IS NOT NULL", 2 * day},
	{"sessions", `INSERT INTO auth.sessions (account_id, id, device, created_at, last_seen_at, authenticated_at, second_factor, generation, secret_hash, rotated_at, expires_at)
		VALUES ($1, $2, '', now() - interval '100 days', now(), now(), false, 0, '', now(), $3)`, 30 * day},
	{"known_networks", "INSERT INTO auth.known_networks (account_id, network, last_seen_at) VALUES ($1, ('10.' || get_byte(uuid_send($2), 15) || '.' || get_byte(uuid_send($2), 14) || '.0/24')::cidr, $3)", 90 * day},
	{"erasures", `INSERT INTO auth.erasures (account_id, id, requested_at, by_staff, erase_after, cancelled_at) VALUES ($1, $2, now(), false, now(), $3)`, 365 * day},
	{"erasures", `INSERT INTO auth.erasures (id, requested_at, by_staff, erase_after, erased_at, completed_at)
		SELECT $2, now(), false, now(), now(), $3 WHERE $1::uuid IS NOT NULL`, 3 * 365 * day},
	{"security_events", "INSERT INTO auth.security_events (account_id, id, kind, device, created_at) VALUES ($1, $2, 'new_device', '', $3)", 365 * day},
}

const day = 24 * time.Hour

// retention is the rules of sign-in.
var retention = personal.NewRegistry(auth.Personal())

func (r *rig) count(table string) (n int) {
	r.t.Helper()
	if err := r.pool.QueryRow(r.t.Context(), "SELECT count(*) FROM auth."+table).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

func TestRetentionDeletesWhatHasHadItsTime(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	admin := r.staff("admin@example.org", "admin")
	r.withTotp(admin)
	r.createKey(admin, callerScope)
	r.owner("ana@example.org")
	person, now := uuid.MustParse(r.personOf(admin).GetUserId()), r.clock.Now()
	for _, p := range perished {
		r.exec("DELETE FROM auth." + p.table)
	}
	for _, p := range perished {
		for _, at := range []time.Duration{-time.Second, time.Second, time.Hour} {
			r.exec(p.insert, person, uuid.New(), now.Add(at-p.kept))
		}
	}
	lasting := []string{"accounts", "staff_roles", "totps", "recovery_codes", "passkeys", "partner_keys", "signing_keys"}
	before := map[string]int{}
	for _, table := range lasting {
		if before[table] = r.count(table); before[table] == 0 {
			t.Errorf("%s is empty", table)
		}
	}
	kinds := map[string]int{}
	for _, p := range perished {
		kinds[p.table]++
	}
	for _, want := range []int{1, 0} {
		deleted, err := retention.Retain(t.Context(), r.pool, now)
		if err != nil {
			t.Error(err)
		}
		for table, n := range kinds {
			if got := deleted["auth."+table]; got != int64(want*n) {
				t.Errorf("%s: deleted %d rows, want %d", table, got, want*n)
			}
		}
	}
	for table, n := range kinds {
		if left := r.count(table); left != 2*n {
			t.Errorf("%s: %d rows are left, want %d", table, left, 2*n)
		}
	}
	for _, table := range lasting {
		if n := r.count(table); n != before[table] {
			t.Errorf("%s: %d rows are left of %d", table, n, before[table])
		}
	}
}

// What is added to the schema either has its time or lasts.
func TestRetentionKnowsEveryTable(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	known := map[string]bool{
		"accounts": true, "staff_roles": true, "totps": true, "recovery_codes": true, "passkeys": true, "identities": true, "partner_keys": true,
		"signing_keys": true, // by SigningKeys.Maintain
	}
	for _, p := range perished {
		known[p.table] = true
	}
	rows, err := r.pool.Query(t.Context(), "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'auth'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			t.Fatal(err)
		}
		if !known[table] {
			t.Errorf("is auth.%s kept for ever? Say so here, or purge it", table)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestRetentionGoesOnUntilNothingIsLeft(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const many = 2500
	r.exec(fmt.Sprintf("INSERT INTO auth.guards (key, level, updated_at, locked_until) SELECT int4send(i), 1, to_timestamp(0), to_timestamp(0) FROM generate_series(1, %d) i", many))
	deleted, err := retention.Retain(t.Context(), r.pool, r.clock.Now())
	if err != nil || deleted["auth.guards"] != many || r.count("guards") != 0 {
		t.Errorf("deleted %v, %v, %d are left", deleted, err, r.count("guards"))
	}
}
