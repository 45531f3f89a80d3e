package user_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	policyv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/policy/v1"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1/userv1connect"
	"github.com/mindspace-app/mindspace/platform/audit"
)

const reason = "asked by phone, called back"

func TestAdminSeesAPerson(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana, support := r.Register("ana@example.org"), r.adminAs(r.Staff("support@example.org", "support"))
	r.consent(ana.ID, 2)
	r.exec(`INSERT INTO users.profiles VALUES ($1, 4, 'imperial', 'RS', now())`, ana.ID)
	found, err := support.SearchUsers(t.Context(), &userv1.SearchUsersRequest{Query: "ana@"})
	if err != nil || len(found.GetUsers()) != 1 || found.GetUsers()[0].GetAccount().GetId() != ana.ID.String() {
		t.Fatalf("search: %v, %v", found, err)
	}
	get := func() *userv1.UserDetails {
		t.Helper()
		res, err := support.GetUser(t.Context(), &userv1.GetUserRequest{UserId: ana.ID.String()})
		if err != nil {
			t.Fatal(err)
		}
		return res.GetUser()
	}
	u := get()
	if u.GetUser().GetEmail() != ana.Email || u.GetUser().GetDayStartHour() != 4 || u.GetUser().GetCountryCode() != "RS" || u.GetUser().GetUnits() != userv1.Units_UNITS_IMPERIAL ||
		u.GetAccount().GetState() != authv1.AccountState_ACCOUNT_STATE_ACTIVE || u.GetAccount().GetLiveSessions() != 1 || len(u.GetConsents()) != 1 || u.GetHasHealthProfile() ||
		u.GetHealthProfileUpdatedAt() != nil || len(u.GetExports()) != 0 || u.GetNotes() != 0 {
		t.Errorf("a person: %v", u)
	}
	r.exec(`INSERT INTO users.health_profiles VALUES ($1, 'sealed', 1, now())`, ana.ID)
	started, err := support.StartExport(t.Context(), &userv1.StartExportRequest{UserId: ana.ID.String(), Reason: reason})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := support.AddNote(t.Context(), &userv1.AddNoteRequest{UserId: ana.ID.String(), Text: "called"}); err != nil {
		t.Fatal(err)
	}
	u = get()
	if !u.GetHasHealthProfile() || u.GetHealthProfileUpdatedAt() == nil || len(u.GetExports()) != 1 || !u.GetExports()[0].GetBySupport() || u.GetExports()[0].GetId() != started.GetExportId() || u.GetNotes() != 1 {
		t.Errorf("afterwards: %v", u)
	}
	if jobs := r.exportJobs(); len(jobs) != 1 || !has(jobs[0], ana.ID.String(), started.GetExportId()) {
		t.Errorf("jobs: %v", jobs)
	}
	// It is the person's to fetch, and the one that she gets when she asks herself.
	mine, err := r.as(ana).RequestExport(t.Context(), &userv1.RequestExportRequest{})
	if err != nil || mine.GetExportId() != started.GetExportId() {
		t.Errorf("her own: %v, %v", mine, err)
	}
	if _, err := userv1connect.NewUserServiceClient(r.Login(r.Staff("other@example.org", "support")).Client).
		GetExport(t.Context(), &userv1.GetExportRequest{ExportId: started.GetExportId()}); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("support's: %v", err)
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana, iva, member := r.Register("ana@example.org"), r.Register("iva@example.org"), r.Staff("support@example.org", "support")
	support := r.adminAs(member)
	var ids []string
	for i := range 5 {
		res, err := support.AddNote(t.Context(), &userv1.AddNoteRequest{UserId: ana.ID.String(), Text: fmt.Sprint("note ", i)})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, res.GetNote().GetId())
	}
	slices.Reverse(ids)
	var seen []string
	token := ""
	for {
		res, err := support.ListNotes(t.Context(), &userv1.ListNotesRequest{UserId: ana.ID.String(), PageSize: 2, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, note := range res.GetNotes() {
			seen = append(seen, note.GetId())
			if note.GetAuthorId() != member.ID.String() || !strings.HasPrefix(note.GetText(), "note ") || note.GetCreatedAt() == nil {
				t.Errorf("a note: %v", note)
			}
		}
		if token = res.GetNextPageToken(); token == "" {
			break
		}
		_, err = support.ListNotes(t.Context(), &userv1.ListNotesRequest{UserId: iva.ID.String(), PageToken: token})
		if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != "pageToken" {
			t.Errorf("a token of another person's list: %v", err)
		}
	}
	if !slices.Equal(seen, ids) {
		t.Errorf("seen %v, want %v", seen, ids)
	}
	// A note is removed by its person and id, once.
	_, err := support.RemoveNote(t.Context(), &userv1.RemoveNoteRequest{UserId: iva.ID.String(), NoteId: ids[0]})
	refused(t, "as another's", err, connect.CodeNotFound, "")
	if _, err := support.RemoveNote(t.Context(), &userv1.RemoveNoteRequest{UserId: ana.ID.String(), NoteId: ids[0]}); err != nil {
		t.Fatal(err)
	}
	_, err = support.RemoveNote(t.Context(), &userv1.RemoveNoteRequest{UserId: ana.ID.String(), NoteId: ids[0]})
	refused(t, "again", err, connect.CodeNotFound, "")
	for _, text := range []string{"", strings.Repeat("Ж", 4001)} {
		if _, err := support.AddNote(t.Context(), &userv1.AddNoteRequest{UserId: ana.ID.String(), Text: text}); connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != "text" {
			t.Errorf("a text of %d: %v", len(text), err)
		}
	}
	if _, err := support.AddNote(t.Context(), &userv1.AddNoteRequest{UserId: ana.ID.String(), Text: strings.Repeat("Ж", 4000)}); err != nil {
		t.Errorf("a long text: %v", err)
	}
}

// adminCalls calls each method of UserAdminService about a person.
var adminCalls = map[string]func(context.Context, userv1connect.UserAdminServiceClient, string) error{
	"SearchUsers": func(ctx context.Context, c userv1connect.UserAdminServiceClient, id string) error {
		_, err := c.SearchUsers(ctx, &userv1.SearchUsersRequest{Query: id})
		return err
	},
	"GetUser": func(ctx context.Context, c userv1connect.UserAdminServiceClient, id string) error {
		_, err := c.GetUser(ctx, &userv1.GetUserRequest{UserId: id})
		return err
	},
	"SuspendUser": func(ctx context.Context, c userv1connect.UserAdminServiceClient, id string) error {
		_, err := c.SuspendUser(ctx, &userv1.SuspendUserRequest{UserId: id, Reason: reason})
		return err
	},
	"ResumeUser": func(ctx context.Context, c userv1connect.UserAdminServiceClient, id string) error {
		_, err := c.ResumeUser(ctx, &userv1.ResumeUserRequest{UserId: id, Reason: reason})
		return err
	},
	"EndSessions": func(ctx context.Context, c userv1connect.UserAdminServiceClient, id string) error {
		_, err := c.EndSessions(ctx, &userv1.EndSessionsRequest{UserId: id, Reason: reason})
		return err
	},
	"StartExport": func(ctx context.Context, c userv1connect.UserAdminServiceClient, id string) error {
		_, err := c.StartExport(ctx, &userv1.StartExportRequest{UserId: id, Reason: reason})
		return err
	},
	"StartErasure": func(ctx context.Context, c userv1connect.UserAdminServiceClient, id string) error {
		_, err := c.StartErasure(ctx, &userv1.StartErasureRequest{UserId: id, Reason: reason})
		return err
	},
	"CancelErasure": func(ctx context.Context, c userv1connect.UserAdminServiceClient, id string) error {
		_, err := c.CancelErasure(ctx, &userv1.CancelErasureRequest{UserId: id, Reason: reason})
		return err
	},
	"RevealHealthProfile": func(ctx context.Context, c userv1connect.UserAdminServiceClient, id string) error {
		_, err := c.RevealHealthProfile(ctx, &userv1.RevealHealthProfileRequest{UserId: id, Reason: reason})
		return err
	},
	"AddNote": func(ctx context.Context, c userv1connect.UserAdminServiceClient, id string) error {
		_, err := c.AddNote(ctx, &userv1.AddNoteRequest{UserId: id, Text: "a note of mine"})
		return err
	},
	"ListNotes": func(ctx context.Context, c userv1connect.UserAdminServiceClient, id string) error {
		_, err := c.ListNotes(ctx, &userv1.ListNotesRequest{UserId: id})
		return err
	},
	"RemoveNote": func(ctx context.Context, c userv1connect.UserAdminServiceClient, id string) error {
		_, err := c.RemoveNote(ctx, &userv1.RemoveNoteRequest{UserId: id, NoteId: uuid.NewString()})
		return err
	},
}

// userMethods are the methods of the domain's services by rule, as "UserAdminService/GetUser".
func userMethods(t *testing.T, wanted func(service string, rule *policyv1.Rule) bool) []string {
	t.Helper()
	var names []string
	protoregistry.GlobalFiles.RangeFilesByPackage("mindspace.user.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				method := service.Methods().Get(j)
				rule, _ := proto.GetExtension(method.Options(), policyv1.E_Rule).(*policyv1.Rule)
				if wanted(string(service.Name()), rule) {
					names = append(names, string(method.Name()))
				}
			}
		}
		return true
	})
	if len(names) == 0 {
		t.Fatal("no method is wanted")
	}
	return names
}

func TestAdminRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana, colleague := r.Register("ana@example.org"), r.Staff("colleague@example.org", "editor")
	support, editor, nobody := r.adminAs(r.Staff("support@example.org", "support")), r.adminAs(r.Staff("editor@example.org", "editor")), userv1connect.NewUserAdminServiceClient(r.Client(""))
	admin := r.adminAs(r.Staff("admin@example.org", "admin"))
	reads := []string{"SearchUsers", "GetUser"}
	for _, method := range userMethods(t, func(service string, _ *policyv1.Rule) bool { return service == "UserAdminService" }) {
		call := adminCalls[method]
		if call == nil {
			t.Errorf("there is no call of %s", method)
			continue
		}
		for name, c := range map[string]userv1connect.UserAdminServiceClient{"a person": r.adminAs(ana), "an editor": editor} {
			if err := call(t.Context(), c, ana.ID.String()); connect.CodeOf(err) != connect.CodePermissionDenied {
				t.Errorf("%s of %s: %v", method, name, err)
			}
		}
		if err := call(t.Context(), nobody, ana.ID.String()); connect.CodeOf(err) != connect.CodeUnauthenticated {
			t.Errorf("%s of nobody: %v", method, err)
		}
		if method != "SearchUsers" {
			if err := call(t.Context(), support, "ana"); connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != "userId" {
				t.Errorf("%s of no id: %v", method, err)
			}
		}
		if slices.Contains(reads, method) {
			continue
		}
		refused(t, method+" of staff by support", call(t.Context(), support, colleague.ID.String()), connect.CodePermissionDenied, "STAFF_ACCOUNT")
		refused(t, method+" of nobody", call(t.Context(), support, uuid.NewString()), connect.CodeNotFound, "")
		if err := call(t.Context(), admin, colleague.ID.String()); connect.CodeOf(err) == connect.CodePermissionDenied {
			t.Errorf("%s of staff by an administrator: %v", method, err)
		}
	}
	refused(t, "GetUser of nobody", adminCalls["GetUser"](t.Context(), support, uuid.NewString()), connect.CodeNotFound, "")
	for _, short := range []string{"", "no"} {
		if _, err := support.StartExport(t.Context(), &userv1.StartExportRequest{UserId: ana.ID.String(), Reason: short}); wrongField(err) != "reason" {
			t.Errorf("reason %q: %v", short, err)
		}
	}
}

