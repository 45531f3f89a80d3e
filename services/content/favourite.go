package content

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/locale"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// SetFavourite makes a published meditation a favourite of the caller, or takes one off. Faults: NotFound (MEDITATION_NOT_FOUND).
func (s *Service) SetFavourite(ctx context.Context, req *contentv1.SetFavouriteRequest) (*contentv1.SetFavouriteResponse, error) {
	id, err := uid.Parse("meditationId", req.GetMeditationId())
	if err != nil {
		return nil, err
	}
	q, me := contentdb.New(s.Pool), person(ctx)
	if !req.GetFavourite() {
		if err := q.RemoveFavourite(ctx, contentdb.RemoveFavouriteParams{UserID: me, MeditationID: id}); err != nil {
			return nil, fmt.Errorf("remove favourite: %w", err)
		}
		return &contentv1.SetFavouriteResponse{}, nil
	}
	found, err := q.AddFavourite(ctx, contentdb.AddFavouriteParams{UserID: me, MeditationID: id, CreatedAt: s.now()})
	if err != nil {
		return nil, fmt.Errorf("add favourite: %w", err)
	}
	if found == 0 {
		return nil, noMeditation(id)
	}
	return &contentv1.SetFavouriteResponse{}, nil
}

// liked is where a page of favourites ends: they get older, and those of one moment follow their ids.
type liked struct {
	At time.Time `json:"a"`
	ID uuid.UUID `json:"i"`
}

// newestFavourite is before every favourite.
var newestFavourite = liked{At: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}

// ListFavourites returns one page of the caller's favourites, newest first. Faults: Invalid (pageToken).
func (s *Service) ListFavourites(ctx context.Context, req *contentv1.ListFavouritesRequest) (*contentv1.ListFavouritesResponse, error) {
	size, language, me := cursor.PageSize(req.GetPageSize()), locale.Of(req.GetLocale()), person(ctx)
	scope, after := "ListFavourites|"+me.String(), newestFavourite
	if err := s.Cursors.Resume(scope, req.GetPageToken(), &after); err != nil {
		return nil, err
	}
	rows, err := contentdb.New(s.Pool).ListFavourites(ctx, contentdb.ListFavouritesParams{
		UserID: me, Locale: language, Before: after.At, AfterID: after.ID, PageSize: size + 1,
	})
	if err != nil {
		return nil, fmt.Errorf("list favourites: %w", err)
	}
	res := &contentv1.ListFavouritesResponse{}
	rows, res.NextPageToken, err = cursor.Cut(s.Cursors, scope, rows, size, func(last contentdb.ListFavouritesRow) any {
		return liked{At: last.FavouriteSince, ID: last.ContentLocalisedMeditation.ID}
	})
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		res.Meditations = append(res.Meditations, meditation(row.ContentLocalisedMeditation))
	}
	return res, nil
}
