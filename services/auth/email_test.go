package auth

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mindspace-app/mindspace/platform/fault"
)

func TestParseEmail(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ana@example.org":                                 "ana@example.org",
		"Ana@EXAMPLE.Org":                                 "ana@example.org",
		" \tana@example.org\r\n":                          "ana@example.org",
		"ana+news@example.org":                            "ana+news@example.org",
		"o'neil.j-r_x@mail.example.org":                   "o'neil.j-r_x@mail.example.org",
		"1@example.org":                                   "1@example.org",
		strings.Repeat("a", 64) + "@example.org":          strings.Repeat("a", 64) + "@example.org",
		"ana@b\u00fccher.example":                         "ana@xn--bcher-kva.example",
		"ana@B\u00dcCHER.Example":                         "ana@xn--bcher-kva.example",
		"ana@bu\u0308cher.example":                        "ana@xn--bcher-kva.example",
		"ana@xn--bcher-kva.example":                       "ana@xn--bcher-kva.example",
		"ana@XN--BCHER-KVA.example":                       "ana@xn--bcher-kva.example",
		"ana@b\u00fccher\u3002example":                    "ana@xn--bcher-kva.example", // an ideographic full stop
		"ana@\uff45\uff58ample.org":                       "ana@example.org",           // full-width letters
		"ana@fa\u00df.example":                            "ana@xn--fa-hia.example",    // not fass.example, which is another domain
		"ana@\u043f\u043e\u0447\u0442\u0430.\u0440\u0444": "ana@xn--80a1acny.xn--p1ai",
	} {
		if got, err := parseEmail(text); err != nil || got != want {
			t.Errorf("%q is %q (%v), want %q", text, got, err, want)
		}
	}
}

func TestParseEmailRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":               "",
		"blanks":                "  ",
		"no @":                  "ana.example.org",
		"nothing before":        "@example.org",
		"nothing after":         "ana@",
		"two @":                 "ana@@example.org",
		"two addresses":         "ana@example.org,bob@example.org",
		"a dot first":           ".ana@example.org",
		"a dot last":            "ana.@example.org",
		"two dots":              "a..na@example.org",
		"a blank":               "an a@example.org",
		"quotes":                `"an a"@example.org`,
		"a name":                "Ana <ana@example.org>",
		"a Cyrillic a":          "\u0430na@example.org",
		"a full-width a":        "\uff41na@example.org",
		"an accent":             "\u00e1na@example.org",
		"a hidden character":    "a\u200bna@example.org",
		"null before":           "a\x00na@example.org",
		"null after":            "ana@exam\x00ple.org",
		"null at the end":       "ana@example.org\x00",
		"bad UTF-8":             "a\xffna@example.org",
		"bad UTF-8 after":       "ana@ex\xffample.org",
		"a replaced character":  "ana@ex\ufffdample.org",
		"a header":              "ana\r\nBcc: bob@example.org",
		"a header after":        "ana@example.org\r\nBcc: bob@example.org",
		"no dot in the domain":  "ana@localhost",
		"an empty label":        "ana@example..org",
		"the dot of the root":   "ana@example.org.",
		"an ideographic one":    "ana@example.org\u3002",
		"an address of IPv4":    "ana@[192.0.2.1]",
		"an address of IPv6":    "ana@[IPv6:2001:db8::1]",
		"a hyphen first":        "ana@-example.org",
		"an underscore":         "ana@exa_mple.org",
		"a blank after":         "ana@exam ple.org",
		"a turned direction":    "ana@\u202eexample.org",
		"a broken A-label":      "ana@xn--\u00fc.example",
		"an A-label of nothing": "ana@xn--.example",
		"a long part before":    strings.Repeat("a", 65) + "@example.org",
		"a long label":          "ana@" + strings.Repeat("a", 64) + ".org",
		"320 characters":        strings.Repeat("a", 64) + "@" + strings.Repeat(strings.Repeat("b", 50)+".", 5),
		"255 characters":        strings.Repeat("a", 64) + "@" + strings.Repeat("b", 62) + "." + strings.Repeat("c", 63) + "." + strings.Repeat("d", 62) + ".",
		"SQL":                   "ana@example.org' OR 1=1 --",
	} {
		got, err := parseEmail(text)
		f, ok := fault.As(err)
		if got != "" || !ok || f.Kind() != fault.KindInvalid || f.Reason() != "EMAIL_INVALID" {
			t.Errorf("%s: %q is %q, %v", name, text, got, err)
		}
	}
}

// The longest address is of 254 characters.
func TestParseEmailLength(t *testing.T) {
	t.Parallel()
	of := func(last int) string {
		return strings.Repeat("a", 64) + "@" + strings.Repeat("b", 63) + "." + strings.Repeat("c", 63) + "." + strings.Repeat("d", last)
	}
	if got, err := parseEmail(of(61)); err != nil || len(got) != 254 {
		t.Errorf("254 characters: %d, %v", len(got), err)
	}
	if _, err := parseEmail(of(62)); err == nil {
		t.Error("255 characters are taken")
	}
}

// What is canonical stays as it is, and is nothing but what a mail server and a log can take.
func TestCanonicalEmailIsCanonical(t *testing.T) {
	t.Parallel()
	local := rapid.OneOf(rapid.StringMatching(`[a-zA-Z0-9.+_-]{1,20}`), rapid.StringN(1, 10, 64))
	label := rapid.OneOf(rapid.StringMatching(`[a-zA-Z0-9-]{1,20}`), rapid.StringMatching(`xn--[a-z0-9-]{1,12}`), rapid.StringN(1, 10, 64))
	rapid.Check(t, func(t *rapid.T) {
		text := local.Draw(t, "local") + "@" + strings.Join(rapid.SliceOfN(label, 1, 4).Draw(t, "labels"), ".")
		email, err := parseEmail(text)
		if err != nil {
			return
		}
		if again, err := parseEmail(email); err != nil || again != email {
			t.Fatalf("%q is %q, and that is %q (%v)", text, email, again, err)
		}
		if loud, err := parseEmail(strings.ToUpper(email)); err != nil || loud != email {
			t.Fatalf("%q in capitals is %q (%v)", email, loud, err)
		}
		if strings.Count(email, "@") != 1 || len(email) > maxEmail || strings.ContainsFunc(email, func(r rune) bool { return r <= ' ' || r > '~' || r >= 'A' && r <= 'Z' }) {
			t.Fatalf("%q is %q", text, email)
		}
	})
}
