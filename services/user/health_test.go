package user_test

import (
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	healthv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/health/v1"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1/userv1connect"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
	"github.com/mindspace-app/mindspace/services/user"
)

const healthData = userv1.ConsentPurpose_CONSENT_PURPOSE_HEALTH_DATA

// anyAge takes health data of people of every age.
func anyAge(o *user.Options) { o.Ages = user.Ages{ByCountry: map[string]int{"": 0}} }

// answers records an answer for health data.
func (r *rig) answers(p *authtest.Person, granted bool) {
	r.t.Helper()
	if _, err := r.as(p).SetConsent(r.t.Context(), &userv1.SetConsentRequest{Purpose: healthData, Granted: granted, PolicyVersion: "1"}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) agrees(p *authtest.Person) { r.t.Helper(); r.answers(p, true) }

// health is what a person reads of their own.
func (r *rig) health(p *authtest.Person) *userv1.GetHealthProfileResponse {
	r.t.Helper()
	res, err := r.as(p).GetHealthProfile(r.t.Context(), &userv1.GetHealthProfileRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// tells stores a profile.
func (r *rig) tells(p *authtest.Person, profile *healthv1.Profile, goals ...*healthv1.Term) *userv1.UpdateHealthProfileResponse {
	r.t.Helper()
	res, err := r.as(p).UpdateHealthProfile(r.t.Context(), &userv1.UpdateHealthProfileRequest{Profile: profile, Goals: goals})
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// healthRows counts what is stored of anybody's health.
func (r *rig) healthRows() (n int) {
	r.t.Helper()
	if err := r.Pool.QueryRow(r.t.Context(), "SELECT count(*) FROM users.health_profiles").Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

// everything is a profile with every field told, numbers that are zero among them.
func everything() *healthv1.Profile {
	return &healthv1.Profile{
		Sex: healthv1.Sex_SEX_FEMALE, AgeYears: new(int32(31)), WeightKg: new(63.25), HeightCm: new(168.0),
		Pregnancy:   &healthv1.Pregnancy{Status: pregnant, Trimester: new(int32(2))},
		Conditions:  []*healthv1.Term{{Text: "deep vein thrombosis"}},
		Medications: []*healthv1.Term{{Text: "Sintrom 4 mg"}}, Allergies: []*healthv1.Term{{Code: "milk"}}, Diet: healthv1.Diet_DIET_VEGAN,
		Lifestyle: &healthv1.Lifestyle{
			Smoker: new(false), TestedAthlete: new(false), CaffeineMgPerDay: new(0.0), TrainingHoursPerWeek: new(5.0), FishPortionsPerWeek: new(0.0),
			EventDurationHours: new(0.0), SleepHoursPerNight: new(7.5), Notes: "hot climate",
		},
		DietaryIntake: []*healthv1.NutrientAmount{{Nutrient: &healthv1.Term{Text: "calcium"}, Amount: new(0.0), Unit: "mg"}},
		Labs:          []*healthv1.Lab{{Code: "ferritin", Value: new(0.0), Unit: "ug/L"}},
		CurrentIntakes: []*healthv1.CurrentIntake{{
			Supplement: &healthv1.Term{Text: "Vitamin K2 (MK-7)"}, Amount: new(90.0), Unit: "ug", Per: healthv1.IntakePeriod_INTAKE_PERIOD_DAY,
			Nutrients: []*healthv1.NutrientAmount{{Nutrient: &healthv1.Term{Text: "zinc"}, Amount: new(40.0), Unit: "mg"}},
		}},
	}
}

func TestHealthProfile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana, mila := r.Register("ana@example.org"), r.Register("mila@example.org")
	r.agrees(ana)
	r.agrees(mila)
	if got := r.health(ana); got.GetRevision() != 0 || got.GetUpdatedAt() != nil || got.GetProfile() == nil || len(got.GetGoals()) != 0 {
		t.Errorf("before anything is told: %v", got)
	}
	goals := []*healthv1.Term{{Text: "bone health"}}
	put := r.tells(ana, everything(), goals...)
	got := r.health(ana)
	// Numbers that are zero are told all the same.
	if !proto.Equal(got.GetProfile(), everything()) || !proto.Equal(put.GetProfile(), everything()) || len(got.GetGoals()) != 1 || !proto.Equal(got.GetGoals()[0], goals[0]) {
		t.Errorf("stored %v, returned %v, want %v", got, put, everything())
	}
	if got.GetRevision() != 1 || !got.GetUpdatedAt().AsTime().Equal(r.Clock.Now()) || put.GetRevision() != 1 || !put.GetUpdatedAt().AsTime().Equal(r.Clock.Now()) {
		t.Errorf("revision %d at %v, returned %d at %v", got.GetRevision(), got.GetUpdatedAt(), put.GetRevision(), put.GetUpdatedAt())
	}
	if other := r.health(mila); other.GetRevision() != 0 || other.GetProfile().GetSex() != 0 {
		t.Errorf("somebody else sees %v", other)
	}
	// The whole is replaced.
	r.tells(ana, &healthv1.Profile{Diet: healthv1.Diet_DIET_HALAL})
	if got := r.health(ana); got.GetRevision() != 2 || len(got.GetGoals()) != 0 || !proto.Equal(got.GetProfile(), &healthv1.Profile{Diet: healthv1.Diet_DIET_HALAL}) {
		t.Errorf("replaced: %v", got)
	}
}

func TestHealthProfileRevision(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.org")
	r.agrees(ana)
	update := func(expected int64, sex healthv1.Sex) error {
		_, err := r.as(ana).UpdateHealthProfile(t.Context(), &userv1.UpdateHealthProfileRequest{Profile: &healthv1.Profile{Sex: sex}, ExpectedRevision: &expected})
		return err
	}
	refused(t, "a revision that was never there", update(1, healthv1.Sex_SEX_MALE), connect.CodeAborted, "REVISION_CHANGED")
	for revision := range int64(3) {
		if err := update(revision, healthv1.Sex_SEX_FEMALE); err != nil {
			t.Fatalf("revision %d: %v", revision, err)
		}
	}
	for _, revision := range []int64{0, 2, 4} {
		err := update(revision, healthv1.Sex_SEX_MALE)
		refused(t, "another revision", err, connect.CodeAborted, "REVISION_CHANGED")
		if wrongField(err) != "expectedRevision" {
			t.Errorf("names %q", wrongField(err))
		}
	}
	if got := r.health(ana); got.GetRevision() != 3 || got.GetProfile().GetSex() != healthv1.Sex_SEX_FEMALE {
		t.Errorf("stored %v", got)
	}
	if err := update(-1, 0); wrongField(err) != "expectedRevision" {
		t.Errorf("a negative revision: %v", err)
	}
}

func TestHealthProfileNeedsConsent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana, client := r.Register("ana@example.org"), userv1connect.NewUserServiceClient(r.Client(""))
	without := func(when string) {
		t.Helper()
		_, err := r.as(ana).GetHealthProfile(t.Context(), &userv1.GetHealthProfileRequest{})
		refused(t, "reading "+when, err, connect.CodeFailedPrecondition, "CONSENT_MISSING")
		if err == nil || !strings.Contains(err.Error(), "CONSENT_PURPOSE_HEALTH_DATA") {
			t.Errorf("%s: %v does not name the purpose", when, err)
		}
		_, err = r.as(ana).UpdateHealthProfile(t.Context(), &userv1.UpdateHealthProfileRequest{Profile: everything()})
		refused(t, "writing "+when, err, connect.CodeFailedPrecondition, "CONSENT_MISSING")
		if n := r.healthRows(); n != 0 {
			t.Errorf("%s: %d rows", when, n)
		}
	}
	without("before any answer")
	for purpose := range userv1.ConsentPurpose_name {
		if other := userv1.ConsentPurpose(purpose); other != 0 && other != healthData {
			if _, err := r.as(ana).SetConsent(t.Context(), &userv1.SetConsentRequest{Purpose: other, Granted: true}); err != nil {
				t.Fatal(err)
			}
		}
	}
	without("with consents for something else")
	r.agrees(ana)
	r.tells(ana, everything(), &healthv1.Term{Text: "sleep"})
	r.answers(ana, false)
	without("after the withdrawal")
	r.agrees(ana)
	if got := r.health(ana); got.GetRevision() != 0 || len(got.GetGoals()) != 0 || got.GetProfile().GetSex() != 0 {
		t.Errorf("agreeing again brings back %v", got)
	}
	r.tells(ana, everything())
	if _, err := client.GetHealthProfile(t.Context(), &userv1.GetHealthProfileRequest{}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("nobody reads: %v", err)
	}
	if _, err := client.UpdateHealthProfile(t.Context(), &userv1.UpdateHealthProfileRequest{Profile: everything()}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("nobody writes: %v", err)
	}
	if _, err := r.as(ana).UpdateHealthProfile(t.Context(), &userv1.UpdateHealthProfileRequest{}); wrongField(err) != "profile" {
		t.Errorf("no profile: %v names %q", err, wrongField(err))
	}
}

// An age that was told in years grows with the calendar, also for somebody who changes other things now and then.
func TestToldAgeGrows(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Clock.Advance(-r.Clock.Now().Sub(time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)))
	ana := r.Register("ana@example.org")
	r.agrees(ana)
	r.tells(ana, female(31))
	for _, step := range []struct {
		to   time.Time
		want int32
	}{
		{time.Date(2027, 3, 9, 23, 59, 0, 0, time.UTC), 31},
		{time.Date(2027, 3, 10, 0, 0, 0, 0, time.UTC), 32},
		{time.Date(2028, 3, 9, 0, 0, 0, 0, time.UTC), 32},
		{time.Date(2030, 3, 10, 0, 0, 0, 0, time.UTC), 35},
	} {
		r.Clock.Advance(step.to.Sub(r.Clock.Now()))
		ana = r.Login(ana)
		profile := r.health(ana).GetProfile()
		if profile.GetAgeYears() != step.want {
			t.Errorf("on %v: %d, want %d", step.to, profile.GetAgeYears(), step.want)
		}
		profile.Diet++
		if got := r.tells(ana, profile).GetProfile().GetAgeYears(); got != step.want {
			t.Errorf("on %v, told again: %d, want %d", step.to, got, step.want)
		}
	}
	r.tells(ana, female(119))
	r.Clock.Advance(3 * 366 * 24 * time.Hour)
	ana = r.Login(ana)
	if got := r.tells(ana, r.health(ana).GetProfile()).GetProfile().GetAgeYears(); got != 120 {
		t.Errorf("the oldest are %d", got)
	}
}
