package content_test

import (
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
)

// archive takes the published text of a language away.
func (d *desk) archive(it *contentv1.Item, language string) {
	d.t.Helper()
	for _, text := range d.item(it).GetTexts() {
		if r := text.GetPublished(); text.GetLocale() == language && r != nil {
			if _, err := d.edits.ArchiveText(d.t.Context(), &contentv1.ArchiveTextRequest{RevisionId: r.GetId(), Version: r.GetVersion()}); err != nil {
				d.t.Fatal(err)
			}
			return
		}
	}
	d.t.Fatalf("nothing is published in %s", language)
}

// texts are the live rows of an item, as the database has them.
func (d *desk) texts(it *contentv1.Item, language string) (row string) {
	d.t.Helper()
	err := d.Pool.QueryRow(d.t.Context(), "SELECT coalesce(string_agg(t::text, ''), '') FROM content.meditation_texts t WHERE t.meditation_id = $1 AND t.locale = $2", it.GetId(), language).Scan(&row)
	if err != nil {
		d.t.Fatal(err)
	}
	return row
}

// Publishing one language leaves text, search and listing of the others as they were.
func TestPublishingOneLanguageLeavesTheOthers(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	it := d.meditation("rest", "")
	d.publish(it, "en", "Rest")
	d.publish(it, "ru", "Отдых")
	d.publish(it, "sr", "Odmor u tišini")
	ru, sr := d.texts(it, "ru"), d.texts(it, "sr")
	draft := d.draft(it, "sr", "Nacrt")
	d.later(time.Hour)
	r := d.publish(it, "en", "Deep rest")
	if r.GetNumber() != 2 || !r.GetPublishedAt().AsTime().Equal(d.Clock.Now()) || r.GetReviewerId() != d.editor.ID.String() || r.GetPublisherId() != d.editor.ID.String() {
		t.Errorf("published: %v", r)
	}
	if d.texts(it, "ru") != ru || d.texts(it, "sr") != sr || ru == "" || sr == "" {
		t.Errorf("others changed: %s, %s", d.texts(it, "ru"), d.texts(it, "sr"))
	}
	d.same("en", d.listed("en"), "Deep rest")
	d.same("ru", d.listed("ru"), "Отдых")
	d.same("sr", d.listed("sr"), "Odmor u tišini")
	d.same("found in en", d.found("en", "deep"), "Deep rest")
	d.same("found in ru", d.found("ru", "отдых"), "Отдых")
	d.same("found in sr", d.found("sr", "тишини"), "Odmor u tišini")
	d.same("found by a tag in sr", d.found("sr", "san"), "Odmor u tišini")
	d.same("a draft is not found", d.found("sr", "nacrt"))
	if was := d.revision(it, draft.GetId()); was.GetVersion() != 1 || was.GetState() != isDraft {
		t.Errorf("the draft: %v", was)
	}
}

// Without a text in a language readers get the next one: en, ru, sr; without any they get nothing, until one is published again.
func TestArchivingFallsBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	it := d.meditation("rest", "")
	began := d.Clock.Now()
	d.publish(it, "sr", "Odmor")
	d.publish(it, "ru", "Отдых")
	d.publish(it, "en", "Rest")
	d.later(time.Hour)
	if at := d.item(it).GetPublishedAt().AsTime(); !at.Equal(began) {
		t.Errorf("published since %v, want %v", at, began)
	}
	d.archive(it, "sr")
	d.same("sr without sr", d.listed("sr"), "Rest")
	d.archive(it, "en")
	d.same("sr without en", d.listed("sr"), "Отдых")
	d.same("en without en", d.listed("en"), "Отдых")
	d.same("found by what is shown", d.found("en", "отдых"), "Отдых")
	d.same("not found by what is gone", d.found("en", "rest"))
	if d.item(it).GetPublishedAt() == nil {
		t.Error("not published any more, with a text")
	}
	d.archive(it, "ru")
	d.same("without any", d.listed("ru"))
	_, err := d.readers.GetMeditation(t.Context(), &contentv1.GetMeditationRequest{Id: it.GetId()})
	d.refused("without any", err, connect.CodeNotFound, "MEDITATION_NOT_FOUND")
	if whole := d.item(it); whole.GetPublishedAt() != nil || len(whole.GetTexts()) != 0 {
		t.Errorf("without any: %v", whole)
	}
	d.publish(it, "ru", "Отдых снова")
	d.same("again", d.listed("sr"), "Отдых снова")
	if at := d.item(it).GetPublishedAt().AsTime(); !at.Equal(d.Clock.Now()) {
		t.Errorf("published again since %v", at)
	}
}

// The sound of a language comes with its text.
func TestSoundOfALanguage(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	it := d.meditation("rest", "")
	d.publish(it, "en", "Rest")
	saved, err := d.edits.SaveDraft(t.Context(), &savedDraft{Kind: aMeditation, ItemId: it.GetId(), Locale: "ru", Title: "Отдых", Description: "Лягте.", MediaId: d.mediaIDs[2]})
	if err != nil {
		t.Fatal(err)
	}
	r := d.submit(saved.GetRevision())
	if err := revisionCalls["PublishRevision"](t.Context(), d.edits, r.GetId(), r.GetVersion(), time.Time{}); err != nil {
		t.Fatal(err)
	}
	for language, want := range map[string]string{"en": d.mediaIDs[0], "ru": d.mediaIDs[2], "sr": d.mediaIDs[0]} {
		var got string
		if err := d.Pool.QueryRow(t.Context(), "SELECT media_id::text FROM content.localised_meditations WHERE id = $1 AND asked_locale = $2", it.GetId(), language).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %s, want %s (%v)", language, got, want, err)
		}
	}
}