func TestAdminActsOnAccounts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana, support := r.Register("ana@example.org"), r.adminAs(r.Staff("support@example.org", "support"))
	id, ctx := ana.ID.String(), t.Context()
	state := func() *authv1.AccountDetails {
		t.Helper()
		res, err := support.GetUser(ctx, &userv1.GetUserRequest{UserId: id})
		if err != nil {
			t.Fatal(err)
		}
		return res.GetUser().GetAccount()
	}
	if res, err := support.EndSessions(ctx, &userv1.EndSessionsRequest{UserId: id, Reason: reason}); err != nil || res.GetEnded() != 1 || state().GetLiveSessions() != 0 {
		t.Errorf("end sessions: %v, %v", res, err)
	}
	if _, err := support.SuspendUser(ctx, &userv1.SuspendUserRequest{UserId: id, Reason: reason}); err != nil || state().GetState() != authv1.AccountState_ACCOUNT_STATE_SUSPENDED {
		t.Errorf("suspend: %v", err)
	}
	if _, err := support.ResumeUser(ctx, &userv1.ResumeUserRequest{UserId: id, Reason: reason}); err != nil || state().GetState() != authv1.AccountState_ACCOUNT_STATE_ACTIVE {
		t.Errorf("resume: %v", err)
	}
	_, err := support.CancelErasure(ctx, &userv1.CancelErasureRequest{UserId: id, Reason: reason})
	refused(t, "cancel what was not started", err, connect.CodeFailedPrecondition, "NO_ERASURE")
	res, err := support.StartErasure(ctx, &userv1.StartErasureRequest{UserId: id, Reason: reason})
	if err != nil || res.GetErasureId() == "" || !state().GetEraseAfter().AsTime().Equal(res.GetEraseAfter().AsTime()) {
		t.Errorf("start erasure: %v, %v", res, err)
	}
	if _, err := support.CancelErasure(ctx, &userv1.CancelErasureRequest{UserId: id, Reason: reason}); err != nil || state().GetEraseAfter() != nil {
		t.Errorf("cancel erasure: %v", err)
	}
}

