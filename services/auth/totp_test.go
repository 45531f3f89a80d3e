package auth_test

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
)

// period is how long a code is shown.
const period = 30 * time.Second

// app is an authenticator app with one secret.
type app struct {
	r      *rig
	secret string
}

// code is what the app shows at a distance from now.
func (a app) code(distance time.Duration) string {
	a.r.t.Helper()
	code, err := totp.GenerateCode(a.secret, a.r.clock.Now().Add(distance))
	if err != nil {
		a.r.t.Fatal(err)
	}
	return code
}

// next waits for a code that was not shown before.
func (a app) next() string {
	a.r.t.Helper()
	a.r.clock.advance(period)
	return a.code(0)
}

// enroll sets an app up, short of the first code.
func (r *rig) enroll(tokens *authv1.Tokens) app {
	r.t.Helper()
	res, err := r.as(tokens).EnrollTotp(r.t.Context(), &authv1.EnrollTotpRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	return app{r, res.GetSecret()}
}

// withTotp switches the second factor on, and gives the recovery codes too.
func (r *rig) withTotp(tokens *authv1.Tokens) (app, []string) {
	r.t.Helper()
	a := r.enroll(tokens)
	res, err := r.as(tokens).ConfirmTotp(r.t.Context(), &authv1.ConfirmTotpRequest{Code: a.code(0)})
	if err != nil {
		r.t.Fatal(err)
	}
	return a, res.GetRecoveryCodes()
}

func (r *rig) confirm(tokens *authv1.Tokens, code string) error {
	_, err := r.as(tokens).ConfirmTotp(r.t.Context(), &authv1.ConfirmTotpRequest{Code: code})
	return err
}

func (r *rig) disable(tokens *authv1.Tokens, code string) error {
	_, err := r.as(tokens).DisableTotp(r.t.Context(), &authv1.DisableTotpRequest{Code: code})
	return err
}

// refresh exchanges the refresh token.
func (r *rig) refresh(tokens *authv1.Tokens) *authv1.Tokens {
	r.t.Helper()
	res, err := r.client.Refresh(r.t.Context(), &authv1.RefreshRequest{RefreshToken: tokens.GetRefreshToken()})
	if err != nil {
		r.t.Fatal(err)
	}
	return res.GetTokens()
}

// saysSecondFactor reads an access token as the party would that gets it.
func saysSecondFactor(t *testing.T, tokens *authv1.Tokens) bool {
	t.Helper()
	parts := strings.Split(tokens.GetAccessToken(), ".")
	if len(parts) != 3 {
		t.Fatalf("no access token: %q", tokens.GetAccessToken())
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Methods []string `json:"amr"`
	}
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	return slices.Contains(claims.Methods, "mfa")
}

// currentSession is the session of the access token as it is listed.
func (r *rig) currentSession(tokens *authv1.Tokens) *authv1.Session {
	r.t.Helper()
	res, err := r.as(tokens).ListSessions(r.t.Context(), &authv1.ListSessionsRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, session := range res.GetSessions() {
		if session.GetCurrent() {
			return session
		}
	}
	r.t.Fatal("the session is not listed")
	return nil
}

func TestEnrolmentIsForAuthenticatorApps(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const email = "ana+totp@example.org"
	tokens := r.register(email).GetTokens()
	res, err := r.as(tokens).EnrollTotp(t.Context(), &authv1.EnrollTotpRequest{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := otp.NewKeyFromURL(res.GetUri())
	if err != nil {
		t.Fatal(err)
	}
	if key.Type() != "totp" || key.Issuer() != "Mind Space" || key.AccountName() != email || key.Secret() != res.GetSecret() ||
		key.Period() != 30 || key.Digits() != otp.DigitsSix || key.Algorithm() != otp.AlgorithmSHA1 {
		t.Errorf("apps read %s as %s %s %s %d %d %v", res.GetUri(), key.Type(), key.Issuer(), key.AccountName(), key.Period(), key.Digits(), key.Algorithm())
	}
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(res.GetSecret())
	if err != nil || len(raw) != 20 {
		t.Errorf("a secret of %d bytes, %v", len(raw), err)
	}
	var stored []byte
	if err := r.pool.QueryRow(t.Context(), "SELECT secret FROM auth.totps").Scan(&stored); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(stored, raw) || bytes.Contains(stored, []byte(res.GetSecret())) {
		t.Error("the secret is in the database in clear")
	}
	if methods := r.methods(tokens); methods.GetTotp() {
		t.Error("it counts before a code was seen")
	}
	if login := r.login(email); login.GetSecondFactor() != nil {
		t.Error("a code is asked for before one was seen")
	}
}

func TestEnrolmentNeedsProof(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client := r.as(r.register("ana@example.org").GetTokens())
	enroll := func(password string) error {
		_, err := client.EnrollTotp(t.Context(), &authv1.EnrollTotpRequest{Password: password})
		return err
	}
	r.clock.advance(4 * time.Minute)
	if err := enroll(""); err != nil {
		t.Errorf("lately signed in: %v", err)
	}
	r.clock.advance(time.Minute + time.Second)
	refused(t, "signed in too long ago", enroll(""), connect.CodeFailedPrecondition, "SIGN_IN_AGAIN")
	refused(t, "a wrong password", enroll("wrong horse battery"), connect.CodeUnauthenticated, "CREDENTIALS_WRONG")
	if err := enroll(goodPassword); err != nil {
		t.Errorf("the password: %v", err)
	}
}

func TestTotpSwitchedOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.register("ana@example.org").GetTokens()
	a := r.enroll(tokens)
	r.deliver("ana@example.org")
	refused(t, "a wrong code", r.confirm(tokens, "000000x"), connect.CodeUnauthenticated, "CODE_WRONG")
	if field := wrongField(r.confirm(tokens, "")); field != "code" {
		t.Errorf("no code: field %q", field)
	}
	code := a.code(0)
	res, err := r.as(tokens).ConfirmTotp(t.Context(), &authv1.ConfirmTotpRequest{Code: code[:3] + " " + code[3:]})
	if err != nil {
		t.Fatal(err)
	}
	codes := slices.Compact(slices.Sorted(slices.Values(res.GetRecoveryCodes())))
	if len(codes) != 10 {
		t.Errorf("%d recovery codes", len(codes))
	}
	strong := r.refresh(tokens)
	if !r.currentSession(tokens).GetSecondFactor() || !saysSecondFactor(t, strong) || saysSecondFactor(t, tokens) {
		t.Error("this session does not count as one with a second factor from its next token on")
	}
	if methods := r.methods(tokens); !methods.GetTotp() || methods.GetRecoveryCodesLeft() != 10 {
		t.Errorf("methods: %v", methods)
	}
	if events := r.events(tokens); events != "totp_enabled" {
		t.Errorf("events: %s", events)
	}
	if letters := r.deliver("ana@example.org"); len(letters) != 1 {
		t.Errorf("%d letters tell of it", len(letters))
	}
	_, err = r.as(tokens).EnrollTotp(t.Context(), &authv1.EnrollTotpRequest{Password: goodPassword})
	refused(t, "a second app, by a token from before", err, connect.CodeFailedPrecondition, "SECOND_FACTOR_NEEDED")
	_, err = r.as(strong).EnrollTotp(t.Context(), &authv1.EnrollTotpRequest{})
	refused(t, "a second app", err, connect.CodeFailedPrecondition, "TOTP_ENABLED")
	refused(t, "a second confirmation", r.confirm(tokens, a.next()), connect.CodeFailedPrecondition, "TOTP_ENABLED")
}

// A secret that was never confirmed gives way to the next one.
func TestEnrolmentAnew(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.register("ana@example.org").GetTokens()
	refused(t, "none yet", r.confirm(tokens, "123456"), connect.CodeFailedPrecondition, "TOTP_NOT_ENROLLED")
	first, second := r.enroll(tokens), r.enroll(tokens)
	if first.secret == second.secret {
		t.Fatal("one secret twice")
	}
	refused(t, "the secret before", r.confirm(tokens, first.code(0)), connect.CodeUnauthenticated, "CODE_WRONG")
	refused(t, "not confirmed", r.disable(tokens, second.code(0)), connect.CodeFailedPrecondition, "TOTP_NOT_ENROLLED")
	_, err := r.as(tokens).RenewRecoveryCodes(t.Context(), &authv1.RenewRecoveryCodesRequest{Code: second.code(0)})
	refused(t, "codes before confirmation", err, connect.CodeFailedPrecondition, "TOTP_NOT_ENROLLED")
	if err := r.confirm(tokens, second.code(0)); err != nil {
		t.Errorf("the newest secret: %v", err)
	}
}

// Clocks of phones are off by some seconds: a code of the period beside this one is good, and none further away.
func TestCodesOfOtherPeriods(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, test := range map[string]struct {
		distance time.Duration
		good     bool
	}{
		"two before": {-2 * period, false}, "one before": {-period, true}, "now": {0, true}, "one after": {period, true}, "two after": {2 * period, false},
	} {
		tokens := r.register(strings.ReplaceAll(name, " ", "-") + "@example.org").GetTokens()
		err := r.confirm(tokens, r.enroll(tokens).code(test.distance))
		if test.good && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !test.good {
			refused(t, name, err, connect.CodeUnauthenticated, "CODE_WRONG")
		}
	}
}

func TestTotpSwitchedOff(t *testing.T) {
	t.Parallel()
	for name, proof := range map[string]func(app, []string) string{
		"by a code of the app":  func(a app, _ []string) string { return a.next() },
		"by a recovery code":    func(_ app, codes []string) string { return codes[3] },
		"by one in other words": func(_ app, codes []string) string { return strings.ToLower(strings.ReplaceAll(codes[3], "-", " ")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			tokens := r.register("ana@example.org").GetTokens()
			a, codes := r.withTotp(tokens)
			tokens = r.refresh(tokens)
			other := r.mustFinish(r.challenge(), a.next())
			refused(t, "a code that was used", r.disable(tokens, a.code(0)), connect.CodeUnauthenticated, "CODE_WRONG")
			r.clock.advance(time.Second)
			if err := r.disable(tokens, proof(a, codes)); err != nil {
				t.Fatal(err)
			}
			r.clock.advance(time.Second)
			for _, before := range []*authv1.Tokens{tokens, other} {
				_, err := r.as(before).GetCaller(t.Context(), &authv1.GetCallerRequest{})
				refused(t, "an access token from before", err, connect.CodeUnauthenticated, "TOKEN_REVOKED")
				after := r.refresh(before)
				if saysSecondFactor(t, after) || r.currentSession(after).GetSecondFactor() {
					t.Error("a session still counts as one with a second factor")
				}
				tokens = after
			}
			if methods := r.methods(tokens); methods.GetTotp() || methods.GetRecoveryCodesLeft() != 0 {
				t.Errorf("methods: %v", methods)
			}
			if events := r.events(tokens); !strings.HasPrefix(events, "totp_disabled") {
				t.Errorf("events: %s", events)
			}
			if login := r.login("ana@example.org"); login.GetTokens() == nil {
				t.Errorf("a second factor is asked for: %v", login)
			}
			refused(t, "a second time", r.disable(tokens, a.next()), connect.CodeFailedPrecondition, "TOTP_NOT_ENROLLED")
			r.enroll(r.login("ana@example.org").GetTokens())
		})
	}
}

func TestRenewedRecoveryCodes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.register("ana@example.org").GetTokens()
	a, old := r.withTotp(tokens)
	renew := func(code string) ([]string, error) {
		res, err := r.as(tokens).RenewRecoveryCodes(t.Context(), &authv1.RenewRecoveryCodesRequest{Code: code})
		return res.GetRecoveryCodes(), err
	}
	_, err := renew(old[0])
	refused(t, "a recovery code makes no others", err, connect.CodeUnauthenticated, "CODE_WRONG")
	_, err = renew(a.code(0))
	refused(t, "a code that was used", err, connect.CodeUnauthenticated, "CODE_WRONG")
	codes, err := renew(a.next())
	if err != nil || len(codes) != 10 {
		t.Fatalf("%d codes, %v", len(codes), err)
	}
	if events := r.events(tokens); !strings.HasPrefix(events, "recovery_codes_renewed") {
		t.Errorf("events: %s", events)
	}
	challenge := r.challenge()
	refused(t, "one from before", r.finishFactor(challenge, old[1]), connect.CodeUnauthenticated, "CODE_WRONG")
	if err := r.finishFactor(challenge, codes[1]); err != nil {
		t.Errorf("a new one: %v", err)
	}
}

// Whoever holds an access token must not be able to guess the code that weakens the account.
func TestWrongCodesOfSomeoneSignedIn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.register("ana@example.org").GetTokens()
	a, _ := r.withTotp(tokens)
	renew := func(code string) error {
		_, err := r.as(tokens).RenewRecoveryCodes(t.Context(), &authv1.RenewRecoveryCodesRequest{Code: code})
		return err
	}
	for i := range 5 {
		guess := r.disable
		if i%2 == 1 {
			guess = func(_ *authv1.Tokens, code string) error { return renew(code) }
		}
		refused(t, "wrong", guess(tokens, "WRONG"), connect.CodeUnauthenticated, "CODE_WRONG")
	}
	refused(t, "switching it off", r.disable(tokens, a.code(period)), connect.CodeResourceExhausted, "GUESSES_DELAYED")
	refused(t, "new recovery codes", renew(a.code(period)), connect.CodeResourceExhausted, "GUESSES_DELAYED")
	refused(t, "signing in", r.finishFactor(r.challenge(), a.code(period)), connect.CodeResourceExhausted, "GUESSES_DELAYED")
	r.clock.advance(2 * time.Second)
	if err := renew(a.code(period)); err != nil {
		t.Errorf("after the delay: %v", err)
	}

	// The same while the app is set up.
	tokens = r.register("bob@example.org").GetTokens()
	a = r.enroll(tokens)
	for range 5 {
		refused(t, "wrong", r.confirm(tokens, "WRONG"), connect.CodeUnauthenticated, "CODE_WRONG")
	}
	refused(t, "switching it on", r.confirm(tokens, a.code(0)), connect.CodeResourceExhausted, "GUESSES_DELAYED")
}
