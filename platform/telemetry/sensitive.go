package telemetry

// wordClass is what a word in the key of a log attribute says of its value.
type wordClass uint8

const (
	// wordSensitive makes the key sensitive wherever the word stands in it: "refresh_token", "userEmail", "set-cookie".
	wordSensitive wordClass = iota + 1
	// wordKey makes it sensitive as its last word only: "api_key" is, "key_id" is not.
	wordKey
	// wordMeasure, as the last word and with a number, says that the number is only how much: "body_bytes".
	wordMeasure
)

// classifier judges the keys of log attributes by their words.
type classifier map[string]wordClass

func newClassifier() classifier {
	c := classifier{}
	c.add(wordSensitive,
		// credentials
		"password", "passwords", "passwd", "pwd", "passphrase", "secret", "secrets", "token", "tokens", "authorization", "bearer", "jwt",
		"cookie", "cookies", "refresh", "credential", "credentials", "apikey", "apikeys", "otp", "totp", "pin", "dsn",
		// whom it is about
		"email", "emails", "mail", "phone", "birthdate", "birthday",
		// what was sent
		"body", "payload", "args",
		// health
		"profile", "profiles", "condition", "conditions", "medication", "medications", "medicine", "medicines", "allergy", "allergies",
		"allergen", "allergens", "diagnosis", "diagnoses", "symptom", "symptoms", "lab", "labs", "weight", "pregnancy", "pregnant",
	)
	c.add(wordKey, "key", "keys", "keyset")
	c.add(wordMeasure, "bytes", "size", "length", "len", "limit", "count", "total", "seconds", "ms", "attempts")
	return c
}

func (c classifier) add(class wordClass, words ...string) {
	for _, w := range words {
		c[w] = class
	}
}

// maxWord is the longest word that is looked up; every listed one is shorter.
const maxWord = 24

// sensitiveKey tells whether the value under this key is to be left out. Words end at anything that is no letter and where a capital follows
// a small letter. number says that the value is a number, a time or a truth value.
func (c classifier) sensitiveKey(key string, number bool) bool {
	var word [maxWord]byte
	sensitive := false
	var last wordClass
	for i := 0; i < len(key); {
		if !isLetter(key[i]) {
			i++
			continue
		}
		start, n := i, 0
		for i < len(key) && isLetter(key[i]) && (i == start || !isBoundary(key, i)) {
			if n < maxWord {
				word[n] = key[i] | 0x20
				n++
			}
			i++
		}
		last = c[string(word[:n])]
		sensitive = sensitive || last == wordSensitive
	}
	return (sensitive || last == wordKey) && (!number || last != wordMeasure)
}

func isLetter(c byte) bool { c |= 0x20; return c >= 'a' && c <= 'z' }

func isCapital(c byte) bool { return c >= 'A' && c <= 'Z' }

// isBoundary tells whether a word of camelCase begins at i: "userEmail", "HTTPBody".
func isBoundary(key string, i int) bool {
	if !isCapital(key[i]) {
		return false
	}
	return !isCapital(key[i-1]) || i+1 < len(key) && isLetter(key[i+1]) && !isCapital(key[i+1])
}
