package auth_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
)

// callerScope is the scope of the one method of this domain that partners may call.
const callerScope = "mindspace.auth.v1.AuthService/GetCaller"

// createKey makes a partner key.
func (r *rig) createKey(admin *authv1.Tokens, scopes ...string) *authv1.CreatePartnerKeyResponse {
	r.t.Helper()
	res, err := r.adminAs(admin).CreatePartnerKey(r.t.Context(), &authv1.CreatePartnerKeyRequest{Name: "clinic", Scopes: scopes})
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// callWith calls with a partner key.
func (r *rig) callWith(key string) error {
	_, err := r.bearing(key).GetCaller(r.t.Context(), &authv1.GetCallerRequest{})
	return err
}

// keyOf is a partner key as it is listed.
func (r *rig) keyOf(admin *authv1.Tokens, id string) *authv1.PartnerKey {
	r.t.Helper()
	res, err := r.adminAs(admin).ListPartnerKeys(r.t.Context(), &authv1.ListPartnerKeysRequest{PageSize: 100})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, key := range res.GetPartnerKeys() {
		if key.GetId() == id {
			return key
		}
	}
	r.t.Fatalf("key %s is not listed", id)
	return nil
}

func TestPartnerKeyCallsWhatItIsFor(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	admin := r.staff("admin@example.org", "admin")
	for _, scope := range []string{callerScope, "mindspace.auth.v1.AuthService"} {
		made := r.createKey(admin, "mindspace.user.v1.UserService", scope)
		res, err := r.bearing(made.GetKey()).GetCaller(t.Context(), &authv1.GetCallerRequest{})
		if err != nil {
			t.Errorf("%s: %v", scope, err)
			continue
		}
		if res.GetPartnerKeyId() != made.GetPartnerKey().GetId() || res.GetUserId() != "" || res.GetSessionId() != "" || len(res.GetRoles()) != 0 ||
			!slices.Equal(res.GetScopes(), []string{"mindspace.user.v1.UserService", scope}) {
			t.Errorf("%s: caller %v", scope, res)
		}
		_, err = r.bearing(made.GetKey()).ListSessions(t.Context(), &authv1.ListSessionsRequest{})
		refused(t, scope+": a method that is not for partners", err, connect.CodePermissionDenied, "ROLE_MISSING")
	}
	for _, scope := range []string{"mindspace.auth.v1.AuthService/ListSessions", "mindspace.auth.v1.OtherService", "mindspace.user.v1.UserService"} {
		refused(t, scope, r.callWith(r.createKey(admin, scope).GetKey()), connect.CodePermissionDenied, "SCOPE_MISSING")
	}
}

func TestPartnerKeyIsKeptAsHash(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	admin := r.staff("admin@example.org", "admin")
	made := r.createKey(admin, callerScope)
	if len(made.GetKey()) < 40 || !strings.HasPrefix(made.GetKey(), "msp_") {
		t.Errorf("the key is %q", made.GetKey())
	}
	var row, everything string
	err := r.pool.QueryRow(t.Context(), "SELECT (SELECT to_jsonb(k)::text FROM auth.partner_keys k), (SELECT string_agg(encode(after, 'escape'), '') FROM audit.records)").Scan(&row, &everything)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(made.GetKey()))
	if !strings.Contains(row, hex.EncodeToString(sum[:])) || strings.Contains(row+everything+r.log.String(), made.GetKey()[4:]) {
		t.Errorf("kept is %s, recorded %s", row, everything)
	}
}

func TestForgedPartnerKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	good := r.createKey(r.staff("admin@example.org", "admin"), callerScope).GetKey()
	sum := sha256.Sum256([]byte(good))
	for name, key := range map[string]string{
		"the prefix alone": "msp_", "made up": "msp_" + strings.Repeat("A", 43), "cut": good[:len(good)-1], "longer": good + "A", "very long": good + strings.Repeat("A", 1<<16),
		"its hash": "msp_" + hex.EncodeToString(sum[:]), "null bytes": good + "\x00", "of other letters": "msp_" + strings.ToLower(good[4:]),
	} {
		for range 2 { // what is unknown must not be remembered as something else
			refused(t, name, r.callWith(key), connect.CodeUnauthenticated, "PARTNER_KEY_INVALID")
		}
	}
	if err := r.callWith(good); err != nil {
		t.Errorf("the key itself: %v", err)
	}
}

func TestPartnerKeyIsRevoked(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	processes := []*rig{installation.process(t, inDemo), installation.process(t, inDemo)}
	r := processes[0]
	admin := r.staff("admin@example.org", "admin")
	made, other := r.createKey(admin, callerScope), r.createKey(admin, callerScope)
	id := made.GetPartnerKey().GetId()
	for _, process := range processes {
		if err := process.callWith(made.GetKey()); err != nil {
			t.Fatal(err)
		}
	}
	revoked := r.clock.Now()
	for range 2 { // the second time changes nothing
		if _, err := r.adminAs(admin).RevokePartnerKey(t.Context(), &authv1.RevokePartnerKeyRequest{PartnerKeyId: id}); err != nil {
			t.Fatal(err)
		}
		for i, process := range processes {
			within(t, fmt.Sprintf("process %d", i), "PARTNER_KEY_INVALID", func() error { return process.callWith(made.GetKey()) })
		}
		r.clock.advance(time.Minute)
	}
	if at := r.keyOf(admin, id).GetRevokedAt().AsTime(); !at.Equal(revoked) {
		t.Errorf("revoked at %v, want %v", at, revoked)
	}
	refused(t, "a process that starts afterwards", installation.process(t).callWith(made.GetKey()), connect.CodeUnauthenticated, "PARTNER_KEY_INVALID")
	if err := processes[1].callWith(other.GetKey()); err != nil {
		t.Errorf("another key: %v", err)
	}
}

