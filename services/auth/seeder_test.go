package auth_test

import (
	"slices"
	"testing"

	"connectrpc.com/connect/v2"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/services/auth"
)

func (r *rig) demoLogin(email string) (*authv1.LoginResponse, error) {
	return r.client.Login(r.from("192.0.2.1"), &authv1.LoginRequest{Email: email, Password: auth.DemoPassword})
}

func TestDemoIsSeeded(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	r, production := installation.process(t, inDemo), installation.process(t)
	for _, want := range []bool{true, false} {
		if changed, err := r.service.SeedDemo(t.Context()); err != nil || changed != want {
			t.Fatalf("changed %v, %v, want %v", changed, err, want)
		}
	}
	for _, login := range auth.DemoLogins() {
		res, err := r.demoLogin(login.Email)
		if err != nil {
			t.Errorf("%s: %v", login.Email, err)
			continue
		}
		caller := r.personOf(res.GetTokens())
		if res.GetRolesWithheld() || caller.GetUserId() != login.ID.String() || len(caller.GetRoles()) != len(login.Roles) {
			t.Errorf("%s: %v", login.Email, caller)
		}
		_, err = production.demoLogin(login.Email)
		refused(t, login.Email+" in production", err, connect.CodePermissionDenied, "DEMO_ACCOUNT")
	}
	if staff := auth.DemoLogins()[1]; !slices.Equal(staff.Roles, auth.RoleNames()) {
		t.Errorf("%s lacks roles: %v", staff.Email, staff.Roles)
	}
}

// Whoever was there before the demo stays as they are; what is missing is made.
func TestSeedingLeavesWhatIsThere(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	const email = "staff@demo.test"
	before := r.register(email).GetUserId()
	if changed, err := r.service.SeedDemo(t.Context()); err != nil || !changed {
		t.Fatalf("changed %v, %v", changed, err)
	}
	if caller := r.personOf(r.login(email).GetTokens()); caller.GetUserId() != before || len(caller.GetRoles()) != 0 {
		t.Errorf("who was there is now %v", caller)
	}
	if _, err := r.demoLogin("ana@demo.test"); err != nil {
		t.Errorf("the others: %v", err)
	}
}
