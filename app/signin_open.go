package app

import (
	"fmt"
	"net/http"
	"time"

	"github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1/authv1connect"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/limit"
	"github.com/mindspace-app/mindspace/platform/mail"
	"github.com/mindspace-app/mindspace/platform/token"
	"github.com/mindspace-app/mindspace/services/auth"
	"github.com/mindspace-app/mindspace/services/auth/password"
)

// signIn is what a process has of sign-in: who signs, who verifies, and who writes letters.
type signIn struct {
	keys          *auth.SigningKeys
	revocations   *token.Revocations
	authenticator auth.Authenticator
	service       *auth.Service
	admin         *auth.Admin
	accounts      *auth.Accounts
	accountAdmin  *auth.AccountAdmin
	postman       *auth.Postman
}

func (a *App) openSignIn() (*signIn, error) {
	c, now := a.config, time.Now
	s := &signIn{keys: auth.NewSigningKeys(a.pool, a.keys, now, a.logger)}
	s.revocations = token.NewRevocations(a.redis, token.RevocationsConfig{
		Logger: a.logger, Registry: a.metrics.Registry(), Recent: auth.RecentRevocations(a.pool),
	})
	s.authenticator = auth.Authenticator{
		Tokens: token.NewVerifier(token.VerifierConfig{
			Issuer: c.issuer, Keys: s.keys, Revocations: s.revocations, Logger: a.logger,
		}),
		PartnerKeys: auth.NewPartnerKeys(a.pool, a.keys, a.cache, s.revocations, now, a.logger),
	}
	hasher, err := password.New(password.Parameters(), 0)
	if err != nil {
		return nil, err
	}
	providers, err := auth.ParseProviders(c.OidcProviders)
	if err != nil {
		return nil, fmt.Errorf("OIDC_PROVIDERS: %w", err)
	}
	s.service, err = auth.New(auth.Options{
		Pool: a.pool, Keys: a.keys, Queue: a.inserter, Signer: token.NewSigner(c.issuer, s.keys), Revocations: s.revocations, Hasher: hasher,
		Cursors: cursor.New(a.keys), Logger: a.logger, Now: now, PublicURL: c.PublicURL, Origins: c.PasskeyOrigins, Providers: providers,
		ReturnURLs: c.OidcReturnURLs, RequireVerifiedEmail: c.verifiedEmail(), Demo: c.Environment == Demo, CoolingOff: c.ErasureCoolingOff, BackupHorizon: c.BackupHorizon,
	})
	if err != nil {
		return nil, err
	}
	s.admin = auth.NewAdmin(s.service, s.keys, audit.New(a.keys))
	s.accounts, s.accountAdmin = auth.NewAccounts(s.service), auth.NewAccountAdmin(s.service, audit.New(a.keys))
	if !a.has(RoleWorker) {
		return s, nil // letters are written where jobs run
	}
	sender, err := mail.Open(c.MailURL, c.MailFrom, a.logger)
	if err != nil {
		return nil, fmt.Errorf("MAIL_URL: %w", err)
	}
	s.postman = auth.NewPostman(a.pool, sender, c.PublicURL, limit.NewShared(a.redis, a.logger), now)
	return s, nil
}

// registerSignIn serves the methods.
func (a *App) registerSignIn() {
	authv1connect.RegisterAuthServiceHandler(a.server.Server, a.signIn.service)
	authv1connect.RegisterAuthAdminServiceHandler(a.server.Server, a.signIn.admin)
	authv1connect.RegisterAccountServiceHandler(a.server.Server, a.signIn.accounts)
	authv1connect.RegisterAccountAdminServiceHandler(a.server.Server, a.signIn.accountAdmin)
}

// mountSignIn serves what browsers and verifiers fetch beside the calls: the keys of access tokens, and where providers send browsers back to.
func (a *App) mountSignIn(mux *http.ServeMux) {
	mux.Handle("GET /.well-known/jwks.json", a.signIn.keys.Handler())
	callback := a.signIn.service.OidcCallback()
	mux.Handle("GET /auth/oidc/callback", callback)
	mux.Handle("POST /auth/oidc/callback", callback)
}
