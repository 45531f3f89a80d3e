package auth_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	policyv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/policy/v1"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/services/auth"
	"github.com/mindspace-app/mindspace/services/auth/password"
)

// hashed makes a rig hash with so many passes.
func hashed(t *testing.T, iterations uint32) func(*auth.Options) {
	t.Helper()
	parameters := password.Parameters()
	parameters.Memory, parameters.Iterations = 64, iterations
	hasher, err := password.New(parameters, 0)
	if err != nil {
		t.Fatal(err)
	}
	return func(o *auth.Options) { o.Hasher = hasher }
}

func TestLoginRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register("ana@example.org")
	r.register("bob@example.org")
	r.exec("UPDATE auth.accounts SET password_hash = NULL, password_set_at = NULL WHERE email = 'bob@example.org'")
	login := func(email, password string) error {
		res, err := r.client.Login(r.from("198.51.100.1"), &authv1.LoginRequest{Email: email, Password: password})
		if err == nil {
			t.Errorf("%s is let in with %q: %v", email, password, res)
		}
		return err
	}
	// All that a caller can see of it.
	seen := func(err error) string {
		return connect.CodeOf(err).String() + "\n" + err.Error() + "\n" + detailsOf(err)
	}
	want := seen(login("ana@example.org", "wrong password"))
	if !strings.HasPrefix(want, "unauthenticated\n") || !strings.Contains(want, "CREDENTIALS_WRONG") {
		t.Errorf("a wrong password: %s", want)
	}
	for name, c := range map[string][2]string{
		"unknown address":       {"nobody@example.org", goodPassword},
		"no password set":       {"bob@example.org", goodPassword},
		"in capitals":           {"ana@example.org", strings.ToUpper(goodPassword)},
		"with a blank":          {"ana@example.org", goodPassword + " "},
		"a null in it":          {"ana@example.org", goodPassword + "\x00"},
		"SQL":                   {"ana@example.org", "' OR 1=1 --"},
		"one that is too short": {"ana@example.org", "x"},
	} {
		r.exec("DELETE FROM auth.guards")
		if got := seen(login(c[0], c[1])); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
	}
	for _, email := range []string{"", "ana", "\u0430na@example.org", "ana@example.org\x00"} {
		if err := login(email, goodPassword); connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != "email" {
			t.Errorf("%q: %v", email, err)
		}
	}
	if err := login("ana@example.org", ""); wrongField(err) != "password" {
		t.Errorf("no password: %v", err)
	}
}

// detailsOf is what an error carries besides its text.
func detailsOf(err error) string {
	var c *connect.Error
	if !errors.As(err, &c) {
		return ""
	}
	var all strings.Builder
	for _, d := range c.Details() {
		all.WriteString(d.Type + " " + string(d.Value) + "\n")
	}
	return all.String()
}

// What different keyboards make of one text is one password, and letter case and writing of the address do not matter.
func TestLoginTakesEveryWriting(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, err := r.client.Register(t.Context(), &authv1.RegisterRequest{Email: "ana@b\u00fccher.example", Password: "caf\u00e9 violet \u210cettle"}); err != nil {
		t.Fatal(err)
	}
	for email, password := range map[string]string{
		"ANA@xn--BCHER-kva.example":  "caf\u00e9 violet \u210cettle",
		" ana@bu\u0308cher.example ": "cafe\u0301 violet Hettle",
		"ana@b\u00fccher.example":    "\uff43afe\u0301\u00a0violet Hettle",
	} {
		if _, err := r.client.Login(t.Context(), &authv1.LoginRequest{Email: email, Password: password}); err != nil {
			t.Errorf("%q with %q: %v", email, password, err)
		}
	}
}

