package content

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/locale"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// ListCourses returns one page of the published courses, with what the caller has finished of each. Faults: Invalid (pageToken).
// The answer may be shared with the cache: it must not be changed.
func (s *Service) ListCourses(ctx context.Context, req *contentv1.ListCoursesRequest) (*contentv1.ListCoursesResponse, error) {
	size, language := cursor.PageSize(req.GetPageSize()), locale.Of(req.GetLocale())
	scope := strings.Join([]string{"ListCourses", language, req.GetCategory()}, "|")
	after := catalogueStart
	if err := s.Cursors.Resume(scope, req.GetPageToken(), &after); err != nil {
		return nil, err
	}
	generation, err := s.generation(ctx)
	if err != nil {
		return nil, err
	}
	res, err := s.coursePages.Get(ctx, generation+after.key(scope, size), func(ctx context.Context) (*contentv1.ListCoursesResponse, error) {
		return s.coursePage(ctx, scope, contentdb.ListCoursesParams{
			Locale: language, Category: req.GetCategory(), AfterPosition: after.Position, AfterID: after.ID, PageSize: size + 1,
		})
	})
	if errors.Is(err, errEmptyPage) {
		return &contentv1.ListCoursesResponse{}, nil
	}
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(res.GetCourses()))
	for _, c := range res.GetCourses() {
		ids = append(ids, c.GetId())
	}
	practised := s.practised(ctx, ids, 0)
	if practised == nil {
		s.Encodings.Keep(res)
		return res, nil
	}
	mine := proto.CloneOf(res)
	for _, c := range mine.GetCourses() {
		c.Progress = progress(c.GetMeditationIds(), practised.course(c.GetId()))
	}
	return mine, nil
}

// coursePage reads one page; params.PageSize is one more than a page holds, to see whether another follows.
func (s *Service) coursePage(ctx context.Context, scope string, params contentdb.ListCoursesParams) (*contentv1.ListCoursesResponse, error) {
	rows, err := contentdb.New(s.Pool).ListCourses(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("list courses: %w", err)
	}
	if len(rows) == 0 {
		return nil, errEmptyPage
	}
	res := &contentv1.ListCoursesResponse{}
	rows, res.NextPageToken, err = cursor.Cut(s.Cursors, scope, rows, params.PageSize-1, func(last contentdb.ListCoursesRow) any {
		return place{Position: last.ContentLocalisedCourse.Position, ID: last.ContentLocalisedCourse.ID}
	})
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		c := course(row.ContentLocalisedCourse)
		c.TotalSeconds, c.MeditationCount = row.TotalSeconds, int32(len(row.MeditationIds)) //nolint:gosec // far fewer
		for _, id := range row.MeditationIds {
			c.MeditationIds = append(c.MeditationIds, id.String())
		}
		res.Courses = append(res.Courses, c)
	}
	return res, nil
}

// GetCourse returns one published course with its published meditations, and what the caller has finished of it. Faults: NotFound.
// The answer may be shared with the cache: it must not be changed.
func (s *Service) GetCourse(ctx context.Context, req *contentv1.GetCourseRequest) (*contentv1.GetCourseResponse, error) {
	id, err := uid.Parse("id", req.GetId())
	if err != nil {
		return nil, err
	}
	res, err := s.getCourse(ctx, id, locale.Of(req.GetLocale()))
	if err != nil {
		return nil, err
	}
	practised := s.practised(ctx, []string{id.String()}, 0)
	if practised == nil {
		s.Encodings.Keep(res)
		return res, nil
	}
	mine := proto.CloneOf(res)
	mine.Course.Progress = progress(mine.GetCourse().GetMeditationIds(), practised.course(id.String()))
	return mine, nil
}

// getCourse gives a course as everybody sees it, from the cache. Faults: NotFound (COURSE_NOT_FOUND).
func (s *Service) getCourse(ctx context.Context, id uuid.UUID, language string) (*contentv1.GetCourseResponse, error) {
	generation, err := s.generation(ctx)
	if err != nil {
		return nil, err
	}
	return s.courses.Get(ctx, generation+id.String()+"|"+language, func(ctx context.Context) (*contentv1.GetCourseResponse, error) {
		q := contentdb.New(s.Pool)
		row, err := q.GetCourse(ctx, contentdb.GetCourseParams{ID: id, Locale: language})
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, fault.NotFound("there is no course %s", id).WithReason("COURSE_NOT_FOUND")
		}
		if err != nil {
			return nil, fmt.Errorf("get course: %w", err)
		}
		rows, err := q.ListCourseMeditations(ctx, contentdb.ListCourseMeditationsParams{CourseID: id, Locale: language})
		if err != nil {
			return nil, fmt.Errorf("list meditations of a course: %w", err)
		}
		res := &contentv1.GetCourseResponse{Course: course(row.ContentLocalisedCourse)}
		c := res.GetCourse()
		for _, row := range rows {
			m := meditation(row.ContentLocalisedMeditation)
			res.Meditations = append(res.Meditations, m)
			c.MeditationIds = append(c.MeditationIds, m.GetId())
			c.MeditationCount++
			c.TotalSeconds += m.GetDurationSeconds()
		}
		return res, nil
	})
}

// course is the row as the contract shows it, without its meditations.
func course(row contentdb.ContentLocalisedCourse) *contentv1.Course {
	c := &contentv1.Course{Id: row.ID.String(), Title: row.Title, Description: row.Description, Locale: row.Locale}
	if row.Category != nil {
		c.Category = *row.Category
	}
	return c
}
