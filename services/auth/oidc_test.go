package auth_test

import (
	"net/url"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/services/auth"
)

func TestOidcSignIn(t *testing.T) {
	t.Parallel()
	r := oidcRig(t)
	for _, provider := range []string{"basic", "slim", "elliptic"} {
		who := provider + ":" + provider + "@Example.org:true"
		f := r.startOidc(provider)
		arrived := r.browse(f, who)
		if arrived.Scheme != "org.example.app" || arrived.Query().Get("from") != "browser" || arrived.Query().Get("error") != "" {
			t.Fatalf("%s: arrived at %s", provider, arrived)
		}
		first, err := r.finish(f, arrived)
		if err != nil {
			t.Fatalf("%s: %v", provider, err)
		}
		if !first.GetRegistered() || first.GetSecondFactor() != nil {
			t.Errorf("%s: the first sign-in gives %v", provider, first)
		}
		methods := r.methods(first.GetTokens())
		if methods.GetEmail() != provider+"@example.org" || !methods.GetEmailVerified() || methods.GetPassword() ||
			len(methods.GetIdentities()) != 1 || methods.GetIdentities()[0].GetProvider() != provider {
			t.Errorf("%s: the account has %v", provider, methods)
		}
		second := r.mustSignIn(provider, who)
		if second.GetRegistered() || r.userID(second.GetTokens()) != r.userID(first.GetTokens()) {
			t.Errorf("%s: the second sign-in is of another account", provider)
		}
	}
}

func TestOidcKeepsWhatTheProviderTells(t *testing.T) {
	t.Parallel()
	r := oidcRig(t)
	id := r.userID(r.mustSignIn("basic", "s1:ana@example.org:true").GetTokens())
	var name, language, zone string
	err := r.pool.QueryRow(t.Context(), "SELECT display_name, locale, time_zone FROM auth.accounts WHERE id = $1", id).Scan(&name, &language, &zone)
	if err != nil || name != "Ana Anić" || language != "sr" || zone != "Europe/Belgrade" {
		t.Errorf("kept %q, %q, %q (%v)", name, language, zone, err)
	}
	if letters := r.deliver("ana@example.org"); len(letters) != 0 {
		t.Errorf("%d letters, want none: the address is verified", len(letters))
	}
}

