package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	// oidcTimeout is how long a provider may take to answer.
	oidcTimeout = 10 * time.Second
	// oidcAnswer is the longest answer of a provider that is read, in bytes.
	oidcAnswer = 1 << 20
	// oidcRedirects is how often a provider may send a reading request on.
	oidcRedirects = 3
)

// newOidcClient returns the client that talks to one provider. Every failure that may pass is an error of its requests: what is too slow,
// too long, broken off, or answered as a broken server answers. It speaks https only; local allows http within this machine, too.
func newOidcClient(local bool) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: oidcTimeout / 2}).DialContext
	transport.TLSHandshakeTimeout = oidcTimeout / 2
	transport.MaxResponseHeaderBytes = 64 << 10
	return &http.Client{Transport: &oidcTransport{base: transport, local: local}, Timeout: oidcTimeout, CheckRedirect: checkOidcRedirect}
}

// checkOidcRedirect lets nobody send the client's secret and the code elsewhere.
func checkOidcRedirect(_ *http.Request, via []*http.Request) error {
	if via[0].Method != http.MethodGet {
		return http.ErrUseLastResponse
	}
	if len(via) > oidcRedirects {
		return errors.New("too many redirects")
	}
	return nil
}

// oidcTransport sees each request, also one that a redirect leads to.
type oidcTransport struct {
	base  http.RoundTripper
	local bool
}

// RoundTrip sends a request and reads the whole answer.
func (t *oidcTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !secureURL(req.URL) && (!t.local || !localURL(req.URL)) {
		return nil, errors.New("the address is not https")
	}
	res, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, oidcAnswer+1))
	_ = res.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > oidcAnswer {
		return nil, errors.New("the answer is too long")
	}
	if away(req, res) {
		return nil, fmt.Errorf("the answer is %d", res.StatusCode)
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

// away tells whether an answer says nothing of what was asked: for a token endpoint a refusal is an answer, too.
func away(req *http.Request, res *http.Response) bool {
	if res.StatusCode >= http.StatusInternalServerError || res.StatusCode == http.StatusTooManyRequests {
		return true
	}
	return req.Method == http.MethodGet && res.StatusCode >= http.StatusBadRequest
}
