package content

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/locale"
)

// match is where a page of search results ends: ranks fall, and equal ranks follow the catalogue.
type match struct {
	Rank     float64   `json:"r"`
	Position int32     `json:"p"`
	ID       uuid.UUID `json:"i"`
}

// bestMatch is before every match: no rank is higher.
var bestMatch = match{Rank: math.MaxFloat64}

// SearchMeditations finds published meditations by their words, best first. Faults: Invalid (pageToken).
func (s *Service) SearchMeditations(ctx context.Context, req *contentv1.SearchMeditationsRequest) (*contentv1.SearchMeditationsResponse, error) {
	size, language := cursor.PageSize(req.GetPageSize()), locale.Of(req.GetLocale())
	words := locale.Words(locale.Fold(language, req.GetQuery()))
	scope := strings.Join(append([]string{"SearchMeditations", language}, words...), "|")
	after := bestMatch
	if err := s.Cursors.Resume(scope, req.GetPageToken(), &after); err != nil {
		return nil, err
	}
	res := &contentv1.SearchMeditationsResponse{}
	if len(words) == 0 {
		return res, nil
	}
	params := contentdb.SearchMeditationsParams{
		Locale: language, AfterRank: after.Rank, AfterPosition: after.Position, AfterID: after.ID, PageSize: size + 1,
	}
	ask(&params, req.GetQuery())
	rows, err := contentdb.New(s.Pool).SearchMeditations(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("search meditations: %w", err)
	}
	rows, res.NextPageToken, err = cursor.Cut(s.Cursors, scope, rows, size, func(last contentdb.SearchMeditationsRow) any {
		return match{Rank: last.Rank, Position: last.ContentLocalisedMeditation.Position, ID: last.ContentLocalisedMeditation.ID}
	})
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		res.Meditations = append(res.Meditations, meditation(row.ContentLocalisedMeditation))
	}
	return res, nil
}

// ask puts a query into the search once per language, folded as texts in it are: where a text is missing in the language that was asked for, the
// one that is shown in another is searched.
func ask(params *contentdb.SearchMeditationsParams, query string) {
	for _, language := range locale.All() {
		words := locale.Words(locale.Fold(language, query))
		if len(words) == 0 {
			continue
		}
		last := len(words) - 1
		params.Languages = append(params.Languages, language)
		params.Phrases = append(params.Phrases, strings.Join(words, " "))
		params.Heads = append(params.Heads, strings.Join(words[:last], " "))
		params.Prefixes = append(params.Prefixes, words[last])
	}
}
