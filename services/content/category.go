package content

import (
	"context"
	"fmt"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/platform/locale"
)

// vocabulary is the words by which the catalogue is sorted, in one language.
type vocabulary struct {
	categories *contentv1.ListCategoriesResponse
	tags       *contentv1.ListTagsResponse
	voices     *contentv1.ListVoicesResponse
}

// ListCategories returns the categories, in their order. The answer is shared with the cache: it must not be changed.
func (s *Service) ListCategories(ctx context.Context, req *contentv1.ListCategoriesRequest) (*contentv1.ListCategoriesResponse, error) {
	v, err := s.vocabulary(ctx, locale.Of(req.GetLocale()))
	if err != nil {
		return nil, err
	}
	return v.categories, nil
}

// ListTags returns the tags, by code. The answer is shared with the cache: it must not be changed.
func (s *Service) ListTags(ctx context.Context, req *contentv1.ListTagsRequest) (*contentv1.ListTagsResponse, error) {
	v, err := s.vocabulary(ctx, locale.Of(req.GetLocale()))
	if err != nil {
		return nil, err
	}
	return v.tags, nil
}

// ListVoices returns the voices, by code. The answer is shared with the cache: it must not be changed.
func (s *Service) ListVoices(ctx context.Context, req *contentv1.ListVoicesRequest) (*contentv1.ListVoicesResponse, error) {
	v, err := s.vocabulary(ctx, locale.Of(req.GetLocale()))
	if err != nil {
		return nil, err
	}
	return v.voices, nil
}

func (s *Service) vocabulary(ctx context.Context, language string) (*vocabulary, error) {
	return s.vocabularies.Get(ctx, language, func(ctx context.Context) (*vocabulary, error) {
		v := &vocabulary{categories: &contentv1.ListCategoriesResponse{}, tags: &contentv1.ListTagsResponse{}, voices: &contentv1.ListVoicesResponse{}}
		q := contentdb.New(s.Pool)
		categories, err := q.ListCategories(ctx)
		if err != nil {
			return nil, fmt.Errorf("list categories: %w", err)
		}
		for _, c := range categories {
			v.categories.Categories = append(v.categories.Categories, &contentv1.Category{Code: c.Code, Title: titleIn(language, c.TitleEn, c.TitleRu, c.TitleSr)})
		}
		tags, err := q.ListTags(ctx)
		if err != nil {
			return nil, fmt.Errorf("list tags: %w", err)
		}
		for _, t := range tags {
			v.tags.Tags = append(v.tags.Tags, &contentv1.Tag{Code: t.Code, Title: titleIn(language, t.TitleEn, t.TitleRu, t.TitleSr)})
		}
		voices, err := q.ListVoices(ctx)
		if err != nil {
			return nil, fmt.Errorf("list voices: %w", err)
		}
		for _, x := range voices {
			v.voices.Voices = append(v.voices.Voices, &contentv1.Voice{Code: x.Code, Title: titleIn(language, x.TitleEn, x.TitleRu, x.TitleSr)})
		}
		return v, nil
	})
}

// titleIn picks the title in a language.
func titleIn(language, english, russian, serbian string) string {
	switch language {
	case locale.Russian:
		return russian
	case locale.Serbian:
		return serbian
	default:
		return english
	}
}
