package auth_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"
	"github.com/pquerna/otp/totp"
	"google.golang.org/protobuf/proto"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
)

const newPassword = "violet kettle on the roof"

func TestVerifyEmail(t *testing.T) {
	t.Parallel()
	r := newRig(t, verifiedOnly)
	r.register("ana@example.org")
	r.deliver("ana@example.org")
	login := func(password string) (*authv1.LoginResponse, error) {
		return r.client.Login(r.from("192.0.2.1"), &authv1.LoginRequest{Email: "ana@example.org", Password: password})
	}

	_, err := login("wrong password")
	refused(t, "a wrong password", err, connect.CodeUnauthenticated, "CREDENTIALS_WRONG")
	if letters := r.deliver("ana@example.org"); len(letters) != 0 {
		t.Errorf("a wrong password sends %d letters", len(letters))
	}
	_, err = login(goodPassword)
	refused(t, "the right one", err, connect.CodeFailedPrecondition, "EMAIL_UNVERIFIED")
	letters := r.deliver("ana@example.org")
	if len(letters) != 1 {
		t.Fatalf("the right one sends %d letters", len(letters))
	}
	token := r.tokenOf(letters[0])
	if err := r.reset(token, newPassword); err == nil {
		t.Error("a token that verifies sets a password")
	}
	if err := r.verify(token); err != nil {
		t.Fatal(err)
	}
	res, err := login(goodPassword)
	if err != nil || !r.methods(res.GetTokens()).GetEmailVerified() {
		t.Errorf("afterwards: %v, %v", res, err)
	}
	err = r.verify(token)
	refused(t, "a second time", err, connect.CodeInvalidArgument, "TOKEN_UNUSABLE")
	if wrongField(err) != "token" {
		t.Errorf("field %q", wrongField(err))
	}
}

func TestVerifyEmailRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register("ana@example.org")
	verifies := r.tokenOf(r.deliver("ana@example.org")[0])
	resets := r.resetToken("ana@example.org")
	for name, text := range map[string]string{"a reset token": resets, "garbage": "AAAA", "null": "\x00", "in capitals": strings.ToUpper(verifies), "with a blank": verifies + " ", "an access token": "ey.ey"} {
		refused(t, name, r.verify(text), connect.CodeInvalidArgument, "TOKEN_UNUSABLE")
	}
	for name, text := range map[string]string{"none": "", "long": strings.Repeat("A", 129)} {
		if err := r.verify(text); wrongField(err) != "token" {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.clock.advance(48 * time.Hour)
	refused(t, "after 48 hours", r.verify(verifies), connect.CodeInvalidArgument, "TOKEN_UNUSABLE")
	if res := r.login("ana@example.org"); r.methods(res.GetTokens()).GetEmailVerified() {
		t.Error("the address was verified")
	}

	if _, err := r.client.RequestEmailVerification(t.Context(), &authv1.RequestEmailVerificationRequest{Email: "ana@example.org"}); err != nil {
		t.Fatal(err)
	}
	again := r.deliver("ana@example.org")
	r.clock.advance(48*time.Hour - time.Second)
	if err := r.verify(r.tokenOf(again[len(again)-1])); err != nil {
		t.Errorf("just before 48 hours: %v", err)
	}
}

// Whether there is an account, and whether its address is verified, is told by neither the answer nor what is done for it at once.
func TestRequestsTellNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register("ana@example.org")
	r.verifyAddress("ana@example.org")
	r.register("bob@example.org")
	r.deliver("bob@example.org")
	for _, c := range []struct {
		email            string
		verifies, resets int
	}{{"ana@example.org", 0, 1}, {"BOB@example.org", 1, 1}, {"nobody@example.org", 0, 0}} {
		to := strings.ToLower(c.email)
		verification, err := r.client.RequestEmailVerification(t.Context(), &authv1.RequestEmailVerificationRequest{Email: c.email})
		if err != nil || !proto.Equal(verification, &authv1.RequestEmailVerificationResponse{}) {
			t.Errorf("%s: %v, %v", c.email, verification, err)
		}
		if jobs := r.column("SELECT kind FROM river.river_job"); len(jobs) != 1 || jobs[0] != "auth_verification_requested" {
			t.Errorf("%s: jobs %v", c.email, jobs)
		}
		if letters := r.deliver(to); len(letters) != c.verifies {
			t.Errorf("%s: %d letters verify", c.email, len(letters))
		}
		reset, err := r.client.RequestPasswordReset(t.Context(), &authv1.RequestPasswordResetRequest{Email: c.email})
		if err != nil || !proto.Equal(reset, &authv1.RequestPasswordResetResponse{}) {
			t.Errorf("%s: %v, %v", c.email, reset, err)
		}
		if jobs := r.column("SELECT kind FROM river.river_job"); len(jobs) != 1 || jobs[0] != "auth_password_reset_requested" {
			t.Errorf("%s: jobs %v", c.email, jobs)
		}
		if letters := r.deliver(to); len(letters) != c.resets {
			t.Errorf("%s: %d letters reset", c.email, len(letters))
		}
	}
	for _, email := range []string{"", "ana", "\u0430na@example.org", "ana@example.org\x00"} {
		if _, err := r.client.RequestPasswordReset(t.Context(), &authv1.RequestPasswordResetRequest{Email: email}); wrongField(err) != "email" {
			t.Errorf("reset %q: %v", email, err)
		}
		if _, err := r.client.RequestEmailVerification(t.Context(), &authv1.RequestEmailVerificationRequest{Email: email}); wrongField(err) != "email" {
			t.Errorf("verify %q: %v", email, err)
		}
	}
}