func TestLoginUpgradesTheHash(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	before, after := installation.process(t, hashed(t, 1)), installation.process(t, hashed(t, 3))
	session := before.register("ana@example.org").GetTokens()
	hash := func() string { return before.column("SELECT password_hash FROM auth.accounts")[0] }
	old := hash()
	_, err := after.client.Login(t.Context(), &authv1.LoginRequest{Email: "ana@example.org", Password: "wrong password"})
	refused(t, "a wrong password", err, connect.CodeUnauthenticated, "CREDENTIALS_WRONG")
	if hash() != old {
		t.Error("a wrong password changed the hash")
	}
	after.login("ana@example.org")
	upgraded := hash()
	if !strings.Contains(old, ",t=1,") || !strings.Contains(upgraded, ",t=3,") {
		t.Errorf("%s became %s", old, upgraded)
	}
	after.login("ana@example.org")
	if hash() != upgraded {
		t.Error("a hash of today's parameters was made again")
	}
	// The password is the same one, so nothing ends by it.
	if _, err := after.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: session.GetRefreshToken()}); err != nil {
		t.Errorf("a session from before: %v", err)
	}
}

func TestSuspendedAccount(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.register("ana@example.org").GetTokens()
	r.exec("UPDATE auth.accounts SET state = 'suspended'")
	_, err := r.client.Login(t.Context(), &authv1.LoginRequest{Email: "ana@example.org", Password: goodPassword})
	refused(t, "login", err, connect.CodePermissionDenied, "ACCOUNT_SUSPENDED")
	_, err = r.client.Login(t.Context(), &authv1.LoginRequest{Email: "ana@example.org", Password: "wrong password"})
	refused(t, "a guess", err, connect.CodeUnauthenticated, "CREDENTIALS_WRONG")
	_, err = r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: tokens.GetRefreshToken()})
	refused(t, "refresh", err, connect.CodePermissionDenied, "ACCOUNT_SUSPENDED")
	_, err = r.as(tokens).ChangePassword(t.Context(), &authv1.ChangePasswordRequest{CurrentPassword: goodPassword, NewPassword: newPassword})
	refused(t, "change password", err, connect.CodePermissionDenied, "ACCOUNT_SUSPENDED")
	r.exec("UPDATE auth.accounts SET state = 'active'")
	if _, err := r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: tokens.GetRefreshToken()}); err != nil {
		t.Errorf("once it is active again: %v", err)
	}
}

func TestDemoLogins(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	demo := installation.process(t, func(o *auth.Options) { o.Demo = true })
	production := installation.process(t)
	if _, err := demo.service.SeedDemo(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, login := range auth.DemoLogins() {
		req := &authv1.LoginRequest{Email: login.Email, Password: auth.DemoPassword}
		res, err := demo.client.Login(t.Context(), req)
		if err != nil || res.GetRolesWithheld() || len(demo.personOf(res.GetTokens()).GetRoles()) != len(login.Roles) {
			t.Errorf("%s in the demo: %v, %v", login.Name, res, err)
		}
		_, err = production.client.Login(t.Context(), req)
		refused(t, login.Name, err, connect.CodePermissionDenied, "DEMO_ACCOUNT")
	}
}

// Staff roles count with a second factor only, and a password is none.
func TestRolesAreWithheld(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	r, demo := installation.process(t), installation.process(t, func(o *auth.Options) { o.Demo = true })
	person := r.register("ana@example.org")
	if r.login("ana@example.org").GetRolesWithheld() {
		t.Error("roles are withheld from someone without any")
	}
	r.exec("INSERT INTO auth.staff_roles (account_id, role, granted_at) VALUES ($1, 'editor', now())", person.GetUserId())
	res := r.login("ana@example.org")
	if !res.GetRolesWithheld() || len(r.personOf(res.GetTokens()).GetRoles()) != 0 {
		t.Errorf("withheld %v, roles %v", res.GetRolesWithheld(), r.personOf(res.GetTokens()).GetRoles())
	}
	if shown := r.methods(res.GetTokens()).GetRoles(); len(shown) != 1 || shown[0] != policyv1.Role_ROLE_EDITOR {
		t.Errorf("shown as had: %v", shown)
	}
	_, err := r.adminAs(res.GetTokens()).ListStaff(t.Context(), &authv1.ListStaffRequest{})
	if connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("a method of staff: %v", err)
	}
	if res := demo.login("ana@example.org"); res.GetRolesWithheld() || len(demo.personOf(res.GetTokens()).GetRoles()) != 1 {
		t.Errorf("in the demo: %v", res.GetRolesWithheld())
	}
}

