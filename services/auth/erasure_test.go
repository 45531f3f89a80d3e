package auth_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1/authv1connect"
)

// coolingOff is how long an erasure can be called off when nobody has decided otherwise.
const coolingOff = 7 * day

// requestErasure has a person ask to be erased.
func (r *rig) requestErasure(tokens *authv1.Tokens) *authv1.RequestErasureResponse {
	r.t.Helper()
	res, err := r.accountsAs(tokens).RequestErasure(r.from("192.0.2.1"), &authv1.RequestErasureRequest{Password: goodPassword})
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// receipt is what anybody gets who knows the id of an erasure.
func (r *rig) receipt(id string) *authv1.Erasure {
	r.t.Helper()
	res, err := authv1connect.NewAccountServiceClient(r.transport("")).GetErasure(r.from("198.51.100.7"), &authv1.GetErasureRequest{ErasureId: id})
	if err != nil {
		r.t.Fatal(err)
	}
	return res.GetErasure()
}

func TestRequestErasure(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	here, there := installation.process(t), installation.process(t)
	ana, phone := here.register("ana@example.org"), here.login("ana@example.org").GetTokens()
	here.exec("UPDATE auth.accounts SET time_zone = 'Europe/Belgrade', email_verified_at = now() WHERE id = $1", ana.GetUserId())
	here.deliver("ana@example.org")
	asked := here.requestErasure(ana.GetTokens())
	due := here.clock.Now().Add(coolingOff)
	if id := uuid.MustParse(asked.GetErasureId()); id.Version() != 4 || !asked.GetEraseAfter().AsTime().Equal(due) {
		t.Errorf("got %v", asked)
	}
	for _, tokens := range []*authv1.Tokens{ana.GetTokens(), phone} {
		within(t, "a token from before", "TOKEN_REVOKED", func() error { return there.callerOf(tokens) })
		_, err := there.client.Refresh(t.Context(), &authv1.RefreshRequest{RefreshToken: tokens.GetRefreshToken()})
		refused(t, "refreshed", err, connect.CodeUnauthenticated, "SESSION_ENDED")
	}
	got := there.receipt(asked.GetErasureId())
	if got.GetState() != authv1.ErasureState_ERASURE_STATE_SCHEDULED || !got.GetEraseAfter().AsTime().Equal(due) || len(got.GetItems()) != 0 ||
		got.GetErasedAt() != nil || got.GetCancelledAt() != nil || got.GetBackupsUntil() != nil {
		t.Errorf("the erasure: %v", got)
	}
	letters := here.deliver("ana@example.org")
	if len(letters) != 1 {
		t.Fatalf("%d letters", len(letters))
	}
	zone, err := time.LoadLocation("Europe/Belgrade")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{due.In(zone).Format("2006-01-02 15:04 (UTC-07:00)"), asked.GetErasureId(), "sign in before then"} {
		if !strings.Contains(letters[0].Text, part) {
			t.Errorf("the letter lacks %q:\n%s", part, letters[0].Text)
		}
	}
}

func TestErasureNeedsProof(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.register("ana@example.org").GetTokens()
	request := func(tokens *authv1.Tokens, password string) error {
		_, err := r.accountsAs(tokens).RequestErasure(r.from("192.0.2.1"), &authv1.RequestErasureRequest{Password: password})
		return err
	}
	refused(t, "signed out", request(nil, goodPassword), connect.CodeUnauthenticated, "CREDENTIAL_MISSING")
	refused(t, "with a wrong password", request(ana, "wrong horse battery"), connect.CodeUnauthenticated, "CREDENTIALS_WRONG")
	// With a password, a sign-in of late is not enough.
	refused(t, "without a password", request(ana, ""), connect.CodeFailedPrecondition, "SIGN_IN_AGAIN")
	r.exec("UPDATE auth.accounts SET password_hash = NULL, password_set_at = NULL")
	r.clock.advance(5*time.Minute + time.Second)
	refused(t, "a while after the sign-in", request(ana, ""), connect.CodeFailedPrecondition, "SIGN_IN_AGAIN")
	if n := r.count("erasures"); n != 0 {
		t.Errorf("%d erasures", n)
	}
	r.clock.advance(-2 * time.Minute)
	if err := request(ana, ""); err != nil {
		t.Errorf("soon after the sign-in: %v", err)
	}
}

// Requests at once are one erasure.
func TestErasureIsRequestedOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.register("ana@example.org").GetTokens()
	ids := make([]string, 6)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() {
			res, err := r.accountsAs(tokens).RequestErasure(r.from("192.0.2.1"), &authv1.RequestErasureRequest{Password: goodPassword})
			if err == nil {
				ids[i] = res.GetErasureId()
			} else {
				refused(t, "afterwards", err, connect.CodeUnauthenticated, "TOKEN_REVOKED")
			}
		})
	}
	all.Wait()
	seen := map[string]bool{}
	for _, id := range ids {
		seen[id] = true
	}
	delete(seen, "")
	if n := r.count("erasures"); len(seen) != 1 || n != 1 {
		t.Errorf("%d erasures, answered with %v", n, ids)
	}
}

