package auth_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
)

func TestRefreshGivesTheNextPair(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.register("ana@example.org").GetTokens()
	if life := first.GetAccessExpiresAt().AsTime().Sub(r.clock.Now()); life != 15*time.Minute {
		t.Errorf("the access token lives for %v", life)
	}
	r.clock.advance(10 * time.Minute)
	res, err := r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: first.GetRefreshToken()})
	if err != nil {
		t.Fatal(err)
	}
	second := res.GetTokens()
	if second.GetRefreshToken() == first.GetRefreshToken() || second.GetAccessToken() == first.GetAccessToken() {
		t.Error("a token did not change")
	}
	if life := second.GetRefreshExpiresAt().AsTime().Sub(r.clock.Now()); life != 7*24*time.Hour {
		t.Errorf("the refresh token lives for %v", life)
	}
	for _, tokens := range []*authv1.Tokens{first, second} {
		if _, err := r.as(tokens).GetCaller(t.Context(), &authv1.GetCallerRequest{}); err != nil {
			t.Errorf("an access token is refused: %v", err)
		}
	}
}

// A lost answer, or two calls that race, must sign nobody out: within the grace a used token gives the same next one.
func TestUsedTokenWithinTheGrace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.register("ana@example.org").GetTokens().GetRefreshToken()
	next := func() string {
		t.Helper()
		res, err := r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: first})
		if err != nil {
			t.Fatal(err)
		}
		return res.GetTokens().GetRefreshToken()
	}
	second := next()
	r.age(9 * time.Second)
	if again := next(); again != second {
		t.Error("the used token gives another one")
	}
	if _, err := r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: second}); err != nil {
		t.Errorf("the next token: %v", err)
	}
}

func TestReuseEndsTheSession(t *testing.T) {
	t.Parallel()
	for name, reuse := range map[string]func(*rig, string) error{
		"after the grace": func(r *rig, used string) error {
			r.age(10*time.Second + time.Millisecond)
			_, err := r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: used})
			return err
		},
		"two generations old": func(r *rig, used string) error {
			res, err := r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: used})
			if err != nil {
				return err
			}
			if _, err = r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: res.GetTokens().GetRefreshToken()}); err != nil {
				return err
			}
			_, err = r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: used})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			first := r.register("ana@example.org").GetTokens()
			other := r.login("ana@example.org").GetTokens()
			res, err := r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: first.GetRefreshToken()})
			if err != nil {
				t.Fatal(err)
			}
			r.deliver("ana@example.org")
			refused(t, "reuse", reuse(r, first.GetRefreshToken()), connect.CodeUnauthenticated, "REFRESH_TOKEN_REUSED")
			_, err = r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: res.GetTokens().GetRefreshToken()})
			refused(t, "the newest token of the session", err, connect.CodeUnauthenticated, "SESSION_ENDED")
			_, err = r.as(res.GetTokens()).GetCaller(t.Context(), &authv1.GetCallerRequest{})
			refused(t, "its access token", err, connect.CodeUnauthenticated, "TOKEN_REVOKED")
			if events := r.events(other); !strings.HasPrefix(events, "refresh_reuse") {
				t.Errorf("events: %s", events)
			}
			if letters := r.deliver("ana@example.org"); len(letters) != 1 || !strings.Contains(letters[0].Text, "phone") {
				t.Errorf("the owner was told by %d letters", len(letters))
			}
			if _, err := r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: other.GetRefreshToken()}); err != nil {
				t.Errorf("the other device was signed out, too: %v", err)
			}
		})
	}
}

// Processes whose clocks are a minute apart are one installation all the same.
func TestClocksApart(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	slow := installation.process(t)
	installation.clock = &clock{now: slow.clock.Now().Add(50 * time.Second)}
	fast := installation.process(t)
	first := slow.register("ana@example.org").GetTokens()
	res, err := slow.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: first.GetRefreshToken()})
	if err != nil {
		t.Fatal(err)
	}
	again, err := fast.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: first.GetRefreshToken()})
	if err != nil || again.GetTokens().GetRefreshToken() != res.GetTokens().GetRefreshToken() {
		t.Fatalf("a lost answer, asked for again at the other process: %v", err)
	}
	for _, process := range []*rig{slow, fast} {
		if _, err := process.as(again.GetTokens()).GetCaller(t.Context(), &authv1.GetCallerRequest{}); err != nil {
			t.Errorf("an access token from the future or the past: %v", err)
		}
	}
}

