package auth

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// The kinds of security events; services/auth/letter has a text for each.
const (
	eventRefreshReuse         = "refresh_reuse"
	eventPasswordChanged      = "password_changed"
	eventPasswordReset        = "password_reset"
	eventTotpEnabled          = "totp_enabled"
	eventTotpDisabled         = "totp_disabled"
	eventRecoveryCodeUsed     = "recovery_code_used"
	eventRecoveryCodesRenewed = "recovery_codes_renewed"
	eventPasskeyAdded         = "passkey_added"
	eventPasskeyRemoved       = "passkey_removed"
	eventIdentityLinked       = "identity_linked"
	eventIdentityUnlinked     = "identity_unlinked"
	eventSessionsEnded        = "sessions_ended"
	eventFactorsReset         = "factors_reset"
	eventAccountSuspended     = "account_suspended"
	eventAccountResumed       = "account_resumed"
	eventErasureRequested     = "erasure_requested"
	eventErasureCancelled     = "erasure_cancelled"
	eventNewDevice            = "new_device" // from a network that is new: devices cannot be told apart
)

// recordEvent keeps what happened to an account and has its owner told.
func (o Options) recordEvent(ctx context.Context, tx pgx.Tx, person uuid.UUID, kind, device string) error {
	return o.recordEventFrom(ctx, tx, person, kind, device, identity.RequestFrom(ctx).Network())
}

// recordStaffEvent is recordEvent for what staff did, whose network is not the owner's to know.
func (o Options) recordStaffEvent(ctx context.Context, tx pgx.Tx, person uuid.UUID, kind string) error {
	return o.recordEventFrom(ctx, tx, person, kind, "", nil)
}

func (o Options) recordEventFrom(ctx context.Context, tx pgx.Tx, person uuid.UUID, kind, device string, network *netip.Prefix) error {
	id, err := uid.New()
	if err != nil {
		return err
	}
	err = authdb.New(tx).InsertSecurityEvent(ctx, authdb.InsertSecurityEventParams{
		AccountID: person, ID: id, Kind: kind, Device: device, Network: network, CreatedAt: o.now(),
	})
	if err != nil {
		return fmt.Errorf("record security event: %w", err)
	}
	return o.emit(ctx, tx, SecurityEventRecorded{AccountID: person, EventID: id})
}

// idPlace is where a page ends of what is listed by id.
type idPlace struct {
	ID uuid.UUID `json:"i"`
}

// ListSecurityEvents returns what happened to the caller's account. Faults: Invalid (pageToken).
func (s *Service) ListSecurityEvents(ctx context.Context, req *authv1.ListSecurityEventsRequest) (*authv1.ListSecurityEventsResponse, error) {
	person, size := identity.CallerFrom(ctx).UserID, cursor.PageSize(req.GetPageSize())
	scope := "ListSecurityEvents|" + person.String()
	before := idPlace{ID: uuid.Max}
	if err := s.Cursors.Resume(scope, req.GetPageToken(), &before); err != nil {
		return nil, err
	}
	rows, err := authdb.New(s.Pool).ListSecurityEvents(ctx, authdb.ListSecurityEventsParams{AccountID: person, BeforeID: before.ID, PageSize: size + 1})
	if err != nil {
		return nil, fmt.Errorf("list security events: %w", err)
	}
	res := &authv1.ListSecurityEventsResponse{}
	rows, res.NextPageToken, err = cursor.Cut(s.Cursors, scope, rows, size, func(last authdb.AuthSecurityEvent) any { return idPlace{ID: last.ID} })
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		res.Events = append(res.Events, &authv1.SecurityEvent{
			Id: row.ID.String(), Kind: row.Kind, CreatedAt: timestamppb.New(row.CreatedAt), Device: row.Device, Network: networkText(row.Network),
		})
	}
	return res, nil
}

// networkText is a network as people read it; empty where none is known.
func networkText(network *netip.Prefix) string {
	if network == nil {
		return ""
	}
	return network.String()
}
