package letter_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/mindspace-app/mindspace/platform/locale"
	"github.com/mindspace-app/mindspace/services/auth/letter"
)

func alert(name, device, place string) letter.Alert {
	return letter.Alert{Name: name, Kind: letter.NewDevice, Time: happened, Device: device, Place: place, Link: "https://mindspace.test/forgot"}
}

func render(t interface {
	Helper()
	Fatal(args ...any)
}, language string, l letter.Letter) letter.Rendered {
	t.Helper()
	r, err := letter.Render(language, l)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestGreeting(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"Ana", "Анна-Мария", "J. R. R. Tolkien", "O'Neill", "D’Arcy", "Đorđe Čćžš", "محمد", "山田 太郎", "Zoe\u0308", "नरेन्द्र", "Ana B.",
	} {
		if got := render(t, "en", alert(name, "", "")).Text; !strings.HasPrefix(got, "Hello, "+name+"!\n") {
			t.Errorf("%q is not greeted: %q", name, got[:40])
		}
	}
	for _, name := range []string{
		"", " ", " Ana", "-", ".", "\u0308", "Win money http://evil.test", "evil.test", "www.evil.test", "Ana@evil.test", "Call 0900 123456",
		"<b>Ana</b>", "<script>alert(1)</script>", "&lt;", "Ana\n\nYour account is closed", "Ana\r", "Ana\u2028x", "Ana\u00a0x", "Ana\u202eanA", "Ana\u200bx", "Ana\ufeff",
		"Ana! Pay now", "Ana, pay now", "Ana: pay", "[Ana](http://evil.test)", "Ana 🎁", "a\x00b", "a\xffb", "{{.Link}}", "%s",
		strings.Repeat("A", 200), strings.Repeat("Ж", 51),
	} {
		if got := render(t, "en", alert(name, "", "")); got != render(t, "en", alert("", "", "")) {
			t.Errorf("%q left a trace: %q", name, got.Text)
		}
	}
}

func TestDevice(t *testing.T) {
	t.Parallel()
	for device, want := range map[string]string{
		"Firefox 143.0 (Windows)":                   "Firefox 143.0 (Windows)",
		"Ana's iPhone 15,3":                         "Ana's iPhone 15,3",
		"Телефон Ани":                               "Телефон Ани",
		"Call us: http://evil.test/now":             "Call us http evil test now",
		"Pixel\n\nYour account is closed":           "Pixel Your account is closed",
		"<a href=x>Click</a>":                       "a href x Click a",
		"\u202eenohP":                               "enohP",
		"a\xff.b\x00":                               "a b",
		"you@evil.test":                             "you evil test",
		strings.Repeat("long ", 40):                 strings.Repeat("long ", 11) + "long…",
		"...":                                       "",
		"evil\u3002test evil\uff0etest evil\u2024x": "evil test evil test evil x",
	} {
		got := render(t, "en", alert("", device, "2001:db8:7::/48"))
		_, line, found := strings.Cut(got.Text, "Device: ")
		line, _, _ = strings.Cut(line, "\n")
		if found != (want != "") || line != want {
			t.Errorf("device %q is shown as %q, want %q", device, line, want)
		}
		if !strings.Contains(got.Text, "Network: 2001:db8:7::/48\n") {
			t.Errorf("no network in %q", got.Text)
		}
	}
}

// Letters to addresses that nobody has confirmed have no place for a text that people choose: only links and tokens, which are ours.
func TestLettersToStrangersHoldNothingChosen(t *testing.T) {
	t.Parallel()
	r := render(t, "en", letter.Verify{Link: "https://mindspace.test/v?a=1&b=\"><b>", Token: "<b>&", ExpiresHours: 24})
	p := parse(t, r.HTML)
	if p.tags["b"] > 0 || len(p.links) != 1 || !strings.Contains(p.text, "<b>&") {
		t.Errorf("a token or a link broke out:\n%s", r.HTML)
	}
}

// Whatever name, device and place are, the letter has the paragraphs and the links that it has without them, in both forms.
func TestNothingForgesAParagraph(t *testing.T) {
	t.Parallel()
	tricks := rapid.SampledFrom([]string{
		"\n", "\r\n", "\u2028", "\u0085", "<p>", "</p>", "<a href=\"http://evil.test\">", "http://evil.test", "www.evil.test", "evil.test", "\u202e", "\u2066",
		"&#10;", "{{", "}}", "-- ", "'", "\"", "\x00", "\xff", " ",
	})
	text := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.OneOf(tricks, rapid.String(), rapid.StringMatching(`[A-Za-zА-я .'-]{1,20}`)), 0, 10).Draw(t, "pieces"), "")
	})
	rapid.Check(t, func(t *rapid.T) {
		language := rapid.SampledFrom(locale.All()).Draw(t, "language")
		got := render(t, language, alert(text.Draw(t, "name"), "x"+text.Draw(t, "device"), "1"+text.Draw(t, "place")))
		want := render(t, language, alert("", "x", "1"))
		if strings.Count(got.Text, "\n") != strings.Count(want.Text, "\n") || strings.Count(got.HTML, "<") != strings.Count(want.HTML, "<") {
			t.Errorf("the shape changed:\n%s\n%s", got.Text, got.HTML)
		}
		if got.Subject != want.Subject {
			t.Errorf("subject %q", got.Subject)
		}
		for _, form := range []string{got.Text, got.HTML} {
			if !utf8.ValidString(form) {
				t.Errorf("not UTF-8: %q", form)
			}
			if strings.ContainsFunc(form, func(r rune) bool {
				return r != '\n' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp))
			}) {
				t.Errorf("invisible characters: %q", form)
			}
			if strings.Contains(form, "evil.test") {
				t.Errorf("a host name came through: %q", form)
			}
		}
	})
}
