package user

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/gen/db/userdb"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
)

// oldest is the highest age that the contract takes; an age that was told grows no further.
const oldest = 120

// wholeYears is how many years lie between two dates: those of from and to in UTC, as the rules of the contract count. A year that began on
// 29 February is over on 1 March where there is no such day. It is negative when to is before from.
func wholeYears(from, to time.Time) int {
	from, to = from.UTC(), to.UTC()
	years := to.Year() - from.Year()
	if to.Month() < from.Month() || to.Month() == from.Month() && to.Day() < from.Day() {
		years--
	}
	return years
}

// toldAge is the age that was told in years, grown since with the calendar; false when none was told.
func toldAge(r *userv1.HealthRecord, now time.Time) (age int, told bool) {
	if r.GetProfile() == nil || r.GetProfile().AgeYears == nil {
		return 0, false
	}
	age = int(r.GetProfile().GetAgeYears())
	if since, err := time.Parse(time.DateOnly, r.GetAgeToldOn()); err == nil {
		age += max(0, wholeYears(since, now))
	}
	return min(age, oldest), true
}

// ageOf is the age by the birth date, else the one that was told, and the field that says so; false when there is neither.
func ageOf(r *userv1.HealthRecord, now time.Time) (age int, field string, known bool) {
	if born, err := time.Parse(time.DateOnly, r.GetProfile().GetBirthDate()); err == nil {
		return wholeYears(born, now), "birthDate", true
	}
	age, known = toldAge(r, now)
	return age, "ageYears", known
}

// underAge is the fault for health data of somebody too young for the country; nil for those who are old enough, and while no age is told.
func (o Options) underAge(r *userv1.HealthRecord, country string) *fault.Error {
	age, field, known := ageOf(r, o.now())
	least := o.Ages.Of(country)
	if !known || age >= least {
		return nil
	}
	where := "without a country in the profile"
	if country != "" {
		where = "in " + country
	}
	return fault.Precondition("health data is taken from the age of %d on %s", least, where).WithReason("UNDER_AGE").
		WithField("profile."+field, "tells of an age under the minimum")
}

// checkStoredAge refuses a country in which the age that the stored health profile tells of is too low. Without consent the profile is not
// looked at. Faults: Precondition (UNDER_AGE), those of the keyring.
func (s *Service) checkStoredAge(ctx context.Context, q *userdb.Queries, person uuid.UUID, country string) error {
	switch err := requireHealthConsent(ctx, q, person); {
	case fault.KindOf(err) == fault.KindPrecondition:
		return nil
	case err != nil:
		return err
	}
	stored, err := s.readHealth(ctx, q, person)
	if err != nil {
		return err
	}
	if tooYoung := s.underAge(stored.record, country); tooYoung != nil {
		return fault.Precondition("%s", tooYoung.Message()).WithReason(tooYoung.Reason()).
			WithField("user.countryCode", "asks for a higher age than the health profile tells of")
	}
	return nil
}