// A database that lost its latest moments knows an older token than the device has: that is nobody's theft.
func TestTokenNewerThanTheDatabase(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := r.register("ana@example.org").GetTokens().GetRefreshToken()
	refresh := func() {
		t.Helper()
		res, err := r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: token})
		if err != nil {
			t.Fatal(err)
		}
		token = res.GetTokens().GetRefreshToken()
	}
	refresh()
	var generation int
	var hash []byte
	if err := r.pool.QueryRow(t.Context(), "SELECT generation, secret_hash FROM auth.sessions").Scan(&generation, &hash); err != nil {
		t.Fatal(err)
	}
	refresh()
	if _, err := r.pool.Exec(t.Context(), "UPDATE auth.sessions SET generation = $1, secret_hash = $2", generation, hash); err != nil {
		t.Fatal(err)
	}
	refresh()
	refresh()
}

// Somebody who signs in again and again has so many live sessions, the newest ones.
func TestLiveSessionsAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.register("ana@example.org").GetTokens()
	var last *authv1.Tokens
	for range 100 {
		r.clock.advance(time.Second)
		last = r.login("ana@example.org").GetTokens()
	}
	list, err := r.as(last).ListSessions(t.Context(), &authv1.ListSessionsRequest{})
	if err != nil || len(list.GetSessions()) != 100 {
		t.Errorf("%d sessions, %v", len(list.GetSessions()), err)
	}
	_, err = r.as(first).GetCaller(t.Context(), &authv1.GetCallerRequest{})
	refused(t, "the oldest", err, connect.CodeUnauthenticated, "TOKEN_REVOKED")
}

// Fifty refreshes of one token at once, over two processes, leave one live child.
func TestRefreshRace(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	processes := []*rig{installation.process(t), installation.process(t)}
	token := processes[0].register("ana@example.org").GetTokens().GetRefreshToken()
	var all sync.WaitGroup
	children := make([]string, 50)
	for i := range children {
		all.Go(func() {
			res, err := processes[i%2].client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: token})
			if err != nil {
				t.Error(err)
				return
			}
			children[i] = res.GetTokens().GetRefreshToken()
		})
	}
	all.Wait()
	for _, child := range children {
		if child != children[0] {
			t.Fatal("there is more than one child")
		}
	}
	if _, err := processes[1].client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: children[0]}); err != nil {
		t.Errorf("the child is not live: %v", err)
	}
}

func TestRefreshRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.register("ana@example.org").GetTokens()
	for name, text := range map[string]string{"access token": tokens.GetAccessToken(), "garbage": "msr_AAAA", "null bytes": "msr_\x00", "SQL": "' OR 1=1 --"} {
		_, err := r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: text})
		refused(t, name, err, connect.CodeUnauthenticated, "REFRESH_TOKEN_INVALID")
	}
	_, err := r.client.Refresh(t.Context(), &authv1.RefreshRequest{})
	if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != "refreshToken" {
		t.Errorf("none: %v", err)
	}
	r.clock.advance(7*24*time.Hour + time.Second)
	_, err = r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: tokens.GetRefreshToken()})
	refused(t, "expired", err, connect.CodeUnauthenticated, "REFRESH_TOKEN_EXPIRED")
	if events := r.events(r.login("ana@example.org").GetTokens()); strings.Contains(events, "reuse") {
		t.Errorf("one that expired was taken for one that was used: %s", events)
	}
}

