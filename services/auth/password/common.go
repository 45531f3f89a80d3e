package password

import (
	_ "embed"
	"strings"
	"unicode"
)

// commonList holds common passwords and what is left of them without the digits and signs at their end: lower case, sorted by
// bytes, one a line. NOTICE.md says where they come from. It is searched in place, so it takes no memory beside the program's own.
//
//go:embed common.txt
var commonList string

// common tells whether a password in lower case is in the list: as it is, without what people put around a word to please a
// rule, with letters for the signs that stand in for them, or written several times.
func common(password string) bool {
	if part := repeated(password); part != "" {
		password = part
	}
	for _, form := range []string{
		password,
		strings.TrimFunc(password, isSign),
		strings.TrimRightFunc(password, isDigitOrSign),
		strings.TrimRightFunc(strings.TrimLeftFunc(password, isSign), isDigitOrSign),
		strings.TrimFunc(password, isDigitOrSign),
	} {
		if listed(form) || listed(plainI.Replace(form)) || listed(plainL.Replace(form)) {
			return true
		}
	}
	return false
}

// isSign is for what every keyboard has; an emoji is no such thing.
func isSign(r rune) bool {
	return unicode.IsPunct(r) || unicode.IsSpace(r) || r <= unicode.MaxASCII && unicode.IsSymbol(r)
}

func isDigitOrSign(r rune) bool { return unicode.IsDigit(r) || isSign(r) }

// plainI and plainL undo the usual substitutions. What looks like a 1 may stand for an i or an l.
var (
	plainI = strings.NewReplacer("0", "o", "1", "i", "!", "i", "|", "i", "3", "e", "4", "a", "@", "a", "5", "s", "$", "s", "7", "t", "+", "t", "8", "b", "9", "g")
	plainL = strings.NewReplacer("0", "o", "1", "l", "!", "l", "|", "l", "3", "e", "4", "a", "@", "a", "5", "s", "$", "s", "7", "t", "+", "t", "8", "b", "9", "g")
)

// listed tells whether the list has the text as a line.
func listed(text string) bool {
	low, high := 0, len(commonList) // the line is between these, which are beginnings of lines
	for low < high {
		middle := (low + high) / 2
		begin := low + strings.LastIndexByte(commonList[low:middle], '\n') + 1
		end := begin + strings.IndexByte(commonList[begin:], '\n')
		switch line := commonList[begin:end]; {
		case line == text:
			return true
		case line < text:
			low = end + 1
		default:
			high = begin
		}
	}
	return false
}
