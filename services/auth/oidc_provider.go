package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Provider is an OpenID provider as the operator configures it. It prints as its id alone, since it holds a secret.
type Provider struct {
	// ID names the provider in calls and in the database: a lower-case letter, then such letters, digits, - and _; 64 at most.
	ID string `json:"id"`
	// Name is what a button says.
	Name string `json:"name"`
	// Issuer is the provider's own URL, exactly as its discovery document has it: https, or http on a loopback address.
	Issuer string `json:"issuer"`
	// ClientID is what the provider calls this program.
	ClientID string `json:"clientId"`
	// ClientSecret is what this program shows to the provider. It stays empty with Apple, whose secrets are made when they are needed.
	ClientSecret string `json:"clientSecret"`
	// Scopes are asked for besides "openid"; by default "email" and "profile", with Apple only "email".
	Scopes []string `json:"scopes"`
	// ResponseMode is how the browser brings the answer: "query" or "form_post"; empty leaves it to the provider, with Apple it is "form_post".
	ResponseMode string `json:"responseMode"`
	// Apple has the key that makes the client secrets for Sign in with Apple.
	Apple *AppleKey `json:"apple"`
}

// String gives the id.
func (p Provider) String() string { return p.ID }

// GoString gives the id.
func (p Provider) GoString() string { return p.ID }

// LogValue gives the id.
func (p Provider) LogValue() slog.Value { return slog.StringValue(p.ID) }

const (
	modeQuery    = "query"
	modeFormPost = "form_post"
)

// ParseProviders reads a JSON array of providers; nothing at all is no provider. Its errors name the provider and the field, and quote
// no value but an id.
func ParseProviders(text string) ([]Provider, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var elements []json.RawMessage
	if err := json.Unmarshal([]byte(text), &elements); err != nil {
		return nil, errors.New("the OpenID providers are not a JSON array")
	}
	all := make([]Provider, len(elements))
	var bad []error
	for i, element := range elements {
		if err := readProvider(element, &all[i]); err != nil {
			bad = append(bad, fmt.Errorf("OpenID provider %s: %w", all[i].label(i), err))
		}
	}
	if err := errors.Join(bad...); err != nil {
		return nil, err
	}
	return all, checkProviders(all)
}

// readProvider reads one element. The errors of the JSON package may quote what they read, so none is passed on.
func readProvider(element []byte, p *Provider) error {
	decoder := json.NewDecoder(bytes.NewReader(element))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(p)
	var mistyped *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &mistyped) && mistyped.Field != "":
		return fmt.Errorf("%s is of the wrong type", mistyped.Field)
	case errors.As(err, &mistyped), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("is not a JSON object")
	default:
		return errors.New("has a field that is not one of id, name, issuer, clientId, clientSecret, scopes, responseMode, apple (teamId, keyId, privateKey)")
	}
}

// label names a provider in an error: by its place, and by its id where that can be said.
func (p Provider) label(i int) string {
	if validProviderID.MatchString(p.ID) {
		return fmt.Sprintf("%d (%s)", i+1, p.ID)
	}
	return fmt.Sprint(i + 1)
}

// checkProviders finds all that makes no sense.
func checkProviders(all []Provider) error {
	var bad []error
	seen := map[string]bool{}
	for i, p := range all {
		for _, err := range p.check() {
			bad = append(bad, fmt.Errorf("OpenID provider %s: %w", p.label(i), err))
		}
		if seen[p.ID] {
			bad = append(bad, fmt.Errorf("OpenID provider %s: id is taken by one before it", p.label(i)))
		}
		seen[p.ID] = true
	}
	return errors.Join(bad...)
}

var validProviderID = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)

func (p Provider) check() []error {
	var bad []error
	must := func(ok bool, field, what string) {
		if !ok {
			bad = append(bad, fmt.Errorf("%s %s", field, what))
		}
	}
	must(validProviderID.MatchString(p.ID), "id", "must be a lower-case letter, then lower-case letters, digits, - and _")
	must(strings.TrimSpace(p.Name) != "", "name", "is missing")
	must(validIssuer(p.Issuer), "issuer", "must be an https URL without query and fragment (http only on a loopback address)")
	must(p.ClientID != "", "clientId", "is missing")
	must(!slices.ContainsFunc(p.Scopes, func(scope string) bool { return scope == "" || strings.ContainsAny(scope, " \t\r\n\"\\") }),
		"scopes", "must be words")
	if p.Apple == nil {
		must(p.ClientSecret != "", "clientSecret", "is missing")
		must(slices.Contains([]string{"", modeQuery, modeFormPost}, p.ResponseMode), "responseMode", "must be query or form_post")
		return bad
	}
	must(p.ClientSecret == "", "clientSecret", "is made of the key with Apple: leave it out")
	must(p.ResponseMode == "" || p.ResponseMode == modeFormPost, "responseMode", "must be form_post with Apple")
	return append(bad, p.Apple.check()...)
}

// completed has the defaults filled in.
func (p Provider) completed() Provider {
	scopes := p.Scopes
	if len(scopes) == 0 {
		scopes = []string{"email"}
		if p.Apple == nil {
			scopes = append(scopes, "profile")
		}
	}
	if !slices.Contains(scopes, "openid") {
		scopes = slices.Concat([]string{"openid"}, scopes)
	}
	p.Scopes = scopes
	if p.Apple != nil {
		p.ResponseMode = modeFormPost
	}
	return p
}

func validIssuer(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.User == nil && !strings.ContainsAny(text, "?#") && (secureURL(u) || localURL(u))
}

func secureURL(u *url.URL) bool { return u.Scheme == "https" && u.Hostname() != "" }

// localURL tells whether a URL is http and stays in this machine.
func localURL(u *url.URL) bool {
	if u.Scheme != "http" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