func TestOidcProvidersAreListed(t *testing.T) {
	t.Parallel()
	r := newRig(t, withIssuers(issuers{Token: "https://one.example", UserInfo: "https://two.example"}))
	res, err := r.client.ListOidcProviders(t.Context(), &authv1.ListOidcProvidersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got := res.GetProviders(); len(got) != 4 || got[0].GetId() != "basic" || got[0].GetName() != "BASIC" || got[3].GetId() != "symmetric" {
		t.Errorf("listed %v", got)
	}
}

func TestOidcUnverifiedAddressIsTaken(t *testing.T) {
	t.Parallel()
	r := oidcRig(t)
	res := r.mustSignIn("basic", "s1:ana@example.org:false")
	if !res.GetRegistered() || r.methods(res.GetTokens()).GetEmailVerified() {
		t.Error("the address counts as verified")
	}
}

func TestOidcUnverifiedAddressIsVerifiedFirst(t *testing.T) {
	t.Parallel()
	r := oidcRig(t, verifiedOnly)
	_, err := r.signIn("basic", "s1:ana@example.org:")
	refused(t, "unverified", err, connect.CodeFailedPrecondition, "EMAIL_UNVERIFIED")
	letters := r.deliver("ana@example.org")
	if len(letters) != 1 {
		t.Fatalf("%d letters, want 1", len(letters))
	}
	if _, err := r.client.VerifyEmail(t.Context(), &authv1.VerifyEmailRequest{Token: r.tokenOf(letters[0])}); err != nil {
		t.Fatal(err)
	}
	if r.mustSignIn("basic", "s1:ana@example.org:").GetRegistered() {
		t.Error("a second account was made")
	}
}

func TestOidcWithoutAddress(t *testing.T) {
	t.Parallel()
	r := oidcRig(t)
	for _, who := range []string{"s1::", "s2:not an address:true", "s3:ана@example.org:true"} {
		for _, provider := range []string{"basic", "slim"} {
			_, err := r.signIn(provider, who)
			refused(t, provider+" "+who, err, connect.CodeFailedPrecondition, "EMAIL_MISSING")
		}
	}
}

func TestOidcAsksForTheSecondFactor(t *testing.T) {
	t.Parallel()
	r := oidcRig(t)
	tokens := r.mustSignIn("basic", "s1:ana@example.org:true").GetTokens()
	_, err := r.pool.Exec(t.Context(), `INSERT INTO auth.totps (account_id, secret, created_at, confirmed_at, last_step) VALUES ($1, 'x', now(), now(), 1)`,
		r.userID(tokens))
	if err != nil {
		t.Fatal(err)
	}
	res := r.mustSignIn("basic", "s1:ana@example.org:true")
	if res.GetTokens() != nil || res.GetSecondFactor().GetChallengeId() == "" {
		t.Errorf("got %v, want a challenge", res)
	}
}

// Two devices at once, of someone who is new, make one account.
func TestOidcTwoAtOnce(t *testing.T) {
	t.Parallel()
	r := oidcRig(t)
	const devices = 6
	flows, arrivals := make([]flow, devices), make([]*url.URL, devices)
	for i := range flows {
		flows[i] = r.startOidc("basic")
		arrivals[i] = r.browse(flows[i], "s1:ana@example.org:true")
	}
	answers := make([]*authv1.FinishOidcResponse, devices)
	var all sync.WaitGroup
	for i := range flows {
		all.Go(func() {
			var err error
			if answers[i], err = r.finish(flows[i], arrivals[i]); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	people, registered := map[string]bool{}, 0
	for _, answer := range answers {
		people[r.userID(answer.GetTokens())] = true
		if answer.GetRegistered() {
			registered++
		}
	}
	if len(people) != 1 || registered != 1 {
		t.Errorf("%d accounts, registered %d times", len(people), registered)
	}
}

func TestOidcSuspendedAccount(t *testing.T) {
	t.Parallel()
	r := oidcRig(t)
	id := r.userID(r.mustSignIn("basic", "s1:ana@example.org:true").GetTokens())
	if _, err := r.pool.Exec(t.Context(), "UPDATE auth.accounts SET state = 'suspended' WHERE id = $1", id); err != nil {
		t.Fatal(err)
	}
	for _, provider := range []string{"basic", "slim"} { // known, and to be linked
		_, err := r.signIn(provider, "s1:ana@example.org:true")
		refused(t, provider, err, connect.CodePermissionDenied, "ACCOUNT_SUSPENDED")
	}
	var linked int
	if err := r.pool.QueryRow(t.Context(), "SELECT count(*) FROM auth.identities").Scan(&linked); err != nil || linked != 1 {
		t.Errorf("%d identities (%v), want the first alone", linked, err)
	}
}

// A keyring that gets a new key while a sign-in is under way does not break it.
func TestOidcSurvivesRotation(t *testing.T) {
	t.Parallel()
	found, err := sharedIssuers()
	ready(t, err)
	installation := newShared(t)
	before := installation.process(t, withIssuers(found))
	f := before.startOidc("basic")
	arrived := before.browse(f, "s1:ana@example.org:true")
	if installation.keys, err = installation.keys.Rotate(); err != nil {
		t.Fatal(err)
	}
	after := installation.process(t, withIssuers(found))
	if _, err := after.finish(f, arrived); err != nil {
		t.Error(err)
	}
}

func TestOidcReturnURL(t *testing.T) {
	t.Parallel()
	provider := withIssuers(issuers{Token: "http://127.0.0.1:1", UserInfo: "http://127.0.0.1:1"})
	strict := newRig(t, provider)
	demo := newRig(t, provider, func(o *auth.Options) { o.Demo = true })
	local := []string{"http://localhost:4321/back?x=1", "http://127.0.0.1/", "http://[::1]:80/a"}
	for _, address := range local {
		_, err := strict.client.StartOidc(t.Context(), &authv1.StartOidcRequest{Provider: "basic", ReturnUrl: address})
		if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != "returnUrl" {
			t.Errorf("%s outside of the demo: %v", address, err)
		}
		// It is taken, and then the provider is away.
		_, err = demo.client.StartOidc(t.Context(), &authv1.StartOidcRequest{Provider: "basic", ReturnUrl: address})
		refused(t, address, err, connect.CodeUnavailable, "OIDC_UNAVAILABLE")
	}
	never := []string{
		"https://evil.example/", returnURL + "&x", "org.example.app:/signed-in", "https://localhost/", "http://localhost.evil.example/", "http://user@localhost/",
		"http://localhost@evil.example/", `http://localhost\@evil.example/`, "http://127.0.0.2/", "http://localhost/#x", "javascript:alert(1)//localhost",
		"//localhost/", "http://localhost/?a=%zz", "http://LOCALHOST.:80/",
	}
	for _, address := range never {
		_, err := demo.client.StartOidc(t.Context(), &authv1.StartOidcRequest{Provider: "basic", ReturnUrl: address})
		if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != "returnUrl" {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestOidcUnknownProvider(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, err := r.client.StartOidc(t.Context(), &authv1.StartOidcRequest{Provider: "basic", ReturnUrl: returnURL})
	refused(t, "unknown provider", err, connect.CodeNotFound, "")
}

// A provider that is away is asked again, after a pause; a flow that met it away is not lost.
func TestOidcProviderAway(t *testing.T) {
	t.Parallel()
	found, stop, err := startIssuers()
	ready(t, err)
	r := newRig(t, withIssuers(found))
	f := r.startOidc("basic")
	arrived := r.browse(f, "s1:ana@example.org:true")
	stop()
	for range 2 {
		_, err := r.finish(f, arrived)
		refused(t, "finish", err, connect.CodeUnavailable, "OIDC_UNAVAILABLE")
	}
	_, err = r.client.StartOidc(t.Context(), &authv1.StartOidcRequest{Provider: "slim", ReturnUrl: returnURL})
	refused(t, "start", err, connect.CodeUnavailable, "OIDC_UNAVAILABLE")

	r.clock.advance(11 * time.Minute)
	_, err = r.finish(f, arrived)
	refused(t, "the flow does not live longer for it", err, connect.CodeUnauthenticated, "OIDC_REFUSED")
}