func TestResetPassword(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	all := []*authv1.Tokens{r.register("ana@example.org").GetTokens(), r.login("ana@example.org").GetTokens()}
	stranger := r.register("bob@example.org").GetTokens()
	r.deliver("ana@example.org")
	other, token := r.resetToken("ana@example.org"), r.resetToken("ana@example.org")
	r.clock.advance(time.Minute)

	err := r.reset(token, "password1234")
	refused(t, "a common password", err, connect.CodeInvalidArgument, "PASSWORD_COMMON")
	if wrongField(err) != "newPassword" {
		t.Errorf("field %q", wrongField(err))
	}
	if err := r.reset(token, "ana@example.org"); wrongField(err) != "newPassword" {
		t.Errorf("their own address: %v", err)
	}
	if err := r.reset(token, newPassword); err != nil {
		t.Fatalf("a refused password cost the token: %v", err)
	}
	for name, used := range map[string]string{"a second time": token, "the token of another mail": other, "unknown": "AAAA", "null": "\x00"} {
		refused(t, name, r.reset(used, newPassword), connect.CodeInvalidArgument, "TOKEN_UNUSABLE")
	}
	for i, tokens := range all {
		_, err := r.as(tokens).GetCaller(t.Context(), &authv1.GetCallerRequest{})
		refused(t, fmt.Sprintf("access token %d", i), err, connect.CodeUnauthenticated, "TOKEN_REVOKED")
		_, err = r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: tokens.GetRefreshToken()})
		refused(t, fmt.Sprintf("refresh token %d", i), err, connect.CodeUnauthenticated, "SESSION_ENDED")
	}
	if _, err := r.as(stranger).GetCaller(t.Context(), &authv1.GetCallerRequest{}); err != nil {
		t.Errorf("somebody else was signed out: %v", err)
	}
	_, err = r.client.Login(r.from("192.0.2.1"), &authv1.LoginRequest{Email: "ana@example.org", Password: goodPassword})
	refused(t, "the password before", err, connect.CodeUnauthenticated, "CREDENTIALS_WRONG")
	tokens := r.loginWith(newPassword)
	if !r.methods(tokens).GetEmailVerified() {
		t.Error("whoever read the mail did not verify the address")
	}
	// A network that a reset was done from is no new one.
	if events := r.events(tokens); events != "password_reset" {
		t.Errorf("events: %s", events)
	}
	if networks := strings.Join(r.column("SELECT network::text FROM auth.known_networks k JOIN auth.accounts a ON a.id = k.account_id WHERE email LIKE 'ana%' ORDER BY 1"), " "); networks != "192.0.2.0/24 203.0.113.0/24" {
		t.Errorf("known networks: %s", networks)
	}
	if letters := r.deliver("ana@example.org"); len(letters) != 1 || linkToken.MatchString(letters[0].Text) {
		t.Errorf("the owner was told by %d letters", len(letters))
	}
}

func TestResetTokenExpires(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register("ana@example.org")
	late := r.resetToken("ana@example.org")
	r.clock.advance(time.Second)
	early := r.resetToken("ana@example.org")
	r.clock.advance(time.Hour - time.Second)
	refused(t, "after an hour", r.reset(late, newPassword), connect.CodeInvalidArgument, "TOKEN_UNUSABLE")
	if err := r.reset(early, newPassword); err != nil {
		t.Errorf("just before: %v", err)
	}
}

