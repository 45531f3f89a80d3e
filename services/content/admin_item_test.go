package content_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
)

// found are the titles that readers find.
func (d *desk) found(language, query string) []string {
	d.t.Helper()
	res, err := d.readers.SearchMeditations(d.t.Context(), &contentv1.SearchMeditationsRequest{Locale: language, Query: query})
	if err != nil {
		d.t.Fatal(err)
	}
	return titles(res.GetMeditations())
}

// listed are the titles that readers see in the catalogue.
func (d *desk) listed(language string) []string {
	d.t.Helper()
	res, err := d.readers.ListMeditations(d.t.Context(), &contentv1.ListMeditationsRequest{Locale: language, PageSize: 100})
	if err != nil {
		d.t.Fatal(err)
	}
	return titles(res.GetMeditations())
}

func titles(meditations []*contentv1.Meditation) []string {
	all := []string{}
	for _, m := range meditations {
		all = append(all, m.GetTitle())
	}
	return all
}

func (d *desk) same(what string, got []string, want ...string) {
	d.t.Helper()
	if !slices.Equal(got, want) {
		d.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestMeditationIsMade(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	course := d.course("nights")
	it := d.meditation("rest", course.GetId())
	m := it.GetMeditation()
	if it.GetKind() != aMeditation || it.GetSlug() != "rest" || it.GetPosition() != 10 || it.GetCategory() != "night" || it.GetVersion() != 1 || it.GetPublishedAt() != nil ||
		!it.GetCreatedAt().AsTime().Equal(d.Clock.Now()) || len(it.GetTexts()) != 0 || m.GetLevel() != contentv1.Level_LEVEL_BEGINNER || m.GetDurationSeconds() != 600 ||
		m.GetVoice() != "bells" || !slices.Equal(m.GetTags(), []string{"sleep"}) || m.GetMediaId() != d.mediaIDs[0] || m.GetCourseId() != course.GetId() || m.GetCoursePosition() != 1 {
		t.Errorf("made: %v", it)
	}
	d.same("without a text", d.listed("en"))
	_, err := d.edits.CreateMeditation(t.Context(), d.newMeditation("rest", ""))
	d.refused("a slug twice", err, connect.CodeAlreadyExists, "slug")
	_, err = d.edits.CreateCourse(t.Context(), &contentv1.CreateCourseRequest{Slug: "nights"})
	d.refused("a slug of a course twice", err, connect.CodeAlreadyExists, "slug")
}

// Whatever is wrong is named, in both methods that write a meditation.
func TestBadMeditation(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	made := d.meditation("rest", "")
	for name, test := range map[string]struct {
		field  string
		change func(*contentv1.CreateMeditationRequest)
	}{
		"level":               {"level", func(r *contentv1.CreateMeditationRequest) { r.Level = 0 }},
		"unknown level":       {"level", func(r *contentv1.CreateMeditationRequest) { r.Level = 9 }},
		"no time":             {"durationSeconds", func(r *contentv1.CreateMeditationRequest) { r.DurationSeconds = 0 }},
		"30 hours":            {"durationSeconds", func(r *contentv1.CreateMeditationRequest) { r.DurationSeconds = 108000 }},
		"no voice":            {"voice", func(r *contentv1.CreateMeditationRequest) { r.Voice = "" }},
		"unknown voice":       {"voice", func(r *contentv1.CreateMeditationRequest) { r.Voice = "thunder" }},
		"unknown category":    {"category", func(r *contentv1.CreateMeditationRequest) { r.Category = "thunder" }},
		"unknown tag":         {"tags[1]", func(r *contentv1.CreateMeditationRequest) { r.Tags = []string{"sleep", "thunder"} }},
		"a tag twice":         {"tags", func(r *contentv1.CreateMeditationRequest) { r.Tags = []string{"sleep", "sleep"} }},
		"no sound":            {"mediaId", func(r *contentv1.CreateMeditationRequest) { r.MediaId = "" }},
		"unknown sound":       {"mediaId", func(r *contentv1.CreateMeditationRequest) { r.MediaId = uuid.NewString() }},
		"no id of a course":   {"courseId", func(r *contentv1.CreateMeditationRequest) { r.CourseId, r.CoursePosition = "x", 1 }},
		"unknown course":      {"courseId", func(r *contentv1.CreateMeditationRequest) { r.CourseId, r.CoursePosition = uuid.NewString(), 1 }},
		"a place in none":     {"coursePosition", func(r *contentv1.CreateMeditationRequest) { r.CoursePosition = 1 }},
		"no place in one":     {"coursePosition", func(r *contentv1.CreateMeditationRequest) { r.CourseId = uuid.NewString() }},
		"a negative position": {"position", func(r *contentv1.CreateMeditationRequest) { r.Position = -1 }},
		"a slug with blanks":  {"slug", func(r *contentv1.CreateMeditationRequest) { r.Slug = "a b" }},
		"a long slug":         {"slug", func(r *contentv1.CreateMeditationRequest) { r.Slug = strings.Repeat("a", 81) }},
	} {
		req := d.newMeditation("other", "")
		test.change(req)
		_, err := d.edits.CreateMeditation(t.Context(), req)
		d.refused(name, err, connect.CodeInvalidArgument, test.field)
		if test.field == "slug" {
			continue
		}
		_, err = d.edits.UpdateMeditation(t.Context(), &contentv1.UpdateMeditationRequest{
			ItemId: made.GetId(), Version: 1, Position: req.GetPosition(), Category: req.GetCategory(), Level: req.GetLevel(), DurationSeconds: req.GetDurationSeconds(),
			Voice: req.GetVoice(), Tags: req.GetTags(), MediaId: req.GetMediaId(), CourseId: req.GetCourseId(), CoursePosition: req.GetCoursePosition(),
		})
		d.refused(name+", changed", err, connect.CodeInvalidArgument, test.field)
	}
	_, err := d.edits.CreateCourse(t.Context(), &contentv1.CreateCourseRequest{Slug: "c", Category: "thunder"})
	d.refused("a course of no category", err, connect.CodeInvalidArgument, "category")
	_, err = d.edits.UpdateCourse(t.Context(), &contentv1.UpdateCourseRequest{ItemId: d.course("c").GetId(), Version: 1, Category: "thunder"})
	d.refused("a course into no category", err, connect.CodeInvalidArgument, "category")
	_, err = d.edits.UpdateCourse(t.Context(), &contentv1.UpdateCourseRequest{ItemId: made.GetId(), Version: 1})
	d.refused("a meditation as a course", err, connect.CodeNotFound, "ITEM_NOT_FOUND")
}

// What is not localised is live at once, and with it what the meditation is found by; its texts stay as they are.
func TestMeditationIsChanged(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	course := d.course("nights")
	d.publish(course, "en", "Quiet nights")
	it := d.meditation("rest", "")
	d.publish(it, "en", "Rest")
	d.same("the old tag", d.found("en", "sleep"), "Rest")
	req := d.sameMeditation(it.GetId())
	req.Tags, req.CourseId, req.CoursePosition, req.Voice, req.Category = []string{"focus"}, course.GetId(), 3, "rain", ""
	res, err := d.edits.UpdateMeditation(t.Context(), req)
	if err != nil || res.GetItem().GetVersion() != 2 || res.GetItem().GetTexts()[0].GetPublished().GetVersion() != 3 {
		t.Fatalf("changed: %v, %v", res, err)
	}
	d.same("the old tag", d.found("en", "sleep"))
	d.same("the new tag", d.found("en", "focus"), "Rest")
	d.same("the title of its course", d.found("en", "quiet"), "Rest")
	got, err := d.readers.GetMeditation(t.Context(), &contentv1.GetMeditationRequest{Id: it.GetId()})
	if m := got.GetMeditation(); err != nil || m.GetVoice() != "rain" || m.GetCourseTitle() != "Quiet nights" || m.GetCoursePosition() != 3 {
		t.Errorf("readers get %v, %v", m, err)
	}
	_, err = d.edits.UpdateMeditation(t.Context(), req)
	d.refused("an old version", err, connect.CodeAborted, "ITEM_CHANGED")
	if _, err := d.edits.UpdateCourse(t.Context(), &contentv1.UpdateCourseRequest{ItemId: course.GetId(), Version: 1, Position: 5}); err != nil {
		t.Fatal(err)
	}
	if c := d.item(course); c.GetPosition() != 5 || c.GetCategory() != "" || c.GetVersion() != 2 || c.GetMeditation() != nil {
		t.Errorf("the course: %v", c)
	}
	_, err = d.edits.UpdateCourse(t.Context(), &contentv1.UpdateCourseRequest{ItemId: course.GetId(), Version: 1, Position: 5})
	d.refused("an old version of a course", err, connect.CodeAborted, "ITEM_CHANGED")
}

func TestItemsAreListed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var all []string
	for i := range 2 {
		all = append(all, d.course(fmt.Sprintf("course-%d", i)).GetId())
	}
	rest, walk, bare := d.meditation("rest", ""), d.meditation("walk", ""), d.meditation("bare", "")
	all = append(all, rest.GetId(), walk.GetId(), bare.GetId())
	d.publish(rest, "en", "Rest 100%")
	d.publish(rest, "ru", "Отдых")
	d.draft(rest, "en", "Rest well")
	d.submit(d.draft(walk, "sr", "Šetnja"))
	list := func(req *contentv1.ListItemsRequest) (ids []string) {
		t.Helper()
		for {
			res, err := d.edits.ListItems(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			for _, it := range res.GetItems() {
				ids = append(ids, it.GetId())
			}
			if req.PageToken = res.GetNextPageToken(); req.GetPageToken() == "" {
				return ids
			}
		}
	}
	d.same("all", list(&contentv1.ListItemsRequest{}), all...)
	d.same("two a page", list(&contentv1.ListItemsRequest{PageSize: 2}), all...)
	d.same("courses", list(&contentv1.ListItemsRequest{Kind: aCourse, PageSize: 1}), all[:2]...)
	d.same("meditations", list(&contentv1.ListItemsRequest{Kind: aMeditation}), all[2:]...)
	d.same("in review", list(&contentv1.ListItemsRequest{State: contentv1.RevisionState_REVISION_STATE_IN_REVIEW}), walk.GetId())
	d.same("published", list(&contentv1.ListItemsRequest{State: contentv1.RevisionState_REVISION_STATE_PUBLISHED}), rest.GetId())
	d.same("scheduled", list(&contentv1.ListItemsRequest{State: contentv1.RevisionState_REVISION_STATE_SCHEDULED}))
	d.same("by title", list(&contentv1.ListItemsRequest{Query: " ОТДЫХ"}), rest.GetId())
	d.same("by title of a draft", list(&contentv1.ListItemsRequest{Query: "WELL"}), rest.GetId())
	d.same("by that, among what is published", list(&contentv1.ListItemsRequest{Query: "well", State: contentv1.RevisionState_REVISION_STATE_PUBLISHED}))
	d.same("by slug", list(&contentv1.ListItemsRequest{Query: "bar"}), bare.GetId())
	d.same("a percent sign is one", list(&contentv1.ListItemsRequest{Query: "%"}), rest.GetId())
	res, err := d.edits.ListItems(t.Context(), &contentv1.ListItemsRequest{Query: "rest"})
	if err != nil || len(res.GetItems()) != 1 || len(res.GetItems()[0].GetTexts()) != 2 {
		t.Fatalf("texts: %v, %v", res, err)
	}
	en, ru := res.GetItems()[0].GetTexts()[0], res.GetItems()[0].GetTexts()[1]
	if en.GetLocale() != "en" || en.GetPublished().GetNumber() != 1 || en.GetOpen().GetNumber() != 2 || en.GetOpen().GetTitle() != "Rest well" ||
		ru.GetLocale() != "ru" || ru.GetPublished().GetTitle() != "Отдых" || ru.GetOpen() != nil {
		t.Errorf("texts: %v, %v", en, ru)
	}
	first, err := d.edits.ListItems(t.Context(), &contentv1.ListItemsRequest{PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	for field, req := range map[string]*contentv1.ListItemsRequest{
		"pageToken": {PageSize: 1, Kind: aCourse, PageToken: first.GetNextPageToken()},
		"pageSize":  {PageSize: -1},
		"kind":      {Kind: 9},
		"state":     {State: 9},
		"query":     {Query: strings.Repeat("a", 201)},
	} {
		_, err := d.edits.ListItems(t.Context(), req)
		d.refused(field, err, connect.CodeInvalidArgument, field)
	}
	_, err = d.edits.ListItems(t.Context(), &contentv1.ListItemsRequest{Query: "a\x00b"})
	d.refused("a control character", err, connect.CodeInvalidArgument, "query")
}

// An item that nobody sees yet changes nothing of what is cached; a text that is published does.
func TestWhatClearsTheCaches(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.publish(d.meditation("rest", ""), "en", "Rest")
	d.same("published", d.listed("en"), "Rest")
	d.exec("UPDATE content.meditation_texts SET title = 'By hand'")
	d.course("nights")
	it := d.meditation("walk", "")
	d.draft(it, "ru", "Прогулка")
	d.same("made", d.listed("en"), "Rest")
	d.publish(it, "en", "Walk")
	d.same("published again", d.listed("en"), "By hand", "Walk")
}

func TestMediaIsListed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var ids []string
	for token, pages := "", 0; pages == 0 || token != ""; pages++ {
		res, err := d.edits.ListMedia(t.Context(), &contentv1.ListMediaRequest{PageSize: 2, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range res.GetMedia() {
			ids = append(ids, m.GetId())
			if m.GetContentType() != "audio/flac" || m.GetSizeBytes() != 1000 || m.GetDurationSeconds() != 60 || !m.GetLoops() || m.GetBlobKey() == "" || m.GetCreatedAt() == nil {
				t.Errorf("a sound: %v", m)
			}
		}
		token = res.GetNextPageToken()
	}
	d.same("newest first", ids, d.mediaIDs[2], d.mediaIDs[1], d.mediaIDs[0])
	_, err := d.edits.ListMedia(t.Context(), &contentv1.ListMediaRequest{PageToken: "x"})
	d.refused("a token of nothing", err, connect.CodeInvalidArgument, "pageToken")
}
