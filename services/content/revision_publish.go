package content

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// PublishRevision publishes a revision in review now, and archives the one that was published in that language before. Faults: those of move.
func (a *Admin) PublishRevision(ctx context.Context, req *contentv1.PublishRevisionRequest) (*contentv1.PublishRevisionResponse, error) {
	after, err := a.move(ctx, "content.revision.published", stateInReview, req, func(tx pgx.Tx, q *contentdb.Queries, row revision) (revision, error) {
		row.ReviewerID, row.PublisherID = caller(ctx), caller(ctx)
		return a.publish(ctx, tx, q, row)
	})
	if err != nil {
		return nil, err
	}
	a.service.catalogueChanged(ctx)
	return &contentv1.PublishRevisionResponse{Revision: after}, nil
}

// publish makes an open revision what readers get in its language, and archives the one before, which is recorded. The item is locked.
func (a *Admin) publish(ctx context.Context, tx pgx.Tx, q *contentdb.Queries, row revision) (revision, error) {
	now := a.now()
	switch before, err := q.GetPublishedRevision(ctx, contentdb.GetPublishedRevisionParams{Kind: row.Kind, ItemID: row.ItemID, Locale: row.Locale}); {
	case err == nil:
		replaced, err := archive(ctx, q, before, now)
		if err != nil {
			return row, err
		}
		if err := a.record(ctx, tx, "content.revision.replaced", &before, replaced); err != nil {
			return row, err
		}
	case !errors.Is(err, pgx.ErrNoRows):
		return row, fmt.Errorf("get published revision: %w", err)
	}
	row.State, row.PublishedAt, row.PublishAt, row.JobID = statePublished, &now, nil, nil
	after, err := write(ctx, q, row, now)
	if err != nil {
		return after, err
	}
	return after, show(ctx, q, after, now)
}

// ArchiveText takes the published text of a language away from readers. Faults: those of move.
func (a *Admin) ArchiveText(ctx context.Context, req *contentv1.ArchiveTextRequest) (*contentv1.ArchiveTextResponse, error) {
	after, err := a.move(ctx, "content.text.archived", statePublished, req, func(_ pgx.Tx, q *contentdb.Queries, row revision) (revision, error) {
		archived, err := archive(ctx, q, row, a.now())
		if err != nil {
			return row, err
		}
		return archived, hide(ctx, q, archived, a.now())
	})
	if err != nil {
		return nil, err
	}
	a.service.catalogueChanged(ctx)
	return &contentv1.ArchiveTextResponse{Revision: after}, nil
}

// archive archives the published revision.
func archive(ctx context.Context, q *contentdb.Queries, row revision, now time.Time) (revision, error) {
	archived, err := q.ArchiveRevision(ctx, contentdb.ArchiveRevisionParams{Kind: row.Kind, ItemID: row.ItemID, Locale: row.Locale, Now: now})
	if err != nil {
		return archived, fmt.Errorf("archive revision: %w", err)
	}
	return archived, nil
}

// publishSeed makes a text of the seed what readers get in a language, as a revision of its own unless the published one says the same. It writes where
// nothing was written yet, and replaces what a seed has published; a language in which an editor has published, or has archived what was, is theirs.
// The item is locked.
func publishSeed(ctx context.Context, q *contentdb.Queries, of item, language, title, description string, now time.Time) error {
	before, err := q.GetPublishedRevision(ctx, contentdb.GetPublishedRevisionParams{Kind: of.kind, ItemID: of.id, Locale: language})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		written, err := q.HasRevision(ctx, contentdb.HasRevisionParams{Kind: of.kind, ItemID: of.id, Locale: language})
		if err != nil {
			return fmt.Errorf("look for a revision: %w", err)
		}
		if written {
			return nil
		}
	case err != nil:
		return fmt.Errorf("get published revision: %w", err)
	case !before.Seeded || before.Title == title && before.Description == description:
		return show(ctx, q, before, now) // what it is found by may have changed
	default:
		if _, err := archive(ctx, q, before, now); err != nil {
			return err
		}
	}
	id, err := uid.New()
	if err != nil {
		return err
	}
	row, err := q.InsertRevision(ctx, contentdb.InsertRevisionParams{
		ID: id, Kind: of.kind, ItemID: of.id, Locale: language, State: statePublished, Title: title, Description: description, Seeded: true,
		Now: now, PublishedAt: &now,
	})
	if err != nil {
		return fmt.Errorf("insert revision: %w", err)
	}
	return show(ctx, q, row, now)
}
