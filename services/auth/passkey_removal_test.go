package auth_test

import (
	"context"
	"encoding/base64"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
)

func (d *device) id() string { return base64.RawURLEncoding.EncodeToString(d.key.ID) }

func (r *rig) removePasskey(tokens *authv1.Tokens, id string) error {
	r.t.Helper()
	_, err := r.as(tokens).RemovePasskey(r.t.Context(), &authv1.RemovePasskeyRequest{PasskeyId: id})
	return err
}

// awaitWaiting returns when so many statements wait for a lock.
func (r *rig) awaitWaiting(n int) {
	r.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-tick.C {
		var waiting int
		err := r.pool.QueryRow(r.t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waiting)
		if err != nil {
			r.t.Fatal(err)
		}
		if waiting == n {
			return
		}
	}
	r.t.Fatalf("there are not %d statements that wait for a lock", n)
}

// With the last second factor goes what sessions and tokens were good for.
func TestRemovePasskey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens, d := r.owner("ana@example.com")
	second := newDevice(t)
	if _, err := r.addPasskey(tokens, second, "second"); err != nil {
		t.Fatal(err)
	}
	r.clock.advance(time.Second)
	secondFactor := func(tokens *authv1.Tokens) bool {
		res, err := r.as(tokens).ListSessions(t.Context(), &authv1.ListSessionsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return len(res.GetSessions()) == 1 && res.GetSessions()[0].GetSecondFactor()
	}
	if err := r.removePasskey(tokens, d.id()); err != nil {
		t.Fatal(err)
	}
	if !secondFactor(tokens) {
		t.Error("the session counts for less, with a passkey left")
	}
	refused(t, "the same again", r.removePasskey(tokens, d.id()), connect.CodeNotFound, "")
	if got := r.events(tokens); !strings.HasPrefix(got, "passkey_removed passkey_added") {
		t.Errorf("events: %s", got)
	}

	if err := r.removePasskey(tokens, second.id()); err != nil {
		t.Fatal(err)
	}
	_, err := r.as(tokens).GetCaller(t.Context(), &authv1.GetCallerRequest{})
	refused(t, "the token from before", err, connect.CodeUnauthenticated, "TOKEN_REVOKED")
	r.clock.advance(time.Second)
	renewed, err := r.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: tokens.GetRefreshToken()})
	if err != nil {
		t.Fatal(err)
	}
	if secondFactor(renewed.GetTokens()) {
		t.Error("the session still counts as signed in with a second factor")
	}
}

func TestRemovePasskeyRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens, d := r.owner("ana@example.com")
	_, other := r.owner("eve@example.com")
	refused(t, "another's", r.removePasskey(tokens, other.id()), connect.CodeNotFound, "")
	refused(t, "no id", r.removePasskey(tokens, "!"), connect.CodeNotFound, "")
	_, err := r.client.RemovePasskey(t.Context(), &authv1.RemovePasskeyRequest{PasskeyId: d.id()})
	refused(t, "nobody", err, connect.CodeUnauthenticated, "CREDENTIAL_MISSING")
	r.clock.advance(5*time.Minute + time.Second)
	refused(t, "too long ago", r.removePasskey(tokens, d.id()), connect.CodeFailedPrecondition, "SIGN_IN_AGAIN")
	if _, err := r.passkeyLogin(r.from("192.0.2.1"), other, ""); err != nil {
		t.Errorf("the other's: %v", err)
	}
}

// Somebody without a password keeps a way in.
func TestRemoveLastPasskey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens, d := r.owner("ana@example.com")
	person := r.personOf(tokens).GetUserId()
	r.exec("UPDATE auth.accounts SET password_hash = NULL, password_set_at = NULL")
	refused(t, "the last way in", r.removePasskey(tokens, d.id()), connect.CodeFailedPrecondition, "LAST_METHOD")
	if _, err := r.passkeyLogin(r.from("192.0.2.1"), d, ""); err != nil {
		t.Fatalf("after the refusal: %v", err)
	}

	// Of two that are removed at once one stays.
	second := newDevice(t)
	if _, err := r.addPasskey(tokens, second, ""); err != nil {
		t.Fatal(err)
	}
	held, err := r.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = held.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := held.Exec(t.Context(), "SELECT FROM auth.passkeys FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for i, id := range []string{d.id(), second.id()} {
		wg.Go(func() { errs[i] = r.removePasskey(tokens, id) })
	}
	r.awaitWaiting(2)
	if err := held.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	kept := 0
	if errs[0] == nil {
		kept = 1
	}
	if errs[1-kept] != nil {
		t.Errorf("both were refused: %v", errs)
	}
	refused(t, "the other of two", errs[kept], connect.CodeFailedPrecondition, "LAST_METHOD")

	r.exec("INSERT INTO auth.identities (account_id, provider, subject, email, created_at) VALUES ($1, 'example', 'x', 'ana@example.com', now())", person)
	refused(t, "with an identity left whose provider is gone", r.removePasskey(tokens, []string{d.id(), second.id()}[kept]), connect.CodeFailedPrecondition, "LAST_METHOD")
}
