package auth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	cdp "github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/mindspace-app/mindspace/services/auth"
)

// browser is Chromium on a page of this site, with an authenticator that says yes to everything.
type browser struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // chromedp keeps the tab in it
	// publicURL is where the page is.
	publicURL     string
	authenticator cdp.AuthenticatorID
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("MINDSPACE_TEST_STRICT") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	page := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>Passkeys</title>"))
	}))
	page.Start()
	t.Cleanup(page.Close)
	_, port, err := net.SplitHostPort(page.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	// Browsers know no passkeys of IP addresses.
	b := &browser{t: t, publicURL: "http://localhost:" + port}

	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU)
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	tab, stopTab := chromedp.NewContext(allocator)
	t.Cleanup(func() { stopTab(); stopAllocator() })
	// The first call starts the browser, which lives as long as its context: no deadline there.
	if err := chromedp.Do(tab); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(tab, 2*time.Minute)
	t.Cleanup(cancel)
	b.ctx = ctx
	if err := chromedp.Do(ctx, chromedp.Navigate(b.publicURL)); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, cdp.Enable, cdp.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	added, err := chromedp.Call(ctx, cdp.AddVirtualAuthenticator, cdp.AddVirtualAuthenticatorParams{Options: &cdp.VirtualAuthenticatorOptions{
		Protocol: "ctap2", Ctap2version: "ctap2_1", Transport: "internal", HasResidentKey: true, HasUserVerification: true,
		AutomaticPresenceSimulation: true, IsUserVerified: true, DefaultBackupEligibility: true, DefaultBackupState: true,
	}})
	if err != nil {
		t.Fatal(err)
	}
	b.authenticator = added.AuthenticatorID
	return b
}

// create answers the options of a registration, as a page does; failure is the name of the browser's error, if there was one.
func (b *browser) create(options string) (credential, failure string) {
	b.t.Helper()
	return b.answer("create", "parseCreationOptionsFromJSON", options)
}

// get answers the options of a sign-in, as a page does.
func (b *browser) get(options string) (credential, failure string) {
	b.t.Helper()
	return b.answer("get", "parseRequestOptionsFromJSON", options)
}

func (b *browser) answer(method, parse, options string) (credential, failure string) {
	b.t.Helper()
	quoted, err := json.Marshal(options)
	if err != nil {
		b.t.Fatal(err)
	}
	script := fmt.Sprintf(`navigator.credentials.%s({publicKey: PublicKeyCredential.%s(JSON.parse(%s))})
		.then(credential => ({credential: JSON.stringify(credential.toJSON())}), error => ({failure: error.name}))`, method, parse, quoted)
	answer, err := chromedp.Run(b.ctx, chromedp.Evaluate[struct{ Credential, Failure string }](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatal(err)
	}
	return answer.Credential, answer.Failure
}

// What the service asks and what a real browser answers fit together.
func TestPasskeyInBrowser(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	r := newRig(t, func(o *auth.Options) { o.PublicURL = b.publicURL })
	tokens := r.register("ana@example.com").GetTokens()
	person := r.personOf(tokens).GetUserId()

	begun := r.beginRegistration(tokens)
	credential, failure := b.create(begun.GetOptionsJson())
	if failure != "" {
		t.Fatalf("create: %s", failure)
	}
	if err := r.finishRegistration(tokens, begun.GetChallengeId(), credential); err != nil {
		t.Fatal(err)
	}
	// The device has one already.
	if _, failure := b.create(r.beginRegistration(tokens).GetOptionsJson()); failure != "InvalidStateError" {
		t.Errorf("create again: %q", failure)
	}

	for range 2 {
		login := r.beginPasskeyLogin("")
		credential, failure = b.get(login.GetOptionsJson())
		if failure != "" {
			t.Fatalf("get: %s", failure)
		}
		res, err := r.finishPasskeyLogin(r.from("192.0.2.1"), login.GetChallengeId(), credential)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.personOf(res.GetTokens()).GetUserId(); got != person {
			t.Errorf("signed in as %s, want %s", got, person)
		}
	}

	r.exec("INSERT INTO auth.staff_roles (account_id, role, granted_at) VALUES ($1, 'editor', now())", person)
	second := r.beginPasskeyLogin(r.login("ana@example.com").GetSecondFactor().GetChallengeId())
	if credential, failure = b.get(second.GetOptionsJson()); failure != "" {
		t.Fatalf("get as a second factor: %s", failure)
	}
	if _, err := r.finishPasskeyLogin(r.from("192.0.2.1"), second.GetChallengeId(), credential); err != nil {
		t.Error(err)
	}

	// Without a finger or a PIN it is no sign-in.
	if _, err := chromedp.Call(b.ctx, cdp.SetUserVerified, cdp.SetUserVerifiedParams{AuthenticatorID: b.authenticator}); err != nil {
		t.Fatal(err)
	}
	if _, failure := b.get(r.beginPasskeyLogin("").GetOptionsJson()); failure != "NotAllowedError" {
		t.Errorf("get without a check of the owner: %q", failure)
	}
	if strings.Contains(r.log.String(), "passkey") {
		t.Errorf("log:\n%s", r.log.String())
	}
}
