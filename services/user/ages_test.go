package user_test

import (
	"strings"
	"testing"

	"github.com/mindspace-app/mindspace/services/user"
)

func TestDefaultAges(t *testing.T) {
	t.Parallel()
	ages := user.DefaultAges()
	for country, want := range map[string]int{"": 16, "RS": 15, "DE": 16, "US": 16, "FR": 15, "BE": 13, "AT": 14, "GB": 13} {
		if got := ages.Of(country); got != want {
			t.Errorf("%q: %d, want %d", country, got, want)
		}
	}
	for country, age := range ages.ByCountry {
		if age < 13 || age > 16 {
			t.Errorf("%s: %d is not what article 8 of the GDPR allows", country, age)
		}
	}
	if got := (user.Ages{}).Of("RS"); got != 16 {
		t.Errorf("nothing set: %d", got)
	}
	again, err := user.ParseAges(ages.String())
	if err != nil || again.String() != ages.String() || len(again.ByCountry) != len(ages.ByCountry) {
		t.Errorf("written and read: %v (%v), want %v", again, err, ages)
	}
}

func TestParseAges(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"16": "16", "16,RS=15,DE=16": "16,DE=16,RS=15", " 18 , RS = 15 ": "18,RS=15",
	} {
		if got, err := user.ParseAges(text); err != nil || got.String() != want {
			t.Errorf("%q: %v (%v), want %s", text, got, err, want)
		}
	}
	for text, says := range map[string]string{
		"": `""`, "RS=15": `"RS=15"`, "sixteen": `"sixteen"`, "0": `"0"`, "-1": `"-1"`, "160": `"160"`,
		"16,": `""`, "16,15": `"15"`, "16,rs=15": `"rs=15"`, "16,RSB=15": `"RSB=15"`, "16,RS=": "RS", "16,RS=x": `RS: "x"`, "16,RS=99": `RS: "99"`,
		"16,RS=15,RS=14": "RS is there twice",
	} {
		if _, err := user.ParseAges(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v does not say %s", text, err, says)
		}
	}
}