// An access token that has expired is sent along with Refresh by many a client: it must not matter.
func TestRefreshWithAnExpiredAccessToken(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.register("ana@example.org").GetTokens()
	r.clock.advance(time.Hour)
	_, err := r.as(tokens).GetCaller(t.Context(), &authv1.GetCallerRequest{})
	refused(t, "expired", err, connect.CodeUnauthenticated, "TOKEN_EXPIRED")
	if _, err := r.as(tokens).Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: tokens.GetRefreshToken()}); err != nil {
		t.Error(err)
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register("ana@example.org")
	for name, logout := range map[string]func(*authv1.Tokens) error{
		"by refresh token": func(tokens *authv1.Tokens) error {
			_, err := r.client.Logout(t.Context(), &authv1.LogoutRequest{RefreshToken: tokens.GetRefreshToken()})
			return err
		},
		"by access token": func(tokens *authv1.Tokens) error {
			_, err := r.as(tokens).Logout(t.Context(), &authv1.LogoutRequest{})
			return err
		},
	} {
		tokens, other := r.login("ana@example.org").GetTokens(), r.login("ana@example.org").GetTokens()
		if err := logout(tokens); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_, err := r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: tokens.GetRefreshToken()})
		refused(t, name+": refresh", err, connect.CodeUnauthenticated, "SESSION_ENDED")
		_, err = r.as(tokens).ListSessions(t.Context(), &authv1.ListSessionsRequest{})
		refused(t, name+": access", err, connect.CodeUnauthenticated, "TOKEN_REVOKED")
		if _, err := r.as(other).ListSessions(t.Context(), &authv1.ListSessionsRequest{}); err != nil {
			t.Errorf("%s ended another session: %v", name, err)
		}
		if _, err := r.client.Logout(t.Context(), &authv1.LogoutRequest{RefreshToken: tokens.GetRefreshToken()}); err != nil {
			t.Errorf("%s: a second time: %v", name, err)
		}
	}
	_, err := r.client.Logout(t.Context(), &authv1.LogoutRequest{})
	refused(t, "nobody", err, connect.CodeUnauthenticated, "CREDENTIAL_MISSING")
	_, err = r.client.Logout(t.Context(), &authv1.LogoutRequest{RefreshToken: "msr_forged"})
	refused(t, "forged", err, connect.CodeUnauthenticated, "REFRESH_TOKEN_INVALID")
}

func TestSessionsAreListedAndRevoked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	mine, stranger := r.register("ana@example.org").GetTokens(), r.register("bob@example.org").GetTokens()
	r.clock.advance(time.Minute)
	res, err := r.client.Login(r.from("2001:db8:1:2:3::4"), &authv1.LoginRequest{Email: "ana@example.org", Password: goodPassword, Device: "<b>tablet</b>\n\u202e"})
	if err != nil {
		t.Fatal(err)
	}
	tablet := res.GetTokens()
	list, err := r.as(mine).ListSessions(t.Context(), &authv1.ListSessionsRequest{})
	if err != nil || len(list.GetSessions()) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	newest, oldest := list.GetSessions()[0], list.GetSessions()[1]
	if newest.GetDevice() != "<b>tablet</b>" || newest.GetNetwork() != "2001:db8:1::/48" || newest.GetCurrent() {
		t.Errorf("the tablet: %v", newest)
	}
	if oldest.GetDevice() != "phone" || oldest.GetNetwork() != "192.0.2.0/24" || !oldest.GetCurrent() {
		t.Errorf("the phone: %v", oldest)
	}
	_, err = r.as(stranger).RevokeSession(t.Context(), &authv1.RevokeSessionRequest{SessionId: newest.GetId()})
	if connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("a stranger: %v", err)
	}
	if _, err := r.as(mine).RevokeSession(t.Context(), &authv1.RevokeSessionRequest{SessionId: newest.GetId()}); err != nil {
		t.Fatal(err)
	}
	_, err = r.as(tablet).ListSessions(t.Context(), &authv1.ListSessionsRequest{})
	refused(t, "the tablet", err, connect.CodeUnauthenticated, "TOKEN_REVOKED")
	list, err = r.as(mine).ListSessions(t.Context(), &authv1.ListSessionsRequest{})
	if err != nil || len(list.GetSessions()) != 1 || !list.GetSessions()[0].GetCurrent() {
		t.Errorf("afterwards: %v, %v", list, err)
	}
	_, err = r.as(mine).RevokeSession(t.Context(), &authv1.RevokeSessionRequest{SessionId: newest.GetId()})
	if connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("a second time: %v", err)
	}
	_, err = r.as(mine).RevokeSession(t.Context(), &authv1.RevokeSessionRequest{SessionId: "1"})
	if wrongField(err) != "sessionId" {
		t.Errorf("no UUID: %v", err)
	}
}

func TestLogoutEverywhere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	stranger := r.register("bob@example.org").GetTokens()
	all := []*authv1.Tokens{r.register("ana@example.org").GetTokens(), r.login("ana@example.org").GetTokens(), r.login("ana@example.org").GetTokens()}
	if _, err := r.as(all[1]).LogoutEverywhere(t.Context(), &authv1.LogoutEverywhereRequest{}); err != nil {
		t.Fatal(err)
	}
	for _, tokens := range all {
		_, err := r.as(tokens).GetCaller(t.Context(), &authv1.GetCallerRequest{})
		refused(t, "access", err, connect.CodeUnauthenticated, "TOKEN_REVOKED")
		_, err = r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: tokens.GetRefreshToken()})
		refused(t, "refresh", err, connect.CodeUnauthenticated, "SESSION_ENDED")
	}
	if _, err := r.as(stranger).GetCaller(t.Context(), &authv1.GetCallerRequest{}); err != nil {
		t.Errorf("somebody else was signed out: %v", err)
	}
}

