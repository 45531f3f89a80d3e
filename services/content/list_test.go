package content_test

import (
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
)

// all pages through the catalogue.
func all(t *testing.T, r *rig, req *contentv1.ListMeditationsRequest) []*contentv1.Meditation {
	t.Helper()
	var found []*contentv1.Meditation
	for range 1000 {
		res, err := r.client.ListMeditations(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, res.GetMeditations()...)
		if res.GetNextPageToken() == "" {
			return found
		}
		if len(res.GetMeditations()) == 0 {
			t.Fatal("an empty page is not the last one")
		}
		req.PageToken = res.GetNextPageToken()
	}
	t.Fatal("the pages do not end")
	return nil
}

func ids(meditations []*contentv1.Meditation) []string {
	list := make([]string, 0, len(meditations))
	for _, m := range meditations {
		list = append(list, m.GetId())
	}
	return list
}

func TestListPagesHoldEachMeditationOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	whole := all(t, r, &contentv1.ListMeditationsRequest{PageSize: 100})
	if len(whole) < 40 {
		t.Fatalf("%d meditations, want at least 40", len(whole))
	}
	courses := map[string]bool{}
	for _, m := range whole {
		courses[m.GetCourseId()] = true
	}
	delete(courses, "")
	if len(courses) != 6 {
		t.Errorf("%d courses, want 6", len(courses))
	}
	for _, size := range []int32{0, 1, 7, 41} {
		if got := ids(all(t, r, &contentv1.ListMeditationsRequest{PageSize: size})); !slices.Equal(got, ids(whole)) {
			t.Errorf("pages of %d hold %d meditations in another order or number than one page", size, len(got))
		}
	}
}

func TestEachMeditationIsThereInEachLanguage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	script := map[string]string{"en": "abcdefghijklmnopqrstuvwxyz", "ru": "абвгдежзиклмнопрстуфхцчшщыэюя", "sr": "abcčćddžđefghijklljmnnjoprsštuvzž"}
	for locale, letters := range script {
		for _, m := range all(t, r, &contentv1.ListMeditationsRequest{Locale: locale, PageSize: 50}) {
			if m.GetLocale() != locale || m.GetTitle() == "" || m.GetLevel() == contentv1.Level_LEVEL_UNSPECIFIED || len(m.GetTags()) == 0 || m.GetVoice() == "" {
				t.Errorf("%s: incomplete: %v", locale, m)
			}
			if !strings.ContainsAny(strings.ToLower(m.GetDescription()), letters) {
				t.Errorf("%s: in another script: %q", locale, m.GetDescription())
			}
			if (m.GetCourseId() == "") != (m.GetCourseTitle() == "") {
				t.Errorf("%s: course %q has the title %q", locale, m.GetCourseId(), m.GetCourseTitle())
			}
		}
	}
}

func TestLocaleFallsBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for asked, want := range map[string]string{"": "en", "de": "en", "sr-Latn": "sr", "sr_RS": "sr", "RU": "ru"} {
		res, err := r.client.ListMeditations(t.Context(), &contentv1.ListMeditationsRequest{Locale: asked, PageSize: 1})
		if err != nil || res.GetMeditations()[0].GetLocale() != want {
			t.Errorf("locale %q: got %v, %v; want %s", asked, res.GetMeditations(), err, want)
		}
	}
	// A text that is missing in Russian comes in English, and says so.
	id := ids(all(t, r, &contentv1.ListMeditationsRequest{PageSize: 1}))[0]
	if _, err := r.pool.Exec(t.Context(), "DELETE FROM content.meditation_texts WHERE meditation_id = $1 AND locale = 'ru'", id); err != nil {
		t.Fatal(err)
	}
	res, err := r.client.GetMeditation(t.Context(), &contentv1.GetMeditationRequest{Id: id, Locale: "ru"})
	if err != nil || res.GetMeditation().GetLocale() != "en" || res.GetMeditation().GetTitle() == "" {
		t.Errorf("got %v, %v; want the English text", res, err)
	}
	if found := ids(search(t, r, "ru", res.GetMeditation().GetTitle())); !slices.Contains(found, id) {
		t.Error("its English title does not find it")
	}
}

