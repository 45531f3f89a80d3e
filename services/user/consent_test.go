package user_test

import (
	"strconv"
	"sync"
	"testing"

	"connectrpc.com/connect/v2"

	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1/userv1connect"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
)

const marketing = userv1.ConsentPurpose_CONSENT_PURPOSE_MARKETING

func (r *rig) consents(p *authtest.Person, size int32, token string) *userv1.ListConsentsResponse {
	r.t.Helper()
	res, err := r.as(p).ListConsents(r.t.Context(), &userv1.ListConsentsRequest{PageSize: size, PageToken: token})
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

func TestConsentLedger(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana, mila := r.Register("ana@example.org"), r.Register("mila@example.org")
	if got := r.consents(ana, 0, ""); len(got.GetConsents())+len(got.GetHistory()) != 0 || got.GetNextPageToken() != "" {
		t.Errorf("before any answer: %v", got)
	}
	set := func(purpose userv1.ConsentPurpose, granted bool, version string) *userv1.Consent {
		t.Helper()
		r.Clock.Advance(1000)
		res, err := r.as(ana).SetConsent(t.Context(), &userv1.SetConsentRequest{Purpose: purpose, Granted: granted, PolicyVersion: version})
		if err != nil {
			t.Fatal(err)
		}
		if c := res.GetConsent(); c.GetPurpose() != purpose || c.GetGranted() != granted || c.GetPolicyVersion() != version {
			t.Errorf("answered %v", c)
		}
		return res.GetConsent()
	}
	first := set(healthData, true, "2026-01")
	if again := set(healthData, true, "2026-01"); !again.GetRecordedAt().AsTime().Equal(first.GetRecordedAt().AsTime()) {
		t.Errorf("the same answer is new: %v", again)
	}
	set(marketing, false, "")
	set(healthData, true, "2026-02")
	set(healthData, false, "2026-02")
	last := set(healthData, true, "2026-02")
	if !last.GetRecordedAt().AsTime().Equal(r.Clock.Now()) {
		t.Errorf("recorded at %v", last.GetRecordedAt())
	}
	var said []string
	var token string
	for {
		page := r.consents(ana, 2, token)
		for _, c := range page.GetHistory() {
			said = append(said, c.GetPolicyVersion()+" "+strconv.FormatBool(c.GetGranted()))
		}
		holds := map[userv1.ConsentPurpose]bool{}
		for _, c := range page.GetConsents() {
			holds[c.GetPurpose()] = c.GetGranted()
		}
		if answer, found := holds[marketing]; len(holds) != 2 || !holds[healthData] || !found || answer {
			t.Errorf("what holds: %v", page.GetConsents())
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	want := []string{"2026-02 true", "2026-02 false", "2026-02 true", " false", "2026-01 true"}
	if len(said) != len(want) {
		t.Fatalf("the ledger says %q, want %q", said, want)
	}
	for i := range want {
		if said[i] != want[i] {
			t.Errorf("the ledger says %q, want %q", said, want)
		}
	}
	// Somebody else has a ledger of their own, in which a token of this one leads nowhere.
	if got := r.consents(mila, 0, ""); len(got.GetHistory()) != 0 {
		t.Errorf("somebody else sees %v", got)
	}
	_, err := r.as(mila).ListConsents(t.Context(), &userv1.ListConsentsRequest{PageToken: r.consents(ana, 1, "").GetNextPageToken()})
	refused(t, "somebody else's page", err, connect.CodeInvalidArgument, "PAGE_TOKEN_INVALID")
}

// Which answer holds does not depend on clocks: an entry whose id another process made in the future is followed by what comes after it.
func TestConsentAfterAFastClock(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.org")
	if _, err := r.Pool.Exec(t.Context(), `INSERT INTO users.consents (user_id, id, purpose, granted, policy_version, recorded_at)
		VALUES ($1, '0ffffff0-0000-7000-8000-0000000000ff', 'health_data', true, '1', now())`, ana.ID); err != nil {
		t.Fatal(err)
	}
	r.health(ana)
	r.answers(ana, false)
	_, err := r.as(ana).GetHealthProfile(t.Context(), &userv1.GetHealthProfileRequest{})
	refused(t, "after the withdrawal", err, connect.CodeFailedPrecondition, "CONSENT_MISSING")
	r.agrees(ana)
	r.health(ana)
	if got := r.consents(ana, 0, ""); len(got.GetHistory()) != 3 {
		t.Errorf("the ledger: %v", got)
	}
}

func TestConsentRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana, client := r.Register("ana@example.org"), userv1connect.NewUserServiceClient(r.Client(""))
	for _, purpose := range []userv1.ConsentPurpose{0, 99} {
		if _, err := r.as(ana).SetConsent(t.Context(), &userv1.SetConsentRequest{Purpose: purpose, Granted: true}); wrongField(err) != "purpose" {
			t.Errorf("purpose %d: %v", purpose, err)
		}
	}
	if _, err := r.as(ana).ListConsents(t.Context(), &userv1.ListConsentsRequest{PageSize: -1}); wrongField(err) != "pageSize" {
		t.Errorf("a negative page: %v", err)
	}
	if _, err := client.SetConsent(t.Context(), &userv1.SetConsentRequest{Purpose: healthData, Granted: true}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("nobody agrees: %v", err)
	}
	if _, err := client.ListConsents(t.Context(), &userv1.ListConsentsRequest{}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("nobody lists: %v", err)
	}
}

// An update that is under way while consent is withdrawn is either erased by the withdrawal or refused for it.
func TestWithdrawalDuringUpdates(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.org")
	var refusals, stores int
	for round := range 150 {
		r.agrees(ana)
		errs := make([]error, 4)
		var calls sync.WaitGroup
		for i := range errs {
			calls.Go(func() {
				_, errs[i] = r.as(ana).UpdateHealthProfile(t.Context(), &userv1.UpdateHealthProfileRequest{Profile: everything()})
			})
		}
		calls.Go(func() { r.answers(ana, false) })
		calls.Wait()
		for _, err := range errs {
			if err == nil {
				stores++
				continue
			}
			refusals++
			refused(t, "an update", err, connect.CodeFailedPrecondition, "CONSENT_MISSING")
		}
		if n := r.healthRows(); n != 0 {
			t.Fatalf("round %d: a profile outlived its consent", round)
		}
	}
	t.Logf("%d updates stored and erased, %d refused", stores, refusals)
	if stores == 0 || refusals == 0 {
		t.Error("the calls never met")
	}
}
