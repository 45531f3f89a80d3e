package zone_test

import (
	"strings"
	"testing"

	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/zone"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"": "UTC", "UTC": "UTC", "Asia/Kathmandu": "Asia/Kathmandu"} {
		if got, err := zone.Parse("timeZone", name); got != want || err != nil {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	for range 2 { // read from the disk, then remembered
		if z, err := zone.Load("timeZone", "Europe/Belgrade"); err != nil || z.String() != "Europe/Belgrade" {
			t.Errorf("%v, %v", z, err)
		}
	}
	for _, name := range []string{"Local", "localtime", "posixrules", "Factory", "right/UTC", "posix/UTC", "Europe//Belgrade", "Europe/./Belgrade", "Europe/" + strings.Repeat("./", 2000) + "Belgrade", "Europe/Nowhere", "../UTC", "+02:00"} {
		_, err := zone.Parse("user.timeZone", name)
		e, ok := fault.As(err)
		if !ok || e.Kind() != fault.KindInvalid || e.Reason() != "TIME_ZONE_UNKNOWN" || len(e.Fields()) != 1 || e.Fields()[0].Path != "user.timeZone" {
			t.Errorf("%q: %v", name, err)
		}
	}
}
