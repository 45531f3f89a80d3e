package auth

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/mindspace-app/mindspace/platform/fault"
)

// errReturnURL does not repeat the address: it may be anything.
var errReturnURL = fault.Invalid("returnUrl: this address is not one that a sign-in may end at").
	WithField("returnUrl", "must be one of the addresses that the operator allows").WithReason("RETURN_URL_REFUSED")

// returnURL gives the address as the browser is sent there later. Only addresses of the operator's list are taken, letter by letter; in the
// demo any of this machine too, so that an app under development need not be on the list. Fault: Invalid.
func (p *providers) returnURL(text string) (string, error) {
	if slices.Contains(p.returnURLs, text) {
		return text, nil
	}
	u, err := url.Parse(text)
	if err != nil || !p.demo || u.User != nil || u.Fragment != "" || !slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname()) || !localURL(u) {
		return "", errReturnURL
	}
	if _, err := url.ParseQuery(u.RawQuery); err != nil {
		return "", errReturnURL
	}
	// As it was understood here, which is perhaps not how the browser would have.
	return u.String(), nil
}

// checkReturnURL refuses an address of the operator's list that a browser must not be sent to with a code.
func checkReturnURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host+u.Path+u.Opaque == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("return URL %q must be absolute, without user and fragment", text)
	}
	if _, err := url.ParseQuery(u.RawQuery); err != nil {
		return fmt.Errorf("return URL %q has a query that cannot be read", text)
	}
	switch u.Scheme {
	case "https":
		if u.Hostname() == "" {
			return fmt.Errorf("return URL %q has no host", text)
		}
	case "http":
		if !localURL(u) {
			return fmt.Errorf("return URL %q must be https: http is only for addresses of this machine", text)
		}
	case "javascript", "vbscript", "data", "blob", "file", "about":
		return fmt.Errorf("return URL %q is not one of an app", text)
	}
	return nil
}

// withAnswer adds parameters to a return URL, whose own ones stay.
func withAnswer(returnURL string, answer url.Values) (string, error) {
	u, err := url.Parse(returnURL)
	if err != nil {
		return "", fmt.Errorf("read return URL: %w", err)
	}
	query := u.Query()
	for name := range answer {
		query.Set(name, answer.Get(name))
	}
	u.RawQuery = query.Encode()
	return u.String(), nil
}
