package user

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/userdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	policyv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/policy/v1"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// SearchUsers finds people by id, address or name. Faults: Invalid (query, pageToken).
func (a *Admin) SearchUsers(ctx context.Context, req *userv1.SearchUsersRequest) (*userv1.SearchUsersResponse, error) {
	res, err := a.accounts.SearchAccounts(ctx, &authv1.SearchAccountsRequest{
		Query: req.GetQuery(), PageSize: req.GetPageSize(), PageToken: req.GetPageToken(),
	})
	if err != nil {
		return nil, fault.FromClient(err)
	}
	return &userv1.SearchUsersResponse{Users: res.GetAccounts(), NextPageToken: res.GetNextPageToken()}, nil
}

// GetUser returns what support may see of a person: of the health profile, that there is one. Faults: Invalid (userId), NotFound.
func (a *Admin) GetUser(ctx context.Context, req *userv1.GetUserRequest) (*userv1.GetUserResponse, error) {
	person, err := uid.Parse("userId", req.GetUserId())
	if err != nil {
		return nil, err
	}
	account, err := a.accounts.GetAnyAccount(ctx, &authv1.GetAnyAccountRequest{UserId: person.String()})
	if err != nil {
		return nil, fault.FromClient(err)
	}
	details, err := a.details(ctx, userdb.New(a.Pool), person)
	if err != nil {
		return nil, err
	}
	profile, err := getProfile(ctx, userdb.New(a.Pool), person)
	if err != nil {
		return nil, err
	}
	details.Account, details.User = account.GetAccount(), userMessage(account.GetAccount().GetAccount(), profile)
	return &userv1.GetUserResponse{User: details}, nil
}

// details gives what this domain knows of a person beside the profile.
func (a *Admin) details(ctx context.Context, q *userdb.Queries, person uuid.UUID) (*userv1.UserDetails, error) {
	details := &userv1.UserDetails{}
	consents, err := q.ListCurrentConsents(ctx, person)
	if err != nil {
		return nil, fmt.Errorf("list consents: %w", err)
	}
	for _, consent := range consents {
		details.Consents = append(details.Consents, consentMessage(consent))
	}
	switch changed, err := q.GetHealthProfileDate(ctx, person); {
	case err == nil:
		details.HasHealthProfile, details.HealthProfileUpdatedAt = true, timestamppb.New(changed)
	case !errors.Is(err, pgx.ErrNoRows):
		return nil, fmt.Errorf("get date of health profile: %w", err)
	}
	if details.Exports, err = a.listExports(ctx, person); err != nil {
		return nil, err
	}
	notes, err := q.CountNotes(ctx, person)
	if err != nil {
		return nil, fmt.Errorf("count notes: %w", err)
	}
	details.Notes = int32(notes) //nolint:gosec // written by hand
	return details, nil
}

// mayActOn refuses for people who do not exist, and for members of staff unless an administrator asks. Faults: NotFound, Denied (STAFF_ACCOUNT).
func (a *Admin) mayActOn(ctx context.Context, person uuid.UUID) error {
	res, err := a.accounts.GetAnyAccount(ctx, &authv1.GetAnyAccountRequest{UserId: person.String()})
	if err != nil {
		return fault.FromClient(err)
	}
	if len(res.GetAccount().GetRoles()) > 0 && !identity.CallerFrom(ctx).HasAnyRole(policyv1.Role_ROLE_ADMIN) {
		return fault.Denied("this account has staff roles: an administrator has to do this").WithReason("STAFF_ACCOUNT")
	}
	return nil
}