// Every way of signing in calls an erasure off, once it is through.
func TestSignInCallsErasureOff(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens, device := r.owner("ana@example.org")
	totp, _ := r.withTotp(tokens)
	tokens = r.refresh(tokens) // now this session has had the second factor
	for name, signIn := range map[string]func() *authv1.Tokens{
		"a passkey": func() *authv1.Tokens {
			res, err := r.passkeyLogin(r.from("192.0.2.1"), device, "")
			if err != nil {
				t.Fatal(err)
			}
			return res.GetTokens()
		},
		"a code": func() *authv1.Tokens {
			half := r.login("ana@example.org").GetSecondFactor().GetChallengeId()
			if r.receiptState("ana@example.org") == "" {
				t.Error("half a sign-in called it off")
			}
			return r.mustFinish(half, totp.next())
		},
	} {
		asked := r.requestErasure(tokens)
		r.deliver("ana@example.org")
		tokens = signIn()
		got := r.receipt(asked.GetErasureId())
		if got.GetState() != authv1.ErasureState_ERASURE_STATE_CANCELLED || !got.GetCancelledAt().AsTime().Equal(r.clock.Now()) || r.receiptState("ana@example.org") != "" {
			t.Errorf("%s: the erasure: %v", name, got)
		}
		if events := r.events(tokens); !strings.HasPrefix(events, "erasure_cancelled erasure_requested") {
			t.Errorf("%s: events: %s", name, events)
		}
		if letters := r.deliver("ana@example.org"); len(letters) != 1 || letters[0].Subject != "Your account will not be erased" {
			t.Errorf("%s: letters: %v", name, letters)
		}
	}
	// Signing in again tells of nothing that is not there.
	if _, err := r.passkeyLogin(r.from("192.0.2.1"), device, ""); err != nil {
		t.Fatal(err)
	}
	if letters := r.deliver("ana@example.org"); len(letters) != 0 {
		t.Errorf("letters: %v", letters)
	}
}

// receiptState is the erasure that waits for an account; empty when none does.
func (r *rig) receiptState(email string) (id string) {
	r.t.Helper()
	if err := r.pool.QueryRow(r.t.Context(), "SELECT coalesce(erasure_id::text, '') FROM auth.accounts WHERE email = $1", email).Scan(&id); err != nil {
		r.t.Fatal(err)
	}
	return id
}

func TestOidcSignInCallsErasureOff(t *testing.T) {
	t.Parallel()
	r := oidcRig(t)
	const who = "s1:ana@example.org:true"
	asked, err := r.accountsAs(r.mustSignIn("basic", who).GetTokens()).RequestErasure(t.Context(), &authv1.RequestErasureRequest{})
	if err != nil {
		t.Fatal(err)
	}
	r.mustSignIn("basic", who)
	if got := r.receipt(asked.GetErasureId()); got.GetState() != authv1.ErasureState_ERASURE_STATE_CANCELLED {
		t.Errorf("the erasure: %v", got)
	}
}

// A sign-in that was begun before the request must not call it off.
func TestErasureVoidsHalfDoneSignIns(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.register("ana@example.org").GetTokens()
	totp, _ := r.withTotp(tokens)
	_, err := r.accountsAs(tokens).RequestErasure(t.Context(), &authv1.RequestErasureRequest{Password: goodPassword})
	refused(t, "a session that has not had the second factor", err, connect.CodeFailedPrecondition, "SECOND_FACTOR_NEEDED")
	tokens = r.refresh(tokens)
	half := r.login("ana@example.org").GetSecondFactor().GetChallengeId()
	asked := r.requestErasure(tokens)
	refused(t, "half signed in", r.finishFactor(half, totp.next()), connect.CodeUnauthenticated, "CHALLENGE_GONE")
	if got := r.receipt(asked.GetErasureId()); got.GetState() != authv1.ErasureState_ERASURE_STATE_SCHEDULED {
		t.Errorf("the erasure: %v", got)
	}
}

