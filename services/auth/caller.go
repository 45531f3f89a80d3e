package auth

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/identity"
)

// GetCaller tells who calls.
func (s *Service) GetCaller(ctx context.Context, _ *authv1.GetCallerRequest) (*authv1.GetCallerResponse, error) {
	caller := identity.CallerFrom(ctx)
	res := &authv1.GetCallerResponse{Roles: caller.Roles, PartnerKeyId: caller.Partner, Scopes: caller.Scopes}
	if caller.UserID != uuid.Nil {
		res.UserId, res.SessionId = caller.UserID.String(), caller.SessionID.String()
	}
	return res, nil
}

// GetSignInMethods tells by what means the caller can sign in.
func (s *Service) GetSignInMethods(ctx context.Context, _ *authv1.GetSignInMethodsRequest) (*authv1.GetSignInMethodsResponse, error) {
	q, person := authdb.New(s.Pool), identity.CallerFrom(ctx).UserID
	a, err := getAccount(ctx, q, person)
	if err != nil {
		return nil, err
	}
	factors, err := q.CountFactors(ctx, person)
	if err != nil {
		return nil, fmt.Errorf("count factors: %w", err)
	}
	passkeys, err := q.ListPasskeys(ctx, person)
	if err != nil {
		return nil, fmt.Errorf("list passkeys: %w", err)
	}
	identities, err := q.ListIdentities(ctx, person)
	if err != nil {
		return nil, fmt.Errorf("list identities: %w", err)
	}
	res := &authv1.GetSignInMethodsResponse{
		Email: a.AuthAccount.Email, EmailVerified: a.AuthAccount.EmailVerifiedAt != nil, Password: a.AuthAccount.PasswordHash != nil,
		Totp: factors.Totps > 0, RecoveryCodesLeft: int32(factors.RecoveryCodes), Roles: roles(a.Roles), //nolint:gosec // ten at most
	}
	for _, row := range passkeys {
		res.Passkeys = append(res.Passkeys, passkeyMessage(row))
	}
	for _, row := range identities {
		res.Identities = append(res.Identities, &authv1.Identity{Provider: row.Provider, Email: row.Email, CreatedAt: timestamppb.New(row.CreatedAt)})
	}
	return res, nil
}
