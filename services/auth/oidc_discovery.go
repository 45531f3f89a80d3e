package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/mindspace-app/mindspace/platform/fault"
)

// discoveryPause is how long after a failure a provider is not asked again: callers need not all wait for what is away.
const discoveryPause = 2 * time.Second

// oidcAlgorithms are the signatures of ID tokens that are taken: those that only the provider can make.
var oidcAlgorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
}

// endpoints are what a provider says of itself (OpenID Connect Discovery 1.0).
type endpoints struct {
	provider   *oidc.Provider
	keys       oidc.KeySet
	endpoint   oauth2.Endpoint
	algorithms []string
}

// discovery finds the endpoints of one provider when they are first needed, and keeps them as long as this process lives.
type discovery struct {
	issuer string
	client *http.Client
	now    func() time.Time
	flight singleflight.Group

	mu       sync.Mutex
	found    *endpoints
	failure  error
	failedAt time.Time
}

// get gives the endpoints. Faults: Unavailable.
func (d *discovery) get(ctx context.Context) (*endpoints, error) {
	if found, err := d.known(); found != nil || err != nil {
		return found, err
	}
	result := d.flight.DoChan("", func() (any, error) {
		// Others wait for it, too: it does not end with the caller that happened to be first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), oidcTimeout)
		defer cancel()
		found, err := d.discover(ctx)
		return found, d.keep(found, err)
	})
	select {
	case <-ctx.Done():
		return nil, errOidcAway(context.Cause(ctx))
	case r := <-result:
		found, _ := r.Val.(*endpoints)
		return found, r.Err
	}
}

func (d *discovery) known() (*endpoints, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if since := d.now().Sub(d.failedAt); d.failure != nil && since >= 0 && since < discoveryPause {
		return nil, d.failure
	}
	return d.found, nil
}

func (d *discovery) keep(found *endpoints, err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.found, d.failure = found, nil
	if err != nil {
		d.failure, d.failedAt = errOidcAway(err), d.now()
	}
	return d.failure
}

func errOidcAway(cause error) error {
	return fault.Unavailable("the OpenID provider does not answer: try again").WithReason("OIDC_UNAVAILABLE").WithCause(cause)
}

func (d *discovery) discover(ctx context.Context) (*endpoints, error) {
	p, err := oidc.NewProvider(oidc.ClientContext(ctx, d.client), d.issuer)
	if err != nil {
		return nil, fmt.Errorf("discover: %w", err)
	}
	var document struct {
		Keys       string   `json:"jwks_uri"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
		Methods    []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := p.Claims(&document); err != nil {
		return nil, fmt.Errorf("discover: %w", err)
	}
	found := &endpoints{
		provider: p, endpoint: p.Endpoint(),
		keys: oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), d.client), document.Keys), // it outlives this call
	}
	found.endpoint.AuthStyle = authStyle(document.Methods)
	for _, algorithm := range document.Algorithms {
		if slices.Contains(oidcAlgorithms, algorithm) {
			found.algorithms = append(found.algorithms, algorithm)
		}
	}
	if len(found.algorithms) == 0 {
		return nil, errors.New("discover: the provider signs ID tokens in no way that is taken")
	}
	// The others are asked by our client, which sees to it itself; this one is opened by the person's browser.
	u, err := url.Parse(found.endpoint.AuthURL)
	if err != nil || !secureURL(u) && (!isLocal(d.issuer) || !localURL(u)) {
		return nil, errors.New("discover: the authorization endpoint is not https")
	}
	return found, nil
}

// authStyle is how the client shows its secret. A provider that does not say takes it in the header (OpenID Connect Discovery 1.0, 3).
func authStyle(methods []string) oauth2.AuthStyle {
	if len(methods) == 0 || slices.Contains(methods, "client_secret_basic") {
		return oauth2.AuthStyleInHeader
	}
	return oauth2.AuthStyleInParams
}

func isLocal(issuer string) bool {
	u, err := url.Parse(issuer)
	return err == nil && localURL(u)
}
