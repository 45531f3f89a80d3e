package auth

import (
	"context"

	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/token"
)

// Authenticator tells who presents a credential, for the chain of this process: an access token or a partner key.
type Authenticator struct {
	Tokens      *token.Verifier
	PartnerKeys *PartnerKeys
}

// Authenticate implements rpc.Authenticator.
func (a Authenticator) Authenticate(ctx context.Context, credential string) (identity.Caller, error) {
	if IsPartnerKey(credential) {
		return a.PartnerKeys.Authenticate(ctx, credential)
	}
	return a.Tokens.Authenticate(ctx, credential)
}
