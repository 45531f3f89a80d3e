// Package password holds the rules that a new password has to meet, and hashes passwords.
// It knows no database, no account and no language but plain English; it never logs, and no error of it quotes a password.
package password

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/locale"
)

// MinLength and MaxLength bound a password, in code points after [Normalise].
const (
	MinLength = 10
	MaxLength = 128
)

// maxBytes is more than any password of MaxLength code points takes before it is normalised.
const maxBytes = 8 << 10

// Reasons of the faults that [Check] answers with.
const (
	ReasonMalformed = "PASSWORD_MALFORMED"
	ReasonTooShort  = "PASSWORD_TOO_SHORT"
	ReasonTooLong   = "PASSWORD_TOO_LONG"
	ReasonCommon    = "PASSWORD_COMMON"
	ReasonGuessable = "PASSWORD_GUESSABLE"
)

// Owner is what others know of the person who chooses a password. Empty fields are not looked at.
type Owner struct {
	Email       string
	DisplayName string
}

// Normalise gives the one form (Unicode NFKC) of a text that keyboards write in several ways, as NIST SP 800-63B-4, section 3.1.1.2, advises.
func Normalise(text string) string { return norm.NFKC.String(text) }

// Check refuses a new password that is too short or too long, or that a guesser tries first. It wants no mixture of kinds of
// characters: length and rarity are what counts (NIST SP 800-63B-4). The fault is Invalid and names the field, by its path in JSON.
func Check(field, password string, owner Owner) error {
	if !utf8.ValidString(password) || strings.ContainsRune(password, 0) {
		return refuse(field, ReasonMalformed, "must be text in UTF-8 without null characters")
	}
	if len(password) > maxBytes {
		return tooLong(field)
	}
	normal := Normalise(password)
	switch n := utf8.RuneCountInString(normal); {
	case n < MinLength:
		return refuse(field, ReasonTooShort, fmt.Sprintf("must have at least %d characters", MinLength))
	case n > MaxLength:
		return tooLong(field)
	}
	lower := strings.ToLower(normal)
	switch {
	case common(lower):
		return refuse(field, ReasonCommon, "is among the passwords that are guessed first, or is one of those with digits or signs around it")
	case patterned(lower):
		return refuse(field, ReasonGuessable, "follows a pattern, such as one part repeated or neighbours on the keyboard")
	case owner.named(lower):
		return refuse(field, ReasonGuessable, "is your name or e-mail address, or one of them with digits or signs around it")
	}
	return nil
}

func tooLong(field string) error {
	return refuse(field, ReasonTooLong, fmt.Sprintf("must have at most %d characters", MaxLength))
}

func refuse(field, reason, description string) error {
	return fault.Invalid("this password %s", description).WithReason(reason).
		WithFields(fault.Field{Path: field, Description: description, Reason: reason})
}

// minName is the number of letters from which a name counts: shorter ones stand in many good passwords.
const minName = 3

// named tells whether the password is nothing but a name of the owner, with digits or signs around or between.
func (o Owner) named(password string) bool {
	local, _, _ := strings.Cut(o.Email, "@")
	untagged, _, _ := strings.Cut(local, "+")
	names := append([]string{o.Email, local, untagged, o.DisplayName}, locale.Words(o.DisplayName)...)
	letters, word := keep(password, unicode.IsLetter), keep(password, isWord)
	for _, name := range names {
		name = Normalise(name)
		if n := keep(name, unicode.IsLetter); utf8.RuneCountInString(n) >= minName && n == letters {
			return true
		}
		if n := keep(name, isWord); n != "" && n == word { // a telephone number, for example
			return true
		}
	}
	return false
}

// keep gives the wanted characters of a text, in lower case and without diacritics.
func keep(text string, wanted func(rune) bool) string {
	return strings.Map(func(r rune) rune {
		if wanted(r) {
			return r
		}
		return -1
	}, locale.Fold(locale.English, text))
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
