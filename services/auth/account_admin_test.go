package auth_test

import (
	"context"
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
)

const reason = "asked for by phone"

// accountsAs is a client of the account service with the access token.
func (r *rig) accountsAs(tokens *authv1.Tokens) authv1connect.AccountServiceClient {
	return authv1connect.NewAccountServiceClient(r.transport(tokens.GetAccessToken()))
}

// supportAs is a client of support's service with the access token.
func (r *rig) supportAs(tokens *authv1.Tokens) authv1connect.AccountAdminServiceClient {
	return authv1connect.NewAccountAdminServiceClient(r.transport(tokens.GetAccessToken()))
}

func (r *rig) details(support authv1connect.AccountAdminServiceClient, id string) *authv1.AccountDetails {
	r.t.Helper()
	res, err := support.GetAnyAccount(r.t.Context(), &authv1.GetAnyAccountRequest{UserId: id})
	if err != nil {
		r.t.Fatal(err)
	}
	return res.GetAccount()
}

// supportCalls are calls of every method of support's service on an account.
var supportCalls = map[string]func(context.Context, authv1connect.AccountAdminServiceClient, string, string) error{
	"SearchAccounts": func(ctx context.Context, c authv1connect.AccountAdminServiceClient, id, _ string) error {
		_, err := c.SearchAccounts(ctx, &authv1.SearchAccountsRequest{Query: id})
		return err
	},
	"GetAnyAccount": func(ctx context.Context, c authv1connect.AccountAdminServiceClient, id, _ string) error {
		_, err := c.GetAnyAccount(ctx, &authv1.GetAnyAccountRequest{UserId: id})
		return err
	},
	"SuspendAccount": func(ctx context.Context, c authv1connect.AccountAdminServiceClient, id, why string) error {
		_, err := c.SuspendAccount(ctx, &authv1.SuspendAccountRequest{UserId: id, Reason: why})
		return err
	},
	"ResumeAccount": func(ctx context.Context, c authv1connect.AccountAdminServiceClient, id, why string) error {
		_, err := c.ResumeAccount(ctx, &authv1.ResumeAccountRequest{UserId: id, Reason: why})
		return err
	},
	"EndAccountSessions": func(ctx context.Context, c authv1connect.AccountAdminServiceClient, id, why string) error {
		_, err := c.EndAccountSessions(ctx, &authv1.EndAccountSessionsRequest{UserId: id, Reason: why})
		return err
	},
	"RequestAccountErasure": func(ctx context.Context, c authv1connect.AccountAdminServiceClient, id, why string) error {
		_, err := c.RequestAccountErasure(ctx, &authv1.RequestAccountErasureRequest{UserId: id, Reason: why})
		return err
	},
	"CancelAccountErasure": func(ctx context.Context, c authv1connect.AccountAdminServiceClient, id, why string) error {
		_, err := c.CancelAccountErasure(ctx, &authv1.CancelAccountErasureRequest{UserId: id, Reason: why})
		return err
	},
}

func TestSupportIsForSupport(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	admin, support := r.staff("admin@example.org", "admin"), r.staff("support@example.org", "support")
	key := r.createKey(admin, "mindspace.auth.v1.AccountAdminService").GetKey()
	others := r.staff("others@example.org", "editor", "nutritionist", "analyst")
	plain, colleague := r.register("ana@example.org").GetTokens(), r.personOf(others).GetUserId()
	methods := authv1.File_mindspace_auth_v1_account_admin_proto.Services().ByName("AccountAdminService").Methods()
	for i := range methods.Len() {
		name := string(methods.Get(i).Name())
		call, found := supportCalls[name]
		if !found {
			t.Errorf("there is no call of %s", name)
			continue
		}
		ctx, nobody := t.Context(), uuid.NewString()
		refused(t, name+" signed out", call(ctx, r.supportAs(nil), nobody, reason), connect.CodeUnauthenticated, "CREDENTIAL_MISSING")
		refused(t, name+" by a person", call(ctx, r.supportAs(plain), nobody, reason), connect.CodePermissionDenied, "ROLE_MISSING")
		refused(t, name+" by other staff", call(ctx, r.supportAs(others), nobody, reason), connect.CodePermissionDenied, "ROLE_MISSING")
		refused(t, name+" by a partner", call(ctx, authv1connect.NewAccountAdminServiceClient(r.transport(key)), nobody, reason), connect.CodePermissionDenied, "ROLE_MISSING")
		if name == "SearchAccounts" {
			continue
		}
		if err := call(ctx, r.supportAs(support), nobody, reason); connect.CodeOf(err) != connect.CodeNotFound {
			t.Errorf("%s of nobody: %v", name, err)
		}
		if err := call(ctx, r.supportAs(support), "ana", reason); connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != "userId" {
			t.Errorf("%s of no id: field %q, %v", name, wrongField(err), err)
		}
		if name == "GetAnyAccount" {
			continue
		}
		if err := call(ctx, r.supportAs(support), nobody, ""); connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != "reason" {
			t.Errorf("%s without a reason: field %q, %v", name, wrongField(err), err)
		}
		refused(t, name+" of a colleague", call(ctx, r.supportAs(support), colleague, reason), connect.CodePermissionDenied, "STAFF_ACCOUNT")
	}
	if err := r.callerOf(others); err != nil {
		t.Errorf("the colleague was signed out: %v", err)
	}
}

func TestAccountAsSupportSeesIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	support := r.supportAs(r.staff("support@example.org", "support"))
	ana := r.register("ana@example.org")
	r.clock.advance(time.Minute)
	second := r.login("ana@example.org").GetTokens()
	got := r.details(support, ana.GetUserId())
	if got.GetAccount().GetEmail() != "ana@example.org" || got.GetState() != authv1.AccountState_ACCOUNT_STATE_ACTIVE || got.GetLiveSessions() != 2 ||
		got.GetSecondFactor() || len(got.GetRoles()) != 0 || got.GetEraseAfter() != nil || !got.GetLastSeenAt().AsTime().Equal(r.clock.Now()) {
		t.Errorf("got %v", got)
	}
	r.withTotp(second)
	r.exec("UPDATE auth.sessions SET ended_at = now(), end_reason = 'logout'")
	r.exec("DELETE FROM auth.sessions WHERE account_id = $1", ana.GetUserId())
	r.exec("INSERT INTO auth.staff_roles (account_id, role, granted_at) VALUES ($1, 'editor', now())", ana.GetUserId())
	support = r.supportAs(r.login("support@example.org").GetTokens())
	got = r.details(support, ana.GetUserId())
	if !got.GetSecondFactor() || got.GetLiveSessions() != 0 || got.GetLastSeenAt() != nil || !slices.Equal(got.GetRoles(), []policyv1.Role{roleEditor}) {
		t.Errorf("got %v", got)
	}
}

// Whoever is suspended is out everywhere within a second, and stays out until they are resumed.
func TestSuspension(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	here, there := installation.process(t, inDemo), installation.process(t, inDemo)
	support := here.supportAs(here.staff("support@example.org", "support"))
	ana := here.register("ana@example.org")
	here.withTotp(ana.GetTokens())
	half := here.login("ana@example.org").GetSecondFactor().GetChallengeId()
	here.deliver("ana@example.org")
	if err := supportCalls["SuspendAccount"](t.Context(), support, ana.GetUserId(), reason); err != nil {
		t.Fatal(err)
	}
	for _, process := range []*rig{here, there} {
		within(t, "a token from before", "TOKEN_REVOKED", func() error { return process.callerOf(ana.GetTokens()) })
		_, err := process.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: ana.GetTokens().GetRefreshToken()})
		refused(t, "refreshed", err, connect.CodeUnauthenticated, "SESSION_ENDED")
		_, err = process.client.Login(process.from("192.0.2.1"), &authv1.LoginRequest{Email: "ana@example.org", Password: goodPassword})
		refused(t, "signed in", err, connect.CodePermissionDenied, "ACCOUNT_SUSPENDED")
		refused(t, "half signed in", process.finishFactor(half, "000000"), connect.CodeUnauthenticated, "CHALLENGE_GONE")
	}
	if got := here.details(support, ana.GetUserId()); got.GetState() != authv1.AccountState_ACCOUNT_STATE_SUSPENDED || got.GetLiveSessions() != 0 {
		t.Errorf("suspended: %v", got)
	}
	letters := here.deliver("ana@example.org")
	if len(letters) != 1 || letters[0].Subject != "Your account was suspended" {
		t.Fatalf("letters: %v", letters)
	}
	if strings.Contains(letters[0].Text, reason) {
		t.Error("the letter says why, which is for the record")
	}
	// Again changes nothing.
	if err := supportCalls["SuspendAccount"](t.Context(), support, ana.GetUserId(), reason); err != nil {
		t.Fatal(err)
	}
	if letters := here.deliver("ana@example.org"); len(letters) != 0 {
		t.Errorf("letters of what has not happened: %v", letters)
	}
	for range 2 {
		if err := supportCalls["ResumeAccount"](t.Context(), support, ana.GetUserId(), reason); err != nil {
			t.Fatal(err)
		}
	}
	if letters := here.deliver("ana@example.org"); len(letters) != 1 || letters[0].Subject != "Your account can be used again" {
		t.Errorf("letters: %v", letters)
	}
	if there.login("ana@example.org").GetSecondFactor() == nil {
		t.Error("resumed, and not let in")
	}
}

