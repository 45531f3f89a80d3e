package content

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
)

// othersWait is how long an answer waits for another domain that it can do without.
const othersWait = 2 * time.Second

// practised is what the meditation domain tells of the caller.
type practised struct {
	*meditationv1.GetProgressResponse
}

// practised asks what the caller has finished of courses, 100 at most, and which meditations they have practised last. It is nil when nobody is
// signed in, and when it cannot be told at the moment: the catalogue is there all the same.
func (s *Service) practised(ctx context.Context, courses []string, recent int32) *practised {
	if s.Practice == nil || person(ctx) == uuid.Nil {
		return nil
	}
	asking, cancel := context.WithTimeout(ctx, othersWait)
	defer cancel()
	res, err := s.Practice.GetProgress(asking, &meditationv1.GetProgressRequest{CourseIds: courses, Recent: recent})
	if err != nil {
		if ctx.Err() == nil {
			s.Logger.WarnContext(ctx, "what was practised cannot be told", "error", err)
		}
		return nil
	}
	return &practised{res}
}

// course is what was practised of a course; nil for nothing.
func (p *practised) course(id string) *meditationv1.CourseProgress {
	for _, c := range p.GetCourses() {
		if c.GetCourseId() == id {
			return c
		}
	}
	return nil
}

// progress is how far somebody is with a course of these published meditations, in its order.
func progress(meditations []string, of *meditationv1.CourseProgress) *contentv1.CourseProgress {
	p := &contentv1.CourseProgress{TotalCount: int32(len(meditations)), CompletedAt: of.GetCompletedAt(), LastPracticedAt: of.GetLastPracticedAt()} //nolint:gosec // far fewer
	for _, id := range meditations {
		switch {
		case slices.Contains(of.GetFinishedMeditationIds(), id):
			p.FinishedMeditationIds = append(p.FinishedMeditationIds, id)
			p.FinishedCount++
		case p.NextMeditationId == "":
			p.NextMeditationId = id
		}
	}
	return p
}
