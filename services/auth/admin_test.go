package auth_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1/authv1connect"
	policyv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/policy/v1"
	"github.com/mindspace-app/mindspace/services/auth"
)

const (
	roleAdmin  = policyv1.Role_ROLE_ADMIN
	roleEditor = policyv1.Role_ROLE_EDITOR
)

// inDemo lets staff roles count without a second factor.
func inDemo(o *auth.Options) { o.Demo = true }

// staff makes a member of staff and signs them in.
func (r *rig) staff(email string, roles ...string) *authv1.Tokens {
	r.t.Helper()
	_, _, err := r.admin.CreateStaff(r.t.Context(), auth.NewStaff{Email: email, DisplayName: "Sam", Password: goodPassword, Roles: roles})
	if err != nil {
		r.t.Fatal(err)
	}
	return r.login(email).GetTokens()
}

// adminBearing is a client of the admin service with a credential.
func (r *rig) adminBearing(credential string) authv1connect.AuthAdminServiceClient {
	return authv1connect.NewAuthAdminServiceClient(r.transport(credential))
}

// within polls a call that has to be refused within a second, by every process.
func within(t *testing.T, what, reason string, call func() error) {
	t.Helper()
	deadline := time.Now().Add(time.Second)
	for {
		err := call()
		if connect.CodeOf(err) == connect.CodeUnauthenticated {
			refused(t, what, err, connect.CodeUnauthenticated, reason)
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%s: after a second: %v", what, err)
			return
		}
	}
}

// callerOf gives who the tokens are of, or the refusal.
func (r *rig) callerOf(tokens *authv1.Tokens) error {
	_, err := r.as(tokens).GetCaller(r.t.Context(), &authv1.GetCallerRequest{})
	return err
}

// adminCalls are calls of every method of the admin service; those that name an account or key name one that does not exist.
var adminCalls = map[string]func(context.Context, authv1connect.AuthAdminServiceClient) error{
	"ListStaff": func(ctx context.Context, c authv1connect.AuthAdminServiceClient) error {
		_, err := c.ListStaff(ctx, &authv1.ListStaffRequest{})
		return err
	},
	"GrantRole": func(ctx context.Context, c authv1connect.AuthAdminServiceClient) error {
		_, err := c.GrantRole(ctx, &authv1.GrantRoleRequest{UserId: uuid.NewString(), Role: roleEditor})
		return err
	},
	"RevokeRole": func(ctx context.Context, c authv1connect.AuthAdminServiceClient) error {
		_, err := c.RevokeRole(ctx, &authv1.RevokeRoleRequest{UserId: uuid.NewString(), Role: roleEditor})
		return err
	},
	"ResetSecondFactors": func(ctx context.Context, c authv1connect.AuthAdminServiceClient) error {
		_, err := c.ResetSecondFactors(ctx, &authv1.ResetSecondFactorsRequest{UserId: uuid.NewString(), Reason: "seen in person"})
		return err
	},
	"CreatePartnerKey": func(ctx context.Context, c authv1connect.AuthAdminServiceClient) error {
		_, err := c.CreatePartnerKey(ctx, &authv1.CreatePartnerKeyRequest{Name: "clinic", Scopes: []string{callerScope}})
		return err
	},
	"ListPartnerKeys": func(ctx context.Context, c authv1connect.AuthAdminServiceClient) error {
		_, err := c.ListPartnerKeys(ctx, &authv1.ListPartnerKeysRequest{})
		return err
	},
	"RevokePartnerKey": func(ctx context.Context, c authv1connect.AuthAdminServiceClient) error {
		_, err := c.RevokePartnerKey(ctx, &authv1.RevokePartnerKeyRequest{PartnerKeyId: uuid.NewString()})
		return err
	},
	"RotateSigningKey": func(ctx context.Context, c authv1connect.AuthAdminServiceClient) error {
		_, err := c.RotateSigningKey(ctx, &authv1.RotateSigningKeyRequest{})
		return err
	},
}