// Two calls with one token, and two with a token each: one of them sets the password.
func TestResetRace(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	processes := []*rig{installation.process(t), installation.process(t)}
	r := processes[0]
	r.register("ana@example.org")
	for round, tokens := range [][]string{{"a", "a"}, {"a", "b"}, {"a", "b", "c", "a", "b", "c", "a", "b", "c"}} {
		mailed := map[string]string{}
		for _, name := range tokens {
			if mailed[name] == "" {
				mailed[name] = r.resetToken("ana@example.org")
			}
		}
		r.clock.advance(time.Second)
		results := make([]error, len(tokens))
		var all sync.WaitGroup
		for i, name := range tokens {
			all.Go(func() {
				results[i] = processes[i%2].reset(mailed[name], fmt.Sprintf("%s %d %d", newPassword, round, i))
			})
		}
		all.Wait()
		winner := -1
		for i, err := range results {
			if err != nil {
				refused(t, "the slower one", err, connect.CodeInvalidArgument, "TOKEN_UNUSABLE")
				continue
			}
			if winner >= 0 {
				t.Errorf("round %d: %d and %d both set a password", round, winner, i)
			}
			winner = i
		}
		if winner < 0 {
			t.Fatalf("round %d: nobody set a password", round)
		}
		r.loginWith(fmt.Sprintf("%s %d %d", newPassword, round, winner))
	}
}

// A sign-in that has passed the password and waits for a code is worth nothing once the password is another; the code is asked for as ever.
func TestNewPasswordVoidsChallenges(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*rig, *authv1.Tokens) error{
		"reset": func(r *rig, _ *authv1.Tokens) error { return r.reset(r.resetToken("ana@example.org"), newPassword) },
		"change": func(r *rig, tokens *authv1.Tokens) error {
			_, err := r.as(tokens).ChangePassword(r.from("192.0.2.1"), &authv1.ChangePasswordRequest{CurrentPassword: goodPassword, NewPassword: newPassword})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			tokens := r.register("ana@example.org").GetTokens()
			r.verifyAddress("ana@example.org")
			enrolled, err := r.as(tokens).EnrollTotp(t.Context(), &authv1.EnrollTotpRequest{Password: goodPassword})
			if err != nil {
				t.Fatal(err)
			}
			code := func() string {
				r.clock.advance(time.Minute)
				code, err := totp.GenerateCode(enrolled.GetSecret(), r.clock.Now())
				if err != nil {
					t.Fatal(err)
				}
				return code
			}
			if _, err := r.as(tokens).ConfirmTotp(t.Context(), &authv1.ConfirmTotpRequest{Code: code()}); err != nil {
				t.Fatal(err)
			}
			challenge := r.login("ana@example.org").GetSecondFactor().GetChallengeId()
			if err := change(r, tokens); err != nil {
				t.Fatal(err)
			}
			_, err = r.client.FinishSecondFactor(t.Context(), &authv1.FinishSecondFactorRequest{ChallengeId: challenge, Code: code()})
			refused(t, "the half-done sign-in", err, connect.CodeUnauthenticated, "CHALLENGE_GONE")
			res, err := r.client.Login(r.from("192.0.2.1"), &authv1.LoginRequest{Email: "ana@example.org", Password: newPassword})
			if err != nil || res.GetTokens() != nil || res.GetSecondFactor() == nil {
				t.Errorf("the next one: %v, %v", res, err)
			}
		})
	}
}

// Whoever signed up with a stranger's address before its owner came has left no way back in.
func TestFirstProofOfAnAddressClosesOtherWays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, email := range []string{"squatted@example.org", "verified@example.org"} {
		person := r.register(email).GetUserId()
		if email == "verified@example.org" {
			r.verifyAddress(email)
		}
		r.exec("INSERT INTO auth.identities (account_id, provider, subject, email, created_at) VALUES ($1, 'p', $1::uuid::text, 'x@example.org', now())", person)
		r.exec("INSERT INTO auth.passkeys (account_id, credential_id, credential, name, created_at) VALUES ($1, $1::uuid::text::bytea, '{}', 'key', now())", person)
		r.exec("INSERT INTO auth.totps (account_id, secret, created_at, confirmed_at, last_step) VALUES ($1, '', now(), now(), 0)", person)
		if err := r.reset(r.resetToken(email), newPassword); err != nil {
			t.Fatal(err)
		}
		ways := r.column("SELECT 'totp' FROM auth.totps WHERE account_id = $1 UNION ALL SELECT 'identity' FROM auth.identities WHERE account_id = $1 UNION ALL SELECT 'passkey' FROM auth.passkeys WHERE account_id = $1", person)
		if want := map[string]int{"squatted@example.org": 0, "verified@example.org": 3}[email]; len(ways) != want {
			t.Errorf("%s: still enter by %v", email, ways)
		}
	}
}