func TestPartnerKeyExpires(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	admin := r.staff("admin@example.org", "admin")
	ends := r.clock.Now().Add(10 * time.Minute)
	made, err := r.adminAs(admin).CreatePartnerKey(t.Context(), &authv1.CreatePartnerKeyRequest{Name: " the\n clinic ", Scopes: []string{callerScope}, ExpiresAt: timestamppb.New(ends)})
	if err != nil {
		t.Fatal(err)
	}
	if key := made.GetPartnerKey(); !key.GetExpiresAt().AsTime().Equal(ends) || key.GetName() != "the clinic" || key.GetLastUsedAt() != nil || key.GetRevokedAt() != nil {
		t.Errorf("key: %v", key)
	}
	r.clock.advance(10*time.Minute - time.Second)
	if err := r.callWith(made.GetKey()); err != nil {
		t.Error(err)
	}
	r.clock.advance(time.Second)
	refused(t, "expired", r.callWith(made.GetKey()), connect.CodeUnauthenticated, "PARTNER_KEY_INVALID")
}

func TestUseOfPartnerKeyIsNoted(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	r := installation.process(t, inDemo)
	admin := r.staff("admin@example.org", "admin")
	made := r.createKey(admin, callerScope)
	start := r.clock.Now()
	for _, step := range []struct{ later, noted time.Duration }{{0, 0}, {59 * time.Minute, 0}, {2 * time.Minute, 61 * time.Minute}} {
		r.clock.advance(step.later)
		if err := installation.process(t).callWith(made.GetKey()); err != nil { // a new process remembers nothing
			t.Fatal(err)
		}
		used := r.keyOf(r.login("admin@example.org").GetTokens(), made.GetPartnerKey().GetId()).GetLastUsedAt()
		if used == nil || !used.AsTime().Equal(start.Add(step.noted)) {
			t.Errorf("last used at %v, want %v", used.AsTime(), start.Add(step.noted))
		}
	}
}

func TestPartnerKeysThatMakeNoSense(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	c := r.adminAs(r.staff("admin@example.org", "admin"))
	good := []string{callerScope}
	for name, test := range map[string]struct {
		field string
		req   *authv1.CreatePartnerKeyRequest
	}{
		"no name":              {"name", &authv1.CreatePartnerKeyRequest{Scopes: good}},
		"a blank name":         {"name", &authv1.CreatePartnerKeyRequest{Name: " \n\u200b", Scopes: good}},
		"a long name":          {"name", &authv1.CreatePartnerKeyRequest{Name: strings.Repeat("x", 101), Scopes: good}},
		"no scope":             {"scopes", &authv1.CreatePartnerKeyRequest{Name: "x"}},
		"an empty scope":       {"scopes[1]", &authv1.CreatePartnerKeyRequest{Name: "x", Scopes: []string{callerScope, ""}}},
		"everything":           {"scopes[0]", &authv1.CreatePartnerKeyRequest{Name: "x", Scopes: []string{"*"}}},
		"a slash before":       {"scopes[0]", &authv1.CreatePartnerKeyRequest{Name: "x", Scopes: []string{"/" + callerScope}}},
		"a line after":         {"scopes[2]", &authv1.CreatePartnerKeyRequest{Name: "x", Scopes: []string{callerScope, callerScope, callerScope + "\n"}}},
		"another program's":    {"scopes[0]", &authv1.CreatePartnerKeyRequest{Name: "x", Scopes: []string{"grpc.health.v1.Health"}}},
		"a package":            {"scopes[0]", &authv1.CreatePartnerKeyRequest{Name: "x", Scopes: []string{"mindspace.auth.v1"}}},
		"expired already":      {"expiresAt", &authv1.CreatePartnerKeyRequest{Name: "x", Scopes: good, ExpiresAt: timestamppb.New(r.clock.Now())}},
		"an impossible time":   {"expiresAt", &authv1.CreatePartnerKeyRequest{Name: "x", Scopes: good, ExpiresAt: &timestamppb.Timestamp{Seconds: 1 << 60}}},
		"impossible fractions": {"expiresAt", &authv1.CreatePartnerKeyRequest{Name: "x", Scopes: good, ExpiresAt: &timestamppb.Timestamp{Seconds: 1 << 33, Nanos: -1}}},
	} {
		_, err := c.CreatePartnerKey(t.Context(), test.req)
		if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != test.field {
			t.Errorf("%s: field %q, %v", name, wrongField(err), err)
		}
	}
}

func TestPartnerKeysAreListedPageByPage(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	admin := r.staff("admin@example.org", "admin")
	var made, listed []string
	for range 5 {
		made = append(made, r.createKey(admin, callerScope).GetPartnerKey().GetId())
	}
	slices.Reverse(made)
	if _, err := r.adminAs(admin).RevokePartnerKey(t.Context(), &authv1.RevokePartnerKeyRequest{PartnerKeyId: made[1]}); err != nil {
		t.Fatal(err)
	}
	req := &authv1.ListPartnerKeysRequest{PageSize: 2}
	for {
		res, err := r.adminAs(admin).ListPartnerKeys(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range res.GetPartnerKeys() {
			listed = append(listed, key.GetId())
			if key.GetName() != "clinic" || (key.GetRevokedAt() != nil) != (key.GetId() == made[1]) {
				t.Errorf("key: %v", key)
			}
		}
		if req.PageToken = res.GetNextPageToken(); req.PageToken == "" {
			break
		}
	}
	if !slices.Equal(listed, made) {
		t.Errorf("listed %v, want %v", listed, made)
	}
}
