package content_test

import (
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/services/content"
)

// job is a schedule's job as the queue has it.
type job struct {
	state    string
	at       time.Time
	schedule int32
}

// jobs are the jobs of a revision, oldest first.
func (d *desk) jobs(r *contentv1.Revision) (all []job) {
	d.t.Helper()
	rows, err := d.Pool.Query(d.t.Context(), `SELECT state::text, scheduled_at, (args->>'schedule')::integer FROM river.river_job
		WHERE kind = 'content_revision_due' AND args->>'revision_id' = $1 ORDER BY id`, r.GetId())
	if err != nil {
		d.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var one job
		if err := rows.Scan(&one.state, &one.at, &one.schedule); err != nil {
			d.t.Fatal(err)
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		d.t.Fatal(err)
	}
	return all
}

// due does what the job of a schedule does.
func (d *desk) due(r *contentv1.Revision, schedule int32) time.Duration {
	d.t.Helper()
	wait, err := d.admin.PublishDue(d.t.Context(), content.RevisionDue{RevisionID: uuid.MustParse(r.GetId()), Schedule: schedule})
	if err != nil {
		d.t.Fatal(err)
	}
	return wait
}

func (d *desk) unschedule(r *contentv1.Revision) *contentv1.Revision {
	d.t.Helper()
	res, err := d.edits.CancelSchedule(d.t.Context(), &contentv1.CancelScheduleRequest{RevisionId: r.GetId(), Version: r.GetVersion()})
	if err != nil {
		d.t.Fatal(err)
	}
	return res.GetRevision()
}

// A schedule pins a revision: it is published as it is, at its time and once, whatever else is done to the item meanwhile.
func TestScheduleIsKept(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	it := d.meditation("rest", "")
	d.publish(it, "en", "Rest")
	at := d.Clock.Now().Add(time.Hour)
	r := d.schedule(d.submit(d.draft(it, "en", "Rest at night")), at)
	if r.GetState() != isScheduled || !r.GetPublishAt().AsTime().Equal(at) || r.GetPublisherId() != d.editor.ID.String() || r.GetPublishedAt() != nil {
		t.Errorf("scheduled: %v", r)
	}
	if all := d.jobs(r); len(all) != 1 || all[0].state != "scheduled" || !all[0].at.Equal(at) || all[0].schedule != 1 {
		t.Errorf("jobs: %v", all)
	}
	d.publish(it, "ru", "Отдых")
	if _, err := d.edits.UpdateMeditation(t.Context(), d.sameMeditation(it.GetId())); err != nil {
		t.Fatal(err)
	}
	if now := d.revision(it, r.GetId()); now.GetVersion() != r.GetVersion() {
		t.Errorf("the revision changed: %v", now)
	}
	if wait := d.due(r, 1); wait != time.Hour {
		t.Errorf("an hour before it waits %v", wait)
	}
	d.same("before", d.listed("en"), "Rest")
	d.later(time.Hour)
	for range 2 { // the second time is one too many
		if wait := d.due(r, 1); wait != 0 {
			t.Errorf("it waits %v", wait)
		}
		d.same("at its time", d.listed("en"), "Rest at night")
	}
	now := d.revision(it, r.GetId())
	if now.GetState() != isPublished || !now.GetPublishedAt().AsTime().Equal(at) || now.GetPublishAt() != nil || now.GetVersion() != r.GetVersion()+1 {
		t.Errorf("published: %v", now)
	}
	var records int
	var kind, actor string
	err := d.Pool.QueryRow(t.Context(), `SELECT count(*) OVER (), actor_kind, actor_id FROM audit.records WHERE action = 'content.revision.published' AND subject_id = $1`, r.GetId()).Scan(&records, &kind, &actor)
	if err != nil || records != 1 || kind != "system" || actor != "" {
		t.Errorf("%d records, by %s %s: %v", records, kind, actor, err)
	}
	d.refused("cancel what is published", revisionCalls["CancelSchedule"](t.Context(), d.edits, r.GetId(), now.GetVersion(), time.Time{}), connect.CodeFailedPrecondition, "REVISION_PUBLISHED")
	if wait := d.due(&contentv1.Revision{Id: uuid.NewString()}, 1); wait != 0 {
		t.Errorf("of no revision it waits %v", wait)
	}
}

// What was cancelled is not published, and what was scheduled anew only by its own job.
func TestScheduleIsCancelled(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	it := d.meditation("rest", "")
	r := d.unschedule(d.schedule(d.submit(d.draft(it, "en", "Rest")), d.Clock.Now().Add(time.Hour)))
	if r.GetState() != isInReview || r.GetPublishAt() != nil || r.GetPublisherId() != "" {
		t.Errorf("cancelled: %v", r)
	}
	if all := d.jobs(r); len(all) != 1 || all[0].state != "cancelled" {
		t.Errorf("jobs: %v", all)
	}
	d.later(2 * time.Hour)
	d.due(r, 1)
	d.same("after the time", d.listed("en"))
	d.exec("DELETE FROM river.river_job") // as the queue does in the end
	r = d.schedule(r, d.Clock.Now().Add(time.Hour))
	d.later(2 * time.Hour)
	d.due(r, 1)
	d.same("by the job before", d.listed("en"))
	d.exec("DELETE FROM river.river_job")
	r = d.schedule(d.unschedule(r), d.Clock.Now().Add(time.Minute))
	d.later(2 * time.Minute)
	d.due(r, 3)
	d.same("by its own job", d.listed("en"), "Rest")
}

func TestBadSchedule(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, r := d.inState(isInReview)
	for name, at := range map[string]*timestamppb.Timestamp{
		"no time":        nil,
		"now":            timestamppb.New(d.Clock.Now()),
		"the past":       timestamppb.New(d.Clock.Now().Add(-time.Hour)),
		"two years":      timestamppb.New(d.Clock.Now().AddDate(2, 0, 0)),
		"no time at all": {Seconds: 1 << 60},
	} {
		_, err := d.edits.ScheduleRevision(t.Context(), &contentv1.ScheduleRevisionRequest{RevisionId: r.GetId(), Version: r.GetVersion(), PublishAt: at})
		d.refused(name, err, connect.CodeInvalidArgument, "publishAt")
	}
	if all := d.jobs(r); len(all) != 0 {
		t.Errorf("jobs: %v", all)
	}
}

// Whoever cancels while the job runs either is in time, and nothing is published, or is told that it is.
func TestCancelRacesTheJob(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for range rounds {
		it, r := d.inState(isInReview)
		r = d.schedule(r, d.Clock.Now().Add(time.Minute))
		d.later(time.Minute)
		due, cancelled := race(
			func() error {
				_, err := d.admin.PublishDue(t.Context(), content.RevisionDue{RevisionID: uuid.MustParse(r.GetId()), Schedule: 1})
				return err
			},
			func() error {
				return revisionCalls["CancelSchedule"](t.Context(), d.edits, r.GetId(), r.GetVersion(), time.Time{})
			},
		)
		if due != nil {
			t.Fatal(due)
		}
		after, want := d.revision(it, r.GetId()), isInReview
		if cancelled != nil {
			d.refused("too late", cancelled, connect.CodeFailedPrecondition, "REVISION_PUBLISHED")
			want = isPublished
		}
		if after.GetState() != want || (d.texts(it, "en") != "") != (want == isPublished) {
			t.Fatalf("%v, cancelled %v, live %q", after, cancelled, d.texts(it, "en"))
		}
	}
}

// A schedule whose job is lost is made up for, and one that is not overdue is left to its job.
func TestOverdueIsPublished(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	lost, waits := d.meditation("rest", ""), d.meditation("walk", "")
	d.schedule(d.submit(d.draft(lost, "en", "Rest")), d.Clock.Now().Add(time.Minute))
	d.schedule(d.submit(d.draft(waits, "en", "Walk")), d.Clock.Now().Add(10*time.Minute))
	d.exec("DELETE FROM river.river_job")
	for _, tt := range []struct {
		after time.Duration
		want  []string
	}{{2 * time.Minute, nil}, {9*time.Minute + time.Second, []string{"Rest"}}, {0, []string{"Rest"}}, {9 * time.Minute, []string{"Rest", "Walk"}}} {
		d.later(tt.after)
		if err := d.admin.PublishOverdue(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.same("later", d.listed("en"), tt.want...)
	}
}
