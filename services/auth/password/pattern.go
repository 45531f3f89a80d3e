package password

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// minVariety is how many different characters a password has at least.
	minVariety = 4
	// minPart is how long a part is that may be written several times; whether it is common is asked elsewhere.
	minPart = 6
	// maxRun is the mean length of runs, at which a password consists of them rather than of words.
	maxRun = 3
)

// patterned tells whether a password in lower case is made of few characters, of one short part, or of runs like
// "abcd", "9876", "qwerty" or "aaaa".
func patterned(password string) bool {
	different := map[rune]bool{}
	for _, r := range password {
		different[r] = true
	}
	if len(different) < minVariety {
		return true
	}
	if part := repeated(password); part != "" && utf8.RuneCountInString(part) < minPart {
		return true
	}
	return runs(password)*maxRun <= utf8.RuneCountInString(password)
}

// repeated gives the shortest part of which the text is a repetition, the last time perhaps cut short; "" when there is none.
func repeated(text string) string {
	for size := 1; size <= len(text)/2; size++ {
		if text[size:] == text[:len(text)-size] && utf8.RuneStart(text[size]) {
			return text[:size]
		}
	}
	return ""
}

// runs counts the stretches in which each character is the neighbour of the one before it.
func runs(text string) int {
	n, last := 0, rune(-1)
	for _, r := range text {
		if !neighbours(last, r) {
			n++
		}
		last = r
	}
	return n
}

// neighbours tells whether two characters are the same or next to each other: in the alphabet, among the digits or on a keyboard.
func neighbours(a, b rune) bool {
	switch {
	case a == b:
		return true
	case unicode.IsLetter(a) && unicode.IsLetter(b), unicode.IsDigit(a) && unicode.IsDigit(b):
		if a-b == 1 || b-a == 1 {
			return true
		}
	}
	forth, back := string([]rune{a, b}), string([]rune{b, a})
	for _, row := range rows {
		if strings.Contains(row, forth) || strings.Contains(row, back) {
			return true
		}
	}
	return false
}

// rows are neighbours on keyboards of the languages spoken here: along a row, and in the zigzags across rows that are popular.
var rows = []string{
	"1234567890-=", "!@#$%^&*()_+", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./", // English
	"qwertzuiopšđ", "yxcvbnm,.-", "asdfghjklčćž", // Serbian, German
	"azertyuiop", "qsdfghjklm", // French
	"йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю.", // Russian
	"љњертзуиопшђ", "асдфгхјклчћж", "зџцвбнм", // Serbian Cyrillic
	"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p", "1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0",
}
