package content

import (
	"context"
	"fmt"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// CreateCourse makes a course without texts. Faults: Invalid (category), Exists (SLUG_TAKEN).
func (a *Admin) CreateCourse(ctx context.Context, req *contentv1.CreateCourseRequest) (*contentv1.CreateCourseResponse, error) {
	id, err := uid.New()
	if err != nil {
		return nil, err
	}
	it, err := a.createItem(ctx, item{kindCourse, id}, func(q *contentdb.Queries) error {
		err := q.InsertCourse(ctx, contentdb.InsertCourseParams{
			ID: id, Slug: req.GetSlug(), Position: req.GetPosition(), Category: optionalCode(req.GetCategory()), CreatedAt: a.now(),
		})
		if err != nil {
			return unknownCode(fmt.Errorf("insert course: %w", err))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &contentv1.CreateCourseResponse{Item: it}, nil
}

// UpdateCourse replaces what is the same in every language. Faults: Invalid (itemId, category), NotFound (ITEM_NOT_FOUND), Conflict (ITEM_CHANGED).
func (a *Admin) UpdateCourse(ctx context.Context, req *contentv1.UpdateCourseRequest) (*contentv1.UpdateCourseResponse, error) {
	id, err := uid.Parse("itemId", req.GetItemId())
	if err != nil {
		return nil, err
	}
	it, err := a.changeItem(ctx, item{kindCourse, id}, req.GetVersion(), func(q *contentdb.Queries) error {
		err := q.UpdateCourse(ctx, contentdb.UpdateCourseParams{ID: id, Position: req.GetPosition(), Category: optionalCode(req.GetCategory())})
		if err != nil {
			return unknownCode(fmt.Errorf("update course: %w", err))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &contentv1.UpdateCourseResponse{Item: it}, nil
}
