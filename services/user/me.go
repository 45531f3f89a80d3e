package user

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/mindspace-app/mindspace/gen/db/userdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/platform/cache"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/zone"
)

const (
	// cachedUsers is how many profiles one process remembers, at about 1 KB each.
	cachedUsers = 50_000
	// userFresh is how long a profile is remembered in a process; a change drops it at once.
	userFresh = time.Minute
	// userShared is how long it is remembered in Redis.
	userShared = 10 * time.Minute
)

func newUsers(store *cache.Store) *cache.Cache[*userv1.GetMeResponse] {
	return cache.New(store, cache.Options[*userv1.GetMeResponse]{
		Name: "users", MaxEntries: cachedUsers, TTL: userFresh, SharedTTL: userShared, Codec: cache.Proto[*userv1.GetMeResponse](),
	})
}

// GetMe returns the caller's profile. The answer is shared with the cache: it must not be changed.
func (s *Service) GetMe(ctx context.Context, _ *userv1.GetMeRequest) (*userv1.GetMeResponse, error) {
	me := identity.CallerFrom(ctx).UserID
	res, err := s.users.Get(ctx, me.String(), func(ctx context.Context) (*userv1.GetMeResponse, error) {
		u, err := s.load(ctx, me)
		return &userv1.GetMeResponse{User: u}, err
	})
	if err != nil {
		return nil, err
	}
	s.Encodings.Keep(res)
	return res, nil
}

// load puts together what the auth domain and this one know of the caller.
func (s *Service) load(ctx context.Context, me uuid.UUID) (*userv1.User, error) {
	res, err := s.Accounts.GetAccount(ctx, &authv1.GetAccountRequest{})
	if err != nil {
		return nil, fault.FromClient(err)
	}
	profile, err := getProfile(ctx, userdb.New(s.Pool), me)
	if err != nil {
		return nil, err
	}
	return userMessage(res.GetAccount(), profile), nil
}

// getProfile gives what the person has set, or the defaults.
func getProfile(ctx context.Context, q *userdb.Queries, person uuid.UUID) (userdb.UsersProfile, error) {
	profile, err := q.GetProfile(ctx, person)
	if errors.Is(err, pgx.ErrNoRows) {
		return userdb.UsersProfile{UserID: person, Units: "metric"}, nil
	}
	if err != nil {
		return profile, fmt.Errorf("get profile: %w", err)
	}
	return profile, nil
}

func userMessage(a *authv1.Account, p userdb.UsersProfile) *userv1.User {
	u := &userv1.User{
		Id: a.GetId(), Email: a.GetEmail(), DisplayName: a.GetDisplayName(), Locale: a.GetLocale(), TimeZone: a.GetTimeZone(), CreatedAt: a.GetCreatedAt(),
		DayStartHour: int32(p.DayStartHour), Units: userv1.Units_UNITS_METRIC,
	}
	if p.Units == "imperial" {
		u.Units = userv1.Units_UNITS_IMPERIAL
	}
	if p.CountryCode != nil {
		u.CountryCode = *p.CountryCode
	}
	return u
}

// accountFields are those that the auth domain keeps, profileFields those that this one does.
var (
	accountFields = []string{"display_name", "locale", "time_zone"}
	profileFields = []string{"day_start_hour", "units", "country_code"}
)

// UpdateMe changes what the mask names. What the auth domain keeps goes second, when this one has taken its part; both bear to be done again.
// Faults: Invalid (updateMask, user.timeZone …), Precondition (UNDER_AGE).
func (s *Service) UpdateMe(ctx context.Context, req *userv1.UpdateMeRequest) (*userv1.UpdateMeResponse, error) {
	me := identity.CallerFrom(ctx).UserID
	fields := req.GetUpdateMask().GetPaths()
	if len(fields) == 0 {
		fields = given(req.GetUser())
	}
	var account []string
	for _, field := range fields {
		switch {
		case slices.Contains(accountFields, field):
			account = append(account, field)
		case !slices.Contains(profileFields, field):
			return nil, fault.Invalid("updateMask: %q is no field that can be changed", field).
				WithField("updateMask", "may name displayName, locale, timeZone, dayStartHour, units and countryCode")
		}
	}
	// What the auth domain would refuse is refused before anything is changed.
	if slices.Contains(account, "time_zone") {
		if _, err := zone.Parse("user.timeZone", req.GetUser().GetTimeZone()); err != nil {
			return nil, err
		}
	}
	if len(account) < len(fields) {
		if err := s.setProfile(ctx, me, req.GetUser(), fields); err != nil {
			return nil, err
		}
	}
	defer s.users.Invalidate(context.WithoutCancel(ctx), me.String())
	if err := s.setAccount(ctx, req.GetUser(), account); err != nil {
		return nil, err
	}
	u, err := s.load(ctx, me)
	if err != nil {
		return nil, err
	}
	return &userv1.UpdateMeResponse{User: u}, nil
}

func (s *Service) setAccount(ctx context.Context, u *userv1.User, fields []string) error {
	if len(fields) == 0 {
		return nil
	}
	_, err := s.Accounts.UpdateAccount(ctx, &authv1.UpdateAccountRequest{
		Account:    &authv1.Account{DisplayName: u.GetDisplayName(), Locale: u.GetLocale(), TimeZone: u.GetTimeZone()},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: fields},
	})
	return fault.InField(fault.FromClient(err), "account", "user")
}

func (s *Service) setProfile(ctx context.Context, me uuid.UUID, u *userv1.User, fields []string) error {
	change := userdb.SetProfileParams{UserID: me, Now: s.now()}
	if slices.Contains(fields, "day_start_hour") {
		hour := int16(u.GetDayStartHour()) //nolint:gosec // 0 to 23, says the contract
		change.DayStartHour = &hour
	}
	if slices.Contains(fields, "units") {
		units := "metric"
		if u.GetUnits() == userv1.Units_UNITS_IMPERIAL {
			units = "imperial"
		}
		change.Units = &units
	}
	if slices.Contains(fields, "country_code") {
		country := u.GetCountryCode()
		change.CountryCode = &country
	}
	return postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		q := userdb.New(tx)
		if err := q.LockPerson(ctx, me); err != nil {
			return fmt.Errorf("lock person: %w", err)
		}
		if change.CountryCode != nil {
			if err := s.checkStoredAge(ctx, q, me, *change.CountryCode); err != nil {
				return err
			}
		}
		if err := q.SetProfile(ctx, change); err != nil {
			return fmt.Errorf("set profile: %w", err)
		}
		return nil
	})
}

// given are the fields that are not empty or zero.
func given(u *userv1.User) []string {
	var fields []string
	for _, field := range []struct {
		name string
		set  bool
	}{
		{"display_name", u.GetDisplayName() != ""},
		{"locale", u.GetLocale() != ""},
		{"time_zone", u.GetTimeZone() != ""},
		{"day_start_hour", u.GetDayStartHour() != 0},
		{"units", u.GetUnits() != userv1.Units_UNITS_UNSPECIFIED},
		{"country_code", u.GetCountryCode() != ""},
	} {
		if field.set {
			fields = append(fields, field.name)
		}
	}
	return fields
}
