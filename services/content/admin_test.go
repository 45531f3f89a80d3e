package content_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1/contentv1connect"
	policyv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/policy/v1"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
	"github.com/mindspace-app/mindspace/services/content"
)

type (
	adminClient = contentv1connect.ContentAdminServiceClient
	savedDraft  = contentv1.SaveDraftRequest
)

// desk is where an editor works: the services of content beside sign-in, with a small vocabulary and no items.
type desk struct {
	*authtest.Rig
	t        *testing.T
	service  *content.Service
	admin    *content.Admin
	editor   *authtest.Person
	edits    adminClient
	readers  contentv1connect.ContentServiceClient
	mediaIDs []string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{Rig: authtest.New(t), t: t}
	d.service = content.New(content.Options{
		Pool: d.Pool, Keys: d.Keys, Cursors: cursor.New(d.Keys), Cache: d.Cache, Blobs: sounds.Bucket, Logger: d.Logger, Now: d.Clock.Now, PublicURL: authtest.PublicURL,
	})
	d.admin = content.NewAdmin(d.service, d.Queue, audit.New(d.Keys))
	contentv1connect.RegisterContentServiceHandler(d.Server.Server, d.service)
	contentv1connect.RegisterContentAdminServiceHandler(d.Server.Server, d.admin)
	for _, statement := range []string{
		"INSERT INTO content.tags VALUES ('sleep', 'Sleep', 'Сон', 'San'), ('focus', 'Focus', 'Внимание', 'Pažnja')",
		"INSERT INTO content.voices VALUES ('bells', 'Bells', 'Колокольчики', 'Zvona'), ('rain', 'Rain', 'Дождь', 'Kiša')",
		"INSERT INTO content.categories VALUES ('night', 1, 'Night', 'Ночь', 'Noć'), ('day', 2, 'Day', 'День', 'Dan')",
	} {
		d.exec(statement)
	}
	for i := range 3 {
		id := uuid.Must(uuid.NewV7())
		d.mediaIDs = append(d.mediaIDs, id.String())
		d.exec("INSERT INTO content.media VALUES ($1, $2, 'audio/flac', 1000, sha256('x'), 60, true, $3)", id, fmt.Sprintf("sound/%d.flac", i), d.Clock.Now().Add(time.Duration(i)*time.Second))
	}
	d.editor = d.Staff("editor@example.org", "editor")
	d.edits = d.as(d.editor)
	d.readers = contentv1connect.NewContentServiceClient(d.Client(""))
	return d
}

func (d *desk) exec(sql string, args ...any) {
	d.t.Helper()
	if _, err := d.Pool.Exec(d.t.Context(), sql, args...); err != nil {
		d.t.Fatal(err)
	}
}

// later moves the clock on, and signs the editor in again.
func (d *desk) later(by time.Duration) {
	d.t.Helper()
	d.Clock.Advance(by)
	d.editor = d.Login(d.editor)
	d.edits = d.as(d.editor)
}

// as is a client of a member of staff.
func (d *desk) as(p *authtest.Person) adminClient {
	return contentv1connect.NewContentAdminServiceClient(p.Client)
}

// meditation makes one without texts, in a course or alone.
func (d *desk) meditation(slug, course string) *contentv1.Item {
	d.t.Helper()
	res, err := d.edits.CreateMeditation(d.t.Context(), d.newMeditation(slug, course))
	if err != nil {
		d.t.Fatal(err)
	}
	return res.GetItem()
}

func (d *desk) newMeditation(slug, course string) *contentv1.CreateMeditationRequest {
	req := &contentv1.CreateMeditationRequest{
		Slug: slug, Position: 10, Category: "night", Level: contentv1.Level_LEVEL_BEGINNER, DurationSeconds: 600, Voice: "bells", Tags: []string{"sleep"},
		MediaId: d.mediaIDs[0], CourseId: course,
	}
	if course != "" {
		req.CoursePosition = 1
	}
	return req
}

func (d *desk) course(slug string) *contentv1.Item {
	d.t.Helper()
	res, err := d.edits.CreateCourse(d.t.Context(), &contentv1.CreateCourseRequest{Slug: slug, Position: 1, Category: "day"})
	if err != nil {
		d.t.Fatal(err)
	}
	return res.GetItem()
}

