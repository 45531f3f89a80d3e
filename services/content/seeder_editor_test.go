package content_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/services/content"
	"github.com/mindspace-app/mindspace/services/content/seed"
)

// seed loads the demo catalogue, as if it were another one than was loaded before.
func (d *desk) seed() {
	d.t.Helper()
	d.exec("UPDATE content.seeds SET digest = 'another'")
	sounds.Lock()
	defer sounds.Unlock()
	if changed, err := content.NewSeeder(d.service, sounds.Bucket, d.Clock.Now).Demo(d.t.Context()); err != nil || !changed {
		d.t.Fatalf("seed: changed %v, %v", changed, err)
	}
}

// seeded is the first meditation of the seed that stands alone, as it is.
func (d *desk) seeded() (seed.Meditation, *contentv1.Item) {
	d.t.Helper()
	data, err := seed.Catalogue()
	if err != nil {
		d.t.Fatal(err)
	}
	n := slices.IndexFunc(data.Meditations, func(m seed.Meditation) bool { return m.CourseID == uuid.Nil })
	return data.Meditations[n], d.item(&contentv1.Item{Kind: aMeditation, Id: data.Meditations[n].ID.String()})
}

// shown is the title that readers get of a meditation in a language; empty for none.
func (d *desk) shown(it *contentv1.Item, language string) (title string) {
	d.t.Helper()
	err := d.Pool.QueryRow(d.t.Context(), "SELECT coalesce(max(title), '') FROM content.meditation_texts WHERE meditation_id = $1 AND locale = $2", it.GetId(), language).Scan(&title)
	if err != nil {
		d.t.Fatal(err)
	}
	return title
}

// A language in which an editor has published, or has archived what was, is left alone by another seed. The others are not.
func TestSeedLeavesTextsOfEditorsAlone(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.seed()
	m, it := d.seeded()
	d.publish(it, "en", "By an editor")
	for _, text := range it.GetTexts() {
		if text.GetLocale() == "ru" {
			if err := revisionCalls["ArchiveText"](t.Context(), d.edits, text.GetPublished().GetId(), text.GetPublished().GetVersion(), time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	d.draft(it, "sr", "Još nije gotovo")
	d.exec("UPDATE content.revisions SET title = 'Another seed' WHERE item_id = $1 AND locale = 'sr' AND state = 'published'", it.GetId())
	d.seed()
	for language, want := range map[string]string{"en": "By an editor", "ru": "", "sr": m.Texts["sr"].Title} {
		if got := d.shown(it, language); got != want {
			t.Errorf("%s: %q, want %q", language, got, want)
		}
	}
	// Not even when it is forgotten who they were.
	d.exec("UPDATE content.revisions SET author_id = NULL, reviewer_id = NULL, publisher_id = NULL")
	d.seed()
	if en, ru := d.shown(it, "en"), d.shown(it, "ru"); en != "By an editor" || ru != "" {
		t.Errorf("of nobody any more: %q, %q", en, ru)
	}
}

// An editor who has seen an item before a seed changed it does not overwrite that; a seed that changes nothing is no change.
func TestSeedCountsItsChanges(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.seed()
	_, it := d.seeded()
	course := d.item(&contentv1.Item{Kind: aCourse, Id: d.courseOfTheSeed().ID.String()})
	d.seed()
	if now := d.item(it); now.GetVersion() != 1 || d.item(course).GetVersion() != 1 {
		t.Errorf("the same seed again: version %d", now.GetVersion())
	}
	if _, err := d.edits.UpdateMeditation(t.Context(), d.sameMeditation(it.GetId())); err != nil {
		t.Fatal(err)
	}
	if _, err := d.edits.UpdateCourse(t.Context(), &contentv1.UpdateCourseRequest{ItemId: course.GetId(), Version: 1, Position: 77}); err != nil {
		t.Fatal(err)
	}
	d.seed()
	for _, was := range []*contentv1.Item{it, course} {
		if now := d.item(was); now.GetVersion() != 3 || now.GetPosition() != was.GetPosition() || now.GetCategory() != was.GetCategory() {
			t.Errorf("seeded over an editor's change: %v", now)
		}
	}
	late := d.sameMeditation(it.GetId())
	late.Version = 2
	_, err := d.edits.UpdateMeditation(t.Context(), late)
	d.refused("a change of what was there before", err, connect.CodeAborted, "ITEM_CHANGED")
}

func (d *desk) courseOfTheSeed() seed.Course {
	d.t.Helper()
	data, err := seed.Catalogue()
	if err != nil {
		d.t.Fatal(err)
	}
	return data.Courses[0]
}

// An editor's item that has a slug of the seed keeps it, and stops no seed.
func TestSeedGivesWayToSlugs(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	data, err := seed.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	ours, course := d.meditation(data.Meditations[0].Slug, ""), d.course(data.Courses[0].Slug)
	for range 2 {
		d.seed()
		for _, tt := range []struct{ ours, seeded *contentv1.Item }{
			{ours, &contentv1.Item{Kind: aMeditation, Id: data.Meditations[0].ID.String()}}, {course, &contentv1.Item{Kind: aCourse, Id: data.Courses[0].ID.String()}},
		} {
			mine, theirs := d.item(tt.ours), d.item(tt.seeded)
			if mine.GetSlug() != tt.ours.GetSlug() || theirs.GetSlug() != mine.GetSlug()+"-"+theirs.GetId()[:8] || theirs.GetVersion() != 1 || theirs.GetPublishedAt() == nil {
				t.Errorf("%v, and of the seed %v", mine, theirs)
			}
		}
	}
}

// When titles of the vocabularies change, everything is found by the new ones.
func TestNewTitlesAreSearched(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.publish(d.meditation("rest", ""), "en", "Rest")
	d.exec("UPDATE content.tags SET title_en = 'Slumber' WHERE code = 'sleep'")
	d.exec("UPDATE content.categories SET title_en = 'Dusk' WHERE code = 'night'")
	d.same("before", d.found("en", "dusk"))
	if changed, err := content.NewSeeder(d.service, nil, d.Clock.Now).Reference(t.Context()); err != nil || !changed {
		t.Fatalf("changed %v, %v", changed, err)
	}
	d.same("by its category", d.found("en", "dusk"), "Rest")
	data, err := seed.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range data.Tags {
		if tag.Code == "sleep" && !strings.EqualFold(tag.Names["en"], "slumber") {
			d.same("by its tag", d.found("en", tag.Names["en"]), "Rest")
			d.same("by its tag as it was", d.found("en", "slumber"))
		}
	}
}
