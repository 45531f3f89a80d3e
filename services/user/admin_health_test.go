package user_test

import (
	"bytes"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	healthv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/health/v1"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
)

const why = "ticket 4711: asks what we have of her"

func (r *rig) reveal(by, of *authtest.Person) (*userv1.RevealHealthProfileResponse, error) {
	return r.adminAs(by).RevealHealthProfile(r.t.Context(), &userv1.RevealHealthProfileRequest{UserId: of.ID.String(), Reason: why})
}

// revealed counts the records of reveals.
func (r *rig) revealed() (n int) {
	r.t.Helper()
	if err := r.Pool.QueryRow(r.t.Context(), "SELECT count(*) FROM audit.records WHERE action = 'user.health_profile.revealed'").Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

func TestRevealHealthProfile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana, sara := r.Register("ana@example.org"), r.Staff("sara@example.org", "support")
	r.agrees(ana)
	// Nothing told is an answer too, and is recorded.
	if res, err := r.reveal(sara, ana); err != nil || res.GetUpdatedAt() != nil || r.revealed() != 1 {
		t.Errorf("nothing told: %v (%v), %d records", res, err, r.revealed())
	}
	r.tells(ana, everything(), &healthv1.Term{Text: "bone health"})
	res, err := r.reveal(sara, ana)
	if err != nil || !proto.Equal(res.GetProfile(), everything()) || len(res.GetGoals()) != 1 || !res.GetUpdatedAt().AsTime().Equal(r.Clock.Now()) {
		t.Fatalf("revealed %v (%v)", res, err)
	}
	var actor, subject string
	var person uuid.UUID
	var after []byte
	if err := r.Pool.QueryRow(t.Context(), `SELECT actor_id, subject_id, person_id, after FROM audit.records WHERE action = 'user.health_profile.revealed'
		ORDER BY id DESC LIMIT 1`).Scan(&actor, &subject, &person, &after); err != nil {
		t.Fatal(err)
	}
	if actor != sara.ID.String() || subject != ana.ID.String() || person != ana.ID {
		t.Errorf("recorded: %s saw %s, about %s", actor, subject, person)
	}
	if len(after) == 0 || bytes.Contains(after, []byte("ticket")) {
		t.Errorf("the reason is not sealed: %q", after)
	}
	if log := r.Log.String(); strings.Contains(log, "recorded nothing") || strings.Contains(log, "ticket") || strings.Contains(log, "Sintrom") {
		t.Errorf("the log: %s", log)
	}
}

func TestRevealHealthProfileRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana, sara, boss := r.Register("ana@example.org"), r.Staff("sara@example.org", "support"), r.Staff("boss@example.org", "admin")
	eva := r.Staff("eva@example.org", "editor")
	_, err := r.reveal(sara, ana)
	refused(t, "before consent", err, connect.CodeFailedPrecondition, "CONSENT_MISSING")
	r.agrees(ana)
	r.agrees(eva)
	r.tells(ana, everything())
	r.tells(eva, everything())
	if _, err := r.reveal(ana, ana); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("somebody who is not staff: %v", err)
	}
	if _, err := r.reveal(eva, ana); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("an editor: %v", err)
	}
	_, err = r.reveal(sara, eva)
	refused(t, "support looks at staff", err, connect.CodePermissionDenied, "STAFF_ACCOUNT")
	if _, err := r.reveal(sara, &authtest.Person{ID: uuid.New()}); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("nobody: %v", err)
	}
	for field, req := range map[string]*userv1.RevealHealthProfileRequest{
		"userId": {UserId: "ana", Reason: why},
		"reason": {UserId: ana.ID.String()},
	} {
		if _, err := r.adminAs(sara).RevealHealthProfile(t.Context(), req); wrongField(err) != field {
			t.Errorf("%s: %v names %q", field, err, wrongField(err))
		}
	}
	r.answers(ana, false)
	_, err = r.reveal(sara, ana)
	refused(t, "after the withdrawal", err, connect.CodeFailedPrecondition, "CONSENT_MISSING")
	if n := r.revealed(); n != 0 {
		t.Errorf("%d records of what was refused", n)
	}
	if res, err := r.reveal(boss, eva); err != nil || !proto.Equal(res.GetProfile(), everything()) || r.revealed() != 1 {
		t.Errorf("an administrator looks at staff: %v (%v)", res, err)
	}
}
