package user

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/userdb"
	healthv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/health/v1"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
)

// health is a stored health profile. Of somebody who has told nothing it is empty, with revision 0.
type health struct {
	record    *userv1.HealthRecord
	revision  int64
	updatedAt *timestamppb.Timestamp
}

// GetHealthProfile returns the caller's health profile and goals, an age that was told in years grown since.
// Faults: Precondition (CONSENT_MISSING), those of the keyring.
func (s *Service) GetHealthProfile(ctx context.Context, _ *userv1.GetHealthProfileRequest) (*userv1.GetHealthProfileResponse, error) {
	me, q := identity.CallerFrom(ctx).UserID, userdb.New(s.Pool)
	if err := requireHealthConsent(ctx, q, me); err != nil {
		return nil, err
	}
	stored, err := s.readHealth(ctx, q, me)
	if err != nil {
		return nil, err
	}
	return &userv1.GetHealthProfileResponse{
		Profile: grown(stored.record, s.now()), Goals: stored.record.GetGoals(), Revision: stored.revision, UpdatedAt: stored.updatedAt,
	}, nil
}

// UpdateHealthProfile replaces the caller's health profile and goals; its values have passed the rules of the contract.
// Faults: Precondition (CONSENT_MISSING, UNDER_AGE), Conflict (REVISION_CHANGED), those of the keyring. Nothing is stored then.
func (s *Service) UpdateHealthProfile(ctx context.Context, req *userv1.UpdateHealthProfileRequest) (*userv1.UpdateHealthProfileResponse, error) {
	me := identity.CallerFrom(ctx).UserID
	var put health
	err := postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		q := userdb.New(tx)
		if err := q.LockPerson(ctx, me); err != nil {
			return fmt.Errorf("lock person: %w", err)
		}
		if err := requireHealthConsent(ctx, q, me); err != nil {
			return err
		}
		var err error
		put, err = s.replaceHealth(ctx, q, me, req)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &userv1.UpdateHealthProfileResponse{
		Profile: grown(put.record, s.now()), Goals: put.record.GetGoals(), Revision: put.revision, UpdatedAt: put.updatedAt,
	}, nil
}

// replaceHealth checks what depends on what is stored, and stores. The person is locked and has agreed.
func (s *Service) replaceHealth(ctx context.Context, q *userdb.Queries, person uuid.UUID, req *userv1.UpdateHealthProfileRequest) (health, error) {
	stored, err := s.readHealth(ctx, q, person)
	if err != nil {
		return health{}, err
	}
	if req.ExpectedRevision != nil && req.GetExpectedRevision() != stored.revision {
		return health{}, fault.Conflict("the health profile has changed since: it is at revision %d", stored.revision).WithReason("REVISION_CHANGED").
			WithField("expectedRevision", "is not the revision that is stored")
	}
	now := s.now()
	record := newRecord(req, stored.record, now)
	profile, err := getProfile(ctx, q, person)
	if err != nil {
		return health{}, err
	}
	var country string
	if profile.CountryCode != nil {
		country = *profile.CountryCode
	}
	if tooYoung := s.underAge(record, country); tooYoung != nil {
		return health{}, tooYoung
	}
	sealed, err := s.sealHealth(person, record)
	if err != nil {
		return health{}, err
	}
	revision, err := q.PutHealthProfile(ctx, userdb.PutHealthProfileParams{UserID: person, Sealed: sealed, Now: now})
	if err != nil {
		return health{}, fmt.Errorf("put health profile: %w", err)
	}
	return health{record: record, revision: revision, updatedAt: timestamppb.New(now)}, nil
}

// newRecord is what is kept of a request. An age that is the stored one, grown, has not been told anew: it goes on growing from when it was,
// or else somebody who changes something now and then would never grow older.
func newRecord(req *userv1.UpdateHealthProfileRequest, stored *userv1.HealthRecord, now time.Time) *userv1.HealthRecord {
	record := &userv1.HealthRecord{Profile: req.GetProfile(), Goals: req.GetGoals()}
	if record.GetProfile().AgeYears == nil {
		return record
	}
	if age, told := toldAge(stored, now); told && age == int(record.GetProfile().GetAgeYears()) {
		years := stored.GetProfile().GetAgeYears()
		record.Profile.AgeYears, record.AgeToldOn = &years, stored.GetAgeToldOn()
		return record
	}
	record.AgeToldOn = now.UTC().Format(time.DateOnly)
	return record
}

// grown is the profile as it is today. It changes the record's own, which must not be stored afterwards.
func grown(r *userv1.HealthRecord, now time.Time) *healthv1.Profile {
	if age, told := toldAge(r, now); told {
		years := int32(age) //nolint:gosec // at most 120
		r.Profile.AgeYears = &years
	}
	return r.GetProfile()
}

// readHealth reads and opens what is stored. The caller has made sure of the consent. Faults: those of the keyring.
func (o Options) readHealth(ctx context.Context, q *userdb.Queries, person uuid.UUID) (health, error) {
	row, err := q.GetHealthProfile(ctx, person)
	if errors.Is(err, pgx.ErrNoRows) {
		return health{record: &userv1.HealthRecord{Profile: &healthv1.Profile{}}}, nil
	}
	if err != nil {
		return health{}, fmt.Errorf("get health profile: %w", err)
	}
	record, err := o.openHealth(person, row.Sealed)
	if err != nil {
		return health{}, err
	}
	return health{record: record, revision: row.Revision, updatedAt: timestamppb.New(row.UpdatedAt)}, nil
}
