package letter_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html"

	"github.com/mindspace-app/mindspace/platform/locale"
	"github.com/mindspace-app/mindspace/services/auth/letter"
)

// update writes the golden files anew: go test ./services/auth/letter -update. Read the difference afterwards.
var update = flag.Bool("update", false, "write the golden files anew")

var happened = time.Date(2026, 3, 29, 3, 5, 0, 0, time.FixedZone("", 2*60*60))

// samples gives one letter of each sort, and of each kind of alert, by name.
func samples() map[string]letter.Letter {
	const link = "https://mindspace.test/auth/x?token=abc_DEF-123&from=mail"
	const receipt = "9b2f4d3e-0c51-4f0a-8f2e-1d6a7c5b3e90"
	all := map[string]letter.Letter{
		"verify":             letter.Verify{Link: link, Token: "abc_DEF-123", ExpiresHours: 24},
		"verify_link_only":   letter.Verify{Link: link, ExpiresHours: 1},
		"reset":              letter.Reset{Name: "Ана", Link: link, Token: "abc_DEF-123", ExpiresMinutes: 45},
		"reset_nameless":     letter.Reset{Link: link, ExpiresMinutes: 60},
		"already_registered": letter.AlreadyRegistered{ResetLink: "https://mindspace.test/forgot", SignInLink: "https://mindspace.test/login"},
		"already_reset_only": letter.AlreadyRegistered{ResetLink: "https://mindspace.test/forgot"},
		"alert_bare":         letter.Alert{Kind: letter.NewDevice, Time: happened.UTC(), Link: "https://mindspace.test/forgot"},
	}
	all["erased"] = letter.Erased{Name: "Ana", Receipt: receipt, BackupsUntil: happened}
	for _, kind := range letter.Kinds() {
		alert := letter.Alert{
			Name: "Ana O'Neill", Kind: kind, Time: happened, Device: "Firefox 143.0 (Windows)", Place: "203.0.113.0/24", Link: "https://mindspace.test/forgot",
		}
		if kind == letter.ErasureRequested {
			alert.Due, alert.Receipt = happened.AddDate(0, 0, 7), receipt
		}
		all["alert_"+string(kind)] = alert
	}
	return all
}

// Each letter in each language is as it was read and approved.
func TestGolden(t *testing.T) {
	t.Parallel()
	for name, sample := range samples() {
		for _, language := range locale.All() {
			t.Run(name+"."+language, func(t *testing.T) {
				t.Parallel()
				r, err := letter.Render(language, sample)
				if err != nil {
					t.Fatal(err)
				}
				got := fmt.Sprintf("Subject: %s\n\n%s\n%s", r.Subject, r.Text, r.HTML)
				path := filepath.Join("testdata", name+"."+language+".golden")
				if *update {
					if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if got != string(want) {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			})
		}
	}
}

// There is no golden file without a letter.
func TestNoGoldenIsLeftOver(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "*.golden"))
	if err != nil {
		t.Fatal(err)
	}
	if want := len(samples()) * len(locale.All()); len(files) != want {
		t.Errorf("%d golden files, want %d", len(files), want)
	}
}

// Every kind says something of its own in every language, and no text is shared between languages.
func TestEveryKindHasItsText(t *testing.T) {
	t.Parallel()
	subjects := map[string]string{}
	for name, sample := range samples() {
		for _, language := range locale.All() {
			r, err := letter.Render(language, sample)
			if err != nil {
				t.Fatal(err)
			}
			who := name + "." + language
			if strings.Contains(r.Subject+r.Text, "%!") || r.Subject == "" || utf8.RuneCountInString(r.Subject) > 60 {
				t.Errorf("%s: subject %q, text\n%s", who, r.Subject, r.Text)
			}
			if _, ok := sample.(letter.Alert); !ok || name == "alert_bare" {
				continue
			}
			if other, taken := subjects[r.Subject]; taken {
				t.Errorf("%s and %s have the same subject %q", who, other, r.Subject)
			}
			subjects[r.Subject] = who
		}
	}
}