func TestListFilters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := all(t, r, &contentv1.ListMeditationsRequest{PageSize: 100})[0]
	inCourse := all(t, r, &contentv1.ListMeditationsRequest{CourseId: first.GetCourseId(), PageSize: 2})
	for n, m := range inCourse {
		if m.GetCourseId() != first.GetCourseId() || m.GetCoursePosition() != int32(n+1) {
			t.Errorf("place %d holds %v", n+1, m)
		}
	}
	if len(inCourse) < 5 {
		t.Errorf("the course has %d meditations", len(inCourse))
	}
	page, err := r.client.ListMeditations(t.Context(), &contentv1.ListMeditationsRequest{CourseId: first.GetCourseId(), PageSize: 2})
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.client.ListMeditations(t.Context(), &contentv1.ListMeditationsRequest{CourseId: strings.ToUpper(first.GetCourseId()), PageSize: 2, PageToken: page.GetNextPageToken()})
	if err != nil || !slices.Equal(ids(again.GetMeditations()), ids(inCourse[2:4])) {
		t.Errorf("the same course in other letters: %v, %v", again, err)
	}
	tagged := all(t, r, &contentv1.ListMeditationsRequest{Tag: "sleep", PageSize: 3})
	for _, m := range tagged {
		if !slices.Contains(m.GetTags(), "sleep") {
			t.Errorf("%q is not tagged sleep", m.GetTitle())
		}
	}
	if len(tagged) == 0 || len(tagged) > 40 {
		t.Errorf("%d meditations are tagged sleep", len(tagged))
	}
	if none := all(t, r, &contentv1.ListMeditationsRequest{Tag: "no_such_tag"}); len(none) != 0 {
		t.Errorf("an unknown tag finds %d meditations", len(none))
	}
}

func TestListRefusesBadInput(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	page, err := r.client.ListMeditations(t.Context(), &contentv1.ListMeditationsRequest{PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	search, err := r.client.SearchMeditations(t.Context(), &contentv1.SearchMeditationsRequest{Query: "breath", PageSize: 1})
	if err != nil || search.GetNextPageToken() == "" {
		t.Fatalf("%v, %v", search, err)
	}
	for name, tt := range map[string]struct {
		req   *contentv1.ListMeditationsRequest
		field string
	}{
		"negative size":            {&contentv1.ListMeditationsRequest{PageSize: -1}, "pageSize"},
		"size above the limit":     {&contentv1.ListMeditationsRequest{PageSize: 101}, "pageSize"},
		"token that is no token":   {&contentv1.ListMeditationsRequest{PageToken: "abc"}, "pageToken"},
		"token too long":           {&contentv1.ListMeditationsRequest{PageToken: strings.Repeat("a", 513)}, "pageToken"},
		"token with a changed bit": {&contentv1.ListMeditationsRequest{PageToken: flip(page.GetNextPageToken())}, "pageToken"},
		"token of another locale":  {&contentv1.ListMeditationsRequest{PageToken: page.GetNextPageToken(), Locale: "ru"}, "pageToken"},
		"token of another filter":  {&contentv1.ListMeditationsRequest{PageToken: page.GetNextPageToken(), Tag: "sleep"}, "pageToken"},
		"token of another method":  {&contentv1.ListMeditationsRequest{PageToken: search.GetNextPageToken()}, "pageToken"},
		"locale that is no tag":    {&contentv1.ListMeditationsRequest{Locale: "e'; DROP"}, "locale"},
		"course that is no id":     {&contentv1.ListMeditationsRequest{CourseId: "1"}, "courseId"},
		"tag that is no code":      {&contentv1.ListMeditationsRequest{Tag: "Sleep!"}, "tag"},
	} {
		_, err := r.client.ListMeditations(t.Context(), tt.req)
		if got := wrongField(t, err); got != tt.field {
			t.Errorf("%s: names %q, want %q", name, got, tt.field)
		}
	}
	if _, err := r.client.ListMeditations(t.Context(), &contentv1.ListMeditationsRequest{PageToken: page.GetNextPageToken(), PageSize: 50}); err != nil {
		t.Errorf("another page size may go on from the same place: %v", err)
	}
}

func flip(token string) string {
	b := []byte(token)
	if b[5] != 'A' {
		b[5] = 'A'
	} else {
		b[5] = 'B'
	}
	return string(b)
}

func TestGetMeditation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	want := all(t, r, &contentv1.ListMeditationsRequest{Locale: "sr", PageSize: 1})[0]
	res, err := r.client.GetMeditation(t.Context(), &contentv1.GetMeditationRequest{Id: want.GetId(), Locale: "sr"})
	if err != nil || res.GetMeditation().String() != want.String() {
		t.Errorf("got %v, %v; want %v", res, err, want)
	}
	if _, err := r.client.GetMeditation(t.Context(), &contentv1.GetMeditationRequest{Id: uuid.NewString()}); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("unknown id: %v, want not_found", err)
	}
	for _, id := range []string{"", "1", "'; --", strings.Repeat("f", 10_000)} {
		_, err := r.client.GetMeditation(t.Context(), &contentv1.GetMeditationRequest{Id: id})
		if wrongField(t, err) != "id" {
			t.Errorf("id %.20q: %v", id, err)
		}
	}
	if _, err := r.pool.Exec(t.Context(), "UPDATE content.meditations SET published_at = NULL WHERE id = $1", want.GetId()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.client.GetMeditation(t.Context(), &contentv1.GetMeditationRequest{Id: want.GetId()}); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("unpublished: %v, want not_found", err)
	}
}
