package auth_test

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	policyv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/policy/v1"
)

// A passkey alone is a whole sign-in: staff roles count with it.
func TestPasskeySignsIn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens, d := r.owner("ana@example.com")
	person := r.personOf(tokens).GetUserId()
	r.exec("INSERT INTO auth.staff_roles (account_id, role, granted_at) VALUES ($1, 'editor', now())", person)
	r.clock.advance(time.Minute)

	res, err := r.passkeyLogin(r.from("192.0.2.1"), d, "")
	if err != nil {
		t.Fatal(err)
	}
	who := r.personOf(res.GetTokens())
	if who.GetUserId() != person || !slices.Equal(who.GetRoles(), []policyv1.Role{policyv1.Role_ROLE_EDITOR}) {
		t.Errorf("signed in as %v", who)
	}
	methods, err := r.as(res.GetTokens()).GetSignInMethods(t.Context(), &authv1.GetSignInMethodsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got := methods.GetPasskeys(); len(got) != 1 || !got[0].GetLastUsedAt().AsTime().Equal(r.clock.Now()) {
		t.Errorf("passkeys after the sign-in: %v, want one that was used at %v", got, r.clock.Now())
	}
}

func TestPasskeyLoginOptions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var options struct {
		Challenge        string            `json:"challenge"`
		RPID             string            `json:"rpId"`
		UserVerification string            `json:"userVerification"`
		AllowCredentials []json.RawMessage `json:"allowCredentials"`
	}
	if err := json.Unmarshal([]byte(r.beginPasskeyLogin("").GetOptionsJson()), &options); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(options.Challenge)
	if err != nil || len(raw) < 16 {
		t.Errorf("challenge %q: %v", options.Challenge, err)
	}
	if options.RPID != "localhost" || options.UserVerification != "required" || len(options.AllowCredentials) != 0 {
		t.Errorf("options: %+v", options)
	}
}

// After a password a passkey need not check its owner.
func TestPasskeyAsSecondFactor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens, d := r.owner("ana@example.com")
	_, stranger := r.owner("eve@example.com")
	person := r.personOf(tokens).GetUserId()
	r.exec("INSERT INTO auth.staff_roles (account_id, role, granted_at) VALUES ($1, 'editor', now())", person)

	login := r.login("ana@example.com")
	factor := login.GetSecondFactor().GetChallengeId()
	if login.GetTokens() != nil || !slices.Equal(login.GetSecondFactor().GetMethods(), []authv1.SecondFactorMethod{authv1.SecondFactorMethod_SECOND_FACTOR_METHOD_PASSKEY}) {
		t.Fatalf("login: %v", login)
	}
	var options struct {
		UserVerification string                `json:"userVerification"`
		AllowCredentials []struct{ ID string } `json:"allowCredentials"`
	}
	if err := json.Unmarshal([]byte(r.beginPasskeyLogin(factor).GetOptionsJson()), &options); err != nil {
		t.Fatal(err)
	}
	if own := base64.RawURLEncoding.EncodeToString(d.key.ID); options.UserVerification != "preferred" || len(options.AllowCredentials) != 1 || options.AllowCredentials[0].ID != own {
		t.Errorf("options: %+v, want the passkey %s", options, own)
	}

	_, err := r.passkeyLogin(r.from("192.0.2.1"), stranger, factor)
	refused(t, "a passkey of somebody else", err, connect.CodeUnauthenticated, "PASSKEY_REFUSED")
	stranger.authority.Options.UserHandle = d.authority.Options.UserHandle
	_, err = r.passkeyLogin(r.from("192.0.2.1"), stranger, factor)
	refused(t, "a passkey of somebody else with the owner's handle", err, connect.CodeUnauthenticated, "PASSKEY_REFUSED")

	// Wrong answers leave the challenge open.
	d.authority.Options.UserNotVerified = true
	d.authority.Options.UserHandle = nil // devices may leave it out where the passkey was named
	res, err := r.passkeyLogin(r.from("192.0.2.1"), d, factor)
	if err != nil {
		t.Fatal(err)
	}
	who := r.personOf(res.GetTokens())
	if who.GetUserId() != person || len(who.GetRoles()) != 1 {
		t.Errorf("signed in as %v", who)
	}
	_, err = r.client.BeginPasskeyLogin(t.Context(), &authv1.BeginPasskeyLoginRequest{ChallengeId: factor})
	refused(t, "the challenge again", err, connect.CodeUnauthenticated, "CHALLENGE_GONE")
}

