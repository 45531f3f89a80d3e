package auth_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/token"
	"github.com/mindspace-app/mindspace/services/auth"
)

// revoked is an installation where a session was ended, a role changed and a partner key revoked.
type revoked struct {
	ended, outdated          *authv1.Tokens
	key                      string
	session, person, partner uuid.UUID
}

func (r *rig) revokeOfEachKind() revoked {
	r.t.Helper()
	admin := r.staff("admin@example.org", "admin")
	all := revoked{ended: r.register("ana@example.org").GetTokens(), outdated: r.register("bob@example.org").GetTokens()}
	made := r.createKey(admin, callerScope)
	all.key = made.GetKey()
	all.session = uuid.MustParse(r.personOf(all.ended).GetSessionId())
	all.person = uuid.MustParse(r.personOf(all.outdated).GetUserId())
	all.partner = uuid.MustParse(made.GetPartnerKey().GetId())
	r.clock.advance(time.Second)
	if _, err := r.as(all.ended).Logout(r.t.Context(), &authv1.LogoutRequest{}); err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.adminAs(admin).GrantRole(r.t.Context(), &authv1.GrantRoleRequest{UserId: all.person.String(), Role: roleEditor}); err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.adminAs(admin).RevokePartnerKey(r.t.Context(), &authv1.RevokePartnerKeyRequest{PartnerKeyId: all.partner.String()}); err != nil {
		r.t.Fatal(err)
	}
	return all
}

func TestRecentRevocations(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	all, at := r.revokeOfEachKind(), r.clock.Now()
	since := func(when time.Time) []token.Revocation {
		t.Helper()
		found, err := auth.RecentRevocations(r.pool)(t.Context(), when)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	found := since(at.Add(-time.Second))
	want := map[token.Revocation]bool{{SessionID: all.session}: true, {UserID: all.person}: true, {SessionID: all.partner}: true}
	for _, one := range found {
		// What outdates tokens is a moment later than every one of them.
		if one.At.Before(at) || one.At.After(at.Add(2*time.Millisecond)) || !want[token.Revocation{SessionID: one.SessionID, UserID: one.UserID}] {
			t.Errorf("unexpected: %+v", one)
		}
	}
	if len(found) != len(want) {
		t.Errorf("%d revocations: %v", len(found), found)
	}
	if found := since(at.Add(2 * time.Millisecond)); len(found) != 0 {
		t.Errorf("from before the time that was asked for: %v", found)
	}
}

// Redis may lose what it had: a process that starts then refuses what the database knows.
func TestRevocationsOutliveRedis(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	r := installation.process(t, inDemo)
	all := r.revokeOfEachKind()
	if err := installation.rdb.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	late := installation.process(t, inDemo)
	within(t, "the session", "TOKEN_REVOKED", func() error { return late.callerOf(all.ended) })
	within(t, "the person", "TOKEN_REVOKED", func() error { return late.callerOf(all.outdated) })
	within(t, "the partner key", "PARTNER_KEY_INVALID", func() error { return late.callWith(all.key) })
	if err := late.callerOf(late.login("bob@example.org").GetTokens()); err == nil {
		return
	}
	installation.clock.advance(time.Second) // no token of the same millisecond
	if err := late.callerOf(late.login("bob@example.org").GetTokens()); err != nil {
		t.Errorf("a new session: %v", err)
	}
}
