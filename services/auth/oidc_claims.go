package auth

import (
	"encoding/json"

	"github.com/mindspace-app/mindspace/platform/locale"
	"github.com/mindspace-app/mindspace/platform/zone"
)

// oidcClaims is what a provider says of a person, in an ID token or as userinfo (OpenID Connect Core 1.0, 5.1). Providers differ in how they
// write it: what is not of the expected type counts as not said.
type oidcClaims struct {
	Email         claimText `json:"email"`
	EmailVerified claimFlag `json:"email_verified"`
	Name          claimText `json:"name"`
	Locale        claimText `json:"locale"`
	ZoneInfo      claimText `json:"zoneinfo"`
}

// claimText is a string; empty for anything else, such as the object that some write as a locale.
type claimText string

// UnmarshalJSON never fails.
func (t *claimText) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil {
		text = ""
	}
	*t = claimText(text)
	return nil
}

// claimFlag is true for true and for "true", as Apple writes it, and false for anything else.
type claimFlag bool

// UnmarshalJSON never fails.
func (f *claimFlag) UnmarshalJSON(data []byte) error {
	*f = claimFlag(string(data) == "true" || string(data) == `"true"`)
	return nil
}

// canonicalEmail is the address as accounts have it; empty when there is none that could be an account's.
func (c oidcClaims) canonicalEmail() string {
	email, err := parseEmail(string(c.Email))
	if err != nil {
		return ""
	}
	return email
}

// maxDisplayName is the limit of RegisterRequest.display_name, in characters.
const maxDisplayName = 100

// displayName is fit to be one of an account.
func (c oidcClaims) displayName() string {
	name := []rune(oneLine(string(c.Name)))
	return string(name[:min(len(name), maxDisplayName)])
}

func (c oidcClaims) locale() string { return locale.Of(string(c.Locale)) }

func (c oidcClaims) timeZone() string {
	name, err := zone.Parse("zoneinfo", string(c.ZoneInfo))
	if err != nil {
		return "UTC"
	}
	return name
}