func TestSupportEndsSessions(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	here, there := installation.process(t, inDemo), installation.process(t, inDemo)
	support := here.supportAs(here.staff("support@example.org", "support"))
	ana := here.register("ana@example.org")
	tokens := []*authv1.Tokens{ana.GetTokens(), here.login("ana@example.org").GetTokens()}
	for _, want := range []int32{2, 0} {
		res, err := support.EndAccountSessions(t.Context(), &authv1.EndAccountSessionsRequest{UserId: ana.GetUserId(), Reason: reason})
		if err != nil || res.GetEnded() != want {
			t.Fatalf("ended %v, %v, want %d", res, err, want)
		}
		for _, one := range tokens {
			within(t, "a token from before", "TOKEN_REVOKED", func() error { return there.callerOf(one) })
		}
	}
	again := there.login("ana@example.org").GetTokens()
	if events := here.events(again); strings.Count(events, "sessions_ended") != 1 {
		t.Errorf("events: %s", events)
	}
	// Where staff are is not the owner's to know.
	res, err := here.as(again).ListSecurityEvents(t.Context(), &authv1.ListSecurityEventsRequest{})
	if err != nil || res.GetEvents()[0].GetKind() != "sessions_ended" || res.GetEvents()[0].GetNetwork() != "" {
		t.Errorf("events: %v, %v", res, err)
	}
}

// An installation keeps an administrator who can sign in, and goes on to.
func TestLastAdministratorIsNotShutOut(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	first := r.staff("first@example.org", "admin")
	firstID := r.personOf(first).GetUserId()
	for _, method := range []string{"SuspendAccount", "RequestAccountErasure"} {
		refused(t, method, supportCalls[method](t.Context(), r.supportAs(first), firstID, reason), connect.CodeFailedPrecondition, "LAST_ADMIN")
	}
	_, err := r.accountsAs(first).RequestErasure(t.Context(), &authv1.RequestErasureRequest{Password: goodPassword})
	refused(t, "by themself", err, connect.CodeFailedPrecondition, "LAST_ADMIN")
	second := r.staff("second@example.org", "admin")
	secondID := r.personOf(second).GetUserId()
	// One who is suspended, or about to be erased, does not count.
	for _, undo := range []struct{ method, inverse string }{{"SuspendAccount", "ResumeAccount"}, {"RequestAccountErasure", "CancelAccountErasure"}} {
		if err := supportCalls[undo.method](t.Context(), r.supportAs(first), secondID, reason); err != nil {
			t.Fatalf("%s of one of two: %v", undo.method, err)
		}
		for _, method := range []string{"SuspendAccount", "RequestAccountErasure"} {
			refused(t, method+" after "+undo.method, supportCalls[method](t.Context(), r.supportAs(first), firstID, reason), connect.CodeFailedPrecondition, "LAST_ADMIN")
		}
		_, err := r.adminAs(first).RevokeRole(t.Context(), &authv1.RevokeRoleRequest{UserId: firstID, Role: roleAdmin})
		refused(t, "RevokeRole after "+undo.method, err, connect.CodeFailedPrecondition, "LAST_ADMIN")
		if err := supportCalls[undo.inverse](t.Context(), r.supportAs(first), secondID, reason); err != nil {
			t.Fatal(err)
		}
	}
}

// Two administrators who suspend each other at once: one of them remains.
func TestAdministratorsSuspendEachOther(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	admins := []string{"first@example.org", "second@example.org"}
	ids := make([]string, 2)
	for i, email := range admins {
		ids[i] = r.personOf(r.staff(email, "admin")).GetUserId()
	}
	for round := range 10 {
		clients := []authv1connect.AccountAdminServiceClient{r.supportAs(r.login(admins[0]).GetTokens()), r.supportAs(r.login(admins[1]).GetTokens())}
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() { _ = supportCalls["SuspendAccount"](t.Context(), clients[i], ids[1-i], reason) })
		}
		all.Wait()
		var active int
		if err := r.pool.QueryRow(t.Context(), "SELECT count(*) FROM auth.accounts WHERE state = 'active'").Scan(&active); err != nil || active != 1 {
			t.Fatalf("round %d: %d active, %v", round, active, err)
		}
		r.exec("UPDATE auth.accounts SET state = 'active'")
	}
}