// The title of a course is what its meditations are found by, in the same language only, published or not, and until it is gone.
func TestCourseTitleIsSearched(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	course := d.course("nights")
	it := d.meditation("rest", course.GetId())
	d.publish(it, "en", "Rest")
	d.publish(it, "ru", "Отдых")
	d.same("before", d.found("en", "quiet"))
	d.publish(course, "en", "Quiet nights")
	d.same("after", d.found("en", "quiet"), "Rest")
	d.same("in another language", d.found("ru", "quiet"))
	d.publish(course, "en", "Calm nights")
	d.same("by the old title", d.found("en", "quiet"))
	d.same("by the new title", d.found("en", "calm"), "Rest")
	got, err := d.readers.GetMeditation(t.Context(), &contentv1.GetMeditationRequest{Id: it.GetId()})
	if err != nil || got.GetMeditation().GetCourseTitle() != "Calm nights" {
		t.Errorf("readers get %v, %v", got, err)
	}
	d.publish(course, "ru", "Тихие ночи")
	d.archive(course, "en")
	d.same("by a title that is gone", d.found("en", "calm"))
	if d.item(course).GetPublishedAt() == nil {
		t.Error("the course has a text, and is not published")
	}
	d.archive(course, "ru")
	if d.item(course).GetPublishedAt() != nil {
		t.Error("the course has no text, and is published")
	}
}

// Of two editors who publish the same revision one does.
func TestTwoPublishAtOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	other := d.as(d.Staff("other@example.org", "admin"))
	for range rounds {
		it, r := d.inState(isInReview)
		publish := func(c adminClient) func() error {
			return func() error {
				return revisionCalls["PublishRevision"](t.Context(), c, r.GetId(), r.GetVersion(), time.Time{})
			}
		}
		first, second := race(publish(d.edits), publish(other))
		if wonBy(t, first, second, connect.CodeFailedPrecondition) == 0 {
			d.refused("the second", second, connect.CodeFailedPrecondition, "REVISION_PUBLISHED")
		}
		if after := d.revision(it, r.GetId()); after.GetState() != isPublished || after.GetVersion() != r.GetVersion()+1 {
			t.Fatalf("published: %v", after)
		}
	}
}

// Whoever publishes a course and whoever publishes one of its meditations at the same time leave no old words behind.
func TestCourseAndMeditationAtOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	course := d.course("nights")
	it := d.meditation("rest", course.GetId())
	for i := range rounds {
		word := "word" + strings.Repeat("x", i+1)
		c, m := d.submit(d.draft(course, "en", word)), d.submit(d.draft(it, "en", "Rest"))
		first, second := race(
			func() error {
				return revisionCalls["PublishRevision"](t.Context(), d.edits, c.GetId(), c.GetVersion(), time.Time{})
			},
			func() error {
				return revisionCalls["PublishRevision"](t.Context(), d.edits, m.GetId(), m.GetVersion(), time.Time{})
			},
		)
		if first != nil || second != nil {
			t.Fatalf("round %d: %v, %v", i, first, second)
		}
		var keywords string
		if err := d.Pool.QueryRow(t.Context(), "SELECT keywords FROM content.meditation_texts WHERE meditation_id = $1", it.GetId()).Scan(&keywords); err != nil || keywords != "Night, Sleep, "+word {
			t.Fatalf("round %d: %q, %v", i, keywords, err)
		}
	}
}

// A course that readers do not see is not there in its meditations either, wherever these are shown.
func TestMeditationsOfAHiddenCourse(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	course := d.course("nights")
	it := d.meditation("rest", course.GetId())
	d.publish(it, "en", "Rest")
	check := func(what, id, title string, position int32) {
		t.Helper()
		one, err := d.readers.GetMeditation(t.Context(), &contentv1.GetMeditationRequest{Id: it.GetId()})
		if err != nil {
			t.Fatal(err)
		}
		listed, err := d.readers.ListMeditations(t.Context(), &contentv1.ListMeditationsRequest{})
		if err != nil || len(listed.GetMeditations()) != 1 {
			t.Fatalf("%s: %v, %v", what, listed, err)
		}
		for _, m := range []*contentv1.Meditation{one.GetMeditation(), listed.GetMeditations()[0]} {
			if m.GetCourseId() != id || m.GetCourseTitle() != title || m.GetCoursePosition() != position {
				t.Errorf("%s: %v", what, m)
			}
		}
		of, err := d.readers.ListMeditations(t.Context(), &contentv1.ListMeditationsRequest{CourseId: course.GetId()})
		if err != nil || (len(of.GetMeditations()) > 0) != (id != "") {
			t.Errorf("%s: of the course %v, %v", what, of, err)
		}
	}
	check("before", "", "", 0)
	text := d.publish(course, "ru", "Ночи")
	check("published", course.GetId(), "Ночи", 1)
	if err := revisionCalls["ArchiveText"](t.Context(), d.edits, text.GetId(), text.GetVersion(), time.Time{}); err != nil {
		t.Fatal(err)
	}
	check("archived", "", "", 0)
}
