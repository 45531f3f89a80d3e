package meditation_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/services/meditation"
)

// Instants with a history: clocks that were put forward and back, offsets of half and quarter hours, a date that a country left out.
var dates = []struct {
	zone, at string
	dayStart int
	want     string
}{
	// A day that begins at four.
	{"Europe/Belgrade", "2026-12-01T02:59:59.999999Z", 4, "2026-11-30"},
	{"Europe/Belgrade", "2026-12-01T03:00:00Z", 4, "2026-12-01"},
	{"Europe/Belgrade", "2026-12-01T22:59:59Z", 0, "2026-12-01"},
	{"Europe/Belgrade", "2026-12-01T23:00:00Z", 0, "2026-12-02"},
	// One that begins at 23: until then it is the date before.
	{"UTC", "2026-12-01T22:59:59Z", 23, "2026-11-30"},
	{"UTC", "2026-12-01T23:00:00Z", 23, "2026-12-01"},
	{"UTC", "2027-01-01T00:00:00Z", 23, "2026-12-31"},
	{"UTC", "2024-03-01T03:59:00Z", 4, "2024-02-29"},
	// Put forward on 2026-03-29: 01:59 is followed by 03:00, so a day that begins at two begins at three.
	{"Europe/Belgrade", "2026-03-29T00:59:59Z", 2, "2026-03-28"},
	{"Europe/Belgrade", "2026-03-29T01:00:00Z", 2, "2026-03-29"},
	{"Europe/Belgrade", "2026-03-29T01:59:59Z", 4, "2026-03-28"},
	{"Europe/Belgrade", "2026-03-29T02:00:00Z", 4, "2026-03-29"},
	// Put back on 2026-10-25: 02:30 comes twice, and both are before three.
	{"Europe/Belgrade", "2026-10-25T00:30:00Z", 3, "2026-10-24"},
	{"Europe/Belgrade", "2026-10-25T01:30:00Z", 3, "2026-10-24"},
	{"Europe/Belgrade", "2026-10-25T02:00:00Z", 3, "2026-10-25"},
	// There was no midnight on 2018-11-04, and 23:30 came twice on 2018-02-17.
	{"America/Sao_Paulo", "2018-11-04T02:59:59Z", 0, "2018-11-03"},
	{"America/Sao_Paulo", "2018-11-04T03:00:00Z", 0, "2018-11-04"},
	{"America/Sao_Paulo", "2018-02-18T01:30:00Z", 0, "2018-02-17"},
	{"America/Sao_Paulo", "2018-02-18T02:30:00Z", 0, "2018-02-17"},
	{"America/Sao_Paulo", "2018-02-18T03:00:00Z", 0, "2018-02-18"},
	// Put forward and back by half an hour.
	{"Australia/Lord_Howe", "2026-04-04T14:59:59Z", 2, "2026-04-04"},
	{"Australia/Lord_Howe", "2026-04-04T15:29:59Z", 2, "2026-04-04"},
	{"Australia/Lord_Howe", "2026-04-04T15:30:00Z", 2, "2026-04-05"},
	{"Australia/Lord_Howe", "2026-10-03T15:29:59Z", 2, "2026-10-03"},
	{"Australia/Lord_Howe", "2026-10-03T15:30:00Z", 2, "2026-10-04"},
	{"Asia/Kolkata", "2026-12-01T18:29:59Z", 0, "2026-12-01"},
	{"Asia/Kolkata", "2026-12-01T18:30:00Z", 0, "2026-12-02"},
	{"Asia/Kathmandu", "2026-12-01T18:14:59Z", 0, "2026-12-01"},
	{"Asia/Kathmandu", "2026-12-01T18:15:00Z", 0, "2026-12-02"},
	// Samoa went from the 29th to the 31st.
	{"Pacific/Apia", "2011-12-30T09:59:59Z", 0, "2011-12-29"},
	{"Pacific/Apia", "2011-12-30T10:00:00Z", 0, "2011-12-31"},
	{"Pacific/Apia", "2011-12-30T13:59:59Z", 4, "2011-12-30"},
	{"Pacific/Apia", "2011-12-30T14:00:00Z", 4, "2011-12-31"},
	// The first and the last to have a date.
	{"Pacific/Kiritimati", "2026-11-30T10:00:00Z", 0, "2026-12-01"},
	{"Etc/GMT+12", "2026-12-02T11:59:59Z", 0, "2026-12-01"},
	{"Etc/GMT+12", "2026-12-02T12:00:00Z", 0, "2026-12-02"},
	{"UTC", "1970-01-01T00:00:00Z", 0, "1970-01-01"},
	{"UTC", "1970-01-01T00:00:00Z", 1, "1969-12-31"},
	{"UTC", "1969-12-30T23:59:59Z", 0, "1969-12-30"},
}

func TestDateOf(t *testing.T) {
	t.Parallel()
	for _, test := range dates {
		zone, err := time.LoadLocation(test.zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := meditation.DateOf(at(t, test.at).AsTime(), zone, test.dayStart).String(); got != test.want {
			t.Errorf("%s in %s, days from %d: %s, want %s", test.at, test.zone, test.dayStart, got, test.want)
		}
	}
}

// The date is that of the clock on the wall or the one before, the latter just while the clock has not come to the hour; and noon of a day that begins
// in the morning is always its own.
func TestDateOfIsThatOfTheWallClock(t *testing.T) {
	t.Parallel()
	names := []string{"UTC", "Europe/Belgrade", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Apia", "Pacific/Kiritimati", "America/St_Johns", "Pacific/Marquesas"}
	zones := map[string]*time.Location{}
	for _, name := range names {
		var err error
		if zones[name], err = time.LoadLocation(name); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		zone := zones[rapid.SampledFrom(names).Draw(t, "zone")]
		instant := time.Unix(rapid.Int64Range(946_684_800, 4_102_444_800).Draw(t, "instant"), 0)
		hour := rapid.IntRange(0, 23).Draw(t, "day start")
		wall := instant.In(zone)
		want := wall.Format(time.DateOnly)
		if wall.Hour() < hour {
			// By the calendar, not by 24 hours.
			want = time.Date(wall.Year(), wall.Month(), wall.Day()-1, 12, 0, 0, 0, time.UTC).Format(time.DateOnly)
		}
		got := meditation.DateOf(instant, zone, hour)
		if got.String() != want {
			t.Fatalf("%v, days from %d: %v, want %s", wall, hour, got, want)
		}
		if back, err := meditation.ParseDay("date", got.String()); err != nil || back != got {
			t.Fatalf("%v is read as %v, %v", got, back, err)
		}
		// A day and a bit later it is never the same date, and never more than two later, but where a country leaves one out.
		if later := meditation.DateOf(instant.Add(26*time.Hour), zone, hour); later <= got || later > got+3 {
			t.Fatalf("26 hours after %v it is %v", got, later)
		}
	})
}

func TestParseDay(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "2026-02-29", "2026-13-01", "2026-1-1", "26-01-01", "1899-12-31", "0000-01-01", "2026-12-31T00:00:00Z", "31.12.2026", "-2026-12-31"} {
		_, err := meditation.ParseDay("fromDate", text)
		f, ok := fault.As(err)
		if !ok || f.Kind() != fault.KindInvalid || len(f.Fields()) != 1 || f.Fields()[0].Path != "fromDate" {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"1900-01-01", "1969-12-31", "1970-01-01", "2024-02-29", "9999-12-31"} {
		if d, err := meditation.ParseDay("fromDate", text); err != nil || d.String() != text {
			t.Errorf("%s: %v, %v", text, d, errors.Unwrap(err))
		}
	}
}
