package content

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// codeFields are the fields of requests by the constraint that an unknown code or id in them violates.
var codeFields = map[string]string{
	"meditations_voice_fkey":     "voice",
	"meditations_category_fkey":  "category",
	"meditations_media_id_fkey":  "mediaId",
	"meditations_course_id_fkey": "courseId",
	"courses_category_fkey":      "category",
	"revisions_media_id_fkey":    "mediaId",
}

// unknownCode makes of an error that says that a code or an id is of nothing the fault Invalid that names the field, and of one that says that a slug
// is taken the fault Exists (SLUG_TAKEN).
func unknownCode(err error) error {
	constraint := postgres.Constraint(err)
	if field, ok := codeFields[constraint]; ok {
		return invalidCode(field)
	}
	if constraint == "meditations_slug_key" || constraint == "courses_slug_key" {
		return fault.Exists("there is one with this slug").WithReason("SLUG_TAKEN").WithField("slug", "must be one that is not taken")
	}
	return err
}

func invalidCode(field string) error {
	return fault.Invalid("%s is of nothing that there is", field).WithField(field, "must be one that there is")
}

// meditationFields is what the requests that write a meditation have in common.
type meditationFields interface {
	GetPosition() int32
	GetCategory() string
	GetLevel() contentv1.Level
	GetDurationSeconds() int32
	GetVoice() string
	GetTags() []string
	GetMediaId() string
	GetCourseId() string
	GetCoursePosition() int32
}

// meditationParams reads them. Faults: Invalid (mediaId, courseId).
func meditationParams(id uuid.UUID, req meditationFields) (contentdb.UpdateMeditationParams, error) {
	params := contentdb.UpdateMeditationParams{
		ID: id, Position: req.GetPosition(), Category: optionalCode(req.GetCategory()), DurationSeconds: req.GetDurationSeconds(), Voice: req.GetVoice(),
		Tags: slices.Sorted(slices.Values(req.GetTags())), CoursePosition: req.GetCoursePosition(),
	}
	if params.Tags == nil {
		params.Tags = []string{}
	}
	for name, level := range levels {
		if level == req.GetLevel() {
			params.Level = name
		}
	}
	media, err := uid.Parse("mediaId", req.GetMediaId())
	if err != nil {
		return params, err
	}
	params.MediaID = &media
	params.CourseID, err = optionalID("courseId", req.GetCourseId())
	return params, err
}

func optionalCode(code string) *string {
	if code == "" {
		return nil
	}
	return &code
}

// CreateMeditation makes a meditation without texts. Faults: Invalid (codes and ids of nothing), Exists (SLUG_TAKEN).
func (a *Admin) CreateMeditation(ctx context.Context, req *contentv1.CreateMeditationRequest) (*contentv1.CreateMeditationResponse, error) {
	id, err := uid.New()
	if err != nil {
		return nil, err
	}
	p, err := meditationParams(id, req)
	if err != nil {
		return nil, err
	}
	it, err := a.createItem(ctx, item{kindMeditation, id}, func(q *contentdb.Queries) error {
		if err := requireTags(ctx, q, req.GetTags()); err != nil {
			return err
		}
		err := q.InsertMeditation(ctx, contentdb.InsertMeditationParams{
			ID: id, Slug: req.GetSlug(), Position: p.Position, Category: p.Category, Level: p.Level, DurationSeconds: p.DurationSeconds, Voice: p.Voice,
			Tags: p.Tags, MediaID: p.MediaID, CourseID: p.CourseID, CoursePosition: p.CoursePosition, CreatedAt: a.now(),
		})
		if err != nil {
			return unknownCode(fmt.Errorf("insert meditation: %w", err))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &contentv1.CreateMeditationResponse{Item: it}, nil
}

// UpdateMeditation replaces what is the same in every language.
// Faults: Invalid (itemId, codes and ids of nothing), NotFound (ITEM_NOT_FOUND), Conflict (ITEM_CHANGED).
func (a *Admin) UpdateMeditation(ctx context.Context, req *contentv1.UpdateMeditationRequest) (*contentv1.UpdateMeditationResponse, error) {
	id, err := uid.Parse("itemId", req.GetItemId())
	if err != nil {
		return nil, err
	}
	params, err := meditationParams(id, req)
	if err != nil {
		return nil, err
	}
	it, err := a.changeItem(ctx, item{kindMeditation, id}, req.GetVersion(), func(q *contentdb.Queries) error {
		if err := requireTags(ctx, q, req.GetTags()); err != nil {
			return err
		}
		if params.CourseID != nil { // as the lock of the meditation has held the one before
			if _, err := q.HoldCourses(ctx, []uuid.UUID{*params.CourseID}); err != nil {
				return fmt.Errorf("hold course: %w", err)
			}
		}
		if err := q.UpdateMeditation(ctx, params); err != nil {
			return unknownCode(fmt.Errorf("update meditation: %w", err))
		}
		return refreshMeditation(ctx, q, id)
	})
	if err != nil {
		return nil, err
	}
	return &contentv1.UpdateMeditationResponse{Item: it}, nil
}

// requireTags makes sure that there are such tags. Fault: Invalid, naming the first that there is not.
func requireTags(ctx context.Context, q *contentdb.Queries, tags []string) error {
	known, err := q.ListKnownTags(ctx, tags)
	if err != nil {
		return fmt.Errorf("list known tags: %w", err)
	}
	for i, tag := range tags {
		if !slices.Contains(known, tag) {
			return invalidCode(fmt.Sprintf("tags[%d]", i))
		}
	}
	return nil
}
