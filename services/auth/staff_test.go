package auth_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	policyv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/policy/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/services/auth"
)

// Outside the demo a password alone gives no staff roles.
func TestStaffNeedASecondFactor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.staff("admin@example.org", "admin")
	login := r.login("admin@example.org")
	if !login.GetRolesWithheld() || login.GetTokens() == nil || login.GetSecondFactor() != nil {
		t.Fatalf("login: %v", login)
	}
	if roles := r.personOf(tokens).GetRoles(); len(roles) != 0 {
		t.Errorf("roles %v count", roles)
	}
	list := func(tokens *authv1.Tokens) error {
		_, err := r.adminAs(tokens).ListStaff(t.Context(), &authv1.ListStaffRequest{})
		return err
	}
	refused(t, "by password alone", list(tokens), connect.CodePermissionDenied, "ROLE_MISSING")
	if roles := r.methods(tokens).GetRoles(); !slices.Equal(roles, []policyv1.Role{roleAdmin}) {
		t.Errorf("the account is said to have %v", roles)
	}
	a, _ := r.withTotp(tokens)
	refused(t, "the token from before", list(tokens), connect.CodePermissionDenied, "ROLE_MISSING")
	tokens = r.refresh(tokens)
	if err := list(tokens); err != nil {
		t.Errorf("with a second factor: %v", err)
	}
	if err := list(r.refresh(login.GetTokens())); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("another session that never showed one: %v", err)
	}
	challenge := r.login("admin@example.org")
	if challenge.GetRolesWithheld() {
		t.Error("roles are said to be withheld before the second factor")
	}
	if err := list(r.mustFinish(challenge.GetSecondFactor().GetChallengeId(), a.next())); err != nil {
		t.Errorf("the next sign-in: %v", err)
	}

	r.clock.advance(time.Second)
	if err := r.disable(tokens, a.next()); err != nil {
		t.Fatal(err)
	}
	r.clock.advance(time.Second)
	refused(t, "a token from before it was switched off", list(tokens), connect.CodeUnauthenticated, "TOKEN_REVOKED")
	tokens = r.refresh(tokens)
	refused(t, "without it again", list(tokens), connect.CodePermissionDenied, "ROLE_MISSING")
}

func TestStaffInTheDemo(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	r.staff("staff@example.org", "admin", "analyst")
	login := r.login("staff@example.org")
	if login.GetRolesWithheld() {
		t.Error("roles are withheld")
	}
	roles := []policyv1.Role{roleAdmin, policyv1.Role_ROLE_ANALYST}
	for _, tokens := range []*authv1.Tokens{login.GetTokens(), r.refresh(login.GetTokens())} {
		if got := r.personOf(tokens).GetRoles(); !slices.Equal(got, roles) {
			t.Errorf("roles: %v", got)
		}
	}
}

func TestRoleNames(t *testing.T) {
	t.Parallel()
	if names := strings.Join(auth.RoleNames(), " "); names != "admin analyst editor nutritionist support" {
		t.Errorf("roles: %s", names)
	}
}