func (r *rig) verify(token string) error {
	_, err := r.client.VerifyEmail(r.t.Context(), &authv1.VerifyEmailRequest{Token: token})
	return err
}

// verifyAddress does what the owner of an address does with the letter that came at sign-up.
func (r *rig) verifyAddress(email string) {
	r.t.Helper()
	letters := r.deliver(email)
	if len(letters) == 0 {
		r.t.Fatal("there is no letter")
	}
	if err := r.verify(r.tokenOf(letters[0])); err != nil {
		r.t.Fatal(err)
	}
}

// resetToken asks for a reset, and finds the token in the letter.
func (r *rig) resetToken(email string) string {
	r.t.Helper()
	if _, err := r.client.RequestPasswordReset(r.t.Context(), &authv1.RequestPasswordResetRequest{Email: email}); err != nil {
		r.t.Fatal(err)
	}
	letters := r.deliver(email)
	if len(letters) == 0 {
		r.t.Fatal("there is no letter")
	}
	return r.tokenOf(letters[len(letters)-1])
}

func (r *rig) reset(token, password string) error {
	_, err := r.client.ResetPassword(r.from("203.0.113.9"), &authv1.ResetPasswordRequest{Token: token, NewPassword: password})
	return err
}

// loginWith signs Ana in with another password than the usual one.
func (r *rig) loginWith(password string) *authv1.Tokens {
	r.t.Helper()
	res, err := r.client.Login(r.from("203.0.113.9"), &authv1.LoginRequest{Email: "ana@example.org", Password: password})
	if err != nil || res.GetTokens() == nil {
		r.t.Fatalf("%v, %v", res, err)
	}
	return res.GetTokens()
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first, other := r.register("ana@example.org").GetTokens(), r.login("ana@example.org").GetTokens()
	r.deliver("ana@example.org")
	r.clock.advance(time.Minute)
	res, err := r.as(first).ChangePassword(r.from("192.0.2.1"), &authv1.ChangePasswordRequest{CurrentPassword: goodPassword, NewPassword: newPassword})
	if err != nil {
		t.Fatal(err)
	}
	for name, tokens := range map[string]*authv1.Tokens{"this device": first, "the other one": other} {
		_, err := r.as(tokens).GetCaller(t.Context(), &authv1.GetCallerRequest{})
		refused(t, name+": access", err, connect.CodeUnauthenticated, "TOKEN_REVOKED")
		_, err = r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: tokens.GetRefreshToken()})
		refused(t, name+": refresh", err, connect.CodeUnauthenticated, "SESSION_ENDED")
	}
	list, err := r.as(res.GetTokens()).ListSessions(t.Context(), &authv1.ListSessionsRequest{})
	if err != nil || len(list.GetSessions()) != 1 || !list.GetSessions()[0].GetCurrent() || list.GetSessions()[0].GetDevice() != "phone" {
		t.Errorf("sessions: %v, %v", list, err)
	}
	if _, err := r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: res.GetTokens().GetRefreshToken()}); err != nil {
		t.Errorf("the new tokens: %v", err)
	}
	if events := r.events(res.GetTokens()); events != "password_changed" {
		t.Errorf("events: %s", events)
	}
	if letters := r.deliver("ana@example.org"); len(letters) != 1 {
		t.Errorf("the owner was told by %d letters", len(letters))
	}
	_, err = r.client.Login(r.from("192.0.2.1"), &authv1.LoginRequest{Email: "ana@example.org", Password: goodPassword})
	refused(t, "the password before", err, connect.CodeUnauthenticated, "CREDENTIALS_WRONG")
	r.loginWith(newPassword)
}

func TestChangePasswordRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.register("ana@example.org").GetTokens()
	change := func(current, next string) error {
		_, err := r.as(tokens).ChangePassword(r.from("192.0.2.1"), &authv1.ChangePasswordRequest{CurrentPassword: current, NewPassword: next})
		return err
	}
	refused(t, "none, though signed in just now", change("", newPassword), connect.CodeFailedPrecondition, "SIGN_IN_AGAIN")
	err := change(goodPassword, "short")
	refused(t, "a short one", err, connect.CodeInvalidArgument, "PASSWORD_TOO_SHORT")
	if wrongField(err) != "newPassword" {
		t.Errorf("field %q", wrongField(err))
	}
	if err := change(goodPassword, ""); wrongField(err) != "newPassword" {
		t.Errorf("no new one: %v", err)
	}
	for i := range 5 {
		refused(t, fmt.Sprintf("guess %d", i+1), change("wrong password", newPassword), connect.CodeUnauthenticated, "CREDENTIALS_WRONG")
	}
	refused(t, "guess 6", change("wrong password", newPassword), connect.CodeResourceExhausted, "GUESSES_DELAYED")
	refused(t, "the right one in the delay", change(goodPassword, newPassword), connect.CodeResourceExhausted, "GUESSES_DELAYED")
	// A thief with an unlocked phone does not keep the owner from signing in.
	r.login("ana@example.org")
	r.clock.advance(2 * time.Second)
	if err := change(goodPassword, newPassword); err != nil {
		t.Errorf("the right one after it: %v", err)
	}
}

// A person without a password sets one by having signed in of late.
func TestFirstPassword(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.register("ana@example.org").GetTokens()
	r.exec("UPDATE auth.accounts SET password_hash = NULL, password_set_at = NULL")
	_, err := r.client.Login(r.from("192.0.2.1"), &authv1.LoginRequest{Email: "ana@example.org", Password: goodPassword})
	refused(t, "login without a password", err, connect.CodeUnauthenticated, "CREDENTIALS_WRONG")
	set := func() error {
		_, err := r.as(tokens).ChangePassword(r.from("192.0.2.1"), &authv1.ChangePasswordRequest{NewPassword: newPassword})
		return err
	}
	r.clock.advance(5*time.Minute + time.Second)
	refused(t, "a sign-in of long ago", set(), connect.CodeFailedPrecondition, "SIGN_IN_AGAIN")
	r.clock.advance(-2 * time.Second)
	if err := set(); err != nil {
		t.Fatal(err)
	}
	r.loginWith(newPassword)
}

// Whoever signs in with the old password while it is changed is in before, and thrown out, or is not let in. And of two changes at once the
// second does not undo the first.
func TestPasswordChangeRace(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	processes := []*rig{installation.process(t), installation.process(t)}
	r := processes[0]
	tokens, current := r.register("ana@example.org").GetTokens(), goodPassword
	for round := range 25 {
		r.clock.advance(time.Second)
		r.exec("DELETE FROM auth.guards")
		other := r.loginWith(current)
		next := "the next one " + uuid.NewString()
		var all sync.WaitGroup
		old := make([]*authv1.Tokens, 6)
		for i := range old {
			all.Go(func() {
				res, err := processes[i%2].client.Login(r.from("192.0.2.1"), &authv1.LoginRequest{Email: "ana@example.org", Password: current})
				if err != nil && connect.CodeOf(err) != connect.CodeUnauthenticated && connect.CodeOf(err) != connect.CodeResourceExhausted {
					t.Errorf("round %d: login: %v", round, err)
				}
				old[i] = res.GetTokens()
			})
		}
		changes, errs := make([]*authv1.Tokens, 2), make([]error, 2)
		for i, by := range []*authv1.Tokens{tokens, other} {
			all.Go(func() {
				res, err := processes[i].as(by).ChangePassword(r.from("192.0.2.1"), &authv1.ChangePasswordRequest{CurrentPassword: current, NewPassword: fmt.Sprint(next, i)})
				changes[i], errs[i] = res.GetTokens(), err
			})
		}
		all.Wait()
		winner := 0
		if errs[0] != nil {
			winner = 1
		}
		if errs[winner] != nil || errs[1-winner] == nil || connect.CodeOf(errs[1-winner]) != connect.CodeUnauthenticated {
			t.Fatalf("round %d: changes: %v, %v", round, errs[0], errs[1])
		}
		tokens, current = changes[winner], fmt.Sprint(next, winner)
		for i, stale := range old {
			if stale == nil {
				continue
			}
			_, err := r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: stale.GetRefreshToken()})
			refused(t, fmt.Sprintf("round %d, login %d", round, i), err, connect.CodeUnauthenticated, "SESSION_ENDED")
		}
		list, err := r.as(tokens).ListSessions(t.Context(), &authv1.ListSessionsRequest{})
		if err != nil || len(list.GetSessions()) != 1 || !list.GetSessions()[0].GetCurrent() {
			t.Fatalf("round %d: sessions %v, %v", round, list, err)
		}
	}
}
