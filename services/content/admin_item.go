package content

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

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

// itemPlace is where a page of items ends.
type itemPlace struct {
	Kind     string    `json:"k"`
	Position int32     `json:"p"`
	ID       uuid.UUID `json:"i"`
}

// likePattern makes a pattern of ILIKE of what a text is to hold; empty for none.
func likePattern(text string) string {
	if text == "" {
		return ""
	}
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}

// ListItems returns one page of all items, published or not. Fault: Invalid (pageToken).
func (a *Admin) ListItems(ctx context.Context, req *contentv1.ListItemsRequest) (*contentv1.ListItemsResponse, error) {
	state := ""
	for name, code := range revisionStates {
		if code == req.GetState() {
			state = name
		}
	}
	kind, query, size := itemKinds[req.GetKind()], strings.TrimSpace(req.GetQuery()), cursor.PageSize(req.GetPageSize())
	scope, after := strings.Join([]string{"ListItems", kind, state, query}, "|"), itemPlace{Position: math.MinInt32}
	if err := a.Cursors.Resume(scope, req.GetPageToken(), &after); err != nil {
		return nil, err
	}
	q := contentdb.New(a.Pool)
	rows, err := q.ListItems(ctx, contentdb.ListItemsParams{
		AfterKind: after.Kind, AfterPosition: after.Position, AfterID: after.ID, Kind: kind, State: state, Pattern: likePattern(query), PageSize: size + 1,
	})
	if err != nil {
		return nil, fmt.Errorf("list items: %w", err)
	}
	res := &contentv1.ListItemsResponse{}
	rows, res.NextPageToken, err = cursor.Cut(a.Cursors, scope, rows, size, func(last contentdb.ListItemsRow) any {
		return itemPlace{Kind: last.ContentItem.Kind, Position: last.ContentItem.Position, ID: last.ContentItem.ID}
	})
	if err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, 0, len(rows))
	for _, row := range rows {
		res.Items = append(res.Items, itemMessage(row.ContentItem))
		ids = append(ids, row.ContentItem.ID)
	}
	return res, addTexts(ctx, q, res.GetItems(), ids)
}

// GetItem returns an item with its texts. Faults: Invalid (itemId), NotFound (ITEM_NOT_FOUND).
func (a *Admin) GetItem(ctx context.Context, req *contentv1.GetItemRequest) (*contentv1.GetItemResponse, error) {
	of, err := itemOf(req.GetKind(), req.GetItemId())
	if err != nil {
		return nil, err
	}
	it, err := wholeItem(ctx, contentdb.New(a.Pool), of)
	if err != nil {
		return nil, err
	}
	return &contentv1.GetItemResponse{Item: it}, nil
}

// wholeItem reads an item with its texts. Fault: NotFound (ITEM_NOT_FOUND).
func wholeItem(ctx context.Context, q *contentdb.Queries, of item) (*contentv1.Item, error) {
	it, err := getItem(ctx, q, of)
	if err != nil {
		return nil, err
	}
	return it, addTexts(ctx, q, []*contentv1.Item{it}, []uuid.UUID{of.id})
}

// getItem reads an item without its texts. Fault: NotFound (ITEM_NOT_FOUND).
func getItem(ctx context.Context, q *contentdb.Queries, of item) (*contentv1.Item, error) {
	row, err := q.GetItem(ctx, contentdb.GetItemParams{Kind: of.kind, ID: of.id})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, of.missing()
	}
	if err != nil {
		return nil, fmt.Errorf("get item: %w", err)
	}
	return itemMessage(row.ContentItem), nil
}

// changeItem has an item changed that is in the version that its editor has seen, and records it. It is locked meanwhile.
// Faults beside those of change: NotFound (ITEM_NOT_FOUND), Conflict (ITEM_CHANGED).
func (a *Admin) changeItem(ctx context.Context, of item, version int32, change func(q *contentdb.Queries) error) (it *contentv1.Item, err error) {
	err = postgres.InTx(ctx, a.Pool, func(tx pgx.Tx) error {
		q := contentdb.New(tx)
		current, err := of.lock(ctx, q)
		if err != nil {
			return err
		}
		if current != version {
			return fault.Conflict("somebody else has changed this %s; read it again", of.kind).WithReason("ITEM_CHANGED")
		}
		before, err := getItem(ctx, q, of)
		if err != nil {
			return err
		}
		if err := change(q); err != nil {
			return err
		}
		if it, err = a.recordItem(ctx, tx, "updated", of, before); err != nil {
			return err
		}
		return addTexts(ctx, q, []*contentv1.Item{it}, []uuid.UUID{of.id})
	})
	if err != nil {
		return nil, err
	}
	a.service.catalogueChanged(ctx)
	return it, nil
}

// createItem has an item made, and records it. Readers do not see one without texts, so nothing that is cached changes. Faults: those of create.
func (a *Admin) createItem(ctx context.Context, of item, create func(q *contentdb.Queries) error) (it *contentv1.Item, err error) {
	err = postgres.InTx(ctx, a.Pool, func(tx pgx.Tx) error {
		if err := create(contentdb.New(tx)); err != nil {
			return err
		}
		it, err = a.recordItem(ctx, tx, "created", of, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	return it, nil
}

// recordItem records what was done to an item, and gives it as it is now, without its texts. before is nil for a new one.
func (a *Admin) recordItem(ctx context.Context, tx pgx.Tx, done string, of item, before *contentv1.Item) (*contentv1.Item, error) {
	after, err := getItem(ctx, contentdb.New(tx), of)
	if err != nil {
		return nil, err
	}
	return after, a.audit.Record(ctx, tx, audit.Entry{
		Action: "content." + of.kind + "." + done, SubjectType: of.kind, SubjectID: of.id.String(), Before: before, After: after,
	})
}

// addTexts adds to items how they stand in each language.
func addTexts(ctx context.Context, q *contentdb.Queries, items []*contentv1.Item, ids []uuid.UUID) error {
	if len(items) == 0 {
		return nil
	}
	rows, err := q.ListStandingRevisions(ctx, ids)
	if err != nil {
		return fmt.Errorf("list standing revisions: %w", err)
	}
	byID := make(map[string]*contentv1.Item, len(items))
	for _, it := range items {
		byID[it.GetId()] = it
	}
	for _, row := range rows {
		r, it := revisionMessage(row.ContentRevision), byID[row.ContentRevision.ItemID.String()]
		if n := len(it.GetTexts()); n == 0 || it.GetTexts()[n-1].GetLocale() != r.GetLocale() {
			it.Texts = append(it.Texts, &contentv1.ItemText{Locale: r.GetLocale()})
		}
		text := it.GetTexts()[len(it.GetTexts())-1]
		if row.ContentRevision.State == statePublished {
			text.Published = r
		} else {
			text.Open = r
		}
	}
	return nil
}

func itemMessage(row contentdb.ContentItem) *contentv1.Item {
	it := &contentv1.Item{
		Kind: itemKindCodes[row.Kind], Id: row.ID.String(), Slug: row.Slug, Position: row.Position, Version: row.Version,
		CreatedAt: timestamppb.New(row.CreatedAt), PublishedAt: timestampOf(row.PublishedAt),
	}
	if row.Category != nil {
		it.Category = *row.Category
	}
	if row.Kind == kindMeditation {
		it.Meditation = &contentv1.MeditationFields{
			Level: levels[row.Level], DurationSeconds: row.DurationSeconds, Voice: row.Voice, Tags: row.Tags,
			MediaId: uid.Text(row.MediaID), CourseId: uid.Text(row.CourseID), CoursePosition: row.CoursePosition,
		}
	}
	return it
}
