package auth

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// scopePattern is the full name of a service, or of a method of it.
var scopePattern = regexp.MustCompile(`^mindspace\.[a-z]+\.v[0-9]+\.[A-Z][A-Za-z]*Service(/[A-Z][A-Za-z]*)?$`)

// CreatePartnerKey makes a key for another system. Faults: Invalid (name, scopes, expiresAt).
func (m *Admin) CreatePartnerKey(ctx context.Context, req *authv1.CreatePartnerKeyRequest) (*authv1.CreatePartnerKeyResponse, error) {
	name := oneLine(req.GetName())
	if name == "" {
		return nil, fault.Invalid("name is blank").WithField("name", "must not be blank")
	}
	for i, scope := range req.GetScopes() {
		if !scopePattern.MatchString(scope) {
			return nil, fault.Invalid("scopes[%d] names no service or method", i).
				WithField(fmt.Sprintf("scopes[%d]", i), "must be the full name of a service or method, for example mindspace.auth.v1.AuthService/GetCaller")
		}
	}
	id, text, hash, err := newPartnerKey(partnerTags(m.Keys))
	if err != nil {
		return nil, err
	}
	caller, now := identity.CallerFrom(ctx).UserID, m.now()
	row := authdb.InsertPartnerKeyParams{ID: id, Name: name, Hash: hash, Scopes: req.GetScopes(), CreatedBy: &caller, CreatedAt: now}
	if req.GetExpiresAt() != nil {
		expires := stored(req.GetExpiresAt().AsTime())
		if req.GetExpiresAt().CheckValid() != nil || !expires.After(now) {
			return nil, fault.Invalid("expiresAt must be in the future").WithField("expiresAt", "must be in the future")
		}
		row.ExpiresAt = &expires
	}
	key := partnerKeyMessage(authdb.AuthPartnerKey{ID: id, Name: row.Name, Scopes: row.Scopes, CreatedAt: now, ExpiresAt: row.ExpiresAt})
	err = postgres.InTx(ctx, m.Pool, func(tx pgx.Tx) error {
		if err := authdb.New(tx).InsertPartnerKey(ctx, row); err != nil {
			return fmt.Errorf("insert partner key: %w", err)
		}
		return m.audit.Record(ctx, tx, audit.Entry{Action: "auth.partner_key.created", SubjectType: "partner_key", SubjectID: id.String(), After: key})
	})
	if err != nil {
		return nil, err
	}
	return &authv1.CreatePartnerKeyResponse{Key: text, PartnerKey: key}, nil
}

// ListPartnerKeys returns the keys, newest first. Faults: Invalid (pageToken).
func (m *Admin) ListPartnerKeys(ctx context.Context, req *authv1.ListPartnerKeysRequest) (*authv1.ListPartnerKeysResponse, error) {
	const scope = "ListPartnerKeys"
	size, before := cursor.PageSize(req.GetPageSize()), idPlace{ID: uuid.Max}
	if err := m.Cursors.Resume(scope, req.GetPageToken(), &before); err != nil {
		return nil, err
	}
	rows, err := authdb.New(m.Pool).ListPartnerKeys(ctx, authdb.ListPartnerKeysParams{BeforeID: before.ID, PageSize: size + 1})
	if err != nil {
		return nil, fmt.Errorf("list partner keys: %w", err)
	}
	res := &authv1.ListPartnerKeysResponse{}
	rows, res.NextPageToken, err = cursor.Cut(m.Cursors, scope, rows, size, func(last authdb.AuthPartnerKey) any { return idPlace{ID: last.ID} })
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		res.PartnerKeys = append(res.PartnerKeys, partnerKeyMessage(row))
	}
	return res, nil
}

// RevokePartnerKey ends a key. Faults: NotFound.
func (m *Admin) RevokePartnerKey(ctx context.Context, req *authv1.RevokePartnerKeyRequest) (*authv1.RevokePartnerKeyResponse, error) {
	id, err := uid.Parse("partnerKeyId", req.GetPartnerKeyId())
	if err != nil {
		return nil, err
	}
	err = postgres.InTx(ctx, m.Pool, func(tx pgx.Tx) error {
		row, err := authdb.New(tx).RevokePartnerKey(ctx, authdb.RevokePartnerKeyParams{ID: id, Now: m.now()})
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.NotFound("there is no partner key %s", id)
		}
		if err != nil {
			return fmt.Errorf("revoke partner key: %w", err)
		}
		return m.audit.Record(ctx, tx, audit.Entry{
			Action: "auth.partner_key.revoked", SubjectType: "partner_key", SubjectID: id.String(), After: partnerKeyMessage(row),
		})
	})
	if err != nil {
		return nil, err
	}
	m.Revocations.EndSessions(ctx, id)
	return &authv1.RevokePartnerKeyResponse{}, nil
}

func partnerKeyMessage(row authdb.AuthPartnerKey) *authv1.PartnerKey {
	return &authv1.PartnerKey{
		Id: row.ID.String(), Name: row.Name, Scopes: row.Scopes, CreatedAt: timestamppb.New(row.CreatedAt),
		ExpiresAt: timestampOf(row.ExpiresAt), LastUsedAt: timestampOf(row.LastUsedAt), RevokedAt: timestampOf(row.RevokedAt),
	}
}

// timestampOf is nil for no time.
func timestampOf(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return timestamppb.New(*t)
}
