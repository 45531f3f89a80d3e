package app

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mindspace-app/mindspace/platform/uid"
	"github.com/mindspace-app/mindspace/services/auth"
	"github.com/mindspace-app/mindspace/services/meditation"
	"github.com/mindspace-app/mindspace/services/user"
)

// scaleYears is how long ago the first of the made-up persons signed up.
const scaleYears = 3

// scalePlace is where made-up persons live.
type scalePlace struct {
	// weight is how many of all weights live there.
	weight                int
	zone, country, locale string
	imperial              bool
}

var scalePlaces = []scalePlace{
	{22, "Europe/Belgrade", "RS", "sr", false}, {18, "Europe/Moscow", "RU", "ru", false}, {12, "Europe/London", "GB", "en", false},
	{12, "America/New_York", "US", "en", true}, {7, "America/Los_Angeles", "US", "en", true}, {7, "Asia/Kolkata", "IN", "en", false},
	{6, "Europe/Berlin", "DE", "en", false}, {4, "Australia/Sydney", "AU", "en", false}, {3, "Asia/Tokyo", "JP", "en", false},
	{3, "Asia/Yekaterinburg", "RU", "ru", false}, {2, "America/Sao_Paulo", "BR", "en", false}, {1, "Asia/Kathmandu", "NP", "en", false},
	{1, "Pacific/Auckland", "NZ", "en", false}, {1, "Pacific/Honolulu", "US", "en", true}, {1, "America/St_Johns", "CA", "en", false},
}

// scaleNames are what made-up persons are called.
var scaleNames = []string{
	"Ana", "Marko", "Jelena", "Nikola", "Milica", "Иван", "Ольга", "Дмитрий", "Анна", "Сергей", "James", "Emma", "Noah", "Olivia", "Priya", "Arjun", "Lena", "Jonas", "Yuki", "Maria",
}

// scalePeople makes up persons. The same options make up the same ones.
type scalePeople struct {
	ScaleOptions
	until time.Time
	zones []*time.Location
	// places has the place of each weight.
	places []int
}

func newScalePeople(o ScaleOptions, until time.Time) (*scalePeople, error) {
	p := &scalePeople{ScaleOptions: o, until: until}
	for i, place := range scalePlaces {
		zone, err := time.LoadLocation(place.zone)
		if err != nil {
			return nil, fmt.Errorf("zone of made-up persons: %w", err)
		}
		p.zones = append(p.zones, zone)
		for range place.weight {
			p.places = append(p.places, i)
		}
	}
	return p, nil
}

// scalePerson is one made-up person, as each domain has them.
type scalePerson struct {
	account  auth.ScaleAccount
	profile  user.ScaleProfile
	practice meditation.ScalePerson
}

// scaleEmail is the address of the made-up person of a number, from 1.
func scaleEmail(number int) string { return fmt.Sprintf("user%06d@scale.test", number) }

// person makes up the one of a number, from 1. They have signed up one after the other, evenly over the years, and who has been there for longer has
// practised more.
func (p *scalePeople) person(number int) scalePerson {
	r := rand.New(rand.NewPCG(p.Seed^0x5ca1ab1e, uint64(number))) //nolint:gosec // made-up data that is the same each time; from 1
	window := p.until.Sub(p.until.AddDate(-scaleYears, 0, 0))
	left := 1 - (float64(number)-0.5)/float64(max(p.Users, number))
	since := p.until.Add(-time.Duration(left * float64(window))).UTC().Truncate(time.Millisecond)
	id := uid.At(since, r.Uint64(), r.Uint64())
	at := p.places[r.IntN(len(p.places))]
	place, dayStartHour := scalePlaces[at], 0
	switch when := r.Float64(); {
	case when < 0.08:
		dayStartHour = 4
	case when < 0.12:
		dayStartHour = 3
	}
	return scalePerson{
		account: auth.ScaleAccount{
			ID: id, Email: scaleEmail(number), DisplayName: scaleNames[r.IntN(len(scaleNames))], Locale: place.locale, TimeZone: place.zone, CreatedAt: since,
		},
		profile: user.ScaleProfile{ID: id, DayStartHour: dayStartHour, Imperial: place.imperial, CountryCode: place.country, UpdatedAt: since},
		practice: meditation.ScalePerson{
			ID: id, Number: uint64(number), Zone: p.zones[at], DayStartHour: dayStartHour, Since: since, Expected: 2 * left * p.mean(), //nolint:gosec // from 1
		},
	}
}

// mean is how many sessions a person has, over all of them.
func (p *scalePeople) mean() float64 { return float64(p.Sessions) / float64(p.Users) }
