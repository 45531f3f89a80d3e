package user

import (
	"testing"
	"time"
)

func TestWholeYears(t *testing.T) {
	t.Parallel()
	belgrade, err := time.LoadLocation("Europe/Belgrade")
	if err != nil {
		t.Fatal(err)
	}
	day := func(text string) time.Time {
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, tt := range []struct {
		from, to time.Time
		want     int
	}{
		{day("2010-06-15"), day("2010-06-15"), 0},
		{day("2010-06-15"), day("2026-06-14"), 15},
		{day("2010-06-15"), day("2026-06-15"), 16},
		{day("2010-06-15"), day("2026-06-15").Add(-time.Second), 15},
		{day("2010-12-31"), day("2026-01-01"), 15},
		// Leap days: 1 March where there is no 29 February.
		{day("2008-02-29"), day("2024-02-28"), 15},
		{day("2008-02-29"), day("2024-02-29"), 16},
		{day("2008-02-29"), day("2023-02-28"), 14},
		{day("2008-02-29"), day("2023-03-01"), 15},
		{day("2007-03-01"), day("2024-02-29"), 16},
		// The date in UTC counts: a birthday that has begun in Belgrade has not yet.
		{day("2010-06-15"), time.Date(2026, 6, 15, 0, 30, 0, 0, belgrade), 15},
		{day("2010-06-15"), time.Date(2026, 6, 15, 2, 30, 0, 0, belgrade), 16},
		{day("2026-06-15"), day("2025-06-15"), -1},
	} {
		if got := wholeYears(tt.from, tt.to); got != tt.want {
			t.Errorf("from %v to %v: %d, want %d", tt.from, tt.to, got, tt.want)
		}
	}
}
