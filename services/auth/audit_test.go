package auth_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	policyv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/policy/v1"
	"github.com/mindspace-app/mindspace/platform/audit"
)

// record is an audit record as the database has it.
type record struct {
	id                                               uuid.UUID
	actorKind, actorID, action, subjectType, subject string
	roles                                            []string
	person                                           *uuid.UUID
	// raw is everything that is stored of it.
	raw string
}

// records are all of them, oldest first.
func (r *rig) records() []record {
	r.t.Helper()
	rows, err := r.pool.Query(r.t.Context(), `SELECT id, actor_kind, actor_id, actor_roles, action, subject_type, subject_id, person_id,
		concat_ws('|', encode(before, 'escape'), encode(after, 'escape')) FROM audit.records ORDER BY id`)
	if err != nil {
		r.t.Fatal(err)
	}
	defer rows.Close()
	var all []record
	for rows.Next() {
		var one record
		if err := rows.Scan(&one.id, &one.actorKind, &one.actorID, &one.roles, &one.action, &one.subjectType, &one.subject, &one.person, &one.raw); err != nil {
			r.t.Fatal(err)
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		r.t.Fatal(err)
	}
	return all
}

func (r *rig) lastRecord() record {
	r.t.Helper()
	all := r.records()
	if len(all) == 0 {
		r.t.Fatal("nothing is recorded")
	}
	return all[len(all)-1]
}

// reveal gives what a record says.
func (r *rig) reveal(id uuid.UUID) (before, after string) {
	r.t.Helper()
	b, a, err := audit.New(r.keys).Reveal(r.t.Context(), r.pool, id)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b), string(a)
}

// auditedMethods are the methods of the package whose rule says audit.
func auditedMethods(t *testing.T) []string {
	t.Helper()
	var names []string
	protoregistry.GlobalFiles.RangeFilesByPackage("mindspace.auth.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				method := service.Methods().Get(j)
				rule, _ := proto.GetExtension(method.Options(), policyv1.E_Rule).(*policyv1.Rule)
				if rule.GetAudit() {
					names = append(names, string(service.Name())+"/"+string(method.Name()))
				}
			}
		}
		return true
	})
	if len(names) == 0 {
		t.Fatal("no method is audited")
	}
	return names
}

