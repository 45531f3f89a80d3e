package content_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/services/content"
)

// broken names what does not hold of what readers get, of revisions and of the jobs of schedules, whatever was done before.
const broken = `
	SELECT 'a text that is not the published revision' FROM content.meditation_texts t FULL JOIN (SELECT * FROM content.revisions WHERE kind = 'meditation' AND state = 'published') r
		ON r.item_id = t.meditation_id AND r.locale = t.locale WHERE (t.title, t.description) IS DISTINCT FROM (r.title, r.description) OR t.media_id IS DISTINCT FROM r.media_id
	UNION ALL SELECT 'a text of a course that is not the published revision' FROM content.course_texts t FULL JOIN (SELECT * FROM content.revisions WHERE kind = 'course' AND state = 'published') r
		ON r.item_id = t.course_id AND r.locale = t.locale WHERE (t.title, t.description) IS DISTINCT FROM (r.title, r.description)
	UNION ALL SELECT 'published without a text, or the other way round' FROM content.items i
		WHERE (i.published_at IS NOT NULL) <> EXISTS (SELECT FROM content.revisions r WHERE r.kind = i.kind AND r.item_id = i.id AND r.state = 'published')
	UNION ALL SELECT 'keywords that are old' FROM content.meditation_texts t JOIN content.meditations m ON m.id = t.meditation_id LEFT JOIN content.course_texts c ON c.course_id = m.course_id AND c.locale = t.locale
		WHERE coalesce(c.title, '') <> '' AND t.keywords NOT LIKE '%' || c.title OR c.title IS NULL AND t.keywords LIKE '%title%'
	UNION ALL SELECT 'numbers with gaps' FROM content.revisions GROUP BY kind, item_id, locale HAVING count(*) <> max(number)
	UNION ALL SELECT 'a schedule without its job' FROM content.revisions r LEFT JOIN river.river_job j ON j.id = r.job_id
		WHERE r.state = 'scheduled' AND (j.state IS DISTINCT FROM 'scheduled' OR (j.args->>'schedule')::integer IS DISTINCT FROM r.schedule)
	UNION ALL SELECT 'a job of what was cancelled' FROM content.revisions r JOIN river.river_job j ON j.args->>'revision_id' = r.id::text
		WHERE r.state IN ('draft', 'in_review') AND j.state = 'scheduled'`

// likely are the methods that the state of a revision allows; of no revision, of the first state.
var likely = map[contentv1.RevisionState][]string{
	0:           {"SaveDraft"},
	isDraft:     {"SaveDraft", "DiscardDraft", "SubmitForReview", "SubmitForReview", "SubmitForReview"},
	isInReview:  {"ReturnToDraft", "PublishRevision", "PublishRevision", "ScheduleRevision", "ScheduleRevision"},
	isScheduled: {"CancelSchedule", "due", "due", "move"},
	isPublished: {"SaveDraft", "SaveDraft", "ArchiveText", "move"},
}

// Whatever editors do in whatever order, readers get exactly what is published.
func TestEditorsInAnyOrder(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ctx := t.Context()
	step := func(t *rapid.T, items []*contentv1.Item) {
		it, language := rapid.SampledFrom(items).Draw(t, "item"), rapid.SampledFrom([]string{"en", "ru"}).Draw(t, "language")
		text := &contentv1.ItemText{}
		for _, one := range d.item(it).GetTexts() {
			if one.GetLocale() == language {
				text = one
			}
		}
		r := text.GetOpen()
		if r == nil || rapid.IntRange(0, 4).Draw(t, "of the published one") == 0 {
			r = text.GetPublished()
		}
		methods := likely[r.GetState()]
		if rapid.IntRange(0, 4).Draw(t, "anything") == 0 {
			methods = slices.Concat(slices.Sorted(maps.Keys(revisionCalls)), []string{"SaveDraft", "due", "move"})
		}
		switch method := rapid.SampledFrom(methods).Draw(t, "method"); method {
		case "SaveDraft":
			_, _ = d.edits.SaveDraft(ctx, &savedDraft{
				Kind: it.GetKind(), ItemId: it.GetId(), Locale: language, Title: "title " + uuid.NewString(), Description: "x", Version: text.GetOpen().GetVersion(),
			})
		case "due":
			if r != nil {
				d.exec("UPDATE content.revisions SET publish_at = $2 WHERE id = $1 AND state = 'scheduled'", r.GetId(), d.Clock.Now())
				if _, err := d.admin.PublishDue(ctx, content.RevisionDue{RevisionID: uuid.MustParse(r.GetId()), Schedule: rapid.Int32Range(1, 2).Draw(t, "schedule")}); err != nil {
					t.Fatal(err)
				}
			}
		case "move": // the meditation into the course, or out of it
			req := d.sameMeditation(items[0].GetId())
			req.Version = d.item(items[0]).GetVersion()
			if rapid.Bool().Draw(t, "into the course") {
				req.CourseId, req.CoursePosition = items[1].GetId(), 1
			}
			if _, err := d.edits.UpdateMeditation(ctx, req); err != nil {
				t.Fatal(err)
			}
		default: // what is not allowed changes nothing
			if r != nil {
				_ = revisionCalls[method](ctx, d.edits, r.GetId(), r.GetVersion(), d.Clock.Now().Add(time.Hour))
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		course := d.course(uuid.NewString())
		items := []*contentv1.Item{d.meditation(uuid.NewString(), course.GetId()), course}
		for range rapid.IntRange(5, 25).Draw(t, "steps") {
			step(t, items)
		}
		rows, err := d.Pool.Query(context.WithoutCancel(ctx), broken)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var what string
			_ = rows.Scan(&what)
			t.Errorf("there is %s", what)
		}
		if rows.Err() != nil {
			t.Fatal(rows.Err())
		}
	})
}