func TestOnlyAdministratorsAdminister(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	admin := r.staff("admin@example.org", "admin")
	key := r.createKey(admin, "mindspace.auth.v1.AuthAdminService").GetKey()
	others := r.staff("others@example.org", "editor", "nutritionist", "support", "analyst")
	plain := r.register("ana@example.org").GetTokens()
	methods := authv1.File_mindspace_auth_v1_auth_admin_proto.Services().ByName("AuthAdminService").Methods()
	for i := range methods.Len() {
		name := string(methods.Get(i).Name())
		call, found := adminCalls[name]
		if !found {
			t.Errorf("there is no call of %s", name)
			continue
		}
		refused(t, name+" signed out", call(t.Context(), r.adminBearing("")), connect.CodeUnauthenticated, "CREDENTIAL_MISSING")
		refused(t, name+" by a person", call(t.Context(), r.adminAs(plain)), connect.CodePermissionDenied, "ROLE_MISSING")
		refused(t, name+" by other staff", call(t.Context(), r.adminAs(others)), connect.CodePermissionDenied, "ROLE_MISSING")
		refused(t, name+" by a partner", call(t.Context(), r.adminBearing(key)), connect.CodePermissionDenied, "ROLE_MISSING")
		switch err := call(t.Context(), r.adminAs(admin)); name {
		case "GrantRole", "RevokeRole", "ResetSecondFactors", "RevokePartnerKey":
			if connect.CodeOf(err) != connect.CodeNotFound {
				t.Errorf("%s of nobody: %v", name, err)
			}
		default:
			if err != nil {
				t.Errorf("%s by an administrator: %v", name, err)
			}
		}
	}
}

func TestAdminRequestsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	tokens := r.staff("admin@example.org", "admin")
	c, ctx, someone := r.adminAs(tokens), t.Context(), uuid.NewString()
	for name, test := range map[string]struct {
		field string
		call  func() (any, error)
	}{
		"grant to no UUID":      {"userId", func() (any, error) { return c.GrantRole(ctx, &authv1.GrantRoleRequest{UserId: "1", Role: roleEditor}) }},
		"grant no role":         {"role", func() (any, error) { return c.GrantRole(ctx, &authv1.GrantRoleRequest{UserId: someone}) }},
		"grant an unknown role": {"role", func() (any, error) { return c.GrantRole(ctx, &authv1.GrantRoleRequest{UserId: someone, Role: 77}) }},
		"revoke from no UUID":   {"userId", func() (any, error) { return c.RevokeRole(ctx, &authv1.RevokeRoleRequest{Role: roleEditor}) }},
		"revoke no role":        {"role", func() (any, error) { return c.RevokeRole(ctx, &authv1.RevokeRoleRequest{UserId: someone}) }},
		"reset no UUID": {"userId", func() (any, error) {
			return c.ResetSecondFactors(ctx, &authv1.ResetSecondFactorsRequest{UserId: "'", Reason: "seen"})
		}},
		"reset without a reason": {"reason", func() (any, error) {
			return c.ResetSecondFactors(ctx, &authv1.ResetSecondFactorsRequest{UserId: someone})
		}},
		"revoke a key of no UUID": {"partnerKeyId", func() (any, error) {
			return c.RevokePartnerKey(ctx, &authv1.RevokePartnerKeyRequest{PartnerKeyId: "x"})
		}},
		"a negative page of staff": {"pageSize", func() (any, error) { return c.ListStaff(ctx, &authv1.ListStaffRequest{PageSize: -1}) }},
		"too large a page of keys": {"pageSize", func() (any, error) { return c.ListPartnerKeys(ctx, &authv1.ListPartnerKeysRequest{PageSize: 101}) }},
		"a forged page of staff":   {"pageToken", func() (any, error) { return c.ListStaff(ctx, &authv1.ListStaffRequest{PageToken: "AAAA"}) }},
		"a forged page of keys":    {"pageToken", func() (any, error) { return c.ListPartnerKeys(ctx, &authv1.ListPartnerKeysRequest{PageToken: "\x00"}) }},
	} {
		_, err := test.call()
		if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != test.field {
			t.Errorf("%s: field %q, %v", name, wrongField(err), err)
		}
	}
}

