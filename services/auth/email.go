package auth

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/mindspace-app/mindspace/platform/fault"
)

const (
	// maxEmail and maxLocal are the limits of RFC 5321, 4.5.3.1: 256 with the angle brackets, and 64.
	maxEmail = 254
	maxLocal = 64
)

// domains turns the writing of a domain into the one that is looked up: lower case, and ASCII (UTS 46).
var domains = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(true), idna.BidiRule(), idna.VerifyDNSLength(true))

// parseEmail gives the canonical form of an address: two writings of one mailbox are one account, and nothing that only looks like
// another address is let in. The part before the @ may be ASCII only: letters of other alphabets look like Latin ones, and hardly any
// mailbox has them. An international domain is taken, in its ASCII form. Letter case counts nowhere, as with every provider there is.
func parseEmail(text string) (string, error) {
	text = strings.TrimSpace(text)
	at := strings.LastIndexByte(text, '@')
	if at < 1 || at > maxLocal || at == len(text)-1 {
		return "", badEmail("must be an e-mail address, like name@example.org")
	}
	local := text[:at]
	if !dotAtom(local) {
		return "", badEmail("has a character before the @ that is not taken: use letters without accents, digits and .!#$%&'*+/=?^_`{|}~-")
	}
	if !utf8.ValidString(text[at+1:]) {
		return "", badEmail("must be text in UTF-8")
	}
	domain, err := domains.ToASCII(text[at+1:])
	// The dot of the root at the end names the same domain; mail has none.
	if err != nil || !strings.Contains(domain, ".") || strings.HasSuffix(domain, ".") {
		return "", badEmail("must have the name of a domain after the @")
	}
	email := strings.ToLower(local) + "@" + domain
	if len(email) > maxEmail {
		return "", badEmail("must have 254 characters at most")
	}
	return email, nil
}

func badEmail(description string) error {
	return fault.Invalid("email: %s", description).WithField("email", description).WithReason("EMAIL_INVALID")
}

// dotAtom tells whether text is a dot-atom of RFC 5322, 3.2.3.
func dotAtom(text string) bool {
	for _, atom := range strings.Split(text, ".") {
		if atom == "" {
			return false
		}
		for i := range len(atom) {
			c := atom[i]
			letter := c|0x20 >= 'a' && c|0x20 <= 'z'
			if !letter && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+/=?^_`{|}~-", rune(c)) {
				return false
			}
		}
	}
	return true
}
