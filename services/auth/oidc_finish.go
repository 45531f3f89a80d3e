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
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
)

var (
	errAddressHasAccount = fault.Exists("the address that the provider tells has an account already: sign in to it first, then add the provider").
				WithReason("EMAIL_TAKEN")
	errIdentityTaken = fault.Exists("this account of the provider signs in to another account").WithReason("IDENTITY_TAKEN")
	errOtherIdentity = fault.Exists("another account of this provider signs in to this account: remove that one first").WithReason("IDENTITY_TAKEN")
	errEmailMissing  = fault.Precondition("the provider tells no e-mail address that an account can have").WithReason("EMAIL_MISSING")

	// errOutrun means that somebody signed up with the same identity or address just now: what is known has to be looked at again.
	errOutrun = fault.Conflict("somebody else signed up with the same address just now: try again")
)

// FinishOidc ends a sign-in with a provider, or adds the provider to an account.
// Faults: Unauthenticated (OIDC_REFUSED), Exists (EMAIL_TAKEN, IDENTITY_TAKEN), Precondition (EMAIL_MISSING, EMAIL_UNVERIFIED),
// Denied (ACCOUNT_SUSPENDED), Unavailable.
func (s *Service) FinishOidc(ctx context.Context, req *authv1.FinishOidcRequest) (*authv1.FinishOidcResponse, error) {
	flow, secrets, err := s.takeFlow(ctx, req.GetFlowToken(), req.GetState())
	if err != nil {
		return nil, err
	}
	p := s.providers.find(flow.Provider)
	if p == nil {
		return nil, errOidcRefused.WithCause(errors.New("the provider is not configured any more"))
	}
	v, err := p.visitor(ctx, secrets, req.GetCode())
	if fault.KindOf(err) == fault.KindUnavailable {
		return nil, errors.Join(err, s.giveBack(ctx, flow))
	}
	if err != nil {
		return nil, err
	}
	if flow.AccountID != nil {
		return &authv1.FinishOidcResponse{}, s.finishLink(ctx, flow, v)
	}
	// Whoever was faster has committed, so the second look finds it.
	res, err := s.visit(ctx, flow.Device, v)
	if errors.Is(err, errOutrun) {
		res, err = s.visit(ctx, flow.Device, v)
	}
	return res, err
}

// visit lets a visitor in: to the account that their identity signs in to, or that their address belongs to, or to a new one.
func (s *Service) visit(ctx context.Context, device string, v *visitor) (*authv1.FinishOidcResponse, error) {
	q := authdb.New(s.Pool)
	owner, err := q.GetIdentityAccount(ctx, v.identity())
	if err == nil {
		return s.welcome(ctx, owner, device, v)
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("find identity: %w", err)
	}
	if err := v.complete(ctx); err != nil {
		return nil, err
	}
	email := v.canonicalEmail()
	if email == "" {
		return nil, errEmailMissing
	}
	a, err := findAccount(ctx, q, email)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return s.registerVisitor(ctx, email, device, v)
	}
	return s.adopt(ctx, a, device, v)
}

func (v *visitor) identity() authdb.GetIdentityAccountParams {
	return authdb.GetIdentityAccountParams{Provider: v.provider.ID, Subject: v.subject}
}

// welcome signs in to the account of a known identity.
func (s *Service) welcome(ctx context.Context, owner uuid.UUID, device string, v *visitor) (*authv1.FinishOidcResponse, error) {
	a, err := getAccount(ctx, authdb.New(s.Pool), owner)
	if err != nil {
		return nil, err
	}
	return s.enterVisitor(ctx, a, device, func(tx pgx.Tx) error {
		current, err := authdb.New(tx).GetIdentityAccount(ctx, v.identity())
		if errors.Is(err, pgx.ErrNoRows) || err == nil && current != owner {
			return errOidcRefused.WithCause(errors.New("the identity was removed meanwhile"))
		}
		if err != nil {
			return fmt.Errorf("find identity: %w", err)
		}
		return nil
	})
}

