package locale_test

import (
	"slices"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/mindspace-app/mindspace/platform/locale"
)

func TestOf(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{
		"": "en", "en": "en", "en-GB": "en", "RU": "ru", "ru_RU": "ru", "sr": "sr", "sr-Latn": "sr", "sr-Cyrl-RS": "sr", "de": "en", "srx": "en", "-": "en",
	} {
		if got := locale.Of(tag); got != want {
			t.Errorf("Of(%q) = %q, want %q", tag, got, want)
		}
	}
}

func TestFold(t *testing.T) {
	t.Parallel()
	tests := []struct{ language, text, want string }{
		{"en", "Café Über", "cafe uber"},
		{"ru", "Ёлка и ещё Йога", "елка и еще йога"},
		{"sr", "Disanje uz čašu, đačić i ŽIVOT", "disanje uz casu, djacic i zivot"},
		{"sr", "Дисање уз чашу, ђачић и ЖИВОТ", "disanje uz casu, djacic i zivot"},
		{"sr", "џеп љубав њихање ћутање", "dzep ljubav njihanje cutanje"},
		{"sr", "c\u030ca\u0161a", "casa"}, // a combining caron
	}
	for _, tt := range tests {
		if got := locale.Fold(tt.language, tt.text); got != tt.want {
			t.Errorf("Fold(%s, %q) = %q, want %q", tt.language, tt.text, got, tt.want)
		}
	}
}

// Folding twice is folding once, whatever the text.
func TestFoldIsStable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		language, text := rapid.SampledFrom(locale.All()).Draw(t, "language"), rapid.String().Draw(t, "text")
		once := locale.Fold(language, text)
		if twice := locale.Fold(language, once); twice != once {
			t.Errorf("%q folds to %q, then to %q", text, once, twice)
		}
		if !utf8.ValidString(once) {
			t.Errorf("%q folds to invalid UTF-8", text)
		}
	})
}

func TestWords(t *testing.T) {
	t.Parallel()
	if got := locale.Words("дыхание 4-7-8: & | ! ( ) 'a' :* \\"); !slices.Equal(got, []string{"дыхание", "4", "7", "8", "a"}) {
		t.Errorf("Words = %q", got)
	}
	if got := locale.Words("!!! ---"); len(got) != 0 {
		t.Errorf("Words = %q, want none", got)
	}
}
