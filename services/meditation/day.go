package meditation

import (
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/mindspace-app/mindspace/platform/fault"
)

// Day is a local date: the number of days since 1970-01-01 in the proleptic Gregorian calendar.
type Day int32

// dayFormat is how a date is written, ISO 8601.
const dayFormat = time.DateOnly

// secondsADay is how long a day of UTC is.
const secondsADay = 24 * 60 * 60

// DateOf is the local date on which an instant counts: that of the wall clock in the zone, or the one before while the clock has not come to
// the hour at which the person's day begins.
func DateOf(t time.Time, zone *time.Location, dayStartHour int) Day {
	local := t.In(zone)
	year, month, day := local.Date()
	date := dayOf(year, month, day)
	if local.Hour() < dayStartHour {
		date--
	}
	return date
}

func dayOf(year int, month time.Month, day int) Day {
	return Day(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / secondsADay) //nolint:gosec // years of four digits
}

// ParseDay reads a date in a field of a request, as "2026-12-31". Fault: Invalid, naming the field.
func ParseDay(field, text string) (Day, error) {
	t, err := time.Parse(dayFormat, text)
	if err != nil || t.Year() < 1900 {
		return 0, fault.Invalid("%s is no date", field).WithField(field, "must be a date from 1900 on, as 2026-12-31")
	}
	return dayOf(t.Date()), nil
}

// String writes the date as "2026-12-31".
func (d Day) String() string { return d.start().Format(dayFormat) }

// start is midnight of the date in UTC.
func (d Day) start() time.Time { return time.Unix(int64(d)*secondsADay, 0).UTC() }

// stored is the date as the database has it.
func (d Day) stored() pgtype.Date { return pgtype.Date{Time: d.start(), Valid: true} }

// storedDay reads a date of the database.
func storedDay(d pgtype.Date) Day { return dayOf(d.Time.Date()) }
