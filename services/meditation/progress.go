package meditation

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/meditationdb"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// recentSessions are those among which the meditations that were practised last are looked for.
const recentSessions = 100

// GetProgress tells what the caller has finished of courses, and which meditations they practised last. Fault: Invalid (courseIds).
func (p *Practice) GetProgress(ctx context.Context, req *meditationv1.GetProgressRequest) (*meditationv1.GetProgressResponse, error) {
	me, q := identity.CallerFrom(ctx).UserID, meditationdb.New(p.service.Pool)
	courses := make([]uuid.UUID, 0, len(req.GetCourseIds()))
	for i, text := range req.GetCourseIds() {
		id, err := uid.Parse(fmt.Sprintf("courseIds[%d]", i), text)
		if err != nil {
			return nil, err
		}
		courses = append(courses, id)
	}
	res := &meditationv1.GetProgressResponse{}
	var err error
	if len(courses) > 0 {
		if res.Courses, err = progressOf(ctx, q, me, courses); err != nil {
			return nil, err
		}
	}
	if req.GetRecent() > 0 {
		res.Recent, err = recentOf(ctx, q, me, req.GetRecent())
	}
	return res, err
}

// progressOf is what a person has finished of courses; of one that they have not practised it has nothing. A course that was completed stays so,
// also when its sessions were deleted.
func progressOf(ctx context.Context, q *meditationdb.Queries, person uuid.UUID, courses []uuid.UUID) ([]*meditationv1.CourseProgress, error) {
	practised, err := q.ListCourseProgress(ctx, meditationdb.ListCourseProgressParams{UserID: person, CourseIds: courses})
	if err != nil {
		return nil, fmt.Errorf("list course progress: %w", err)
	}
	completed, err := q.ListCourseCompletions(ctx, meditationdb.ListCourseCompletionsParams{UserID: person, CourseIds: courses})
	if err != nil {
		return nil, fmt.Errorf("list course completions: %w", err)
	}
	var all []*meditationv1.CourseProgress
	byCourse := map[uuid.UUID]*meditationv1.CourseProgress{}
	of := func(course uuid.UUID) *meditationv1.CourseProgress {
		if byCourse[course] == nil {
			byCourse[course] = &meditationv1.CourseProgress{CourseId: course.String()}
			all = append(all, byCourse[course])
		}
		return byCourse[course]
	}
	for _, row := range practised {
		m := of(*row.CourseID)
		m.LastPracticedAt = timestamppb.New(row.LastStartedAt)
		for _, id := range row.Finished {
			m.FinishedMeditationIds = append(m.FinishedMeditationIds, id.String())
		}
	}
	for _, row := range completed {
		of(row.CourseID).CompletedAt = timestamppb.New(row.CompletedAt)
	}
	return all, nil
}

// recentOf are the meditations that a person practised last.
func recentOf(ctx context.Context, q *meditationdb.Queries, person uuid.UUID, most int32) ([]*meditationv1.Practiced, error) {
	rows, err := q.ListRecent(ctx, meditationdb.ListRecentParams{UserID: person, Sessions: recentSessions, Meditations: most})
	if err != nil {
		return nil, fmt.Errorf("list recent meditations: %w", err)
	}
	recent := make([]*meditationv1.Practiced, 0, len(rows))
	for _, row := range rows {
		recent = append(recent, &meditationv1.Practiced{MeditationId: row.MeditationID.String(), LastStartedAt: timestamppb.New(row.LastStartedAt)})
	}
	return recent, nil
}
