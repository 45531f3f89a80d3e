package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/locale"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
	"github.com/mindspace-app/mindspace/platform/zone"
	"github.com/mindspace-app/mindspace/services/auth/password"
)

var errEmailTaken = fault.Exists("this e-mail address has an account already").
	WithField("email", "has an account already: sign in, or reset the password").WithReason("EMAIL_TAKEN")

// Register makes an account. Faults: Invalid (email, password, displayName, timeZone), Exists (EMAIL_TAKEN).
func (s *Service) Register(ctx context.Context, req *authv1.RegisterRequest) (*authv1.RegisterResponse, error) {
	fresh, err := s.applicant(req)
	if err != nil {
		return nil, err
	}
	// The hash comes first: an address that is taken costs the same.
	hash, err := s.Hasher.Hash(ctx, req.GetPassword())
	if err != nil {
		return nil, err
	}
	fresh.PasswordHash, fresh.PasswordSetAt = &hash, &fresh.CreatedAt
	var session *live
	err = postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) (err error) {
		session, err = s.register(ctx, tx, *fresh, req.GetDevice())
		return err
	})
	if err != nil || session == nil {
		return &authv1.RegisterResponse{}, err
	}
	tokens, err := s.tokens(ctx, session)
	if err != nil {
		return nil, err
	}
	return &authv1.RegisterResponse{UserId: fresh.ID.String(), Tokens: tokens}, nil
}

// applicant checks what a new person says.
func (s *Service) applicant(req *authv1.RegisterRequest) (*authdb.InsertAccountParams, error) {
	email, err := parseEmail(req.GetEmail())
	if err != nil {
		return nil, err
	}
	zone, err := zone.Parse("timeZone", req.GetTimeZone())
	if err != nil {
		return nil, err
	}
	name := oneLine(req.GetDisplayName())
	if err := password.Check("password", req.GetPassword(), password.Owner{Email: email, DisplayName: name}); err != nil {
		return nil, err
	}
	id, err := uid.New()
	if err != nil {
		return nil, err
	}
	return &authdb.InsertAccountParams{
		ID: id, Email: email, DisplayName: name, Locale: locale.Of(req.GetLocale()), TimeZone: zone, CreatedAt: s.now(),
	}, nil
}

// register makes the account and, where addresses need no verification, its first session. Where they do, an address that is taken looks
// from outside like one that is not; its owner gets a mail.
func (s *Service) register(ctx context.Context, tx pgx.Tx, fresh authdb.InsertAccountParams, device string) (*live, error) {
	q := authdb.New(tx)
	n, err := q.InsertAccount(ctx, fresh)
	if err != nil {
		return nil, fmt.Errorf("insert account: %w", err)
	}
	if n == 0 {
		if !s.RequireVerifiedEmail {
			return nil, errEmailTaken
		}
		owner, err := q.GetAccountIDByEmail(ctx, fresh.Email)
		if err != nil {
			return nil, fmt.Errorf("find the owner of an address: %w", err)
		}
		return nil, s.emit(ctx, tx, RegistrationRepeated{AccountID: owner})
	}
	if err := s.emit(ctx, tx, AccountRegistered{AccountID: fresh.ID}); err != nil || s.RequireVerifiedEmail {
		return nil, err
	}
	return s.openSession(ctx, tx, &account{AuthAccount: authdb.AuthAccount{ID: fresh.ID}}, device, false)
}

// RequestEmailVerification sends the mail again. Faults: Invalid (email).
func (s *Service) RequestEmailVerification(ctx context.Context, req *authv1.RequestEmailVerificationRequest) (*authv1.RequestEmailVerificationResponse, error) {
	err := s.request(ctx, req.GetEmail(), func(tx pgx.Tx, id uuid.UUID) error { return s.emit(ctx, tx, VerificationRequested{AccountID: id}) })
	return &authv1.RequestEmailVerificationResponse{}, err
}

// RequestPasswordReset sends a mail with a token for a new password. Faults: Invalid (email).
func (s *Service) RequestPasswordReset(ctx context.Context, req *authv1.RequestPasswordResetRequest) (*authv1.RequestPasswordResetResponse, error) {
	err := s.request(ctx, req.GetEmail(), func(tx pgx.Tx, id uuid.UUID) error { return s.emit(ctx, tx, PasswordResetRequested{AccountID: id}) })
	return &authv1.RequestPasswordResetResponse{}, err
}

// request emits an event for the account of an address; for an address without one it emits it all the same, for nobody.
func (s *Service) request(ctx context.Context, text string, emit func(pgx.Tx, uuid.UUID) error) error {
	email, err := parseEmail(text)
	if err != nil {
		return err
	}
	nobody, err := uid.New()
	if err != nil {
		return err
	}
	return postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		id, err := authdb.New(tx).GetAccountIDByEmail(ctx, email)
		if errors.Is(err, pgx.ErrNoRows) {
			id, err = nobody, nil
		}
		if err != nil {
			return fmt.Errorf("find the owner of an address: %w", err)
		}
		return emit(tx, id)
	})
}
