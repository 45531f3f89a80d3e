package content

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1/contentv1connect"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/queue"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// Admin is mindspace.content.v1.ContentAdminService, and publishes what is due.
type Admin struct {
	Options
	service *Service
	queue   *queue.Client
	audit   *audit.Log
}

var _ contentv1connect.ContentAdminServiceHandler = (*Admin)(nil)

// NewAdmin returns the service beside the one that readers use; jobs takes the jobs of schedules, and need not run any.
func NewAdmin(s *Service, jobs *queue.Client, log *audit.Log) *Admin {
	return &Admin{Options: s.Options, service: s, queue: jobs, audit: log}
}

// The kinds of items; content.revisions has the same list.
const (
	kindMeditation = "meditation"
	kindCourse     = "course"
)

// item names a meditation or a course.
type item struct {
	kind string
	id   uuid.UUID
}

var itemKinds = map[contentv1.ItemKind]string{
	contentv1.ItemKind_ITEM_KIND_MEDITATION: kindMeditation,
	contentv1.ItemKind_ITEM_KIND_COURSE:     kindCourse,
}

var itemKindCodes = map[string]contentv1.ItemKind{
	kindMeditation: contentv1.ItemKind_ITEM_KIND_MEDITATION,
	kindCourse:     contentv1.ItemKind_ITEM_KIND_COURSE,
}

// itemOf reads the item that a request names. Fault: Invalid (itemId).
func itemOf(kind contentv1.ItemKind, id string) (item, error) {
	parsed, err := uid.Parse("itemId", id)
	return item{kind: itemKinds[kind], id: parsed}, err
}

func (i item) missing() error {
	return fault.NotFound("there is no %s %s", i.kind, i.id).WithReason("ITEM_NOT_FOUND")
}

// lock makes those who change an item or its texts take turns, and keeps the title of a meditation's course as it is meanwhile: the course's editors
// write it into the same words. It gives the item's version. Fault: NotFound (ITEM_NOT_FOUND).
func (i item) lock(ctx context.Context, q *contentdb.Queries) (version int32, err error) {
	switch i.kind {
	case kindMeditation:
		var row contentdb.LockMeditationRow
		if row, err = q.LockMeditation(ctx, i.id); err == nil && row.CourseID != nil {
			_, err = q.HoldCourses(ctx, []uuid.UUID{*row.CourseID})
		}
		version = row.Version
	default:
		var row contentdb.LockCourseRow
		row, err = q.LockCourse(ctx, i.id)
		version = row.Version
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, i.missing()
	}
	if err != nil {
		return 0, fmt.Errorf("lock %s: %w", i.kind, err)
	}
	return version, nil
}

// optionalID reads an id that may be left out, by the field's path. Fault: Invalid, naming the field.
func optionalID(field, text string) (*uuid.UUID, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // none is an answer
	}
	id, err := uid.Parse(field, text)
	return &id, err
}

// caller is the member of staff who calls.
func caller(ctx context.Context) *uuid.UUID {
	id := person(ctx)
	return &id
}
