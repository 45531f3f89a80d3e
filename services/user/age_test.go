package user_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	healthv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/health/v1"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
	"github.com/mindspace-app/mindspace/services/user"
)

func (r *rig) moves(p *authtest.Person, country string) error {
	_, err := r.as(p).UpdateMe(r.t.Context(), &userv1.UpdateMeRequest{
		User: &userv1.User{CountryCode: country}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"country_code"}},
	})
	return err
}

func TestMinimumAge(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *user.Options) { o.Ages = user.Ages{Default: 16, ByCountry: map[string]int{"RS": 15, "XX": 18}} })
	today := r.Clock.Now()
	date := func(years, days int) string { return today.AddDate(years, 0, days).Format(time.DateOnly) }
	for i, tt := range []struct {
		country string
		profile *healthv1.Profile
		field   string
		age     string
	}{
		{"", &healthv1.Profile{}, "", ""},
		{"", female(16), "", ""},
		{"", female(15), "profile.ageYears", "16"},
		{"", female(0), "profile.ageYears", "16"},
		{"", born(date(-16, 0)), "", ""},
		{"", born(date(-16, 1)), "profile.birthDate", "16"},
		{"RS", born(date(-15, 0)), "", ""},
		{"RS", born(date(-15, 1)), "profile.birthDate", "15"},
		{"RS", female(15), "", ""},
		{"XX", female(17), "profile.ageYears", "18"},
		{"DE", female(15), "profile.ageYears", "16"},
		{"RS", &healthv1.Profile{BirthDate: date(-14, 0), AgeYears: new(int32(30))}, "profile.birthDate", "15"},
	} {
		p := r.Register(fmt.Sprintf("p%d@example.org", i))
		r.agrees(p)
		if err := r.moves(p, tt.country); err != nil {
			t.Fatal(err)
		}
		before := r.healthRows()
		_, err := r.as(p).UpdateHealthProfile(t.Context(), &userv1.UpdateHealthProfileRequest{Profile: tt.profile})
		if tt.field == "" {
			if err != nil {
				t.Errorf("%s %v: %v", tt.country, tt.profile, err)
			}
			continue
		}
		refused(t, tt.country+" "+tt.profile.String(), err, connect.CodeFailedPrecondition, "UNDER_AGE")
		if wrongField(err) != tt.field || !strings.Contains(err.Error(), tt.age) {
			t.Errorf("%v names %q, want %q and %s", err, wrongField(err), tt.field, tt.age)
		}
		if r.healthRows() != before {
			t.Errorf("%v is stored", tt.profile)
		}
	}
}

func TestMinimumAgeOfANewCountry(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *user.Options) { o.Ages = user.Ages{Default: 16, ByCountry: map[string]int{"RS": 15, "BE": 13}} })
	ana := r.Register("ana@example.org")
	r.agrees(ana)
	if err := r.moves(ana, "RS"); err != nil {
		t.Fatal(err)
	}
	r.tells(ana, female(15))
	for _, country := range []string{"DE", ""} {
		err := r.moves(ana, country)
		refused(t, "moving to "+country, err, connect.CodeFailedPrecondition, "UNDER_AGE")
		if wrongField(err) != "user.countryCode" {
			t.Errorf("names %q", wrongField(err))
		}
	}
	if res, err := r.as(ana).GetMe(t.Context(), &userv1.GetMeRequest{}); err != nil || res.GetUser().GetCountryCode() != "RS" {
		t.Errorf("the country is %v (%v)", res, err)
	}
	if err := r.moves(ana, "BE"); err != nil {
		t.Errorf("a lower age: %v", err)
	}
	// A year later they are old enough.
	r.Clock.Advance(366 * 24 * time.Hour)
	ana = r.Login(ana)
	if err := r.moves(ana, "DE"); err != nil {
		t.Errorf("grown up: %v", err)
	}
	// Without consent there is no profile to be too young by, and none is looked at, even where one were left.
	if err := r.moves(ana, "BE"); err != nil {
		t.Fatal(err)
	}
	r.tells(ana, female(14))
	if _, err := r.Pool.Exec(t.Context(), "UPDATE users.consents SET granted = false"); err != nil {
		t.Fatal(err)
	}
	if err := r.moves(ana, "DE"); err != nil {
		t.Errorf("without consent: %v", err)
	}
}
