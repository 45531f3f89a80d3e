package auth

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1/authv1connect"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/locale"
	"github.com/mindspace-app/mindspace/platform/zone"
)

// Accounts is mindspace.auth.v1.AccountService.
type Accounts struct {
	*Service
}

var _ authv1connect.AccountServiceHandler = (*Accounts)(nil)

// NewAccounts returns the service beside the one that signs people in.
func NewAccounts(s *Service) *Accounts { return &Accounts{Service: s} }

// GetAccount returns the caller's account.
func (s *Accounts) GetAccount(ctx context.Context, _ *authv1.GetAccountRequest) (*authv1.GetAccountResponse, error) {
	a, err := getAccount(ctx, authdb.New(s.Pool), identity.CallerFrom(ctx).UserID)
	if err != nil {
		return nil, err
	}
	return &authv1.GetAccountResponse{Account: accountMessage(a.AuthAccount)}, nil
}

// contactFields are what a person may change of their account.
var contactFields = []string{"display_name", "locale", "time_zone"}

// UpdateAccount changes what the mask names. Faults: Invalid (updateMask, account.timeZone).
func (s *Accounts) UpdateAccount(ctx context.Context, req *authv1.UpdateAccountRequest) (*authv1.UpdateAccountResponse, error) {
	person, change := identity.CallerFrom(ctx).UserID, authdb.SetContactParams{ID: identity.CallerFrom(ctx).UserID}
	fields := req.GetUpdateMask().GetPaths()
	if len(fields) == 0 {
		fields = given(req.GetAccount())
	}
	for _, field := range fields {
		if !slices.Contains(contactFields, field) {
			return nil, fault.Invalid("updateMask: %q is no field that can be changed", field).WithField("updateMask", "may name displayName, locale and timeZone")
		}
	}
	if slices.Contains(fields, "display_name") {
		name := oneLine(req.GetAccount().GetDisplayName())
		change.DisplayName = &name
	}
	if slices.Contains(fields, "locale") {
		language := locale.Of(req.GetAccount().GetLocale())
		change.Locale = &language
	}
	if slices.Contains(fields, "time_zone") {
		zone, err := zone.Parse("account.timeZone", req.GetAccount().GetTimeZone())
		if err != nil {
			return nil, err
		}
		change.TimeZone = &zone
	}
	q := authdb.New(s.Pool)
	if _, err := q.SetContact(ctx, change); err != nil {
		return nil, fmt.Errorf("set contact: %w", err)
	}
	a, err := getAccount(ctx, q, person)
	if err != nil {
		return nil, err
	}
	return &authv1.UpdateAccountResponse{Account: accountMessage(a.AuthAccount)}, nil
}

// given are the fields that are not empty.
func given(a *authv1.Account) []string {
	var fields []string
	for field, value := range map[string]string{"display_name": a.GetDisplayName(), "locale": a.GetLocale(), "time_zone": a.GetTimeZone()} {
		if value != "" {
			fields = append(fields, field)
		}
	}
	return fields
}

func accountMessage(a authdb.AuthAccount) *authv1.Account {
	return &authv1.Account{
		Id: a.ID.String(), Email: a.Email, EmailVerified: a.EmailVerifiedAt != nil, DisplayName: a.DisplayName, Locale: a.Locale, TimeZone: a.TimeZone,
		CreatedAt: timestamppb.New(a.CreatedAt),
	}
}