// draft makes a draft of an item.
func (d *desk) draft(it *contentv1.Item, language, title string) *contentv1.Revision {
	d.t.Helper()
	res, err := d.edits.SaveDraft(d.t.Context(), &savedDraft{Kind: it.GetKind(), ItemId: it.GetId(), Locale: language, Title: title, Description: "About " + title + "."})
	if err != nil {
		d.t.Fatal(err)
	}
	return res.GetRevision()
}

func (d *desk) submit(r *contentv1.Revision) *contentv1.Revision {
	d.t.Helper()
	res, err := d.edits.SubmitForReview(d.t.Context(), &contentv1.SubmitForReviewRequest{RevisionId: r.GetId(), Version: r.GetVersion()})
	if err != nil {
		d.t.Fatal(err)
	}
	return res.GetRevision()
}

// publish publishes a new text of an item.
func (d *desk) publish(it *contentv1.Item, language, title string) *contentv1.Revision {
	d.t.Helper()
	r := d.submit(d.draft(it, language, title))
	res, err := d.edits.PublishRevision(d.t.Context(), &contentv1.PublishRevisionRequest{RevisionId: r.GetId(), Version: r.GetVersion()})
	if err != nil {
		d.t.Fatal(err)
	}
	return res.GetRevision()
}

func (d *desk) schedule(r *contentv1.Revision, at time.Time) *contentv1.Revision {
	d.t.Helper()
	res, err := d.edits.ScheduleRevision(d.t.Context(), &contentv1.ScheduleRevisionRequest{RevisionId: r.GetId(), Version: r.GetVersion(), PublishAt: timestamppb.New(at)})
	if err != nil {
		d.t.Fatal(err)
	}
	return res.GetRevision()
}

// item reads an item as it is.
func (d *desk) item(it *contentv1.Item) *contentv1.Item {
	d.t.Helper()
	res, err := d.edits.GetItem(d.t.Context(), &contentv1.GetItemRequest{Kind: it.GetKind(), ItemId: it.GetId()})
	if err != nil {
		d.t.Fatal(err)
	}
	return res.GetItem()
}

// refused checks that a call failed with a code, and with a reason or naming a field; empty for neither.
func (d *desk) refused(what string, err error, code connect.Code, says string) {
	d.t.Helper()
	var got string
	if info := authtest.Detail[*errdetails.ErrorInfo](err); info != nil {
		got = info.GetReason()
	}
	if bad := authtest.Detail[*errdetails.BadRequest](err); bad != nil {
		got = bad.GetFieldViolations()[0].GetField()
	}
	if connect.CodeOf(err) != code || (says != "" && got != says) {
		d.t.Errorf("%s: got %v (%q), want %v with %q", what, err, got, code, says)
	}
}

// revisionCalls call each method that changes a revision.
var revisionCalls = map[string]func(ctx context.Context, c adminClient, id string, version int32, at time.Time) error{
	"DiscardDraft": func(ctx context.Context, c adminClient, id string, version int32, _ time.Time) error {
		_, err := c.DiscardDraft(ctx, &contentv1.DiscardDraftRequest{RevisionId: id, Version: version})
		return err
	},
	"SubmitForReview": func(ctx context.Context, c adminClient, id string, version int32, _ time.Time) error {
		_, err := c.SubmitForReview(ctx, &contentv1.SubmitForReviewRequest{RevisionId: id, Version: version})
		return err
	},
	"ReturnToDraft": func(ctx context.Context, c adminClient, id string, version int32, _ time.Time) error {
		_, err := c.ReturnToDraft(ctx, &contentv1.ReturnToDraftRequest{RevisionId: id, Version: version})
		return err
	},
	"PublishRevision": func(ctx context.Context, c adminClient, id string, version int32, _ time.Time) error {
		_, err := c.PublishRevision(ctx, &contentv1.PublishRevisionRequest{RevisionId: id, Version: version})
		return err
	},
	"ScheduleRevision": func(ctx context.Context, c adminClient, id string, version int32, at time.Time) error {
		_, err := c.ScheduleRevision(ctx, &contentv1.ScheduleRevisionRequest{RevisionId: id, Version: version, PublishAt: timestamppb.New(at)})
		return err
	},
	"CancelSchedule": func(ctx context.Context, c adminClient, id string, version int32, _ time.Time) error {
		_, err := c.CancelSchedule(ctx, &contentv1.CancelScheduleRequest{RevisionId: id, Version: version})
		return err
	},
	"ArchiveText": func(ctx context.Context, c adminClient, id string, version int32, _ time.Time) error {
		_, err := c.ArchiveText(ctx, &contentv1.ArchiveTextRequest{RevisionId: id, Version: version})
		return err
	},
	"RestoreRevision": func(ctx context.Context, c adminClient, id string, _ int32, _ time.Time) error {
		_, err := c.RestoreRevision(ctx, &contentv1.RestoreRevisionRequest{RevisionId: id})
		return err
	},
}