func TestStaffAreCreated(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	if has, err := r.admin.HasAccount(t.Context(), "sam@example.org"); has || err != nil {
		t.Errorf("has an account: %v, %v", has, err)
	}
	id, existed, err := r.admin.CreateStaff(t.Context(), auth.NewStaff{Email: " Sam@Example.ORG", DisplayName: "Sam\n", Password: goodPassword, Roles: []string{"editor", "editor"}})
	if err != nil || existed || id == uuid.Nil {
		t.Fatalf("%v, %v, %v", id, existed, err)
	}
	if has, err := r.admin.HasAccount(t.Context(), "SAM@example.org"); !has || err != nil {
		t.Errorf("has an account: %v, %v", has, err)
	}
	methods := r.methods(r.login("sam@example.org").GetTokens())
	if !methods.GetEmailVerified() || !slices.Equal(methods.GetRoles(), []policyv1.Role{roleEditor}) {
		t.Errorf("methods: %v", methods)
	}
	got := r.lastRecord()
	before, after := r.reveal(got.id)
	if got.actorKind != "system" || got.actorID != "" || got.action != "auth.staff.created" || got.subjectType != "account" || got.subject != id.String() ||
		before != `{"roles":[]}` || after != `{"roles":["editor"]}` {
		t.Errorf("recorded: %+v, %s, %s", got, before, after)
	}

	// An account that is there gets the roles, and keeps its password and name.
	again, existed, err := r.admin.CreateStaff(t.Context(), auth.NewStaff{Email: "sam@example.org", DisplayName: "Eve", Password: "another good password", Roles: []string{"admin"}})
	if err != nil || !existed || again != id {
		t.Fatalf("%v, %v, %v", again, existed, err)
	}
	if roles := r.methods(r.login("sam@example.org").GetTokens()).GetRoles(); !slices.Equal(roles, []policyv1.Role{roleAdmin, roleEditor}) {
		t.Errorf("roles: %v", roles)
	}
	if _, err := r.client.Login(r.from("192.0.2.1"), &authv1.LoginRequest{Email: "sam@example.org", Password: "another good password"}); err == nil {
		t.Error("the password was changed")
	}
	if before, after := r.reveal(r.lastRecord().id); before != `{"roles":["editor"]}` || after != `{"roles":["admin","editor"]}` {
		t.Errorf("recorded: %s, %s", before, after)
	}
}

func TestStaffThatCannotBe(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, test := range map[string]struct {
		field string
		staff auth.NewStaff
	}{
		"no address":        {"email", auth.NewStaff{Email: "sam", Password: goodPassword, Roles: []string{"admin"}}},
		"no role":           {"", auth.NewStaff{Email: "sam@example.org", Password: goodPassword}},
		"an unknown role":   {"", auth.NewStaff{Email: "sam@example.org", Password: goodPassword, Roles: []string{"admin", "emperor"}}},
		"a role in capital": {"", auth.NewStaff{Email: "sam@example.org", Password: goodPassword, Roles: []string{"ADMIN"}}},
		"no password":       {"password", auth.NewStaff{Email: "sam@example.org", Roles: []string{"admin"}}},
		"a common password": {"password", auth.NewStaff{Email: "sam@example.org", Password: "password1234", Roles: []string{"admin"}}},
	} {
		_, _, err := r.admin.CreateStaff(t.Context(), test.staff)
		found, ok := fault.As(err)
		if !ok || found.Kind() != fault.KindInvalid {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if test.field != "" && (len(found.Fields()) == 0 || found.Fields()[0].Path != test.field) {
			t.Errorf("%s: fields %v", name, found.Fields())
		}
	}
	if has, err := r.admin.HasAccount(t.Context(), "sam@example.org"); has || err != nil {
		t.Errorf("something was made: %v, %v", has, err)
	}
	if records := r.records(); len(records) != 0 {
		t.Errorf("recorded: %v", records)
	}
}

// Nobody becomes staff by an account that a stranger may have made.
func TestUnprovenAddressBecomesNoStaff(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	admin := r.staff("admin@example.org", "admin")
	person := r.register("cto@example.org").GetUserId()
	_, _, err := r.admin.CreateStaff(t.Context(), auth.NewStaff{Email: "cto@example.org", Roles: []string{"admin"}})
	if f, ok := fault.As(err); !ok || f.Reason() != "EMAIL_UNVERIFIED" {
		t.Errorf("the command line: %v", err)
	}
	r.withTotp(admin)
	_, err = r.adminAs(r.refresh(admin)).GrantRole(t.Context(), &authv1.GrantRoleRequest{UserId: person, Role: roleEditor})
	refused(t, "an administrator", err, connect.CodeFailedPrecondition, "EMAIL_UNVERIFIED")
}