// Whatever fails and however: neither addresses nor passwords nor tokens are in the log.
func TestNothingSecretIsLogged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.register("ana.secret@example.org").GetTokens()
	reset := r.resetToken("ana.secret@example.org")
	secrets := []string{"ana.secret", goodPassword, newPassword, "wrong secret", reset, tokens.GetAccessToken(), tokens.GetRefreshToken(), "$argon2id$"}
	gone, cancel := context.WithCancel(r.from("192.0.2.1"))
	cancel()
	calls := func(ctx context.Context) {
		for range 7 {
			_, _ = r.client.Login(ctx, &authv1.LoginRequest{Email: "ana.secret@example.org", Password: "wrong secret", PreviousRefreshToken: tokens.GetRefreshToken()})
		}
		_, _ = r.client.Login(ctx, &authv1.LoginRequest{Email: "ana.secret@example", Password: goodPassword})
		_, _ = r.client.Register(ctx, &authv1.RegisterRequest{Email: "ana.secret@example.org", Password: goodPassword})
		_, _ = r.client.Register(ctx, &authv1.RegisterRequest{Email: "ana.secret@example.org", Password: "ana.secret"})
		_, _ = r.client.VerifyEmail(ctx, &authv1.VerifyEmailRequest{Token: reset})
		_, _ = r.client.ResetPassword(ctx, &authv1.ResetPasswordRequest{Token: reset, NewPassword: "short secret\x00"})
		_, _ = r.client.RequestPasswordReset(ctx, &authv1.RequestPasswordResetRequest{Email: "ana.secret@example.org"})
		_, _ = r.as(tokens).ChangePassword(ctx, &authv1.ChangePasswordRequest{CurrentPassword: "wrong secret", NewPassword: newPassword})
		_, _ = r.as(tokens).GetSignInMethods(ctx, &authv1.GetSignInMethodsRequest{})
		_, _ = r.client.Refresh(ctx, &authv1.RefreshRequest{RefreshToken: tokens.GetAccessToken()})
		_, _ = r.client.Refresh(ctx, &authv1.RefreshRequest{RefreshToken: tokens.GetRefreshToken()})
	}
	calls(r.from("192.0.2.1"))
	calls(gone)
	// A hash that cannot be read, and a database that has lost a table: these are logged.
	r.exec("UPDATE auth.accounts SET password_hash = '$argon2id$damaged'")
	r.exec("DELETE FROM auth.guards")
	_, err := r.client.Login(t.Context(), &authv1.LoginRequest{Email: "ana.secret@example.org", Password: goodPassword})
	if connect.CodeOf(err) != connect.CodeInternal || strings.Contains(err.Error(), "argon") {
		t.Errorf("a damaged hash: %v", err)
	}
	r.exec("ALTER TABLE auth.accounts RENAME TO elsewhere")
	calls(r.from("192.0.2.1"))
	log := r.log.String()
	if !strings.Contains(log, `"ERROR"`) {
		t.Error("nothing was logged, so nothing was tested")
	}
	for _, secret := range secrets {
		if i := strings.Index(log, secret); i >= 0 {
			t.Errorf("%q is in the log: …%s", secret, log[max(0, i-200):min(len(log), i+100)])
		}
	}
}

// The two are to take as long as each other: compare their numbers.
func BenchmarkLoginWrong(b *testing.B)   { benchmarkGuess(b, "ana@example.org") }
func BenchmarkLoginUnknown(b *testing.B) { benchmarkGuess(b, "nobody@example.org") }

func benchmarkGuess(b *testing.B, email string) {
	b.Helper()
	r := newRig(b, func(o *auth.Options) {
		hasher, err := password.New(password.Parameters(), 0)
		if err != nil {
			b.Fatal(err)
		}
		o.Hasher = hasher
	})
	ctx := identity.WithRequest(b.Context(), identity.Request{Address: netip.MustParseAddr("198.51.100.1")})
	if _, err := r.client.Register(ctx, &authv1.RegisterRequest{Email: "ana@example.org", Password: goodPassword}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r.clock.advance(time.Hour) // so that every guess is looked at
		_, err := r.client.Login(ctx, &authv1.LoginRequest{Email: email, Password: "wrong password"})
		if connect.CodeOf(err) != connect.CodeUnauthenticated {
			b.Fatal(err)
		}
	}
}
