package letter

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxName   = 50 // characters of a name that is greeted
	maxDevice = 60 // characters of a device that are shown
)

// greetable says whether a display name may stand in a greeting: at most 50 letters, with spaces, hyphens, apostrophes and dots as in
// "J. R. O'Neill-Петрова". Anything else (line breaks, marks that turn the direction of writing, markup, digits as in telephone numbers,
// a dot that could make a host name) is more likely a message than a name, and the letter greets nobody by name then.
func greetable(name string) bool {
	if name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName {
		return false
	}
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case unicode.IsLetter(r) || unicode.Is(unicode.M, r) && i > 0:
		case i == 0:
			return false
		case r == '.' && i+1 < len(runes) && runes[i+1] != ' ':
			return false
		case !strings.ContainsRune(" .-'’", r):
			return false
		}
	}
	return true
}

// plain gives a text from outside as one short line that makes no link: letters, digits and a few signs as in "Firefox 143.0 (Windows)".
// Everything else but the allowed signs becomes a space, and so does a dot that does not stand between digits.
func plain(text, allowed string) string {
	runes := []rune(strings.ToValidUTF8(text, " "))
	digit := func(i int) bool { return i >= 0 && i < len(runes) && unicode.IsDigit(runes[i]) }
	var b strings.Builder
	for i, r := range runes {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.Is(unicode.Mn, r), strings.ContainsRune("-_(),+'’"+allowed, r),
			r == '.' && digit(i-1) && digit(i+1):
			b.WriteRune(r)
		default:
			b.WriteByte(' ')
		}
	}
	line := []rune(strings.Join(strings.Fields(b.String()), " "))
	if len(line) > maxDevice {
		return strings.TrimSpace(string(line[:maxDevice-1])) + "…"
	}
	return string(line)
}
