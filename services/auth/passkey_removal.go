package auth

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
)

var errPasskeyMissing = fault.NotFound("there is no such passkey")

// RemovePasskey removes a passkey of the caller. When it was the last of their second factors, no session counts as signed in with one.
// Faults: NotFound, also for somebody else's; Precondition (SIGN_IN_AGAIN, LAST_METHOD).
func (s *Service) RemovePasskey(ctx context.Context, req *authv1.RemovePasskeyRequest) (*authv1.RemovePasskeyResponse, error) {
	person := identity.CallerFrom(ctx).UserID
	a, err := getAccount(ctx, authdb.New(s.Pool), person)
	if err != nil {
		return nil, err
	}
	if err := s.proveFully(ctx, a, ""); err != nil {
		return nil, err
	}
	id, err := base64.RawURLEncoding.DecodeString(req.GetPasskeyId())
	if err != nil {
		return nil, errPasskeyMissing
	}
	var outdated time.Time
	err = postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) (err error) {
		outdated, err = s.removePasskey(ctx, tx, person, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	if !outdated.IsZero() {
		s.Revocations.Outdate(ctx, person, outdated)
	}
	return &authv1.RemovePasskeyResponse{}, nil
}

// removePasskey tells from when on access tokens are refused, as sessions count for less; zero when they do not.
func (s *Service) removePasskey(ctx context.Context, tx pgx.Tx, person uuid.UUID, id []byte) (outdated time.Time, err error) {
	q := authdb.New(tx)
	// Two removals at once must not each leave the other's passkey as the one that is left.
	a, err := lockedAccount(ctx, q, person)
	if err != nil {
		return outdated, err
	}
	n, err := q.DeletePasskey(ctx, authdb.DeletePasskeyParams{AccountID: person, CredentialID: id})
	if err != nil {
		return outdated, fmt.Errorf("delete passkey: %w", err)
	}
	if n == 0 {
		return outdated, errPasskeyMissing
	}
	if err := s.stillEnters(ctx, q, a); err != nil {
		return outdated, err
	}
	left, err := q.CountFactors(ctx, person)
	if err != nil {
		return outdated, fmt.Errorf("count factors: %w", err)
	}
	if left.Passkeys == 0 && left.Totps == 0 {
		if outdated, err = s.weaken(ctx, q, person); err != nil {
			return outdated, err
		}
	}
	return outdated, s.recordEvent(ctx, tx, person, eventPasskeyRemoved, "")
}
