package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// visitor is a person whom a provider has vouched for.
type visitor struct {
	oidcClaims
	provider *provider
	subject  string
	found    *endpoints
	token    *oauth2.Token
}

// maxSubject is the longest subject that there may be, in bytes (OpenID Connect Core 1.0, 2).
const maxSubject = 255

// visitor exchanges a code for the person who it stands for. Faults: Unauthenticated, Unavailable.
func (p *provider) visitor(ctx context.Context, secrets flowSecrets, code string) (*visitor, error) {
	found, err := p.get(ctx)
	if err != nil {
		return nil, err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	token, err := p.exchange(ctx, found, secrets, code)
	if err != nil {
		return nil, err
	}
	text, _ := token.Extra("id_token").(string)
	idToken, err := p.verify(ctx, found, text)
	if err != nil {
		return nil, err
	}
	v := &visitor{provider: p, subject: idToken.Subject, found: found, token: token}
	if err := errors.Join(p.checkToken(idToken, token, secrets), idToken.Claims(&v.oidcClaims)); err != nil {
		return nil, errOidcRefused.WithCause(err)
	}
	return v, nil
}

// exchange gives the code to the token endpoint. That it does not know this program is for the operator to mend, and no fault.
func (p *provider) exchange(ctx context.Context, found *endpoints, secrets flowSecrets, code string) (*oauth2.Token, error) {
	client, err := p.oauth(found)
	if err != nil {
		return nil, err
	}
	token, err := client.Exchange(ctx, code, oauth2.VerifierOption(secrets.verifier))
	var refused *oauth2.RetrieveError
	switch {
	case err == nil:
		return token, nil
	case passingOidc(err):
		return nil, errOidcAway(err)
	case !errors.As(err, &refused):
		return nil, errOidcRefused.WithCause(err)
	}
	// The error itself may quote the answer.
	answer := fmt.Errorf("the token endpoint answers %d", refused.Response.StatusCode)
	if oidcErrorCode.MatchString(refused.ErrorCode) {
		answer = fmt.Errorf("%w %s", answer, refused.ErrorCode)
	}
	if refused.ErrorCode == "invalid_client" || refused.ErrorCode == "unauthorized_client" {
		return nil, fmt.Errorf("OpenID provider %s: %w", p.ID, answer)
	}
	return nil, errOidcRefused.WithCause(answer)
}

// verify checks signature, issuer, audience and time of an ID token (OpenID Connect Core 1.0, 3.1.3.7).
func (p *provider) verify(ctx context.Context, found *endpoints, text string) (*oidc.IDToken, error) {
	keys := &witness{KeySet: found.keys}
	verifier := oidc.NewVerifier(p.Issuer, keys, &oidc.Config{ClientID: p.ClientID, SupportedSigningAlgs: found.algorithms, Now: p.now})
	token, err := verifier.Verify(ctx, text)
	switch {
	case err == nil:
		return token, nil
	case keys.failure != nil && passingOidc(keys.failure):
		return nil, errOidcAway(keys.failure)
	default:
		return nil, errOidcRefused.WithCause(err)
	}
}

// witness remembers why a key set failed, which the verifier tells only as text.
type witness struct {
	oidc.KeySet
	failure error
}

// VerifySignature is that of the key set.
func (w *witness) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := w.KeySet.VerifySignature(ctx, token)
	w.failure = err
	return payload, err
}

// passingOidc tells whether a request to a provider failed, as opposed to an answer that says no.
func passingOidc(err error) bool {
	var failed *url.Error
	return errors.As(err, &failed) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// checkToken checks what the verifier leaves to its caller.
func (p *provider) checkToken(idToken *oidc.IDToken, token *oauth2.Token, secrets flowSecrets) error {
	var more struct {
		AuthorizedParty string `json:"azp"`
	}
	if err := idToken.Claims(&more); err != nil {
		return fmt.Errorf("read ID token: %w", err)
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(idToken.Nonce), []byte(secrets.nonce)) != 1:
		return errors.New("the nonce is not that of the flow")
	case idToken.Subject == "" || len(idToken.Subject) > maxSubject:
		return errors.New("the ID token has no subject that can be kept")
	case more.AuthorizedParty != "" && more.AuthorizedParty != p.ClientID:
		return errors.New("the ID token was made for another client")
	case more.AuthorizedParty == "" && slices.ContainsFunc(idToken.Audience, func(a string) bool { return a != p.ClientID }):
		return errors.New("the ID token is for others, too, and does not say who asked for it")
	case idToken.AccessTokenHash != "":
		return idToken.VerifyAccessToken(token.AccessToken)
	}
	return nil
}

// complete asks the provider for the address when the ID token has none. Faults: Unauthenticated, Unavailable.
func (v *visitor) complete(ctx context.Context) error {
	if v.Email != "" || v.found.provider.UserInfoEndpoint() == "" {
		return nil
	}
	info, err := v.found.provider.UserInfo(oidc.ClientContext(ctx, v.provider.client), oauth2.StaticTokenSource(v.token))
	if err != nil && passingOidc(err) {
		return errOidcAway(err)
	}
	if err != nil {
		return errOidcRefused.WithCause(err)
	}
	if info.Subject != v.subject {
		return errOidcRefused.WithCause(errors.New("userinfo is of somebody else"))
	}
	if err := info.Claims(&v.oidcClaims); err != nil {
		return errOidcRefused.WithCause(fmt.Errorf("read userinfo: %w", err))
	}
	return nil
}