// itemCalls call the others, about an item.
func (d *desk) itemCalls() map[string]func(ctx context.Context, c adminClient, id string) error {
	return map[string]func(ctx context.Context, c adminClient, id string) error{
		"ListItems": func(ctx context.Context, c adminClient, _ string) error {
			_, err := c.ListItems(ctx, &contentv1.ListItemsRequest{})
			return err
		},
		"ListMedia": func(ctx context.Context, c adminClient, _ string) error {
			_, err := c.ListMedia(ctx, &contentv1.ListMediaRequest{})
			return err
		},
		"GetItem": func(ctx context.Context, c adminClient, id string) error {
			_, err := c.GetItem(ctx, &contentv1.GetItemRequest{Kind: aMeditation, ItemId: id})
			return err
		},
		"ListRevisions": func(ctx context.Context, c adminClient, id string) error {
			_, err := c.ListRevisions(ctx, &contentv1.ListRevisionsRequest{Kind: aMeditation, ItemId: id})
			return err
		},
		"CreateMeditation": func(ctx context.Context, c adminClient, _ string) error {
			_, err := c.CreateMeditation(ctx, d.newMeditation(uuid.NewString(), ""))
			return err
		},
		"UpdateMeditation": func(ctx context.Context, c adminClient, id string) error {
			_, err := c.UpdateMeditation(ctx, d.sameMeditation(id))
			return err
		},
		"CreateCourse": func(ctx context.Context, c adminClient, _ string) error {
			_, err := c.CreateCourse(ctx, &contentv1.CreateCourseRequest{Slug: uuid.NewString()})
			return err
		},
		"UpdateCourse": func(ctx context.Context, c adminClient, id string) error {
			_, err := c.UpdateCourse(ctx, &contentv1.UpdateCourseRequest{ItemId: id, Version: 1})
			return err
		},
		"SaveDraft": func(ctx context.Context, c adminClient, id string) error {
			_, err := c.SaveDraft(ctx, &savedDraft{Kind: aMeditation, ItemId: id, Locale: "en", Title: "Rest", Description: "Rest."})
			return err
		},
	}
}

const (
	aMeditation = contentv1.ItemKind_ITEM_KIND_MEDITATION
	aCourse     = contentv1.ItemKind_ITEM_KIND_COURSE
)

// sameMeditation changes nothing of what meditation has made, in its first version.
func (d *desk) sameMeditation(id string) *contentv1.UpdateMeditationRequest {
	was := d.newMeditation("x", "")
	return &contentv1.UpdateMeditationRequest{
		ItemId: id, Version: 1, Position: was.GetPosition(), Category: was.GetCategory(), Level: was.GetLevel(), DurationSeconds: was.GetDurationSeconds(),
		Voice: was.GetVoice(), Tags: was.GetTags(), MediaId: was.GetMediaId(),
	}
}

// adminMethods are the methods of the service, by rule.
func adminMethods(t *testing.T, wanted func(rule *policyv1.Rule) bool) []string {
	t.Helper()
	var names []string
	methods := contentv1.File_mindspace_content_v1_content_admin_proto.Services().ByName("ContentAdminService").Methods()
	for i := range methods.Len() {
		method := methods.Get(i)
		if rule, _ := proto.GetExtension(method.Options(), policyv1.E_Rule).(*policyv1.Rule); wanted(rule) {
			names = append(names, string(method.Name()))
		}
	}
	if len(names) == 0 {
		t.Fatal("no method is wanted")
	}
	return names
}

func TestAdminRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ana, nutritionist := d.as(d.Register("ana@example.org")), d.as(d.Staff("nutritionist@example.org", "nutritionist"))
	admin, nobody := d.as(d.Staff("admin@example.org", "admin")), contentv1connect.NewContentAdminServiceClient(d.Client(""))
	calls := d.itemCalls()
	for name, call := range revisionCalls {
		calls[name] = func(ctx context.Context, c adminClient, id string) error {
			return call(ctx, c, id, 1, d.Clock.Now().Add(time.Hour))
		}
	}
	for _, method := range adminMethods(t, func(*policyv1.Rule) bool { return true }) {
		call := calls[method]
		if call == nil {
			t.Errorf("there is no call of %s", method)
			continue
		}
		id := uuid.NewString()
		d.refused(method+" of a person", call(t.Context(), ana, id), connect.CodePermissionDenied, "")
		d.refused(method+" of a nutritionist", call(t.Context(), nutritionist, id), connect.CodePermissionDenied, "")
		d.refused(method+" of nobody", call(t.Context(), nobody, id), connect.CodeUnauthenticated, "")
		for name, c := range map[string]adminClient{"an editor": d.edits, "an administrator": admin} {
			err := call(t.Context(), c, id)
			switch {
			case strings.HasPrefix(method, "Create") || method == "ListItems" || method == "ListMedia":
				if err != nil {
					t.Errorf("%s of %s: %v", method, name, err)
				}
			case revisionCalls[method] != nil:
				d.refused(method+" of "+name, err, connect.CodeNotFound, "REVISION_NOT_FOUND")
				d.refused(method+" of no id", call(t.Context(), c, "x"), connect.CodeInvalidArgument, "revisionId")
			default:
				d.refused(method+" of "+name, err, connect.CodeNotFound, "ITEM_NOT_FOUND")
				d.refused(method+" of no id", call(t.Context(), c, "x"), connect.CodeInvalidArgument, "itemId")
			}
		}
	}
}

