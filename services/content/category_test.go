package content_test

import (
	"slices"
	"testing"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
)

func TestVocabularies(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	titles := map[string][3]string{"en": {"Sleep", "Body scan", "Bells"}, "ru": {"Сон", "Сканирование тела", "Поющие чаши"}, "sr-Latn": {"San", "Skeniranje tela", "Zvona"}}
	for locale, want := range titles {
		categories, err := r.client.ListCategories(t.Context(), &contentv1.ListCategoriesRequest{Locale: locale})
		if err != nil {
			t.Fatal(err)
		}
		tags, err := r.client.ListTags(t.Context(), &contentv1.ListTagsRequest{Locale: locale})
		if err != nil {
			t.Fatal(err)
		}
		voices, err := r.client.ListVoices(t.Context(), &contentv1.ListVoicesRequest{Locale: locale})
		if err != nil {
			t.Fatal(err)
		}
		if got := categories.GetCategories()[1]; len(categories.GetCategories()) != 8 || got.GetCode() != "sleep" || got.GetTitle() != want[0] {
			t.Errorf("%s: categories %v", locale, categories)
		}
		tag := slices.IndexFunc(tags.GetTags(), func(tag *contentv1.Tag) bool { return tag.GetCode() == "body_scan" })
		if tag < 0 || tags.GetTags()[tag].GetTitle() != want[1] {
			t.Errorf("%s: tags %v", locale, tags)
		}
		if got := voices.GetVoices()[1]; got.GetCode() != "bells" || got.GetTitle() != want[2] {
			t.Errorf("%s: voices %v", locale, voices)
		}
	}
	if _, err := r.client.ListCategories(t.Context(), &contentv1.ListCategoriesRequest{Locale: "<>"}); wrongField(t, err) != "locale" {
		t.Error(err)
	}
	if _, err := r.client.ListTags(t.Context(), &contentv1.ListTagsRequest{Locale: "<>"}); wrongField(t, err) != "locale" {
		t.Error(err)
	}
	if _, err := r.client.ListVoices(t.Context(), &contentv1.ListVoicesRequest{Locale: "<>"}); wrongField(t, err) != "locale" {
		t.Error(err)
	}
}

func TestEveryMeditationHasACategory(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	res, err := r.client.ListCategories(t.Context(), &contentv1.ListCategoriesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	whole := all(t, r, &contentv1.ListMeditationsRequest{PageSize: 100})
	found := 0
	for _, category := range res.GetCategories() {
		in := all(t, r, &contentv1.ListMeditationsRequest{Category: category.GetCode(), PageSize: 5})
		for _, m := range in {
			if m.GetCategory() != category.GetCode() {
				t.Errorf("%q is in %s, not in %s", m.GetTitle(), m.GetCategory(), category.GetCode())
			}
		}
		if len(in) == 0 {
			t.Errorf("the category %s is empty", category.GetCode())
		}
		found += len(in)
	}
	if found != len(whole) {
		t.Errorf("the categories hold %d meditations, the catalogue %d", found, len(whole))
	}
	page, err := r.client.ListMeditations(t.Context(), &contentv1.ListMeditationsRequest{Category: "sleep", PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.client.ListMeditations(t.Context(), &contentv1.ListMeditationsRequest{Category: "calm", PageSize: 1, PageToken: page.GetNextPageToken()})
	if wrongField(t, err) != "pageToken" {
		t.Error(err)
	}
}