// A second-factor challenge is answered once, by whichever answer is first.
func TestPasskeyFactorIsSpentByFinish(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens, d := r.owner("ana@example.com")
	r.exec("INSERT INTO auth.staff_roles (account_id, role, granted_at) VALUES ($1, 'editor', now())", r.personOf(tokens).GetUserId())
	factor := r.login("ana@example.com").GetSecondFactor().GetChallengeId()
	first, second := r.beginPasskeyLogin(factor), r.beginPasskeyLogin(factor)
	if _, err := r.finishPasskeyLogin(r.from("192.0.2.1"), first.GetChallengeId(), d.get(first.GetOptionsJson())); err != nil {
		t.Fatal(err)
	}
	_, err := r.finishPasskeyLogin(r.from("192.0.2.1"), second.GetChallengeId(), d.get(second.GetOptionsJson()))
	refused(t, "the other answer", err, connect.CodeUnauthenticated, "CHALLENGE_GONE")

	factor = r.login("ana@example.com").GetSecondFactor().GetChallengeId()
	r.clock.advance(3 * time.Minute)
	late := r.beginPasskeyLogin(factor)
	r.clock.advance(2*time.Minute + time.Second)
	_, err = r.finishPasskeyLogin(r.from("192.0.2.1"), late.GetChallengeId(), d.get(late.GetOptionsJson()))
	refused(t, "after the challenge's end", err, connect.CodeUnauthenticated, "CHALLENGE_GONE")
}

// Whatever is wrong with a passkey is answered alike.
func TestPasskeyRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	other, otherDevice := r.owner("eve@example.com")
	const message = "unauthenticated: this passkey was not accepted: try again, or sign in by other means"
	for name, spoil := range map[string]func(d *device){
		"another origin":               func(d *device) { d.party.Origin = "https://evil.example" },
		"another port":                 func(d *device) { d.party.Origin = "http://localhost:8081" },
		"another relying party":        func(d *device) { d.party.ID = "evil.example" },
		"nobody was there":             func(d *device) { d.authority.Options.UserNotPresent = true },
		"its owner was not checked":    func(d *device) { d.authority.Options.UserNotVerified = true },
		"it can be copied all at once": func(d *device) { d.authority.Options.BackupEligible = true },
		"no user handle":               func(d *device) { d.authority.Options.UserHandle = nil },
		"a user handle of nobody":      func(d *device) { d.authority.Options.UserHandle = make([]byte, 16) },
		"a user handle that is none":   func(d *device) { d.authority.Options.UserHandle = []byte("ana") },
		"another's user handle":        func(d *device) { d.authority.Options.UserHandle = otherDevice.authority.Options.UserHandle },
		"another's passkey":            func(d *device) { d.key = otherDevice.key },
		"unknown passkey":              func(d *device) { d.key = newDeviceKey(t) },
		"wrong key":                    func(d *device) { d.key.Key = newDeviceKey(t).Key },
		"counter went back":            func(d *device) { d.key.Counter = 0 },
		"counter stood":                func(d *device) { d.key.Counter-- },
		"counter became zero":          func(d *device) { d.key.Counter = ^uint32(0) },
		"it was removed":               func(d *device) { r.exec("DELETE FROM auth.passkeys WHERE credential_id = $1", d.key.ID) },
	} {
		_, d := r.owner(strings.NewReplacer(" ", "-", "'", "").Replace(name) + "@example.com")
		for range 2 {
			if _, err := r.passkeyLogin(r.from("192.0.2.1"), d, ""); err != nil {
				t.Fatalf("%s, before: %v", name, err)
			}
		}
		spoil(d)
		_, err := r.passkeyLogin(r.from("192.0.2.1"), d, "")
		refused(t, name, err, connect.CodeUnauthenticated, "PASSKEY_REFUSED")
		if err == nil || err.Error() != message || wrongField(err) != "" {
			t.Errorf("%s: the answer tells it from others: %v", name, err)
		}
	}
	if got := r.log.String(); strings.Count(got, "there may be a copy of it") != 3 || strings.Contains(got, "@example.com") || strings.Contains(got, r.personOf(other).GetUserId()) {
		t.Errorf("log:\n%s", got)
	}
}

// What was refused changes nothing: the device itself still gets in.
func TestPasskeyCopyDoesNotLockOut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, d := r.owner("ana@example.com")
	d.key.Counter = 10
	if _, err := r.passkeyLogin(r.from("192.0.2.1"), d, ""); err != nil {
		t.Fatal(err)
	}
	copied := *d
	copied.key.Counter = 3
	_, err := r.passkeyLogin(r.from("192.0.2.1"), &copied, "")
	refused(t, "the copy", err, connect.CodeUnauthenticated, "PASSKEY_REFUSED")
	if _, err := r.passkeyLogin(r.from("192.0.2.1"), d, ""); err != nil {
		t.Errorf("the device: %v", err)
	}
}

func TestPasskeyChallengeIsGoodOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens, d := r.owner("ana@example.com")
	finish := func(challenge, credential string) error {
		_, err := r.finishPasskeyLogin(r.from("192.0.2.1"), challenge, credential)
		return err
	}
	begun := r.beginPasskeyLogin("")
	answer := d.get(begun.GetOptionsJson())
	if err := finish(begun.GetChallengeId(), answer); err != nil {
		t.Fatal(err)
	}
	refused(t, "the same again", finish(begun.GetChallengeId(), answer), connect.CodeUnauthenticated, "CHALLENGE_GONE")
	refused(t, "replayed to another challenge", finish(r.beginPasskeyLogin("").GetChallengeId(), answer), connect.CodeUnauthenticated, "PASSKEY_REFUSED")
	refused(t, "unknown challenge", finish("no such", answer), connect.CodeUnauthenticated, "CHALLENGE_GONE")
	refused(t, "challenge of a registration", finish(r.beginRegistration(tokens).GetChallengeId(), answer), connect.CodeUnauthenticated, "CHALLENGE_GONE")

	failed := r.beginPasskeyLogin("")
	right := d.get(failed.GetOptionsJson())
	refused(t, "wrong answer", finish(failed.GetChallengeId(), answer), connect.CodeUnauthenticated, "PASSKEY_REFUSED")
	refused(t, "right answer after a wrong one", finish(failed.GetChallengeId(), right), connect.CodeUnauthenticated, "CHALLENGE_GONE")

	late := r.beginPasskeyLogin("")
	r.clock.advance(5*time.Minute + time.Second)
	refused(t, "late", finish(late.GetChallengeId(), d.get(late.GetOptionsJson())), connect.CodeUnauthenticated, "CHALLENGE_GONE")
	_, err := r.client.BeginPasskeyLogin(t.Context(), &authv1.BeginPasskeyLoginRequest{ChallengeId: late.GetChallengeId()})
	refused(t, "a challenge that is no second factor", err, connect.CodeUnauthenticated, "CHALLENGE_GONE")
}

func TestPasskeyChallengeIsGoodOnceAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, d := r.owner("ana@example.com")
	begun := r.beginPasskeyLogin("")
	answer := d.get(begun.GetOptionsJson())
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		ctx := r.from("192.0.2.1")
		wg.Go(func() { _, errs[i] = r.finishPasskeyLogin(ctx, begun.GetChallengeId(), answer) })
	}
	wg.Wait()
	in := 0
	for _, err := range errs {
		if err == nil {
			in++
			continue
		}
		refused(t, "another of the same", err, connect.CodeUnauthenticated, "CHALLENGE_GONE")
	}
	if in != 1 {
		t.Errorf("%d signed in, want one", in)
	}
}

// Garbage is told apart from a wrong passkey, and costs no challenge.
func TestPasskeyLoginGarbage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens, d := r.owner("ana@example.com")
	begun := r.beginPasskeyLogin("")
	registration := newDevice(t).create(r.beginRegistration(tokens).GetOptionsJson())
	for _, garbage := range []string{"x", "{}", "null", "[]", `""`, "{", `{"id":"AA","rawId":"AA","type":"public-key","response":{}}`, registration, d.get(begun.GetOptionsJson()) + "{}"} {
		_, err := r.finishPasskeyLogin(t.Context(), begun.GetChallengeId(), garbage)
		if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != "credentialJson" {
			t.Errorf("%s: got %v", garbage, err)
		}
	}
	if _, err := r.finishPasskeyLogin(r.from("192.0.2.1"), begun.GetChallengeId(), d.get(begun.GetOptionsJson())); err != nil {
		t.Errorf("after garbage: %v", err)
	}
}

// Who may not come in hears so only after a passkey that is right.
func TestPasskeyOfSuspended(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, d := r.owner("ana@example.com")
	r.exec("UPDATE auth.accounts SET state = 'suspended'")
	_, err := r.passkeyLogin(r.from("192.0.2.1"), d, "")
	refused(t, "the right one", err, connect.CodePermissionDenied, "ACCOUNT_SUSPENDED")
	d.key.Key = newDeviceKey(t).Key
	_, err = r.passkeyLogin(r.from("192.0.2.1"), d, "")
	refused(t, "a wrong one", err, connect.CodeUnauthenticated, "PASSKEY_REFUSED")
}