// Every change is recorded, once, with what was and what is, and names no author beside the one who did it.
func TestWhatAdminRecords(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ctx := t.Context()
	var course, meditation *contentv1.Item
	var r *contentv1.Revision
	move := func(method string) func() (string, error) {
		return func() (string, error) {
			err := revisionCalls[method](ctx, d.edits, r.GetId(), r.GetVersion(), d.Clock.Now().Add(time.Hour))
			if texts := d.item(meditation).GetTexts(); len(texts) > 0 && texts[0].GetOpen().GetId() == r.GetId() {
				r = texts[0].GetOpen()
			} else if len(texts) > 0 && texts[0].GetPublished().GetId() == r.GetId() {
				r = texts[0].GetPublished()
			}
			return r.GetId(), err
		}
	}
	save := func() (string, error) {
		version := int32(0)
		if r.GetState() == contentv1.RevisionState_REVISION_STATE_DRAFT && len(d.item(meditation).GetTexts()) > 0 {
			version = r.GetVersion()
		}
		res, err := d.edits.SaveDraft(ctx, &savedDraft{Kind: aMeditation, ItemId: meditation.GetId(), Locale: "en", Title: "Rest", Description: "Lie down.", Version: version})
		r = res.GetRevision()
		return r.GetId(), err
	}
	calls := []struct {
		method, action, subjectType string
		// call gives the id of the subject.
		call func() (string, error)
		// before and after are parts of what the record says.
		before, after string
	}{
		{"CreateCourse", "content.course.created", "course", func() (string, error) {
			course = d.course("nights")
			return course.GetId(), nil
		}, "", `"slug":"nights"`},
		{"UpdateCourse", "content.course.updated", "course", func() (string, error) {
			_, err := d.edits.UpdateCourse(ctx, &contentv1.UpdateCourseRequest{ItemId: course.GetId(), Version: 1, Position: 7})
			return course.GetId(), err
		}, `"position":1`, `"position":7`},
		{"CreateMeditation", "content.meditation.created", "meditation", func() (string, error) {
			meditation = d.meditation("rest", "")
			return meditation.GetId(), nil
		}, "", `"durationSeconds":600`},
		{"UpdateMeditation", "content.meditation.updated", "meditation", func() (string, error) {
			req := d.sameMeditation(meditation.GetId())
			req.DurationSeconds = 900
			_, err := d.edits.UpdateMeditation(ctx, req)
			return meditation.GetId(), err
		}, `"durationSeconds":600`, `"durationSeconds":900`},
		{"SaveDraft", "content.revision.saved", "revision", save, "", `"title":"Rest"`},
		{"SaveDraft", "content.revision.saved", "revision", save, `"version":1`, `"version":2`},
		{"DiscardDraft", "content.revision.discarded", "revision", move("DiscardDraft"), "STATE_DRAFT", "STATE_ARCHIVED"},
		{"RestoreRevision", "content.revision.restored", "revision", func() (string, error) {
			res, err := d.edits.RestoreRevision(ctx, &contentv1.RestoreRevisionRequest{RevisionId: r.GetId()})
			r = res.GetRevision()
			return r.GetId(), err
		}, "", `"restoredFromId":"`},
		{"SubmitForReview", "content.revision.submitted", "revision", move("SubmitForReview"), "STATE_DRAFT", "STATE_IN_REVIEW"},
		{"ReturnToDraft", "content.revision.returned", "revision", move("ReturnToDraft"), "STATE_IN_REVIEW", "STATE_DRAFT"},
		{"SubmitForReview", "content.revision.submitted", "revision", move("SubmitForReview"), "STATE_DRAFT", "STATE_IN_REVIEW"},
		{"ScheduleRevision", "content.revision.scheduled", "revision", move("ScheduleRevision"), "STATE_IN_REVIEW", `"publishAt"`},
		{"CancelSchedule", "content.revision.unscheduled", "revision", move("CancelSchedule"), `"publishAt"`, "STATE_IN_REVIEW"},
		{"PublishRevision", "content.revision.published", "revision", move("PublishRevision"), "STATE_IN_REVIEW", "STATE_PUBLISHED"},
		{"ArchiveText", "content.text.archived", "revision", move("ArchiveText"), "STATE_PUBLISHED", "STATE_ARCHIVED"},
	}
	var called []string
	var records int
	for _, test := range calls {
		called = append(called, test.method)
		d.Clock.Advance(time.Second)
		subject, err := test.call()
		if err != nil {
			t.Fatalf("%s: %v", test.method, err)
		}
		records++
		var count int
		var record uuid.UUID
		var kind, actor, action, subjectType, subjectID string
		err = d.Pool.QueryRow(ctx, `SELECT count(*) OVER (), id, actor_kind, actor_id, action, subject_type, subject_id FROM audit.records
			WHERE action LIKE 'content.%' ORDER BY id DESC LIMIT 1`).Scan(&count, &record, &kind, &actor, &action, &subjectType, &subjectID)
		if err != nil || count != records || kind != "staff" || actor != d.editor.ID.String() || action != test.action || subjectType != test.subjectType || subjectID != subject {
			t.Errorf("%s: %d records, the last %s by %s %s on %s %s, want %s: %v", test.method, count, action, kind, actor, subjectType, subjectID, subject, err)
		}
		before, after, err := audit.New(d.Keys).Reveal(ctx, d.Pool, record)
		if err != nil || !strings.Contains(string(before), test.before) || (test.before == "") != (before == nil) || !strings.Contains(string(after), test.after) ||
			strings.Contains(string(before)+string(after), d.editor.ID.String()) {
			t.Errorf("%s: before %s, after %s, %v", test.method, before, after, err)
		}
	}
	for _, method := range adminMethods(t, func(rule *policyv1.Rule) bool { return rule.GetAudit() }) {
		if !slices.Contains(called, method) {
			t.Errorf("there is no call of %s, which is audited", method)
		}
	}
	if log := d.Log.String(); strings.Contains(log, "recorded nothing") {
		t.Errorf("the log: %s", log)
	}
}
