package user

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/userdb"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// purposes are the names in which the ledger keeps what a consent is for.
var purposes = map[userv1.ConsentPurpose]string{
	userv1.ConsentPurpose_CONSENT_PURPOSE_HEALTH_DATA: "health_data",
	userv1.ConsentPurpose_CONSENT_PURPOSE_ANALYTICS:   "analytics",
	userv1.ConsentPurpose_CONSENT_PURPOSE_MARKETING:   "marketing",
}

// requireHealthConsent refuses to go on without the person's consent for health data: never given, or withdrawn. Fault: Precondition
// (CONSENT_MISSING), naming the purpose. Where something is written afterwards, LockPerson comes first, so that a withdrawal waits for it, or is seen.
func requireHealthConsent(ctx context.Context, q *userdb.Queries, person uuid.UUID) error {
	const purpose = userv1.ConsentPurpose_CONSENT_PURPOSE_HEALTH_DATA
	consent, err := q.GetConsent(ctx, userdb.GetConsentParams{UserID: person, Purpose: purposes[purpose]})
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("get consent: %w", err)
	}
	if err != nil || !consent.Granted {
		return fault.Precondition("this needs the person's consent %s", purpose).WithReason("CONSENT_MISSING")
	}
	return nil
}

// SetConsent adds the caller's answer to the ledger. The answer that holds already, to the same version, is not new: that entry is returned.
// A withdrawal for health data erases the health profile and the goals in the same transaction, and ends exports, which have them too. Faults: Invalid (purpose, policyVersion).
func (s *Service) SetConsent(ctx context.Context, req *userv1.SetConsentRequest) (*userv1.SetConsentResponse, error) {
	me := identity.CallerFrom(ctx).UserID
	var entry userdb.UsersConsent
	var ended []uuid.UUID
	err := postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		q := userdb.New(tx)
		if err := q.LockPerson(ctx, me); err != nil {
			return fmt.Errorf("lock person: %w", err)
		}
		var err error
		if entry, err = s.enter(ctx, q, me, req); err != nil {
			return err
		}
		if !req.GetGranted() && req.GetPurpose() == userv1.ConsentPurpose_CONSENT_PURPOSE_HEALTH_DATA {
			ended, err = withdrawHealth(ctx, q, me)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, export := range ended {
		if err := s.dropExportFiles(ctx, me, export, ""); err != nil { // its key is gone, so nobody can read it
			s.Logger.WarnContext(ctx, "the file of a withdrawn export is left behind", "export_id", export, "error", err)
		}
	}
	return &userv1.SetConsentResponse{Consent: consentMessage(entry)}, nil
}

// withdrawHealth erases what was told of health, and ends the exports that have it; nothing where nothing was told. The person is locked.
func withdrawHealth(ctx context.Context, q *userdb.Queries, person uuid.UUID) (ended []uuid.UUID, err error) {
	n, err := q.DeleteHealthProfile(ctx, person)
	if err != nil {
		return nil, fmt.Errorf("delete health profile: %w", err)
	}
	if n == 0 {
		return nil, nil
	}
	if ended, err = q.WithdrawExports(ctx, person); err != nil {
		return nil, fmt.Errorf("withdraw exports: %w", err)
	}
	return ended, nil
}

// enter adds an answer to the ledger, unless it is the one that holds. The person is locked.
func (s *Service) enter(ctx context.Context, q *userdb.Queries, person uuid.UUID, req *userv1.SetConsentRequest) (userdb.UsersConsent, error) {
	standing, err := q.GetConsent(ctx, userdb.GetConsentParams{UserID: person, Purpose: purposes[req.GetPurpose()]})
	switch {
	case err == nil && standing.Granted == req.GetGranted() && standing.PolicyVersion == req.GetPolicyVersion():
		return standing, nil
	case err != nil && !errors.Is(err, pgx.ErrNoRows):
		return standing, fmt.Errorf("get consent: %w", err)
	}
	newest, err := q.ListConsents(ctx, userdb.ListConsentsParams{UserID: person, BeforeID: uuid.Max, PageSize: 1})
	if err != nil {
		return standing, fmt.Errorf("list consents: %w", err)
	}
	entry := userdb.InsertConsentParams{
		UserID: person, Purpose: purposes[req.GetPurpose()], Granted: req.GetGranted(), PolicyVersion: req.GetPolicyVersion(), RecordedAt: s.now(),
	}
	if entry.ID, err = uid.New(); err != nil {
		return standing, err
	}
	if len(newest) > 0 {
		entry.ID = later(entry.ID, newest[0].ID)
	}
	if err := q.InsertConsent(ctx, entry); err != nil {
		return standing, fmt.Errorf("insert consent: %w", err)
	}
	return userdb.UsersConsent(entry), nil
}

// later is id, or the id right after last where that is not before it: which answer holds must not depend on whose clock is fast.
func later(id, last uuid.UUID) uuid.UUID {
	if bytes.Compare(id[:], last[:]) > 0 {
		return id
	}
	for i := len(last) - 1; i >= 0; i-- {
		last[i]++
		if last[i] != 0 {
			break
		}
	}
	return last
}

// ListConsents returns what holds, and one page of the caller's ledger. Faults: Invalid (pageToken).
func (s *Service) ListConsents(ctx context.Context, req *userv1.ListConsentsRequest) (*userv1.ListConsentsResponse, error) {
	me := identity.CallerFrom(ctx).UserID
	scope, before, size := "ListConsents|"+me.String(), uuid.Max, cursor.PageSize(req.GetPageSize())
	if err := s.Cursors.Resume(scope, req.GetPageToken(), &before); err != nil {
		return nil, err
	}
	q := userdb.New(s.Pool)
	standing, err := q.ListCurrentConsents(ctx, me)
	if err != nil {
		return nil, fmt.Errorf("list current consents: %w", err)
	}
	history, err := q.ListConsents(ctx, userdb.ListConsentsParams{UserID: me, BeforeID: before, PageSize: size + 1})
	if err != nil {
		return nil, fmt.Errorf("list consents: %w", err)
	}
	res := &userv1.ListConsentsResponse{}
	history, res.NextPageToken, err = cursor.Cut(s.Cursors, scope, history, size, func(last userdb.UsersConsent) any { return last.ID })
	if err != nil {
		return nil, err
	}
	res.Consents, res.History = consentMessages(standing), consentMessages(history)
	return res, nil
}

func consentMessages(entries []userdb.UsersConsent) []*userv1.Consent {
	messages := make([]*userv1.Consent, len(entries))
	for i, entry := range entries {
		messages[i] = consentMessage(entry)
	}
	return messages
}

func consentMessage(entry userdb.UsersConsent) *userv1.Consent {
	c := &userv1.Consent{Granted: entry.Granted, PolicyVersion: entry.PolicyVersion, RecordedAt: timestamppb.New(entry.RecordedAt)}
	for purpose, name := range purposes {
		if name == entry.Purpose {
			c.Purpose = purpose
		}
	}
	return c
}
