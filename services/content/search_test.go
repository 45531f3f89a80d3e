package content_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/services/content"
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

// A meditation is found by the text in which it is shown, in whatever script the query comes, and not by one that nobody sees.
func TestSearchFollowsFallback(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	some := all(t, r, &contentv1.ListMeditationsRequest{PageSize: 3, Locale: "ru"})
	inRussian, inSerbian, everywhere := some[0].GetId(), some[1].GetId(), some[2].GetId()
	for id, texts := range map[string]map[string]string{
		inRussian:  {"ru": "Ёжики под снегом"},
		inSerbian:  {"sr": "Đurđevak ispod njive"},
		everywhere: {"en": "Quokka", "ru": "Квокка", "sr": "Kvoka"},
	} {
		r.exec(t, "DELETE FROM content.meditation_texts WHERE meditation_id = $1", id)
		for locale, title := range texts {
			content.WriteText(t, r.pool, id, locale, title)
		}
	}
	for _, tt := range []struct {
		locale, query, id string
		found             bool
	}{
		{"en", "ежики", inRussian, true}, {"sr", "Ёжик", inRussian, true}, {"ru", "ежиками", inRussian, true}, {"de", "снег", inRussian, true},
		{"en", "đurđevak", inSerbian, true}, {"ru", "ђурђевак", inSerbian, true}, {"sr", "djurdjevak", inSerbian, true}, {"en", "Ђурђев", inSerbian, true},
		{"ru", "њиве", inSerbian, true}, {"en", "njive", inSerbian, true},
		{"en", "quokka", everywhere, true}, {"en", "квокка", everywhere, false}, {"ru", "quokka", everywhere, false}, {"sr", "quokka", everywhere, false},
		{"sr", "квока", everywhere, true},
	} {
		found := ids(search(t, r, tt.locale, tt.query))
		if slices.Contains(found, tt.id) != tt.found {
			t.Errorf("%q in %s finds it: %t, want %t", tt.query, tt.locale, !tt.found, tt.found)
		}
	}
}

// Texts are taken apart as queries are, whatever stands between the words.
func TestSearchSplitsTextsAsQueries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	some := ids(all(t, r, &contentv1.ListMeditationsRequest{PageSize: 3}))
	for n, tt := range []struct {
		locale, title string
		queries       []string
	}{
		{"en", "4-7-8 quokka/wombat", []string{"4-7-8", "7-8", "wombat", "quokka/wombat", "quokka", "8 quokka"}},
		{"ru", "Квокка/вомбат по-новому, 2.0", []string{"вомбат", "квокка/вомбат", "новому", "по-новому", "2.0"}},
		{"sr", "Kvoka/vombat@šuma.rs", []string{"kvoka/vombat", "вомбат", "šuma", "suma.rs", "vombat@"}},
	} {
		content.WriteText(t, r.pool, some[n], tt.locale, tt.title)
		for _, query := range tt.queries {
			if found := ids(search(t, r, tt.locale, query)); !slices.Contains(found, some[n]) {
				t.Errorf("%q does not find %q", query, tt.title)
			}
		}
	}
}

// Titles of course, category and tags find what they hold.
func TestSearchFindsByKeywords(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for locale, queries := range map[string][]string{
		"en": {"Body and movement", "Longer sittings", "Visualisation", "Good Night"},
		"ru": {"Тело и движение", "Долгие практики", "Визуализация", "Доброй ночи"},
		"sr": {"Тело и покрет", "Duže vežbe", "Визуализација", "Laku noć"},
	} {
		for n, want := range []func(*contentv1.Meditation) bool{
			func(m *contentv1.Meditation) bool { return m.GetCategory() == "movement" },
			func(m *contentv1.Meditation) bool { return m.GetCategory() == "depth" },
			func(m *contentv1.Meditation) bool { return slices.Contains(m.GetTags(), "visualisation") },
			func(m *contentv1.Meditation) bool { return m.GetCoursePosition() > 0 && m.GetCategory() == "sleep" },
		} {
			found := ids(search(t, r, locale, queries[n]))
			for _, m := range all(t, r, &contentv1.ListMeditationsRequest{PageSize: 100, Locale: locale}) {
				if want(m) && !slices.Contains(found, m.GetId()) {
					t.Errorf("%s: %q does not find %q", locale, queries[n], m.GetTitle())
				}
			}
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
