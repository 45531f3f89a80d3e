package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/postgres"
)

// What a token of a mail is for.
const (
	purposeVerify = "verify"
	purposeReset  = "reset"
)

// errEmailToken does not tell an unknown token from one that was used or has expired.
var errEmailToken = fault.Invalid("this link is not good any more: ask for a new mail").
	WithField("token", "is unknown, used or expired").WithReason("TOKEN_UNUSABLE")

// VerifyEmail proves an address with the token of a mail. Faults: Invalid (token).
func (s *Service) VerifyEmail(ctx context.Context, req *authv1.VerifyEmailRequest) (*authv1.VerifyEmailResponse, error) {
	err := postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		used, err := s.useEmailToken(ctx, tx, purposeVerify, req.GetToken())
		if err != nil {
			return err
		}
		_, err = authdb.New(tx).VerifyEmail(ctx, authdb.VerifyEmailParams{ID: used.AccountID, Email: used.Email, Now: s.now()})
		return err
	})
	return &authv1.VerifyEmailResponse{}, err
}

func (s *Service) useEmailToken(ctx context.Context, tx pgx.Tx, purpose, text string) (authdb.UseEmailTokenRow, error) {
	used, err := authdb.New(tx).UseEmailToken(ctx, authdb.UseEmailTokenParams{Hash: hashSecret(text), Purpose: purpose, Now: s.now()})
	if errors.Is(err, pgx.ErrNoRows) {
		return used, errEmailToken
	}
	if err != nil {
		return used, fmt.Errorf("use token: %w", err)
	}
	return used, nil
}
