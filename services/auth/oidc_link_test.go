package auth_test

import (
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
)

// An identity gets into the account of its address only when both the provider and we know that the address is the person's.
func TestOidcLinksByAddress(t *testing.T) {
	t.Parallel()
	r := oidcRig(t)
	for _, c := range []struct {
		name                string
		ours, theirs, links bool
	}{
		{"both", true, true, true},
		{"ours", true, false, false},
		{"theirs", false, true, false},
		{"neither", false, false, false},
	} {
		email := c.name + "@example.org"
		tokens := r.register(email).GetTokens()
		if c.ours {
			if _, err := r.pool.Exec(t.Context(), "UPDATE auth.accounts SET email_verified_at = now() WHERE email = $1", email); err != nil {
				t.Fatal(err)
			}
		}
		who := c.name + ":" + email + ":false"
		if c.theirs {
			who = c.name + ":" + email + ":true"
		}
		res, err := r.signIn("slim", who)
		if !c.links {
			refused(t, c.name, err, connect.CodeAlreadyExists, "EMAIL_TAKEN")
			if linked := r.methods(tokens).GetIdentities(); len(linked) != 0 || strings.Contains(r.events(tokens), "identity") {
				t.Errorf("%s: linked to %v all the same", c.name, linked)
			}
			continue
		}
		if err != nil || res.GetRegistered() || r.userID(res.GetTokens()) != r.userID(tokens) {
			t.Errorf("%s: got %v, %v", c.name, res, err)
		}
		if !strings.Contains(r.events(tokens), "identity_linked") || len(r.methods(tokens).GetIdentities()) != 1 {
			t.Errorf("%s: not linked", c.name)
		}
	}
}

func TestOidcLink(t *testing.T) {
	t.Parallel()
	r := oidcRig(t)
	tokens := r.register("ana@example.org").GetTokens()
	link := func(tokens *authv1.Tokens, who string) error {
		f := r.linkOidc(tokens, "basic")
		res, err := r.finish(f, r.browse(f, who))
		if err == nil && (res.GetTokens() != nil || res.GetSecondFactor() != nil || res.GetRegistered()) {
			t.Errorf("a link gives %v", res)
		}
		return err
	}
	// The address of the identity matters nothing, nor does it when it is told again.
	for range 2 {
		if err := link(tokens, "s1:somebody@example.com:false"); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.events(tokens); strings.Count(got, "identity_linked") != 1 {
		t.Errorf("events %q", got)
	}
	if res := r.mustSignIn("basic", "s1:somebody@example.com:false"); r.userID(res.GetTokens()) != r.userID(tokens) || res.GetRegistered() {
		t.Error("the identity signs in to another account")
	}
	refused(t, "another one of the same provider", link(tokens, "s2::"), connect.CodeAlreadyExists, "IDENTITY_TAKEN")
	others := r.register("boris@example.org").GetTokens()
	refused(t, "somebody else's", link(others, "s1:somebody@example.com:false"), connect.CodeAlreadyExists, "IDENTITY_TAKEN")
	if err := link(others, "s3::"); err != nil {
		t.Errorf("an identity without an address: %v", err)
	}
}

func TestOidcLinkNeedsARecentSignIn(t *testing.T) {
	t.Parallel()
	r := oidcRig(t)
	tokens := r.mustSignIn("basic", "s1:ana@example.org:true").GetTokens()
	r.clock.advance(5*time.Minute + time.Second)
	_, err := r.as(tokens).LinkOidc(t.Context(), &authv1.LinkOidcRequest{Provider: "slim", ReturnUrl: returnURL})
	refused(t, "link", err, connect.CodeFailedPrecondition, "SIGN_IN_AGAIN")
	_, err = r.as(tokens).UnlinkOidc(t.Context(), &authv1.UnlinkOidcRequest{Provider: "basic"})
	refused(t, "unlink", err, connect.CodeFailedPrecondition, "SIGN_IN_AGAIN")
	_, err = r.client.LinkOidc(t.Context(), &authv1.LinkOidcRequest{Provider: "slim", ReturnUrl: returnURL})
	refused(t, "nobody", err, connect.CodeUnauthenticated, "CREDENTIAL_MISSING")
}

// Who got in with a stolen password must not stay in by a link that was begun before its owner set another.
func TestOidcLinkEndsWithTheOldPassword(t *testing.T) {
	t.Parallel()
	r := oidcRig(t)
	tokens := r.register("ana@example.org").GetTokens()
	f := r.linkOidc(tokens, "basic")
	arrived := r.browse(f, "s1::")
	r.clock.advance(time.Second)
	change := &authv1.ChangePasswordRequest{CurrentPassword: goodPassword, NewPassword: "another horse entirely"}
	if _, err := r.as(tokens).ChangePassword(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	_, err := r.finish(f, arrived)
	refused(t, "finish", err, connect.CodeUnauthenticated, "OIDC_REFUSED")
}

// Nor by one whose session was ended since.
func TestOidcLinkEndsWithItsSession(t *testing.T) {
	t.Parallel()
	r := oidcRig(t)
	tokens := r.register("ana@example.org").GetTokens()
	f := r.linkOidc(tokens, "basic")
	arrived := r.browse(f, "s1::")
	if _, err := r.as(tokens).Logout(t.Context(), &authv1.LogoutRequest{}); err != nil {
		t.Fatal(err)
	}
	_, err := r.finish(f, arrived)
	refused(t, "link", err, connect.CodeUnauthenticated, "SESSION_ENDED")
}

func TestOidcUnlink(t *testing.T) {
	t.Parallel()
	r := oidcRig(t)
	tokens := r.mustSignIn("basic", "s1:ana@example.org:true").GetTokens()
	unlink := func(provider string) error {
		_, err := r.as(tokens).UnlinkOidc(t.Context(), &authv1.UnlinkOidcRequest{Provider: provider})
		return err
	}
	sql := func(query string) {
		t.Helper()
		if _, err := r.pool.Exec(t.Context(), query, uuid.MustParse(r.userID(tokens))); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, "the only one", unlink("basic"), connect.CodeFailedPrecondition, "LAST_METHOD")
	refused(t, "none", unlink("slim"), connect.CodeNotFound, "")
	sql("INSERT INTO auth.identities (account_id, provider, subject, email, created_at) VALUES ($1, 'gone', 'x', '', now())")
	refused(t, "what is left has no provider", unlink("basic"), connect.CodeFailedPrecondition, "LAST_METHOD")

	f := r.linkOidc(tokens, "slim")
	if _, err := r.finish(f, r.browse(f, "s1::")); err != nil {
		t.Fatal(err)
	}
	if err := unlink("basic"); err != nil {
		t.Errorf("another is left: %v", err)
	}
	if got := r.events(tokens); !strings.HasPrefix(got, "identity_unlinked identity_linked") {
		t.Errorf("events %q", got)
	}
	refused(t, "the last one", unlink("slim"), connect.CodeFailedPrecondition, "LAST_METHOD")
	sql(`INSERT INTO auth.passkeys (account_id, credential_id, credential, name, created_at) VALUES ($1, 'c', '{}', 'key', now())`)
	if err := unlink("slim"); err != nil {
		t.Errorf("a passkey is left: %v", err)
	}
	if err := unlink("gone"); err != nil {
		t.Errorf("a provider that is not configured any more: %v", err)
	}
	_, err := r.signIn("basic", "s1:ana@example.org:false")
	refused(t, "another identity", err, connect.CodeAlreadyExists, "EMAIL_TAKEN")
}