func TestWhatIsAudited(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	tokens := r.staff("admin@example.org", "admin", "support")
	admin, adminID := r.adminAs(tokens), r.personOf(tokens).GetUserId()
	ana := r.register("ana@example.org").GetUserId()
	ctx := t.Context()
	var keyID string
	calls := []struct {
		method, action, subjectType string
		// call gives the id of the subject.
		call func() (string, error)
		// before and after are parts of what the record says.
		before, after string
	}{
		{"AuthAdminService/GrantRole", "auth.role.granted", "account", func() (string, error) {
			_, err := admin.GrantRole(ctx, &authv1.GrantRoleRequest{UserId: ana, Role: roleEditor})
			return ana, err
		}, `{"roles":[]}`, `{"roles":["editor"]}`},
		{"AuthAdminService/RevokeRole", "auth.role.revoked", "account", func() (string, error) {
			_, err := admin.RevokeRole(ctx, &authv1.RevokeRoleRequest{UserId: ana, Role: roleEditor})
			return ana, err
		}, `{"roles":["editor"]}`, `{"roles":[]}`},
		{"AuthAdminService/ResetSecondFactors", "auth.factors.reset", "account", func() (string, error) {
			_, err := admin.ResetSecondFactors(ctx, &authv1.ResetSecondFactorsRequest{UserId: ana, Reason: "seen in person"})
			return ana, err
		}, `"Passkeys":0`, "seen in person"},
		{"AuthAdminService/CreatePartnerKey", "auth.partner_key.created", "partner_key", func() (string, error) {
			res, err := admin.CreatePartnerKey(ctx, &authv1.CreatePartnerKeyRequest{Name: "clinic", Scopes: []string{callerScope}})
			keyID = res.GetPartnerKey().GetId()
			return keyID, err
		}, "", callerScope},
		{"AuthAdminService/RevokePartnerKey", "auth.partner_key.revoked", "partner_key", func() (string, error) {
			_, err := admin.RevokePartnerKey(ctx, &authv1.RevokePartnerKeyRequest{PartnerKeyId: keyID})
			return keyID, err
		}, "", "revokedAt"},
		{"AuthAdminService/RotateSigningKey", "auth.signing_key.rotated", "signing_key", func() (string, error) {
			res, err := admin.RotateSigningKey(ctx, &authv1.RotateSigningKeyRequest{})
			return res.GetKeyId(), err
		}, "", ""},
	}
	support := r.supportAs(tokens)
	for _, one := range []struct{ method, action, subjectType, subject, after string }{
		{"SearchAccounts", "auth.account.searched", "search", adminID, `{"found":1}`},
		{"GetAnyAccount", "auth.account.viewed", "account", ana, ""},
	} {
		calls = append(calls, struct {
			method, action, subjectType string
			call                        func() (string, error)
			before, after               string
		}{"AccountAdminService/" + one.method, one.action, one.subjectType, func() (string, error) {
			return one.subject, supportCalls[one.method](ctx, support, ana, reason)
		}, "", one.after})
	}
	for _, one := range []struct{ method, action, before, after string }{
		{"SuspendAccount", "auth.account.suspended", `{"state":"active"}`, `{"state":"suspended"}`},
		{"SuspendAccount", "auth.account.suspended", `{"state":"suspended"}`, `{"state":"suspended"}`}, // changes nothing, and was done
		{"ResumeAccount", "auth.account.resumed", `{"state":"suspended"}`, `{"state":"active"}`},
		{"EndAccountSessions", "auth.sessions.ended", "", ""},
		{"RequestAccountErasure", "auth.erasure.requested", `{"erase_after":null}`, `{"erase_after":"20`},
		{"CancelAccountErasure", "auth.erasure.cancelled", `{"erase_after":"20`, `{"erase_after":null}`},
	} {
		calls = append(calls, struct {
			method, action, subjectType string
			call                        func() (string, error)
			before, after               string
		}{"AccountAdminService/" + one.method, one.action, "account", func() (string, error) {
			return ana, supportCalls[one.method](ctx, support, ana, reason)
		}, one.before, one.after})
	}
	var called []string
	seen := len(r.records())
	for _, test := range calls {
		called = append(called, test.method)
		r.clock.advance(time.Second)
		subject, err := test.call()
		if err != nil {
			t.Fatalf("%s: %v", test.method, err)
		}
		fresh := r.records()[seen:]
		seen += len(fresh)
		if len(fresh) != 1 {
			t.Errorf("%s: %d records", test.method, len(fresh))
			continue
		}
		got := fresh[0]
		if got.actorKind != "staff" || got.actorID != adminID || !slices.Equal(got.roles, []string{"admin", "support"}) ||
			got.action != test.action || got.subjectType != test.subjectType || got.subject != subject {
			t.Errorf("%s: %+v", test.method, got)
		}
		if before, after := r.reveal(got.id); !strings.Contains(before, test.before) || !strings.Contains(after, test.after) {
			t.Errorf("%s: before %s, after %s", test.method, before, after)
		} else if strings.HasPrefix(test.method, "AccountAdminService") && test.subjectType == "account" && test.after != "" && (!strings.Contains(after, reason) || got.person == nil || got.person.String() != ana || strings.Contains(got.raw, reason)) {
			t.Errorf("%s: %+v, after %s", test.method, got, after)
		}
	}
	for _, method := range auditedMethods(t) {
		if !slices.Contains(called, method) {
			t.Errorf("there is no call of %s, which is audited", method)
		}
	}
	if log := r.log.String(); strings.Contains(log, "recorded nothing") {
		t.Errorf("the log: %s", log)
	}
	for name, call := range adminCalls {
		if strings.HasPrefix(name, "Create") || strings.HasPrefix(name, "Rotate") {
			continue
		}
		_ = call(ctx, admin) // lists, and changes of nobody
		if n := len(r.records()); n != seen {
			t.Errorf("%s recorded what did not happen", name)
			seen = n
		}
	}
	for name, call := range supportCalls {
		if name == "SearchAccounts" {
			continue // that somebody searched is recorded, whatever was found
		}
		_ = call(ctx, support, uuid.NewString(), reason)
		if n := len(r.records()); n != seen {
			t.Errorf("%s of nobody recorded what did not happen", name)
			seen = n
		}
	}
	if n, err := audit.Seal(ctx, r.pool, 100); err != nil || n != seen {
		t.Errorf("sealed %d of %d, %v", n, seen, err)
	}
	report, err := audit.Verify(ctx, r.pool)
	if err != nil || !report.Intact() || report.Sealed != int64(seen) || report.Unsealed != 0 {
		t.Errorf("%+v, %v", report, err)
	}
}