// adopt links an identity to the account of its address and signs in to it. Both we and the provider must know that the address is the
// person's: else whoever registers an address first, here or there, would get into what its owner does later.
func (s *Service) adopt(ctx context.Context, a *account, device string, v *visitor) (*authv1.FinishOidcResponse, error) {
	if !v.EmailVerified || a.AuthAccount.EmailVerifiedAt == nil {
		return nil, s.strangerTo(ctx, a, v)
	}
	if err := s.admit(a); err != nil {
		return nil, err
	}
	return s.enterVisitor(ctx, a, device, func(tx pgx.Tx) error {
		if err := oneFactor(ctx, authdb.New(tx), a.AuthAccount.ID); err != nil {
			return err
		}
		return s.link(ctx, tx, a.AuthAccount.ID, device, v)
	})
}

// strangerTo answers a visitor whose address has an account that is not known to be theirs. Where addresses have to be verified, it is the same
// answer as for an address without one, and its owner is told.
func (s *Service) strangerTo(ctx context.Context, a *account, v *visitor) error {
	if bool(v.EmailVerified) || !s.RequireVerifiedEmail {
		return errAddressHasAccount
	}
	err := postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error { return s.emit(ctx, tx, RegistrationRepeated{AccountID: a.AuthAccount.ID}) })
	if err != nil {
		return err
	}
	return errEmailUnverified
}

// oneFactor refuses an account that asks for more than one factor, or should: a link would stay though its maker has shown one only.
func oneFactor(ctx context.Context, q *authdb.Queries, person uuid.UUID) error {
	factors, err := q.CountFactors(ctx, person)
	if err != nil {
		return fmt.Errorf("count factors: %w", err)
	}
	a, err := getAccount(ctx, q, person)
	if err != nil {
		return err
	}
	if factors.Totps > 0 || factors.Passkeys > 0 || len(a.Roles) > 0 {
		return errAddressHasAccount
	}
	return nil
}

// registerVisitor makes an account without a password, and signs in to it.
func (s *Service) registerVisitor(ctx context.Context, email, device string, v *visitor) (*authv1.FinishOidcResponse, error) {
	id, err := uid.New()
	if err != nil {
		return nil, err
	}
	now := s.now()
	fresh := authdb.InsertAccountParams{
		ID: id, Email: email, DisplayName: v.displayName(), Locale: v.locale(), TimeZone: v.timeZone(), CreatedAt: now,
	}
	if v.EmailVerified {
		fresh.EmailVerifiedAt = &now
	}
	err = postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		q := authdb.New(tx)
		n, err := q.InsertAccount(ctx, fresh)
		if err != nil {
			return fmt.Errorf("insert account: %w", err)
		}
		if n == 0 {
			return errOutrun
		}
		if n, err = q.InsertIdentity(ctx, v.row(id, now)); err != nil {
			return fmt.Errorf("insert identity: %w", err)
		}
		if n == 0 {
			return errOutrun
		}
		return s.emit(ctx, tx, AccountRegistered{AccountID: id})
	})
	if err != nil {
		return nil, err
	}
	a, err := getAccount(ctx, authdb.New(s.Pool), id)
	if err != nil {
		return nil, err
	}
	// The mail is on its way already.
	if err := s.admit(a); err != nil {
		return nil, err
	}
	res, err := s.enterVisitor(ctx, a, device, func(pgx.Tx) error { return nil })
	if err != nil {
		return nil, err
	}
	res.Registered = true
	return res, nil
}

func (s *Service) enterVisitor(ctx context.Context, a *account, device string, first func(pgx.Tx) error) (*authv1.FinishOidcResponse, error) {
	entry, err := s.enter(ctx, a, device, false, first)
	if err != nil {
		return nil, err
	}
	return &authv1.FinishOidcResponse{Tokens: entry.tokens, SecondFactor: entry.challenge, RolesWithheld: entry.rolesWithheld}, nil
}
