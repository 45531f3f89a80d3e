package telemetry

import (
	"strings"
	"unicode/utf8"
)

// masked stands where something was left out.
const masked = "[redacted]"

// Mask returns text with everything in it that looks like an e-mail address, a bearer credential, a JWT or the
// password part of a URL replaced by "[redacted]". It recognises shapes, not meanings: it is the second line of defence,
// behind not logging such things at all. Text with nothing to mask comes back as it is, without an allocation.
func Mask(text string) string {
	text = maskEach(text, "@", mailAround)
	text = maskEach(text, "%40", mailAround)
	text = maskEach(text, "eyJ", jwtAround)
	text = maskEach(text, "earer ", bearerAround)
	return maskEach(text, "EARER ", bearerAround)
}

// maskEach looks for every occurrence of the mark and asks around which part of the text, if any, has to go.
func maskEach(text, mark string, around func(text string, at, after int) (from, to int)) string {
	i := strings.Index(text, mark)
	if i < 0 {
		return text
	}
	var b strings.Builder
	done := 0
	for at := i; at >= 0; {
		next := at + len(mark)
		if from, to := around(text, at, next); to > from {
			b.WriteString(text[done:max(from, done)])
			b.WriteString(masked)
			done = to
			next = max(next, to)
		}
		at = strings.Index(text[next:], mark)
		if at >= 0 {
			at += next
		}
	}
	if done == 0 {
		return text
	}
	b.WriteString(text[done:])
	return b.String()
}

// mailAround finds the e-mail address, or the user and password of a URL, whose at sign is text[at:after].
func mailAround(text string, at, after int) (from, to int) {
	if from := userinfo(text, at); from >= 0 {
		return from, at
	}
	from = at
	if from > 0 && text[from-1] == '"' { // a quoted local part
		from = max(strings.LastIndexByte(text[:from-1], '"'), 0)
	} else {
		for from > 0 && (isWord(text[from-1]) || strings.IndexByte(".%+'", text[from-1]) >= 0) {
			from--
		}
	}
	to = after
	for to < len(text) && (isWord(text[to]) || text[to] == '.') {
		to++
	}
	domain := strings.TrimRight(text[after:to], ".-_")
	dot := strings.LastIndexByte(domain, '.')
	if from == at || dot <= 0 || !isTopLevel(domain[dot+1:]) {
		return 0, 0
	}
	return from, after + len(domain)
}

// userinfo finds where "user:password" of scheme://user:password@host begins; -1 when this is no such URL.
func userinfo(text string, at int) int {
	scheme := strings.LastIndex(text[:at], "://")
	if scheme < 0 {
		return -1
	}
	from := scheme + len("://")
	if strings.ContainsAny(text[from:at], "/?# \t\r\n\"'<>") {
		return -1
	}
	return from
}

// isTopLevel tells a top-level domain from the last part of a version number.
func isTopLevel(s string) bool {
	if len(s) < 2 {
		return false
	}
	if len(s) > 4 && strings.EqualFold(s[:4], "xn--") {
		return true
	}
	for i := range len(s) {
		if c := s[i] | 0x20; s[i] < utf8.RuneSelf && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// minJWT is the length from which something that begins like base64 of a JSON object is taken for a token.
const minJWT = 20

func jwtAround(text string, at, after int) (from, to int) {
	from, to = at, after
	for from > 0 && isToken(text[from-1]) {
		from--
	}
	for to < len(text) && isToken(text[to]) {
		to++
	}
	if to-from < minJWT {
		return 0, 0
	}
	return from, to
}

// bearerAround finds the credential after "Bearer ", which is text[at-1:after].
func bearerAround(text string, at, after int) (from, to int) {
	if at == 0 || text[at-1]|0x20 != 'b' || at > 1 && isWord(text[at-2]) {
		return 0, 0
	}
	for after < len(text) && text[after] == ' ' {
		after++
	}
	to = after
	for to < len(text) && (isToken(text[to]) || strings.IndexByte("+/~:", text[to]) >= 0) {
		to++
	}
	return after, to
}

// isWord tells the characters of names. Those beyond ASCII count, since addresses may be international.
func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c >= utf8.RuneSelf
}

// isToken tells the characters of base64url and of the dots and padding between its parts.
func isToken(c byte) bool {
	return c < utf8.RuneSelf && isWord(c) || c == '.' || c == '='
}
