// Package locale knows the languages that the product speaks and how words in them are compared.
// It translates nothing.
package locale

import "strings"

// The languages of the product. Serbian is written in Latin script.
const (
	English = "en"
	Russian = "ru"
	Serbian = "sr"
)

// All lists the languages, English, the one that others fall back to, first.
func All() []string { return []string{English, Russian, Serbian} }

// Of gives the language for a BCP 47 tag, for example "sr" for "sr-Latn-RS"; English for any other language and for none.
func Of(tag string) string {
	base, _, _ := strings.Cut(strings.ReplaceAll(tag, "_", "-"), "-")
	switch base := strings.ToLower(base); base {
	case Russian, Serbian:
		return base
	default:
		return English
	}
}