// The text and the HTML say the same, and nothing is loaded from anywhere.
func TestBothFormsSayTheSame(t *testing.T) {
	t.Parallel()
	for name, sample := range samples() {
		for _, language := range locale.All() {
			r, err := letter.Render(language, sample)
			if err != nil {
				t.Fatal(err)
			}
			page := parse(t, r.HTML)
			text := r.Text
			for _, link := range page.links {
				if !strings.Contains(text, "\n"+link.address+"\n") {
					t.Errorf("%s.%s: the text lacks the link %s", name, language, link.address)
				}
				text = strings.ReplaceAll(text, link.label+":\n"+link.address, link.label)
			}
			text = strings.ReplaceAll(text, "\n-- \n", "\n")
			if got, want := strings.Join(strings.Fields(page.text), " "), strings.Join(strings.Fields(text), " "); got != want {
				t.Errorf("%s.%s: HTML says\n%s\ntext says\n%s", name, language, got, want)
			}
			for _, tag := range []string{"img", "script", "link", "iframe", "style"} {
				if page.tags[tag] > 0 {
					t.Errorf("%s.%s has <%s>", name, language, tag)
				}
			}
		}
	}
}

func TestUnknownLanguageIsEnglish(t *testing.T) {
	t.Parallel()
	sample := letter.Verify{Link: "https://mindspace.test/", ExpiresHours: 24}
	english, err := letter.Render("en", sample)
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{"", "de", "zz-ZZ", "\x00", "en-GB"} {
		if got, err := letter.Render(tag, sample); err != nil || got != english {
			t.Errorf("Render(%q) = %+v, %v", tag, got, err)
		}
	}
	if got, err := letter.Render("sr-Latn-RS", sample); err != nil || !strings.Contains(got.HTML, `lang="sr-Latn"`) {
		t.Errorf("Render(sr-Latn-RS) = %+v, %v", got, err)
	}
}

func TestIncompleteLetters(t *testing.T) {
	t.Parallel()
	const link = "https://mindspace.test/s3cret"
	for name, incomplete := range map[string]letter.Letter{
		"no kind":                letter.Alert{Time: happened, Link: link},
		"an unknown kind":        letter.Alert{Kind: "coffee", Time: happened, Link: link},
		"no time":                letter.Alert{Kind: letter.NewDevice, Link: link},
		"an erasure without end": letter.Alert{Kind: letter.ErasureRequested, Time: happened, Receipt: "x", Link: link},
		"an erasure unreceipted": letter.Alert{Kind: letter.ErasureRequested, Time: happened, Due: happened, Link: link},
		"another kind's receipt": letter.Alert{Kind: letter.NewDevice, Time: happened, Receipt: "x", Link: link},
		"erased without receipt": letter.Erased{BackupsUntil: happened},
		"erased without backups": letter.Erased{Receipt: "x"},
		"an alert without link":  letter.Alert{Kind: letter.NewDevice, Time: happened},
		"no link to verify":      letter.Verify{Token: "x", ExpiresHours: 24},
		"a script to verify":     letter.Verify{Link: "javascript:alert('s3cret')", ExpiresHours: 24},
		"a relative link":        letter.Verify{Link: "/s3cret", ExpiresHours: 24},
		"no link to reset":       letter.Reset{ExpiresMinutes: 60},
		"no hours":               letter.Verify{Link: link},
		"negative minutes":       letter.Reset{Link: link, ExpiresMinutes: -1},
		"no reset link":          letter.AlreadyRegistered{SignInLink: link},
		"a malformed sign-in":    letter.AlreadyRegistered{ResetLink: link, SignInLink: "http://s3cret:x:y"},
		"a link with line break": letter.Verify{Link: link + "\nX", ExpiresHours: 24},
	} {
		if got, err := letter.Render("en", incomplete); err == nil || got != (letter.Rendered{}) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: Render = %+v, %v", name, got, err)
		}
	}
	if letter.Kind("coffee").Known() || !letter.NewDevice.Known() {
		t.Error("Known does not know the kinds")
	}
}

// page is what of an HTML letter a person or a program sees.
type page struct {
	text  string // of the body, paragraphs as lines
	links []link
	tags  map[string]int
}

type link struct{ address, label string }

func parse(t *testing.T, source string) page {
	t.Helper()
	root, err := html.Parse(strings.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	p := page{tags: map[string]int{}}
	var text strings.Builder
	for n := range root.Descendants() {
		switch {
		case n.Type == html.ElementNode:
			p.tags[n.Data]++
			if n.Data == "a" {
				p.links = append(p.links, link{n.Attr[0].Val, n.FirstChild.Data})
			}
		case n.Type == html.TextNode && n.Parent.Data != "title":
			text.WriteString(n.Data)
		}
	}
	p.text = text.String()
	return p
}