func TestWhatIsAudited(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana, member := r.Register("ana@example.org"), r.Staff("support@example.org", "support")
	support, id, ctx := r.adminAs(member), ana.ID.String(), t.Context()
	r.exec(`INSERT INTO users.consents VALUES ($1, $2, 'health_data', true, '1', now())`, ana.ID, uuid.Must(uuid.NewV7()))
	var note, export string
	calls := []struct {
		method, action string
		call           func() error
		subject        *string
		before, after  string
	}{
		{"StartExport", "user.export.started", func() error {
			res, err := support.StartExport(ctx, &userv1.StartExportRequest{UserId: id, Reason: reason})
			export = res.GetExportId()
			return err
		}, &id, "", reason},
		{"StartExport", "user.export.started", func() error { return adminCalls["StartExport"](ctx, support, id) }, &id, "", `"export_id"`}, // one is under way
		{"RevealHealthProfile", "user.health_profile.revealed", func() error { return adminCalls["RevealHealthProfile"](ctx, support, id) }, &id, "", reason},
		{"AddNote", "user.note.added", func() error {
			res, err := support.AddNote(ctx, &userv1.AddNoteRequest{UserId: id, Text: "a note of mine"})
			note = res.GetNote().GetId()
			return err
		}, &note, "", "a note of mine"},
		{"RemoveNote", "user.note.removed", func() error {
			_, err := support.RemoveNote(ctx, &userv1.RemoveNoteRequest{UserId: id, NoteId: note})
			return err
		}, &note, "a note of mine", ""},
	}
	var called []string
	for _, test := range calls {
		called = append(called, test.method)
		r.Clock.Advance(time.Second)
		if err := test.call(); err != nil {
			t.Fatalf("%s: %v", test.method, err)
		}
		var record, person uuid.UUID
		var actor, action, subject, raw string
		err := r.Pool.QueryRow(ctx, `SELECT id, actor_id, action, subject_id, person_id, concat_ws('|', encode(before, 'escape'), encode(after, 'escape')) FROM audit.records ORDER BY id DESC LIMIT 1`).
			Scan(&record, &actor, &action, &subject, &person, &raw)
		if err != nil || actor != member.ID.String() || action != test.action || subject != *test.subject || person != ana.ID || strings.Contains(raw, "note of mine") || strings.Contains(raw, reason) {
			t.Errorf("%s: %s by %s on %s: %v", test.method, action, actor, subject, err)
		}
		if before, after, err := audit.New(r.Keys).Reveal(ctx, r.Pool, record); err != nil || !strings.Contains(string(before), test.before) || !strings.Contains(string(after), test.after) {
			t.Errorf("%s: before %s, after %s, %v", test.method, before, after, err)
		}
	}
	if export == "" {
		t.Error("no export")
	}
	for _, method := range userMethods(t, func(_ string, rule *policyv1.Rule) bool { return rule.GetAudit() }) {
		if !slices.Contains(called, method) {
			t.Errorf("there is no call of %s, which is audited", method)
		}
	}
	if log := r.Log.String(); strings.Contains(log, "recorded nothing") {
		t.Errorf("the log: %s", log)
	}
}
