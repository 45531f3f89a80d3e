package telemetry_test

import (
	"strings"
	"testing"

	"github.com/mindspace-app/mindspace/platform/telemetry"
)

const jwt = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIwMTkifQ.c2lnbmF0dXJl"

func TestMask(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                              "",
		"nothing to see in 3 words":     "nothing to see in 3 words",
		"mail to ana@demo.test bounced": "mail to [redacted] bounced",
		"ana.b+news@mail.demo.test, eva@demo.test.": "[redacted], [redacted].",
		"<ana@demo.test>":                                  "<[redacted]>",
		`"ana b"@demo.test`:                                "[redacted]",
		"ана@почта.рф":                                     "[redacted]",
		"ana@xn--80a1acny.xn--p1ai":                        "[redacted]",
		"/u/?to=ana%40demo.test&x=1":                       "/u/?to=[redacted]&x=1",
		"golang.org/x/net@v0.61.0/http2/server.go":         "golang.org/x/net@v0.61.0/http2/server.go",
		"x@v0.0.0-20261113113407-e3970619a1a4":             "x@v0.0.0-20261113113407-e3970619a1a4",
		"at 10@12.5, @nobody, a@b":                         "at 10@12.5, @nobody, a@b",
		"postgres://mind:pass@db:5432/x":                   "postgres://[redacted]@db:5432/x",
		"see https://demo.test/@ana":                       "see https://demo.test/@ana",
		"authorization: Bearer abc.def-123/+=":             "authorization: Bearer [redacted]",
		"bearer   abc, BEARER def":                         "bearer   [redacted], BEARER [redacted]",
		"Bearer ":                                          "Bearer ",
		"forbearer abc":                                    "forbearer abc",
		"token " + jwt + " is too old":                     "token [redacted] is too old",
		"Bearer " + jwt:                                    "Bearer [redacted]",
		"x=" + jwt + "&y=" + jwt:                           "[redacted]&[redacted]",
		"eyJ is how base64 of JSON begins":                 "eyJ is how base64 of JSON begins",
		"ana@demo.test and " + jwt + " and a:b@c://d:e@f/": "[redacted] and [redacted] and a:b@c://[redacted]@f/",
	} {
		if got := telemetry.Mask(text); got != want {
			t.Errorf("Mask(%q) = %q, want %q", text, got, want)
		}
	}
}

// Masking keeps everything outside of the masked parts, in order.
func FuzzMask(f *testing.F) {
	f.Add("ana@demo.test Bearer " + jwt)
	f.Add(`"@"@a.bc://x@@%40y.zz`)
	f.Add("earer earer Bearer bearer")
	f.Fuzz(func(t *testing.T, text string) {
		once := telemetry.Mask(text)
		at := 0
		for i, part := range strings.Split(once, "[redacted]") {
			j := strings.Index(text[at:], part)
			if j < 0 || i == 0 && j != 0 {
				t.Fatalf("Mask(%q) = %q: %q was not there", text, once, part)
			}
			at += j + len(part)
		}
	})
}

func TestMaskOfCleanTextAllocatesNothing(t *testing.T) { //nolint:paralleltest // AllocsPerRun must run alone
	text := strings.Repeat("a line of ordinary words, about as long as lines are. ", 4)
	if n := testing.AllocsPerRun(100, func() { telemetry.Mask(text) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
