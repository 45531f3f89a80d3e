package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/jackc/pgx/v5"
	"golang.org/x/oauth2"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/secret"
)

// flowLife is how long a sign-in with a provider may be under way.
const flowLife = 10 * time.Minute

// errOidcRefused is the one answer to whatever does not fit together in the end.
var errOidcRefused = fault.Unauthenticated("the sign-in with the provider did not succeed, took too long, or was finished already: begin again").
	WithReason("OIDC_REFUSED")

// flowSecrets belong to one sign-in that is under way. They follow from its flow token, which only the app has, and from a key, which only
// we have: neither an app nor someone who reads the database knows them all.
type flowSecrets struct {
	// state comes back with the browser, nonce in the ID token.
	state, nonce string
	// verifier shows the provider that who exchanges the code is who started (PKCE, RFC 7636).
	verifier string
}

func newFlowSecrets(key secret.Key, flowToken string) flowSecrets {
	of := func(label string) string {
		mac := hmac.New(sha256.New, key[:])
		mac.Write([]byte(label + "\x00"))
		mac.Write(hashSecret(flowToken))
		return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	return flowSecrets{state: of("state"), nonce: of("nonce"), verifier: of("verifier")}
}

// flowSecrets gives the secrets of a flow token when state is among them: both then come from the same start.
func (p *providers) flowSecrets(flowToken, state string) (flowSecrets, bool) {
	for _, key := range p.keys {
		secrets := newFlowSecrets(key, flowToken)
		if subtle.ConstantTimeCompare([]byte(secrets.state), []byte(state)) == 1 {
			return secrets, true
		}
	}
	return flowSecrets{}, false
}

// StartOidc begins a sign-in with a provider. Faults: Invalid (returnUrl), NotFound, Unavailable.
func (s *Service) StartOidc(ctx context.Context, req *authv1.StartOidcRequest) (*authv1.StartOidcResponse, error) {
	address, flowToken, err := s.startFlow(ctx, authdb.InsertOidcFlowParams{
		Provider: req.GetProvider(), ReturnUrl: req.GetReturnUrl(), Device: oneLine(req.GetDevice()),
	})
	if err != nil {
		return nil, err
	}
	return &authv1.StartOidcResponse{AuthorizationUrl: address, FlowToken: flowToken}, nil
}

// LinkOidc begins to add a provider to the caller's account. Faults: Invalid (returnUrl), NotFound, Precondition (SIGN_IN_AGAIN), Unavailable.
func (s *Service) LinkOidc(ctx context.Context, req *authv1.LinkOidcRequest) (*authv1.LinkOidcResponse, error) {
	caller, q := identity.CallerFrom(ctx), authdb.New(s.Pool)
	a, err := getAccount(ctx, q, caller.UserID)
	if err != nil {
		return nil, err
	}
	if err := s.proveFully(ctx, a, ""); err != nil {
		return nil, err
	}
	session, err := q.GetSession(ctx, authdb.GetSessionParams{AccountID: caller.UserID, ID: caller.SessionID})
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("get session: %w", err)
	}
	address, flowToken, err := s.startFlow(ctx, authdb.InsertOidcFlowParams{
		Provider: req.GetProvider(), ReturnUrl: req.GetReturnUrl(), AccountID: &caller.UserID, SessionID: &caller.SessionID, Device: session.Device,
	})
	if err != nil {
		return nil, err
	}
	return &authv1.LinkOidcResponse{AuthorizationUrl: address, FlowToken: flowToken}, nil
}

// startFlow keeps the flow and gives the address to open, and the token that finishes it.
func (s *Service) startFlow(ctx context.Context, flow authdb.InsertOidcFlowParams) (address, flowToken string, err error) {
	p := s.providers.find(flow.Provider)
	if p == nil {
		return "", "", fault.NotFound("there is no OpenID provider %q", flow.Provider)
	}
	if flow.ReturnUrl, err = s.providers.returnURL(flow.ReturnUrl); err != nil {
		return "", "", err
	}
	found, err := p.get(ctx)
	if err != nil {
		return "", "", err
	}
	client, err := p.oauth(found)
	if err != nil {
		return "", "", err
	}
	flowToken, _ = newSecret()
	secrets := newFlowSecrets(s.providers.keys[0], flowToken)
	flow.StateHash, flow.CreatedAt = hashSecret(secrets.state), s.now()
	flow.ExpiresAt = flow.CreatedAt.Add(flowLife)
	if err := authdb.New(s.Pool).InsertOidcFlow(ctx, flow); err != nil {
		return "", "", fmt.Errorf("insert flow: %w", err)
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(secrets.nonce), oauth2.S256ChallengeOption(secrets.verifier)}
	if p.ResponseMode != "" {
		options = append(options, oauth2.SetAuthURLParam("response_mode", p.ResponseMode))
	}
	return client.AuthCodeURL(secrets.state, options...), flowToken, nil
}

// takeFlow ends the flow that a flow token and a state belong to: it is good for one attempt. Fault: Unauthenticated.
func (s *Service) takeFlow(ctx context.Context, flowToken, state string) (authdb.AuthOidcFlow, flowSecrets, error) {
	secrets, ok := s.providers.flowSecrets(flowToken, state)
	if !ok {
		return authdb.AuthOidcFlow{}, secrets, errOidcRefused.WithCause(errors.New("the state is not that of the flow token"))
	}
	flow, err := authdb.New(s.Pool).TakeOidcFlow(ctx, authdb.TakeOidcFlowParams{StateHash: hashSecret(state), Now: s.now()})
	if errors.Is(err, pgx.ErrNoRows) {
		return flow, secrets, errOidcRefused.WithCause(errors.New("the flow is over"))
	}
	if err != nil {
		return flow, secrets, fmt.Errorf("take flow: %w", err)
	}
	return flow, secrets, nil
}

// giveBack keeps a flow whose provider was away: the code may be good yet.
func (s *Service) giveBack(ctx context.Context, flow authdb.AuthOidcFlow) error {
	err := authdb.New(s.Pool).InsertOidcFlow(context.WithoutCancel(ctx), authdb.InsertOidcFlowParams(flow))
	if err != nil {
		return fmt.Errorf("give flow back: %w", err)
	}
	return nil
}
