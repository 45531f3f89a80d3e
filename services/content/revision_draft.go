package content

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// SaveDraft writes the draft of an item in a language, and makes one where none is open.
// Faults: Invalid (itemId, mediaId), NotFound (ITEM_NOT_FOUND), Precondition (the state of the open revision), Conflict (REVISION_CHANGED).
func (a *Admin) SaveDraft(ctx context.Context, req *contentv1.SaveDraftRequest) (*contentv1.SaveDraftResponse, error) {
	of, err := itemOf(req.GetKind(), req.GetItemId())
	if err != nil {
		return nil, err
	}
	media, err := optionalID("mediaId", req.GetMediaId())
	if err != nil {
		return nil, err
	}
	text := revision{
		Kind: of.kind, ItemID: of.id, Locale: req.GetLocale(), Title: req.GetTitle(), Description: req.GetDescription(), MediaID: media,
		AuthorID: caller(ctx), Version: req.GetVersion(),
	}
	var after revision
	err = postgres.InTx(ctx, a.Pool, func(tx pgx.Tx) error {
		q := contentdb.New(tx)
		if _, err := of.lock(ctx, q); err != nil {
			return err
		}
		before, err := openRevision(ctx, q, of, req.GetLocale())
		if err != nil {
			return err
		}
		if after, err = a.save(ctx, q, before, text); err != nil {
			return err
		}
		return a.record(ctx, tx, "content.revision.saved", before, after)
	})
	if err != nil {
		return nil, err
	}
	return &contentv1.SaveDraftResponse{Revision: revisionMessage(after)}, nil
}

// save writes a text into the open revision, which has to be a draft in the text's version; nil for none, then the version is 0.
func (a *Admin) save(ctx context.Context, q *contentdb.Queries, open *revision, text revision) (revision, error) {
	switch {
	case open == nil && text.Version != 0:
		return text, errRevisionChanged
	case open == nil:
		return a.insertDraft(ctx, q, text)
	case open.State != stateDraft:
		return text, wrongState(open.State)
	case open.Version != text.Version:
		return text, errRevisionChanged
	}
	draft := *open
	draft.Title, draft.Description, draft.MediaID, draft.AuthorID = text.Title, text.Description, text.MediaID, text.AuthorID
	return write(ctx, q, draft, a.now())
}

// openRevision is the open revision of an item in a language; nil for none.
func openRevision(ctx context.Context, q *contentdb.Queries, of item, language string) (*revision, error) {
	row, err := q.GetOpenRevision(ctx, contentdb.GetOpenRevisionParams{Kind: of.kind, ItemID: of.id, Locale: language})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // none is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("get open revision: %w", err)
	}
	return &row, nil
}

// insertDraft makes a draft of a text. Fault: Invalid (mediaId).
func (a *Admin) insertDraft(ctx context.Context, q *contentdb.Queries, text revision) (revision, error) {
	id, err := uid.New()
	if err != nil {
		return text, err
	}
	row, err := q.InsertRevision(ctx, contentdb.InsertRevisionParams{
		ID: id, Kind: text.Kind, ItemID: text.ItemID, Locale: text.Locale, State: stateDraft, Title: text.Title, Description: text.Description,
		MediaID: text.MediaID, AuthorID: text.AuthorID, Now: a.now(),
	})
	if err != nil {
		return row, unknownCode(fmt.Errorf("insert revision: %w", err))
	}
	return row, nil
}

// DiscardDraft archives a draft. Faults: those of move.
func (a *Admin) DiscardDraft(ctx context.Context, req *contentv1.DiscardDraftRequest) (*contentv1.DiscardDraftResponse, error) {
	after, err := a.move(ctx, "content.revision.discarded", stateDraft, req, func(_ pgx.Tx, q *contentdb.Queries, row revision) (revision, error) {
		row.State = stateArchived
		return write(ctx, q, row, a.now())
	})
	if err != nil {
		return nil, err
	}
	return &contentv1.DiscardDraftResponse{Revision: after}, nil
}

// SubmitForReview hands a draft over to be reviewed. Faults: those of move.
func (a *Admin) SubmitForReview(ctx context.Context, req *contentv1.SubmitForReviewRequest) (*contentv1.SubmitForReviewResponse, error) {
	after, err := a.move(ctx, "content.revision.submitted", stateDraft, req, func(_ pgx.Tx, q *contentdb.Queries, row revision) (revision, error) {
		row.State = stateInReview
		return write(ctx, q, row, a.now())
	})
	if err != nil {
		return nil, err
	}
	return &contentv1.SubmitForReviewResponse{Revision: after}, nil
}

// ReturnToDraft gives a revision in review back. Faults: those of move.
func (a *Admin) ReturnToDraft(ctx context.Context, req *contentv1.ReturnToDraftRequest) (*contentv1.ReturnToDraftResponse, error) {
	after, err := a.move(ctx, "content.revision.returned", stateInReview, req, func(_ pgx.Tx, q *contentdb.Queries, row revision) (revision, error) {
		row.State, row.ReviewerID = stateDraft, caller(ctx)
		return write(ctx, q, row, a.now())
	})
	if err != nil {
		return nil, err
	}
	return &contentv1.ReturnToDraftResponse{Revision: after}, nil
}

// RestoreRevision copies an archived revision into a new draft.
// Faults: Invalid (revisionId), NotFound (REVISION_NOT_FOUND), Precondition (the state that it is in, REVISION_OPEN).
func (a *Admin) RestoreRevision(ctx context.Context, req *contentv1.RestoreRevisionRequest) (*contentv1.RestoreRevisionResponse, error) {
	id, err := uid.Parse("revisionId", req.GetRevisionId())
	if err != nil {
		return nil, err
	}
	var after revision
	err = postgres.InTx(ctx, a.Pool, func(tx pgx.Tx) error {
		q := contentdb.New(tx)
		old, err := lockedRevision(ctx, q, id)
		if err != nil {
			return err
		}
		if old.State != stateArchived {
			return wrongState(old.State)
		}
		open, err := openRevision(ctx, q, item{old.Kind, old.ItemID}, old.Locale)
		if err != nil {
			return err
		}
		if open != nil {
			return fault.Precondition("revision %d is open in this language", open.Number).WithReason("REVISION_OPEN")
		}
		text := old
		text.AuthorID = caller(ctx)
		if after, err = a.insertDraft(ctx, q, text); err != nil {
			return err
		}
		return a.recordRestored(ctx, tx, old, after)
	})
	if err != nil {
		return nil, err
	}
	return &contentv1.RestoreRevisionResponse{Revision: revisionMessage(after)}, nil
}

// recordRestored records a draft, which is new, and of which revision it is a copy.
func (a *Admin) recordRestored(ctx context.Context, tx pgx.Tx, from, draft revision) error {
	encoded, err := protojson.Marshal(recorded(draft))
	if err != nil {
		return fmt.Errorf("encode revision: %w", err)
	}
	return a.audit.Record(ctx, tx, audit.Entry{
		Action: "content.revision.restored", SubjectType: "revision", SubjectID: draft.ID.String(),
		After: map[string]any{"restoredFromId": from.ID, "revision": json.RawMessage(encoded)},
	})
}