// Two sign-ins at once do not get in each other's way.
func TestSignInsAtOnceCallErasureOff(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register("ana@example.org")
	for range 5 {
		r.requestErasure(r.login("ana@example.org").GetTokens())
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if _, err := r.client.Login(r.from("192.0.2.1"), &authv1.LoginRequest{Email: "ana@example.org", Password: goodPassword}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		var cancelled int
		err := r.pool.QueryRow(t.Context(), "SELECT count(*) FROM auth.security_events WHERE kind = 'erasure_cancelled'").Scan(&cancelled)
		if err != nil || cancelled != 1 {
			t.Fatalf("called off %d times, %v", cancelled, err)
		}
		r.exec("DELETE FROM auth.security_events")
	}
}

func TestSupportRequestsErasure(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	support := r.supportAs(r.staff("support@example.org", "support"))
	ana := r.register("ana@example.org")
	var ids []string
	for range 2 {
		res, err := support.RequestAccountErasure(r.from("203.0.113.9"), &authv1.RequestAccountErasureRequest{UserId: ana.GetUserId(), Reason: reason})
		if err != nil || !res.GetEraseAfter().AsTime().Equal(r.clock.Now().Add(coolingOff)) {
			t.Fatalf("got %v, %v", res, err)
		}
		ids = append(ids, res.GetErasureId())
	}
	if ids[0] != ids[1] {
		t.Error("asked for again, it is another erasure")
	}
	within(t, "a token from before", "TOKEN_REVOKED", func() error { return r.callerOf(ana.GetTokens()) })
	if got := r.details(support, ana.GetUserId()); !got.GetEraseAfter().AsTime().Equal(r.clock.Now().Add(coolingOff)) {
		t.Errorf("the account: %v", got)
	}
	cancel := func() error {
		return supportCalls["CancelAccountErasure"](t.Context(), support, ana.GetUserId(), reason)
	}
	if err := cancel(); err != nil {
		t.Fatal(err)
	}
	if got := r.receipt(ids[0]); got.GetState() != authv1.ErasureState_ERASURE_STATE_CANCELLED {
		t.Errorf("the erasure: %v", got)
	}
	refused(t, "again", cancel(), connect.CodeFailedPrecondition, "NO_ERASURE")
	// The letter about the request went out after it was called off: it would only confuse.
	var subjects []string
	for _, letter := range r.deliver("ana@example.org") {
		subjects = append(subjects, letter.Subject)
	}
	if got := strings.Join(subjects, "; "); strings.Contains(got, "will be erased") || !strings.Contains(got, "will not be erased") {
		t.Errorf("letters: %s", got)
	}
	for _, one := range r.records() {
		if _, after := r.reveal(one.id); strings.Contains(after, ids[0]) || one.raw == "" && one.action != "auth.account.viewed" {
			t.Errorf("%s has the receipt's id, or nothing: %s", one.action, after)
		}
	}
}

func TestReceiptsThatAreNone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	anybody := authv1connect.NewAccountServiceClient(r.transport(""))
	_, err := anybody.GetErasure(t.Context(), &authv1.GetErasureRequest{ErasureId: uuid.NewString()})
	if connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("of no erasure: %v", err)
	}
	_, err = anybody.GetErasure(t.Context(), &authv1.GetErasureRequest{ErasureId: "1"})
	if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != "erasureId" {
		t.Errorf("of no id: %v", err)
	}
	_, err = anybody.GetAccount(t.Context(), &authv1.GetAccountRequest{})
	refused(t, "nobody's account", err, connect.CodeUnauthenticated, "CREDENTIAL_MISSING")
	_, err = anybody.UpdateAccount(t.Context(), &authv1.UpdateAccountRequest{Account: &authv1.Account{DisplayName: "Eve"}})
	refused(t, "nobody's name", err, connect.CodeUnauthenticated, "CREDENTIAL_MISSING")
}
