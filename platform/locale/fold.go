package locale

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// serbianLatin writes Serbian Cyrillic in Latin letters without diacritics, as people type them.
var serbianLatin = map[rune]string{
	'а': "a", 'б': "b", 'в': "v", 'г': "g", 'д': "d", 'ђ': "dj", 'е': "e", 'ж': "z", 'з': "z", 'и': "i",
	'ј': "j", 'к': "k", 'л': "l", 'љ': "lj", 'м': "m", 'н': "n", 'њ': "nj", 'о': "o", 'п': "p", 'р': "r",
	'с': "s", 'т': "t", 'ћ': "c", 'у': "u", 'ф': "f", 'х': "h", 'ц': "c", 'ч': "c", 'џ': "dz", 'ш': "s",
}

// Fold brings a text of the language to the form in which it is searched: lower case, composed, without Latin diacritics,
// Russian ё as е, Serbian Cyrillic as Latin. Text and query have to be folded alike.
func Fold(language, text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for _, r := range norm.NFC.String(strings.ToLower(text)) {
		switch {
		case r == 'ё':
			b.WriteRune('е')
		case r == 'đ':
			b.WriteString("dj")
		case language == Serbian && serbianLatin[r] != "":
			b.WriteString(serbianLatin[r])
		case r < unicode.MaxASCII || !unicode.Is(unicode.Latin, r):
			b.WriteRune(r)
		default:
			b.WriteString(withoutMarks(r))
		}
	}
	return b.String()
}

// withoutMarks gives the letter below the diacritics.
func withoutMarks(r rune) string {
	return strings.Map(func(part rune) rune {
		if unicode.Is(unicode.Mn, part) {
			return -1
		}
		return part
	}, norm.NFD.String(string(r)))
}

// Words gives the words of a text: runs of letters, marks and digits.
func Words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r)
	})
}
