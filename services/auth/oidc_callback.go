package auth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"

	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
)

const (
	// maxCallback is the longest form that a provider's page may post, in bytes.
	maxCallback = 64 << 10
	// maxState and maxCode are what FinishOidc takes (proto/mindspace/auth/v1).
	maxState = 128
	maxCode  = 4096
)

// oidcErrorCode is what codes of errors look like (RFC 6749, 4.1.2.1, and OpenID Connect Core 1.0, 3.1.2.6).
var oidcErrorCode = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// OidcCallback is where providers send browsers back to, by GET or with a form: mount it at [OidcCallbackPath], for requests of every
// origin. It sends the browser on to the return URL of the flow, with state and code, or with state and error. It changes nothing and knows
// nobody: a state that we did not give out leads nowhere.
func (s *Service) OidcCallback() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		if r.Method != http.MethodGet && r.Method != http.MethodPost {
			w.Header().Set("Allow", "GET, POST")
			http.Error(w, "This address takes GET and POST.", http.StatusMethodNotAllowed)
			return
		}
		answer, ok := callbackAnswer(w, r)
		if !ok {
			http.Error(w, callbackUnknown, http.StatusBadRequest)
			return
		}
		target, err := s.callbackTarget(r, answer)
		switch {
		case err != nil:
			s.Logger.ErrorContext(r.Context(), "OpenID callback failed", "error", err)
			http.Error(w, "Something went wrong on our side. Try again in a moment.", http.StatusServiceUnavailable)
		case target == "":
			http.Error(w, callbackUnknown, http.StatusBadRequest)
		default:
			w.Header().Set("Location", target)
			w.WriteHeader(http.StatusSeeOther)
		}
	})
}

const callbackUnknown = "This sign-in is unknown, took too long, or was finished already. Go back to the app and begin again."

// callbackAnswer reads what the provider says, where a page must say it: in the query, or in a form.
func callbackAnswer(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	answer := r.URL.Query()
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, maxCallback)
		if err := r.ParseForm(); err != nil {
			return nil, false
		}
		answer = r.PostForm
	}
	state := answer.Get("state")
	return answer, state != "" && len(state) <= maxState
}

// callbackTarget is where the browser goes on to; empty when nobody started this.
func (s *Service) callbackTarget(r *http.Request, answer url.Values) (string, error) {
	state := answer.Get("state")
	flow, err := authdb.New(s.Pool).GetOidcFlow(r.Context(), authdb.GetOidcFlowParams{StateHash: hashSecret(state), Now: s.now()})
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("get flow: %w", err)
	}
	passed := url.Values{"state": {state}}
	if code := s.callbackError(flow.Provider, answer); code != "" {
		passed.Set("error", code)
	} else {
		passed.Set("code", answer.Get("code"))
	}
	return withAnswer(flow.ReturnUrl, passed)
}

// callbackError is the error to pass on; empty when there is a code. Texts of a provider are not passed on: anybody could have written them.
func (s *Service) callbackError(providerID string, answer url.Values) string {
	code, text, issuer := answer.Get("code"), answer.Get("error"), answer.Get("iss")
	p := s.providers.find(providerID)
	switch {
	case oidcErrorCode.MatchString(text):
		return text
	case text != "", code == "", len(code) > maxCode, p == nil:
		return "server_error"
	case issuer != "" && issuer != p.Issuer:
		// The answer of one provider must not be taken for that of another (RFC 9207).
		return "server_error"
	default:
		return ""
	}
}
