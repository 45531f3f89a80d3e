package content_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
)

func search(t *testing.T, r *rig, locale, query string) []*contentv1.Meditation {
	t.Helper()
	res, err := r.client.SearchMeditations(t.Context(), &contentv1.SearchMeditationsRequest{Query: query, Locale: locale, PageSize: 100})
	if err != nil {
		t.Fatalf("search %q in %s: %v", query, locale, err)
	}
	return res.GetMeditations()
}

func TestEveryTitleFindsItsMeditation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, locale := range []string{"en", "ru", "sr"} {
		for _, m := range all(t, r, &contentv1.ListMeditationsRequest{Locale: locale, PageSize: 100}) {
			if found := ids(search(t, r, locale, m.GetTitle())); !slices.Contains(found, m.GetId()) {
				t.Errorf("%s: %q does not find itself", locale, m.GetTitle())
			}
		}
	}
}

func TestSearchUnderstandsForms(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	same := []struct{ locale, one, other string }{
		{"en", "breath", "Breaths"},
		{"en", "breathing", "BREATHE"},
		{"ru", "дыхание", "дыханием"},
		{"ru", "ещё", "еще"},
		{"sr", "disanje", "дисање"},
		{"sr", "pažnja", "paznja"},
		{"sr", "pažnja", "пажња"},
	}
	for _, tt := range same {
		one, other := ids(search(t, r, tt.locale, tt.one)), ids(search(t, r, tt.locale, tt.other))
		slices.Sort(one)
		slices.Sort(other)
		if !slices.Equal(one, other) {
			t.Errorf("%s: %q finds %d, %q finds %d", tt.locale, tt.one, len(one), tt.other, len(other))
		}
	}
	for locale, query := range map[string]string{"en": "sleep", "ru": "сон", "sr": "san"} {
		if len(search(t, r, locale, query)) == 0 {
			t.Errorf("%s: nothing for %q", locale, query)
		}
	}
}

// What is being typed finds what it will become.
func TestUnfinishedWordFinds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, m := range all(t, r, &contentv1.ListMeditationsRequest{PageSize: 100})[:10] {
		title := m.GetTitle()
		for n := len(title); n > len(title)-3 && n > 3; n-- {
			if found := ids(search(t, r, "en", title[:n])); !slices.Contains(found, m.GetId()) {
				t.Errorf("%q does not find %q", title[:n], title)
			}
		}
	}
}

func TestSearchPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	whole := ids(search(t, r, "en", "breath"))
	if len(whole) < 4 {
		t.Fatalf("only %d matches", len(whole))
	}
	var paged []string
	req := &contentv1.SearchMeditationsRequest{Query: "breath", Locale: "en", PageSize: 3}
	for range 100 {
		res, err := r.client.SearchMeditations(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		paged = append(paged, ids(res.GetMeditations())...)
		if req.PageToken = res.GetNextPageToken(); req.GetPageToken() == "" {
			break
		}
	}
	if !slices.Equal(paged, whole) {
		t.Errorf("pages of three hold %v, one page %v", paged, whole)
	}
}

func TestSearchRefusesBadInput(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, tt := range map[string]struct {
		req   *contentv1.SearchMeditationsRequest
		field string
	}{
		"empty":              {&contentv1.SearchMeditationsRequest{}, "query"},
		"10,000 characters":  {&contentv1.SearchMeditationsRequest{Query: strings.Repeat("a", 10_000)}, "query"},
		"token of no search": {&contentv1.SearchMeditationsRequest{Query: "sleep", PageToken: "x"}, "pageToken"},
	} {
		_, err := r.client.SearchMeditations(t.Context(), tt.req)
		if got := wrongField(t, err); got != tt.field {
			t.Errorf("%s: names %q, want %q", name, got, tt.field)
		}
	}
	page, err := r.client.SearchMeditations(t.Context(), &contentv1.SearchMeditationsRequest{Query: "breath", PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.client.SearchMeditations(t.Context(), &contentv1.SearchMeditationsRequest{Query: "sleep", PageSize: 1, PageToken: page.GetNextPageToken()})
	if wrongField(t, err) != "pageToken" {
		t.Errorf("token of another query: %v", err)
	}
}

// Whatever people type, the search answers: no syntax of the search engine shows through.
func TestSearchNeverFails(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, query := range []string{`'`, `"`, `a & | b`, `!!!`, `:*`, `a:*`, `-`, `or`, `"or"`, `\`, `%`, "a\x00b", `a' OR '1'='1`, "😀", "ё", "a\u0301", strings.Repeat("a ", 99)} {
		search(t, r, "en", query)
		search(t, r, "sr", query)
	}
	rapid.Check(t, func(rt *rapid.T) {
		query := rapid.StringN(1, 50, 200).Draw(rt, "query")
		locale := rapid.SampledFrom([]string{"en", "ru", "sr"}).Draw(rt, "locale")
		if _, err := r.client.SearchMeditations(t.Context(), &contentv1.SearchMeditationsRequest{Query: query, Locale: locale}); err != nil {
			rt.Fatalf("%q in %s: %v", query, locale, err)
		}
	})
}