// What one process ends, another one refuses within a second.
func TestRevocationReachesOtherProcesses(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	here, there := installation.process(t), installation.process(t)
	tokens := here.register("ana@example.org").GetTokens()
	if _, err := there.as(tokens).GetCaller(t.Context(), &authv1.GetCallerRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := here.as(tokens).Logout(t.Context(), &authv1.LogoutRequest{}); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Second)
	for {
		_, err := there.as(tokens).GetCaller(t.Context(), &authv1.GetCallerRequest{})
		if connect.CodeOf(err) == connect.CodeUnauthenticated {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after a second: %v", err)
		}
	}
}

func TestSignedOutCallersAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, call := range map[string]func() error{
		"LogoutEverywhere": func() error {
			_, err := r.client.LogoutEverywhere(t.Context(), &authv1.LogoutEverywhereRequest{})
			return err
		},
		"ListSessions": func() error { _, err := r.client.ListSessions(t.Context(), &authv1.ListSessionsRequest{}); return err },
		"RevokeSession": func() error {
			_, err := r.client.RevokeSession(t.Context(), &authv1.RevokeSessionRequest{SessionId: "01980000-0000-7000-8000-000000000000"})
			return err
		},
		"ChangePassword": func() error {
			_, err := r.client.ChangePassword(t.Context(), &authv1.ChangePasswordRequest{NewPassword: goodPassword})
			return err
		},
		"GetCaller": func() error { _, err := r.client.GetCaller(t.Context(), &authv1.GetCallerRequest{}); return err },
		"GetSignInMethods": func() error {
			_, err := r.client.GetSignInMethods(t.Context(), &authv1.GetSignInMethodsRequest{})
			return err
		},
		"ListSecurityEvents": func() error {
			_, err := r.client.ListSecurityEvents(t.Context(), &authv1.ListSecurityEventsRequest{})
			return err
		},
		"LinkOidc": func() error {
			_, err := r.client.LinkOidc(t.Context(), &authv1.LinkOidcRequest{Provider: "x", ReturnUrl: "x"})
			return err
		},
		"UnlinkOidc": func() error {
			_, err := r.client.UnlinkOidc(t.Context(), &authv1.UnlinkOidcRequest{Provider: "x"})
			return err
		},
		"EnrollTotp": func() error { _, err := r.client.EnrollTotp(t.Context(), &authv1.EnrollTotpRequest{}); return err },
		"ConfirmTotp": func() error {
			_, err := r.client.ConfirmTotp(t.Context(), &authv1.ConfirmTotpRequest{Code: "1"})
			return err
		},
		"DisableTotp": func() error {
			_, err := r.client.DisableTotp(t.Context(), &authv1.DisableTotpRequest{Code: "1"})
			return err
		},
		"RenewRecoveryCodes": func() error {
			_, err := r.client.RenewRecoveryCodes(t.Context(), &authv1.RenewRecoveryCodesRequest{Code: "1"})
			return err
		},
		"BeginPasskeyRegistration": func() error {
			_, err := r.client.BeginPasskeyRegistration(t.Context(), &authv1.BeginPasskeyRegistrationRequest{})
			return err
		},
		"FinishPasskeyRegistration": func() error {
			_, err := r.client.FinishPasskeyRegistration(t.Context(), &authv1.FinishPasskeyRegistrationRequest{ChallengeId: "x", CredentialJson: "{}"})
			return err
		},
		"RemovePasskey": func() error {
			_, err := r.client.RemovePasskey(t.Context(), &authv1.RemovePasskeyRequest{PasskeyId: "x"})
			return err
		},
	} {
		refused(t, name, call(), connect.CodeUnauthenticated, "CREDENTIAL_MISSING")
	}
}

// age makes the newest refresh token of each session older, by the clock of the database.
func (r *rig) age(d time.Duration) {
	r.t.Helper()
	if _, err := r.pool.Exec(r.t.Context(), "UPDATE auth.sessions SET rotated_at = rotated_at - $1::interval", d); err != nil {
		r.t.Fatal(err)
	}
}
