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
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/locale"
)

// place is where a page of the catalogue ends.
type place struct {
	Position int32     `json:"p"`
	ID       uuid.UUID `json:"i"`
}

// catalogueStart is before every meditation.
var catalogueStart = place{Position: math.MinInt32}

// ListMeditations returns one page of the published catalogue. Faults: Invalid (pageToken).
// The answer is shared with the cache: it must not be changed.
func (s *Service) ListMeditations(ctx context.Context, req *contentv1.ListMeditationsRequest) (*contentv1.ListMeditationsResponse, error) {
	size, language := cursor.PageSize(req.GetPageSize()), locale.Of(req.GetLocale())
	scope := strings.Join([]string{"ListMeditations", language, req.GetCourseId(), req.GetTag()}, "|")
	after := catalogueStart
	if err := s.cursors.Resume(scope, req.GetPageToken(), &after); err != nil {
		return nil, err
	}
	key := scope + "|" + strconv.Itoa(int(size)) + "|" + strconv.Itoa(int(after.Position)) + "|" + after.ID.String()
	res, err := s.pages.Get(ctx, key, func(ctx context.Context) (*contentv1.ListMeditationsResponse, error) {
		return s.page(ctx, scope, contentdb.ListMeditationsParams{
			Locale: language, Tag: req.GetTag(), AfterPosition: after.Position, AfterID: after.ID, PageSize: size + 1,
		}, req.GetCourseId())
	})
	if errors.Is(err, errEmptyPage) {
		return &contentv1.ListMeditationsResponse{}, nil
	}
	return res, err
}

// errEmptyPage keeps pages without a meditation out of the cache: anyone can ask for as many of them as there are made-up filters.
var errEmptyPage = errors.New("content: an empty page")

// page reads one page; params.PageSize is one more than a page holds, to see whether another follows.
func (s *Service) page(ctx context.Context, scope string, params contentdb.ListMeditationsParams, course string) (*contentv1.ListMeditationsResponse, error) {
	if course != "" {
		id, err := uuid.Parse(course)
		if err != nil {
			return nil, fault.Invalid("courseId must be a UUID").WithField("courseId", "must be a UUID")
		}
		params.CourseID = &id
	}
	rows, err := contentdb.New(s.pool).ListMeditations(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("list meditations: %w", err)
	}
	if len(rows) == 0 {
		return nil, errEmptyPage
	}
	res := &contentv1.ListMeditationsResponse{}
	rows, res.NextPageToken, err = cursor.Cut(s.cursors, scope, rows, params.PageSize-1, func(last contentdb.ListMeditationsRow) any {
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
