package meditation

import (
	"context"
	"time"

	"github.com/google/uuid"

	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/zone"
)

// person is the caller, and how their days go.
type person struct {
	id uuid.UUID
	// zoneName is the zone of their account, an IANA name.
	zoneName     string
	dayStartHour int
}

// caller asks the user domain how the caller's days go. Faults: those of GetMe.
func (s *Service) caller(ctx context.Context) (person, error) {
	res, err := s.Users.GetMe(ctx, &userv1.GetMeRequest{})
	if err != nil {
		return person{}, fault.FromClient(err)
	}
	u := res.GetUser()
	return person{id: identity.CallerFrom(ctx).UserID, zoneName: u.GetTimeZone(), dayStartHour: int(u.GetDayStartHour())}, nil
}

// zoneOf gives the zone that a request names, or the caller's own. Fault: Invalid (TIME_ZONE_UNKNOWN), naming the field.
func (p person) zoneOf(field, name string) (*time.Location, error) {
	if name == "" {
		name = p.zoneName
	}
	return zone.Load(field, name)
}

// today is the caller's date in their account's zone.
func (p person) today(now time.Time) (Day, error) {
	z, err := p.zoneOf("timeZone", "")
	if err != nil {
		return 0, err
	}
	return DateOf(now, z, p.dayStartHour), nil
}
