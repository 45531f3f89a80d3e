package user

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/userdb"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// RevealHealthProfile returns a person's health profile. That it was shown, to whom and why is recorded first: without the record there is no answer.
// Faults: Invalid (userId), NotFound, Denied (STAFF_ACCOUNT), Precondition (CONSENT_MISSING), those of the keyring.
func (a *Admin) RevealHealthProfile(ctx context.Context, req *userv1.RevealHealthProfileRequest) (*userv1.RevealHealthProfileResponse, error) {
	person, err := uid.Parse("userId", req.GetUserId())
	if err != nil {
		return nil, err
	}
	if err := a.mayActOn(ctx, person); err != nil {
		return nil, err
	}
	var shown health
	err = postgres.InTx(ctx, a.Pool, func(tx pgx.Tx) error {
		q := userdb.New(tx)
		// A withdrawal waits until this is recorded, or is seen.
		if err := q.LockPerson(ctx, person); err != nil {
			return fmt.Errorf("lock person: %w", err)
		}
		if err := requireHealthConsent(ctx, q, person); err != nil {
			return err
		}
		var err error
		if shown, err = a.readHealth(ctx, q, person); err != nil {
			return err
		}
		return a.audit.Record(ctx, tx, audit.Entry{
			Action: "user.health_profile.revealed", SubjectType: "user", SubjectID: person.String(), Person: person,
			After: map[string]string{"reason": req.GetReason()},
		})
	})
	if err != nil {
		return nil, err
	}
	return &userv1.RevealHealthProfileResponse{Profile: grown(shown.record, a.now()), Goals: shown.record.GetGoals(), UpdatedAt: shown.updatedAt}, nil
}
