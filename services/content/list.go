package content

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/locale"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// place is where a page of the catalogue ends.
type place struct {
	Position int32     `json:"p"`
	ID       uuid.UUID `json:"i"`
}

// catalogueStart is before every meditation and course.
var catalogueStart = place{Position: math.MinInt32}

// key names a page in a cache: what it is of, how many it holds at most and where it begins.
func (p place) key(scope string, size int32) string {
	return scope + "|" + strconv.Itoa(int(size)) + "|" + strconv.Itoa(int(p.Position)) + "|" + p.ID.String()
}

// ListMeditations returns one page of the published catalogue. Faults: Invalid (courseId, pageToken).
// The answer is shared with the cache: it must not be changed.
func (s *Service) ListMeditations(ctx context.Context, req *contentv1.ListMeditationsRequest) (*contentv1.ListMeditationsResponse, error) {
	size, language := cursor.PageSize(req.GetPageSize()), locale.Of(req.GetLocale())
	course, err := optionalID("courseId", req.GetCourseId())
	if err != nil {
		return nil, err
	}
	// An id can be written in more than one way; keys hold one of them.
	scope := strings.Join([]string{"ListMeditations", language, uid.Text(course), req.GetTag(), req.GetCategory()}, "|")
	after := catalogueStart
	if err := s.Cursors.Resume(scope, req.GetPageToken(), &after); err != nil {
		return nil, err
	}
	generation, err := s.generation(ctx)
	if err != nil {
		return nil, err
	}
	res, err := s.pages.Get(ctx, generation+after.key(scope, size), func(ctx context.Context) (*contentv1.ListMeditationsResponse, error) {
		return s.page(ctx, scope, contentdb.ListMeditationsParams{
			Locale: language, CourseID: course, Tag: req.GetTag(), Category: req.GetCategory(),
			AfterPosition: after.Position, AfterID: after.ID, PageSize: size + 1,
		})
	})
	if errors.Is(err, errEmptyPage) {
		return &contentv1.ListMeditationsResponse{}, nil
	}
	if err != nil {
		return nil, err
	}
	s.Encodings.Keep(res)
	return res, nil
}

// errEmptyPage keeps pages with nothing on them out of the cache: anyone can ask for as many of them as there are made-up filters.
var errEmptyPage = errors.New("content: an empty page")

// page reads one page; params.PageSize is one more than a page holds, to see whether another follows.
func (s *Service) page(ctx context.Context, scope string, params contentdb.ListMeditationsParams) (*contentv1.ListMeditationsResponse, error) {
	rows, err := contentdb.New(s.Pool).ListMeditations(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("list meditations: %w", err)
	}
	if len(rows) == 0 {
		return nil, errEmptyPage
	}
	res := &contentv1.ListMeditationsResponse{}
	rows, res.NextPageToken, err = cursor.Cut(s.Cursors, scope, rows, params.PageSize-1, func(last contentdb.ListMeditationsRow) any {
		return place{Position: last.ContentLocalisedMeditation.Position, ID: last.ContentLocalisedMeditation.ID}
	})
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		res.Meditations = append(res.Meditations, meditation(row.ContentLocalisedMeditation))
	}
	return res, nil
}
