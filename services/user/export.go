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
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// ExportPath is where exports are fetched, followed by the id of one.
const ExportPath = "/media/exports/"

// RequestExport has a copy made of everything that is held about the caller, or names the one that is being made.
func (s *Service) RequestExport(ctx context.Context, _ *userv1.RequestExportRequest) (*userv1.RequestExportResponse, error) {
	var id uuid.UUID
	err := postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) (err error) {
		id, err = s.startExport(ctx, tx, identity.CallerFrom(ctx).UserID, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &userv1.RequestExportResponse{ExportId: id.String()}, nil
}

// startExport begins an export, or finds the one that is being made; by is who of support asked for it.
func (o Options) startExport(ctx context.Context, tx pgx.Tx, person uuid.UUID, by *uuid.UUID) (uuid.UUID, error) {
	q := userdb.New(tx)
	// A withdrawal of consent that is under way ends first: what begins after it holds no health data.
	if err := q.LockPerson(ctx, person); err != nil {
		return uuid.Nil, fmt.Errorf("lock person: %w", err)
	}
	id, err := uid.New()
	if err != nil {
		return uuid.Nil, err
	}
	// The one that was in the way may have ended before it was asked for; twice in a row is next to impossible.
	for range 3 {
		n, err := q.InsertExport(ctx, userdb.InsertExportParams{UserID: person, ID: id, RequestedBy: by, RequestedAt: o.now()})
		if err != nil {
			return uuid.Nil, fmt.Errorf("insert export: %w", err)
		}
		if n == 1 {
			if _, err := o.Queue.InsertTx(ctx, tx, ExportRequested{UserID: person, ExportID: id}, nil); err != nil {
				return uuid.Nil, fmt.Errorf("emit ExportRequested: %w", err)
			}
			return id, nil
		}
		pending, err := q.GetPendingExport(ctx, person)
		if err == nil {
			return pending, nil
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return uuid.Nil, fmt.Errorf("get pending export: %w", err)
		}
	}
	return uuid.Nil, fault.Conflict("other exports began and ended meanwhile: ask again").WithReason("EXPORT_BUSY")
}

// GetExport tells how an export of the caller stands. Faults: Invalid (exportId), NotFound.
func (s *Service) GetExport(ctx context.Context, req *userv1.GetExportRequest) (*userv1.GetExportResponse, error) {
	id, err := uid.Parse("exportId", req.GetExportId())
	if err != nil {
		return nil, err
	}
	row, err := getExport(ctx, userdb.New(s.Pool), identity.CallerFrom(ctx).UserID, id)
	if err != nil {
		return nil, err
	}
	e := exportMessage(row, s.now())
	res := &userv1.GetExportResponse{State: e.GetState(), ExpiresAt: e.GetExpiresAt(), SizeBytes: e.GetSizeBytes()}
	if e.GetState() == userv1.ExportState_EXPORT_STATE_READY {
		res.DownloadUrl = s.PublicURL + ExportPath + row.ID.String()
	}
	return res, nil
}

// getExport gives an export of a person. Fault: NotFound, for another person's too.
func getExport(ctx context.Context, q *userdb.Queries, person, id uuid.UUID) (userdb.UsersExport, error) {
	row, err := q.GetExport(ctx, userdb.GetExportParams{UserID: person, ID: id})
	if errors.Is(err, pgx.ErrNoRows) {
		return row, fault.NotFound("there is no export %s", id)
	}
	if err != nil {
		return row, fmt.Errorf("get export: %w", err)
	}
	return row, nil
}

// ListExports returns the caller's exports, newest first.
func (s *Service) ListExports(ctx context.Context, _ *userv1.ListExportsRequest) (*userv1.ListExportsResponse, error) {
	exports, err := s.listExports(ctx, identity.CallerFrom(ctx).UserID)
	if err != nil {
		return nil, err
	}
	return &userv1.ListExportsResponse{Exports: exports}, nil
}

func (o Options) listExports(ctx context.Context, person uuid.UUID) ([]*userv1.Export, error) {
	rows, err := userdb.New(o.Pool).ListExports(ctx, person)
	if err != nil {
		return nil, fmt.Errorf("list exports: %w", err)
	}
	exports := make([]*userv1.Export, 0, len(rows))
	for _, row := range rows {
		exports = append(exports, exportMessage(row, o.now()))
	}
	return exports, nil
}

var exportStates = map[string]userv1.ExportState{
	"pending": userv1.ExportState_EXPORT_STATE_PENDING, "ready": userv1.ExportState_EXPORT_STATE_READY,
	"failed": userv1.ExportState_EXPORT_STATE_FAILED, "expired": userv1.ExportState_EXPORT_STATE_EXPIRED,
}

func exportMessage(row userdb.UsersExport, now time.Time) *userv1.Export {
	e := &userv1.Export{
		Id: row.ID.String(), State: exportStates[row.State], RequestedAt: timestamppb.New(row.RequestedAt), BySupport: row.BySupport,
	}
	if row.ExpiresAt != nil {
		e.ExpiresAt = timestamppb.New(*row.ExpiresAt)
	}
	if row.SizeBytes != nil {
		e.SizeBytes = *row.SizeBytes
	}
	if exportOver(row, now) {
		e.State = userv1.ExportState_EXPORT_STATE_EXPIRED
	}
	return e
}

// exportOver tells whether an export has had its time, whether or not its file is gone already.
func exportOver(row userdb.UsersExport, now time.Time) bool {
	return row.State == "expired" || row.State == "ready" && !row.ExpiresAt.After(now)
}
