package user_test

import (
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1/userv1connect"
)

func TestProfile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.org")
	me := func() *userv1.User {
		t.Helper()
		res, err := r.as(ana).GetMe(t.Context(), &userv1.GetMeRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return res.GetUser()
	}
	u := me()
	if u.GetId() != ana.ID.String() || u.GetEmail() != ana.Email || u.GetDisplayName() != "Ana" || u.GetLocale() != "en" || u.GetTimeZone() != "UTC" ||
		u.GetDayStartHour() != 0 || u.GetUnits() != userv1.Units_UNITS_METRIC || u.GetCountryCode() != "" || u.GetCreatedAt() == nil {
		t.Errorf("a new profile: %v", u)
	}
	for name, change := range map[string]*userv1.UpdateMeRequest{
		"without a mask": {User: &userv1.User{DisplayName: "Ана", Locale: "sr-Latn", TimeZone: "Europe/Belgrade", DayStartHour: 4, Units: userv1.Units_UNITS_IMPERIAL, CountryCode: "RS"}},
		"with a mask": {
			User:       &userv1.User{Id: "not mine", DisplayName: "Ана", Locale: "sr", TimeZone: "Europe/Belgrade", DayStartHour: 4, Units: userv1.Units_UNITS_IMPERIAL, CountryCode: "RS"},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"display_name", "locale", "time_zone", "day_start_hour", "units", "country_code"}},
		},
	} {
		res, err := r.as(ana).UpdateMe(t.Context(), change)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, u := range []*userv1.User{res.GetUser(), me()} {
			if u.GetDisplayName() != "Ана" || u.GetLocale() != "sr" || u.GetTimeZone() != "Europe/Belgrade" || u.GetDayStartHour() != 4 ||
				u.GetUnits() != userv1.Units_UNITS_IMPERIAL || u.GetCountryCode() != "RS" || u.GetId() != ana.ID.String() {
				t.Errorf("%s: %v", name, u)
			}
		}
	}
	// A mask sets what is zero too, and leaves alone what it does not name.
	_, err := r.as(ana).UpdateMe(t.Context(), &userv1.UpdateMeRequest{User: &userv1.User{}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"day_start_hour", "country_code"}}})
	if err != nil {
		t.Fatal(err)
	}
	if u := me(); u.GetDayStartHour() != 0 || u.GetCountryCode() != "" || u.GetTimeZone() != "Europe/Belgrade" || u.GetUnits() != userv1.Units_UNITS_IMPERIAL {
		t.Errorf("after a mask: %v", u)
	}
}

func TestProfileRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana, client := r.Register("ana@example.org"), userv1connect.NewUserServiceClient(r.Client(""))
	if _, err := client.GetMe(t.Context(), &userv1.GetMeRequest{}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("nobody's profile: %v", err)
	}
	for field, change := range map[string]*userv1.UpdateMeRequest{
		"user.timeZone":     {User: &userv1.User{TimeZone: "Europe/Nowhere"}},
		"user.locale":       {User: &userv1.User{Locale: "de"}},
		"user.dayStartHour": {User: &userv1.User{DayStartHour: 24}},
		"user.countryCode":  {User: &userv1.User{CountryCode: "Serbia"}},
		"user.units":        {User: &userv1.User{Units: 7}},
		"updateMask":        {User: &userv1.User{Email: "other@example.org"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"email"}}},
		"user":              {},
	} {
		_, err := r.as(ana).UpdateMe(t.Context(), change)
		if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != field {
			t.Errorf("%s: %v names %q", field, err, wrongField(err))
		}
	}
	// Of a request that is refused nothing is done.
	_, err := r.as(ana).UpdateMe(t.Context(), &userv1.UpdateMeRequest{User: &userv1.User{TimeZone: "Europe/Nowhere", DayStartHour: 4}})
	if connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Error(err)
	}
	me, err := r.as(ana).GetMe(t.Context(), &userv1.GetMeRequest{})
	if err != nil || me.GetUser().GetDayStartHour() != 0 {
		t.Errorf("half of a refused request was done: %v, %v", me, err)
	}
}
