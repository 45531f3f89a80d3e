package auth

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/oauth2"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/secret"
)

// OidcCallbackPath is where providers send browsers back to, below PublicURL: register it with each provider, and mount OidcCallback there.
const OidcCallbackPath = "/auth/oidc/callback"

// providers are the OpenID providers that one may sign in with.
type providers struct {
	all []*provider
	// keys make the secrets of a sign-in that is under way, the first one those of new ones.
	keys       []secret.Key
	returnURLs []string
	demo       bool
}

// provider is one of them.
type provider struct {
	Provider
	*discovery
	redirectURL string
}

func newProviders(o Options) (*providers, error) {
	err := checkProviders(o.Providers)
	for _, address := range o.ReturnURLs {
		err = errors.Join(err, checkReturnURL(address))
	}
	if err != nil {
		return nil, err
	}
	_, keys := o.Keys.Derive("oidc flow")
	p := &providers{keys: keys, returnURLs: o.ReturnURLs, demo: o.Demo}
	for _, config := range o.Providers {
		config = config.completed()
		p.all = append(p.all, &provider{
			Provider:    config,
			discovery:   &discovery{issuer: config.Issuer, client: newOidcClient(isLocal(config.Issuer)), now: o.Now},
			redirectURL: o.PublicURL + OidcCallbackPath,
		})
	}
	return p, nil
}

// find gives the provider of an id; nil when it is not configured, or not any more.
func (p *providers) find(id string) *provider {
	i := slices.IndexFunc(p.all, func(one *provider) bool { return one.ID == id })
	if i < 0 {
		return nil
	}
	return p.all[i]
}

// oauth gives the OAuth 2 client, with a client secret that is good now.
func (p *provider) oauth(e *endpoints) (*oauth2.Config, error) {
	config := &oauth2.Config{ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: e.endpoint, RedirectURL: p.redirectURL, Scopes: p.Scopes}
	if p.Apple == nil {
		return config, nil
	}
	var err error
	config.ClientSecret, err = p.Apple.clientSecret(p.Issuer, p.ClientID, p.now())
	return config, err
}

// ListOidcProviders returns the providers, in the order of the configuration.
func (s *Service) ListOidcProviders(context.Context, *authv1.ListOidcProvidersRequest) (*authv1.ListOidcProvidersResponse, error) {
	res := &authv1.ListOidcProvidersResponse{}
	for _, p := range s.providers.all {
		res.Providers = append(res.Providers, &authv1.OidcProvider{Id: p.ID, Name: p.Name})
	}
	return res, nil
}
