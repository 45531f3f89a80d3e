package meditation_test

import (
	"fmt"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
	"github.com/mindspace-app/mindspace/services/meditation"
)

func TestDeleteSession(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana, iva := r.Register("ana@example.test"), r.Register("iva@example.test")
	p := r.phone(ana)
	start := r.Clock.Now().Add(-100 * time.Hour).Truncate(24 * time.Hour).Add(10 * time.Hour)
	first, second, alone := p.practise("", start, 10), p.practise(r.catalogue.lessons[0].String(), start.Add(time.Hour), 5), p.practise("", start.Add(24*time.Hour), 7)
	if _, err := p.UpdateSession(t.Context(), &meditationv1.UpdateSessionRequest{SessionId: second.GetId(), MoodBefore: 1, MoodAfter: 5, Note: "a thought"}); err != nil {
		t.Fatal(err)
	}
	for _, person := range []uuid.UUID{ana.ID, iva.ID} {
		for version := range meditation.RuleVersion + 1 {
			if _, err := r.Pool.Exec(t.Context(), "INSERT INTO meditation.streak_records VALUES ($1, $2, 9)", person, version); err != nil {
				t.Fatal(err)
			}
		}
	}
	expect := func(what string, want map[string]storedDay, deleted int) {
		t.Helper()
		if got := days(r, ana); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: days %v, want %v", what, got, want)
		}
		if n := events(r, ana, meditation.SessionDeleted{}.Kind()); n != deleted {
			t.Errorf("%s: %d events", what, n)
		}
	}
	expect("before", map[string]storedDay{first.GetLocalDate(): {2, 900}, alone.GetLocalDate(): {1, 420}}, 0)
	// Nobody else can, nor learns that it is there.
	for what, id := range map[string]string{"another person's": second.GetId(), "nobody's": uuid.NewString()} {
		_, err := r.as(iva).DeleteSession(t.Context(), &meditationv1.DeleteSessionRequest{SessionId: id})
		refused(t, what, err, connect.CodeNotFound, "SESSION_NOT_FOUND")
	}
	for range 2 {
		p.remove(second)
		expect("one of two", map[string]storedDay{first.GetLocalDate(): {1, 600}, alone.GetLocalDate(): {1, 420}}, 1)
	}
	p.remove(alone)
	expect("the only one of its day", map[string]storedDay{first.GetLocalDate(): {1, 600}}, 2)
	// Nothing is left of what was practised, thought and felt.
	if n := r.count(`SELECT count(*) FROM meditation.sessions WHERE id = $1 AND state = 'deleted' AND meditation_id IS NULL AND course_id IS NULL AND practiced_seconds = 0
		AND planned_seconds = 0 AND NOT finished AND mood_before IS NULL AND mood_after IS NULL AND NOT has_note AND ended_at = started_at`, second.GetId()); n != 1 {
		t.Error("more than a tombstone is left")
	}
	if n := r.count("SELECT count(*) FROM meditation.notes"); n != 0 {
		t.Errorf("%d notes", n)
	}
	// What older versions of the rule counted cannot be counted anew, so it goes; another person's stays.
	if n := r.count("SELECT count(*) FROM meditation.streak_records WHERE user_id = $1 AND rule_version = $2", ana.ID, meditation.RuleVersion); n != 1 ||
		r.count("SELECT count(*) FROM meditation.streak_records") != 1+1+meditation.RuleVersion {
		t.Errorf("%d streak records", r.count("SELECT count(*) FROM meditation.streak_records"))
	}
	// One that is under way ends without having been.
	p.remove(p.begin("", start))
	expect("under way", map[string]storedDay{first.GetLocalDate(): {1, 600}}, 3)
	if got := p.pages(&meditationv1.ListSessionsRequest{}); len(got) != 1 || got[0] != first.GetId() {
		t.Errorf("listed: %v", got)
	}
	nobody := meditationv1connect.NewMeditationServiceClient(r.Client(""))
	if _, err := nobody.DeleteSession(t.Context(), &meditationv1.DeleteSessionRequest{SessionId: first.GetId()}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("nobody: %v", err)
	}
	if _, err := p.DeleteSession(t.Context(), &meditationv1.DeleteSessionRequest{SessionId: "1"}); wrongField(err) != "sessionId" {
		t.Errorf("no id: %v", err)
	}
}

// What is deleted on one phone is not brought back by another one that still has it.
func TestDeletedStaysDeleted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	one := told(r.Clock.Now().Add(-time.Hour), 10)
	p := r.phone(ana)
	p.remove(record(t, p, one)[0].GetSession())
	if got := record(t, p, one)[0].GetError(); got.GetCode() != "failed_precondition" || got.GetReason() != "SESSION_DELETED" {
		t.Errorf("%v", got)
	}
	if len(days(r, ana)) != 0 {
		t.Errorf("days: %v", days(r, ana))
	}
}

// recounted is what the days of a person come to when they are counted from the sessions.
func recounted(r *rig, p *authtest.Person) map[string]storedDay {
	r.t.Helper()
	return daysIn(r, `SELECT local_date::text, count(*), sum(practiced_seconds) FROM meditation.sessions
		WHERE user_id = $1 AND state IN ('completed', 'abandoned') AND practiced_seconds > 0 GROUP BY local_date`, p)
}

// A session that was in no streak takes nothing with it that cannot be counted anew.
func TestDeletingWhatNeverCounted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	p := r.phone(ana)
	if _, err := r.Pool.Exec(t.Context(), "INSERT INTO meditation.streak_records (user_id, rule_version, longest_days) VALUES ($1, 0, 50)", ana.ID); err != nil {
		t.Fatal(err)
	}
	mistake := record(t, r.as(ana), told(r.Clock.Now().Add(-time.Hour), 0))[0].GetSession()
	p.remove(mistake)
	p.remove(p.begin("", r.Clock.Now()))
	if n := r.count("SELECT longest_days FROM meditation.streak_records WHERE user_id = $1 AND rule_version = 0", ana.ID); n != 50 {
		t.Errorf("the longest streak by an older rule: %d", n)
	}
}