func TestStaffIsListedPageByPage(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	tokens := r.staff("admin@example.org", "admin", "editor")
	r.register("ana@example.org")
	for i := range 4 {
		r.staff(fmt.Sprintf("staff%d@example.org", i), "support")
	}
	r.withTotp(r.login("staff2@example.org").GetTokens())
	var seen []string
	req := &authv1.ListStaffRequest{PageSize: 2}
	for pages := 1; ; pages++ {
		res, err := r.adminAs(tokens).ListStaff(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, member := range res.GetStaff() {
			seen = append(seen, member.GetEmail())
			if _, err := uuid.Parse(member.GetUserId()); err != nil || member.GetDisplayName() != "Sam" || len(member.GetRoles()) == 0 ||
				member.GetSecondFactor() != (member.GetEmail() == "staff2@example.org") {
				t.Errorf("member: %v", member)
			}
		}
		if res.GetNextPageToken() == "" {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
		req.PageToken = res.GetNextPageToken()
	}
	if got := strings.Join(seen, " "); got != "admin@example.org staff0@example.org staff1@example.org staff2@example.org staff3@example.org" {
		t.Errorf("listed: %s", got)
	}
	_, err := r.adminAs(tokens).ListPartnerKeys(t.Context(), &authv1.ListPartnerKeysRequest{PageToken: req.GetPageToken()})
	if wrongField(err) != "pageToken" {
		t.Errorf("the token of another list: %v", err)
	}
}

// A change of roles outdates the person's access tokens in every process; the next ones have the roles as they are.
func TestRolesAreGrantedAndRevoked(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	here, there := installation.process(t, inDemo), installation.process(t, inDemo)
	admin := here.adminAs(here.staff("admin@example.org", "admin"))
	registered := here.register("ana@example.org")
	tokens, id := registered.GetTokens(), registered.GetUserId()
	for _, step := range []struct {
		what  string
		call  func() (any, error)
		roles []policyv1.Role
	}{
		{"granted", func() (any, error) {
			return admin.GrantRole(t.Context(), &authv1.GrantRoleRequest{UserId: id, Role: roleEditor})
		}, []policyv1.Role{roleEditor}},
		{"another", func() (any, error) {
			return admin.GrantRole(t.Context(), &authv1.GrantRoleRequest{UserId: id, Role: roleAdmin})
		}, []policyv1.Role{roleAdmin, roleEditor}},
		{"again", func() (any, error) {
			return admin.GrantRole(t.Context(), &authv1.GrantRoleRequest{UserId: id, Role: roleAdmin})
		}, []policyv1.Role{roleAdmin, roleEditor}},
		{"revoked", func() (any, error) {
			return admin.RevokeRole(t.Context(), &authv1.RevokeRoleRequest{UserId: id, Role: roleAdmin})
		}, []policyv1.Role{roleEditor}},
		{"revoked again", func() (any, error) {
			return admin.RevokeRole(t.Context(), &authv1.RevokeRoleRequest{UserId: id, Role: roleAdmin})
		}, []policyv1.Role{roleEditor}},
	} {
		here.clock.advance(time.Second)
		if _, err := step.call(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		for _, process := range []*rig{here, there} {
			within(t, step.what+": a token from before", "TOKEN_REVOKED", func() error { return process.callerOf(tokens) })
		}
		here.clock.advance(time.Second)
		tokens = there.refresh(tokens)
		for _, process := range []*rig{here, there} {
			if roles := process.personOf(tokens).GetRoles(); !slices.Equal(roles, step.roles) {
				t.Errorf("%s: roles %v", step.what, roles)
			}
		}
	}
}

// A refresh beside the revocation of a role may read the roles before it: its token must not outlive that.
func TestRefreshBesideRevokedRole(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	here, there := installation.process(t, inDemo), installation.process(t, inDemo)
	admin := here.adminAs(here.staff("admin@example.org", "admin"))
	tokens := []*authv1.Tokens{here.staff("eve@example.org", "editor"), here.login("eve@example.org").GetTokens(), here.login("eve@example.org").GetTokens()}
	id := here.personOf(tokens[0]).GetUserId()
	// Time goes on, in odd microseconds, so that what happens one after the other is not of one time.
	now := here.clock.Now()
	here.clock.advance(now.Truncate(time.Millisecond).Add(time.Millisecond + 501*time.Microsecond).Sub(now))
	stop, running := make(chan struct{}), sync.WaitGroup{}
	running.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				here.clock.advance(2 * time.Microsecond)
			}
		}
	})
	defer func() { close(stop); running.Wait() }()
	for round := range 15 {
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := admin.RevokeRole(t.Context(), &authv1.RevokeRoleRequest{UserId: id, Role: roleEditor}); err != nil {
				t.Error(err)
			}
		})
		for i, process := range []*rig{here, there, here} {
			all.Go(func() {
				for range 3 {
					res, err := process.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: tokens[i].GetRefreshToken()})
					if err != nil {
						t.Error(err)
						return
					}
					tokens[i] = res.GetTokens()
				}
			})
		}
		all.Wait()
		for i := range tokens {
			res, err := here.as(tokens[i]).GetCaller(t.Context(), &authv1.GetCallerRequest{})
			if err == nil && len(res.GetRoles()) > 0 {
				t.Fatalf("round %d: a token with the role is accepted", round)
			}
		}
		if _, err := admin.GrantRole(t.Context(), &authv1.GrantRoleRequest{UserId: id, Role: roleEditor}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLastAdministratorStays(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	tokens, other := r.staff("admin@example.org", "admin"), r.staff("editor@example.org", "editor")
	revoke := func(of *authv1.Tokens, role policyv1.Role) error {
		_, err := r.adminAs(tokens).RevokeRole(t.Context(), &authv1.RevokeRoleRequest{UserId: r.personOf(of).GetUserId(), Role: role})
		return err
	}
	refused(t, "the last one", revoke(tokens, roleAdmin), connect.CodeFailedPrecondition, "LAST_ADMIN")
	if err := revoke(other, roleAdmin); err != nil {
		t.Errorf("of somebody who is none: %v", err)
	}
	if roles := r.personOf(tokens).GetRoles(); !slices.Equal(roles, []policyv1.Role{roleAdmin}) {
		t.Errorf("roles: %v", roles)
	}
	r.staff("second@example.org", "admin")
	if err := revoke(tokens, roleAdmin); err != nil {
		t.Errorf("one of two: %v", err)
	}
}

func TestAdministratorsRevokeEachOther(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	processes := []*rig{installation.process(t, inDemo), installation.process(t, inDemo)}
	emails := []string{"a@example.org", "b@example.org"}
	for round := range 5 {
		var tokens [2]*authv1.Tokens
		var ids [2]string
		for i, email := range emails {
			processes[0].clock.advance(time.Second)
			tokens[i] = processes[0].staff(email, "admin")
			ids[i] = processes[0].personOf(tokens[i]).GetUserId()
		}
		var all sync.WaitGroup
		for i, process := range processes {
			all.Go(func() {
				_, err := process.adminAs(tokens[i]).RevokeRole(t.Context(), &authv1.RevokeRoleRequest{UserId: ids[1-i], Role: roleAdmin})
				switch connect.CodeOf(err) {
				case connect.CodeFailedPrecondition, connect.CodeUnauthenticated: // the other one was faster
				default:
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		var admins int
		if err := processes[0].pool.QueryRow(t.Context(), "SELECT count(*) FROM auth.staff_roles WHERE role = 'admin'").Scan(&admins); err != nil {
			t.Fatal(err)
		}
		if admins != 1 {
			t.Fatalf("round %d: %d administrators are left", round, admins)
		}
	}
}

func TestSecondFactorsAreReset(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	r, there := installation.process(t, inDemo), installation.process(t, inDemo)
	admin := r.staff("admin@example.org", "admin")
	tokens, device := r.owner("ana@example.org")
	id := r.personOf(tokens).GetUserId()
	a, codes := r.withTotp(tokens)
	challenge := r.challenge()
	r.deliver("ana@example.org")
	const reason = "her passport, seen by video"
	if _, err := r.adminAs(admin).ResetSecondFactors(t.Context(), &authv1.ResetSecondFactorsRequest{UserId: id, Reason: reason}); err != nil {
		t.Fatal(err)
	}
	for _, process := range []*rig{r, there} {
		within(t, "her session", "TOKEN_REVOKED", func() error { return process.callerOf(tokens) })
	}
	_, err := r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: tokens.GetRefreshToken()})
	refused(t, "refresh", err, connect.CodeUnauthenticated, "SESSION_ENDED")
	for _, code := range []string{a.next(), codes[0]} {
		refused(t, "a challenge from before", r.finishFactor(challenge, code), connect.CodeUnauthenticated, "CHALLENGE_GONE")
	}
	_, err = r.passkeyLogin(r.from("192.0.2.1"), device, "")
	refused(t, "her passkey", err, connect.CodeUnauthenticated, "PASSKEY_REFUSED")
	login := r.login("ana@example.org")
	if login.GetTokens() == nil {
		t.Fatalf("a second factor is still asked for: %v", login)
	}
	if methods := r.methods(login.GetTokens()); methods.GetTotp() || methods.GetRecoveryCodesLeft() != 0 || len(methods.GetPasskeys()) != 0 {
		t.Errorf("methods: %v", methods)
	}
	if events := r.events(login.GetTokens()); !strings.HasPrefix(events, "factors_reset") {
		t.Errorf("events: %s", events)
	}
	if letters := r.deliver("ana@example.org"); len(letters) != 1 {
		t.Errorf("%d letters tell of it", len(letters))
	}
	record := r.lastRecord()
	before, after := r.reveal(record.id)
	if record.person == nil || record.person.String() != id || strings.Contains(record.raw, reason) || !strings.Contains(after, reason) || !strings.Contains(before, `"Totps":1`) {
		t.Errorf("recorded: %+v, before %s, after %s", record, before, after)
	}
}

// A sign-in that waits for a change of roles gets what they are afterwards.
func TestSignInBesideRevocationOfARole(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	r.staff("ana@example.org", "admin")
	changing, err := r.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = changing.Rollback(context.WithoutCancel(t.Context())) }()
	for _, statement := range []string{"SELECT FROM auth.accounts FOR NO KEY UPDATE", "DELETE FROM auth.staff_roles"} {
		if _, err := changing.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	var login *authv1.LoginResponse
	var waiting sync.WaitGroup
	waiting.Go(func() { login = r.login("ana@example.org") })
	r.awaitWaiting(1)
	if err := changing.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	waiting.Wait()
	res, err := r.as(login.GetTokens()).GetCaller(t.Context(), &authv1.GetCallerRequest{})
	if err != nil || len(res.GetRoles()) != 0 {
		t.Errorf("%v, %v", res, err)
	}
}

// A change of roles refuses the tokens from before and none from after, at any fraction of a millisecond, and where another clock is ahead.
func TestRoleChangeAndClocks(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	slow := installation.process(t, inDemo)
	installation.clock = &clock{now: slow.clock.Now().Add(40 * time.Second)}
	fast := installation.process(t, inDemo)
	admin := slow.staff("admin@example.org", "admin")
	person := slow.register("ana@example.org")
	tokens := fast.refresh(person.GetTokens()) // by the clock that is ahead
	for round := range 10 {
		slow.clock.advance(137 * time.Microsecond)
		role := []policyv1.Role{policyv1.Role_ROLE_EDITOR, policyv1.Role_ROLE_SUPPORT}[round%2]
		if _, err := slow.adminAs(admin).GrantRole(t.Context(), &authv1.GrantRoleRequest{UserId: person.GetUserId(), Role: role}); err != nil {
			t.Fatal(err)
		}
		refused(t, "a token from before", slow.callerOf(tokens), connect.CodeUnauthenticated, "TOKEN_REVOKED")
		if tokens = slow.refresh(tokens); slow.callerOf(tokens) != nil {
			t.Fatalf("round %d: a token from after is refused", round)
		}
	}
}
