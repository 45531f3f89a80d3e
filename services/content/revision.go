package content

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// The states of a revision; content.revisions has the same list.
const (
	stateDraft     = "draft"
	stateInReview  = "in_review"
	stateScheduled = "scheduled"
	statePublished = "published"
	stateArchived  = "archived"
)

var revisionStates = map[string]contentv1.RevisionState{
	stateDraft:     contentv1.RevisionState_REVISION_STATE_DRAFT,
	stateInReview:  contentv1.RevisionState_REVISION_STATE_IN_REVIEW,
	stateScheduled: contentv1.RevisionState_REVISION_STATE_SCHEDULED,
	statePublished: contentv1.RevisionState_REVISION_STATE_PUBLISHED,
	stateArchived:  contentv1.RevisionState_REVISION_STATE_ARCHIVED,
}

// revision is a row of content.revisions.
type revision = contentdb.ContentRevision

// errRevisionChanged says that a revision is not as its editor has seen it.
var errRevisionChanged = fault.Conflict("somebody else has changed this text; read it again").WithReason("REVISION_CHANGED")

// wrongState says that a revision's state does not allow the change, by naming it.
func wrongState(state string) error {
	return fault.Precondition("this revision is %s", strings.ReplaceAll(state, "_", " ")).WithReason("REVISION_" + strings.ToUpper(state))
}

// ListRevisions returns the revisions of an item, newest first. Faults: Invalid (itemId, pageToken), NotFound (ITEM_NOT_FOUND).
func (a *Admin) ListRevisions(ctx context.Context, req *contentv1.ListRevisionsRequest) (*contentv1.ListRevisionsResponse, error) {
	of, err := itemOf(req.GetKind(), req.GetItemId())
	if err != nil {
		return nil, err
	}
	scope, before, size := strings.Join([]string{"ListRevisions", of.kind, of.id.String(), req.GetLocale()}, "|"), uuid.Max, cursor.PageSize(req.GetPageSize())
	if err := a.Cursors.Resume(scope, req.GetPageToken(), &before); err != nil {
		return nil, err
	}
	q := contentdb.New(a.Pool)
	rows, err := q.ListRevisions(ctx, contentdb.ListRevisionsParams{Kind: of.kind, ItemID: of.id, Locale: req.GetLocale(), BeforeID: before, PageSize: size + 1})
	if err != nil {
		return nil, fmt.Errorf("list revisions: %w", err)
	}
	if len(rows) == 0 {
		if _, err := getItem(ctx, q, of); err != nil {
			return nil, err
		}
	}
	res := &contentv1.ListRevisionsResponse{}
	rows, res.NextPageToken, err = cursor.Cut(a.Cursors, scope, rows, size, func(last revision) any { return last.ID })
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		res.Revisions = append(res.Revisions, revisionMessage(row))
	}
	return res, nil
}

// move has one revision changed that is in a state, in the version that its editor has seen, and records it. The item is locked meanwhile.
// change may be run more than once. Faults beside those of change: Invalid (revisionId), NotFound (REVISION_NOT_FOUND), Precondition (the state
// that it is in), Conflict (REVISION_CHANGED).
func (a *Admin) move(ctx context.Context, action, from string, req interface {
	GetRevisionId() string
	GetVersion() int32
}, change func(tx pgx.Tx, q *contentdb.Queries, row revision) (revision, error)) (*contentv1.Revision, error) {
	id, err := uid.Parse("revisionId", req.GetRevisionId())
	if err != nil {
		return nil, err
	}
	var after revision
	err = postgres.InTx(ctx, a.Pool, func(tx pgx.Tx) error {
		q := contentdb.New(tx)
		before, err := lockedRevision(ctx, q, id)
		if err != nil {
			return err
		}
		if before.State != from {
			return wrongState(before.State)
		}
		if before.Version != req.GetVersion() {
			return errRevisionChanged
		}
		if after, err = change(tx, q, before); err != nil {
			return err
		}
		return a.record(ctx, tx, action, &before, after)
	})
	if err != nil {
		return nil, err
	}
	return revisionMessage(after), nil
}

// lockedRevision reads a revision with its item locked. Fault: NotFound (REVISION_NOT_FOUND).
func lockedRevision(ctx context.Context, q *contentdb.Queries, id uuid.UUID) (revision, error) {
	row, err := getRevision(ctx, q, id)
	if err != nil {
		return row, err
	}
	if _, err := (item{row.Kind, row.ItemID}).lock(ctx, q); err != nil {
		return row, err
	}
	return getRevision(ctx, q, id) // as whoever held the lock before has left it
}

func getRevision(ctx context.Context, q *contentdb.Queries, id uuid.UUID) (revision, error) {
	row, err := q.GetRevision(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return row, fault.NotFound("there is no revision %s", id).WithReason("REVISION_NOT_FOUND")
	}
	if err != nil {
		return row, fmt.Errorf("get revision: %w", err)
	}
	return row, nil
}

// write stores an open revision as it is now. Fault: Invalid (mediaId).
func write(ctx context.Context, q *contentdb.Queries, r revision, now time.Time) (revision, error) {
	after, err := q.ChangeRevision(ctx, contentdb.ChangeRevisionParams{
		ID: r.ID, State: r.State, Title: r.Title, Description: r.Description, MediaID: r.MediaID, PublishAt: r.PublishAt, Schedule: r.Schedule, JobID: r.JobID,
		AuthorID: r.AuthorID, ReviewerID: r.ReviewerID, PublisherID: r.PublisherID, PublishedAt: r.PublishedAt, UpdatedAt: now,
	})
	if err != nil {
		return after, unknownCode(fmt.Errorf("change revision: %w", err))
	}
	return after, nil
}

// record records what was done to a revision; before is nil for a new one. Records are for ever, so they name no author: who did it is the record's actor.
func (a *Admin) record(ctx context.Context, tx pgx.Tx, action string, before *revision, after revision) error {
	entry := audit.Entry{Action: action, SubjectType: "revision", SubjectID: after.ID.String(), After: recorded(after)}
	if before != nil {
		entry.Before = recorded(*before)
	}
	return a.audit.Record(ctx, tx, entry)
}

func recorded(row revision) *contentv1.Revision {
	row.AuthorID, row.ReviewerID, row.PublisherID = nil, nil, nil
	return revisionMessage(row)
}

func revisionMessage(row revision) *contentv1.Revision {
	return &contentv1.Revision{
		Id: row.ID.String(), Kind: itemKindCodes[row.Kind], ItemId: row.ItemID.String(), Locale: row.Locale, Number: row.Number, State: revisionStates[row.State],
		Title: row.Title, Description: row.Description, MediaId: uid.Text(row.MediaID), PublishAt: timestampOf(row.PublishAt), Version: row.Version,
		AuthorId: uid.Text(row.AuthorID), ReviewerId: uid.Text(row.ReviewerID), PublisherId: uid.Text(row.PublisherID),
		CreatedAt: timestamppb.New(row.CreatedAt), UpdatedAt: timestamppb.New(row.UpdatedAt), PublishedAt: timestampOf(row.PublishedAt),
	}
}

func timestampOf(at *time.Time) *timestamppb.Timestamp {
	if at == nil {
		return nil
	}
	return timestamppb.New(*at)
}
