package user

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// StartExport has an export made for a person, or names the one that is being made; only the person can fetch it.
// Faults: Invalid (userId), NotFound, Denied (STAFF_ACCOUNT).
func (a *Admin) StartExport(ctx context.Context, req *userv1.StartExportRequest) (*userv1.StartExportResponse, error) {
	person, err := uid.Parse("userId", req.GetUserId())
	if err != nil {
		return nil, err
	}
	if err := a.mayActOn(ctx, person); err != nil {
		return nil, err
	}
	var id uuid.UUID
	err = postgres.InTx(ctx, a.Pool, func(tx pgx.Tx) error {
		by := identity.CallerFrom(ctx).UserID
		var err error
		if id, err = a.startExport(ctx, tx, person, &by); err != nil {
			return err
		}
		return a.audit.Record(ctx, tx, audit.Entry{
			Action: "user.export.started", SubjectType: "user", SubjectID: person.String(), Person: person,
			After: map[string]string{"reason": req.GetReason(), "export_id": id.String()},
		})
	})
	if err != nil {
		return nil, err
	}
	return &userv1.StartExportResponse{ExportId: id.String()}, nil
}
