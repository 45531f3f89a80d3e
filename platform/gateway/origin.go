package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	connectcors "connectrpc.com/cors"
	"github.com/rs/cors"
)

// preflightSeconds is how long a browser may remember what a preflight said: two hours is the most that one of them honours.
const preflightSeconds = 7200

// newCORS gives the handler that lets scripts of other origins call. They are known by the tokens they send:
// cookies are never accepted across origins, so what a cookie opens stays with our own pages.
func newCORS(origins []string) (func(http.Handler) http.Handler, error) {
	if len(origins) == 0 {
		return func(next http.Handler) http.Handler { return next }, nil
	}
	var bad []error
	for _, origin := range origins {
		if err := CheckOrigin(origin); err != nil {
			bad = append(bad, err)
		}
	}
	if err := errors.Join(bad...); err != nil {
		return nil, err
	}
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: connectcors.AllowedMethods(),
		AllowedHeaders: slices.Concat(connectcors.AllowedHeaders(), []string{
			"Authorization", "Idempotency-Key", requestIDHeader, traceparentHeader, "Tracestate", "Accept-Language", "If-None-Match", "Range", "If-Range",
		}),
		ExposedHeaders: slices.Concat(connectcors.ExposedHeaders(), []string{
			requestIDHeader, "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Etag", "Content-Range", "Accept-Ranges",
		}),
		MaxAge: preflightSeconds,
	}).Handler, nil
}

// CheckOrigin accepts exactly what a browser sends as Origin: a scheme, a host and perhaps a port.
func CheckOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.Scheme+"://"+u.Host != origin || !plainHost(u.Host) {
		return fmt.Errorf("allowed origin %q is not exact: write it like \"https://app.example.org\", in lower case, without wildcard, path or user", origin)
	}
	return nil
}

func plainHost(host string) bool {
	for i := range len(host) {
		if c := host[i]; (!isWord(c) || 'A' <= c && c <= 'Z') && c != '.' && c != '-' && c != ':' && c != '[' && c != ']' {
			return false
		}
	}
	return true
}
