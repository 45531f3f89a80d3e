package meditation_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
)

// recordAt sends one session with what the phone's clock says.
func recordAt(t *testing.T, client meditationv1connect.MeditationServiceClient, sentAt time.Time, one *meditationv1.RecordedSession) *meditationv1.RecordResult {
	t.Helper()
	res, err := client.RecordSessions(t.Context(), &meditationv1.RecordSessionsRequest{Sessions: []*meditationv1.RecordedSession{one}, SentAt: timestamppb.New(sentAt)})
	if err != nil {
		t.Fatal(err)
	}
	return res.GetResults()[0]
}

// A phone that started a session here and lost the network tells the rest later: the session is ended, not refused.
func TestRecordSessionsEndsWhatWasStarted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	start := r.Clock.Now().Add(-time.Hour)
	one := told(start, 12)
	one.MeditationId, one.Note, one.MoodAfter = r.catalogue.lessons[0].String(), "the rest of it", 4
	begun, err := r.as(ana).StartSession(t.Context(), &meditationv1.StartSessionRequest{ClientId: one.ClientId, MeditationId: one.MeditationId, StartedAt: one.StartedAt, TimeZone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	first := record(t, r.as(ana), one)[0]
	if first.GetError() != nil || first.GetSession().GetId() != begun.GetSession().GetId() || first.GetSession().GetPracticedSeconds() != 720 || !first.GetSession().GetHasNote() ||
		first.GetSession().GetState() != meditationv1.SessionState_SESSION_STATE_COMPLETED {
		t.Fatalf("got %v", first)
	}
	if again := record(t, r.as(ana), one)[0]; !proto.Equal(again, first) {
		t.Errorf("sent again: %v, want %v", again, first)
	}
	if got := days(r, ana)[start.Format(time.DateOnly)]; got != (storedDay{1, 720}) {
		t.Errorf("its day: %v", got)
	}
	other := proto.CloneOf(one)
	other.StartedAt = timestamppb.New(start.Add(-time.Minute))
	if got := record(t, r.as(ana), other)[0]; got.GetError().GetReason() != "CLIENT_ID_TAKEN" {
		t.Errorf("another start: %v", got)
	}
}

// The answer to the start was lost, and the start was the server's own: the phone's record of it ends it all the same, with the phone's times.
func TestRecordSessionsEndsWithTheTimesThatWereKept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	r.people.set("Europe/Belgrade", 0)
	start := r.Clock.Now()
	one := told(start.Add(-26*time.Hour), 12)
	one.TimeZone = "Asia/Tokyo"
	if _, err := r.as(ana).StartSession(t.Context(), &meditationv1.StartSessionRequest{ClientId: one.ClientId}); err != nil {
		t.Fatal(err)
	}
	got := record(t, r.as(ana), one, one)
	if got[0].GetError() != nil || !proto.Equal(got[0], got[1]) || got[0].GetSession().GetTimeZone() != "Asia/Tokyo" || !got[0].GetSession().GetStartedAt().AsTime().Equal(one.StartedAt.AsTime()) {
		t.Errorf("got %v", got)
	}
	if all := days(r, ana); len(all) != 1 || all[got[0].GetSession().GetLocalDate()] != (storedDay{1, 720}) {
		t.Errorf("days: %v", all)
	}
	if again := record(t, r.as(ana), one)[0]; !proto.Equal(again, got[0]) {
		t.Errorf("sent again: %v, want %v", again, got[0])
	}
}

// What a person adds between two attempts is taken; what they have changed since is left alone.
func TestRecordSessionsTakesWhatIsAdded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client := r.as(r.Register("ana@example.test"))
	one := told(r.Clock.Now().Add(-time.Hour), 10)
	record(t, client, one)
	one.Note, one.MoodAfter = "felt calm", 4
	got := record(t, client, one)[0]
	if got.GetError() != nil || !got.GetSession().GetHasNote() || got.GetSession().GetMoodAfter() != 4 {
		t.Fatalf("added: %v", got)
	}
	one.Note, one.MoodAfter, one.MoodBefore = "felt worse", 1, 2
	got = record(t, client, one)[0]
	stored, err := client.GetSession(t.Context(), &meditationv1.GetSessionRequest{SessionId: got.GetSession().GetId()})
	if err != nil || stored.GetSession().GetNote() != "felt calm" || stored.GetSession().GetMoodAfter() != 4 || stored.GetSession().GetMoodBefore() != 2 {
		t.Errorf("stored: %v, %v", stored, err)
	}
	synced, err := client.SyncSessions(t.Context(), &meditationv1.SyncSessionsRequest{})
	if err != nil || len(synced.GetChanges()) != 1 || synced.GetChanges()[0].GetSession().GetNote() != "felt calm" {
		t.Errorf("synced: %v, %v", synced, err)
	}
}

// The clock of a phone is mended between two attempts: what was stored with the first is no session in the future.
func TestRecordSessionsForgivesAMendedClock(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client := r.as(r.Register("ana@example.test"))
	off := 24 * time.Hour
	one := told(r.Clock.Now().Add(-time.Hour+off), 10)
	first := recordAt(t, client, r.Clock.Now().Add(off), one)
	if first.GetError() != nil {
		t.Fatal(first)
	}
	if again := recordAt(t, client, r.Clock.Now(), one); !proto.Equal(again, first) {
		t.Errorf("with a right clock: %v, want %v", again, first)
	}
	other := told(one.StartedAt.AsTime(), 10)
	if got := recordAt(t, client, r.Clock.Now(), other); got.GetError().GetField() != "startedAt" || got.GetSession() != nil {
		t.Errorf("another one in the future: %v", got)
	}
	longer := proto.CloneOf(one)
	longer.EndedAt = timestamppb.New(longer.EndedAt.AsTime().Add(time.Minute))
	if got := recordAt(t, client, r.Clock.Now(), longer); got.GetError().GetField() != "startedAt" || got.GetSession() != nil {
		t.Errorf("one that is longer: %v", got)
	}
}

// A phone that says at the start how wrong its clock is may tell everything by that clock.
func TestStartedSessionKeepsTheSkew(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client := r.as(r.Register("ana@example.test"))
	const off = -10 * time.Minute
	begin := r.Clock.Now()
	req := &meditationv1.StartSessionRequest{ClientId: uuid.NewString(), StartedAt: timestamppb.New(begin.Add(off)), SentAt: timestamppb.New(begin.Add(off))}
	begun, err := client.StartSession(t.Context(), req)
	if err != nil || !begun.GetSession().GetStartedAt().AsTime().Equal(begin) {
		t.Fatalf("%v, %v", begun, err)
	}
	if again, err := client.StartSession(t.Context(), req); err != nil || again.GetSession().GetId() != begun.GetSession().GetId() {
		t.Errorf("started again: %v, %v", again, err)
	}
	r.Clock.Advance(8 * time.Minute)
	id := begun.GetSession().GetId()
	if heard, err := client.Heartbeat(t.Context(), &meditationv1.HeartbeatRequest{SessionId: id, At: timestamppb.New(begin.Add(off + 8*time.Minute))}); err != nil || heard.GetSession().GetPracticedSeconds() != 480 {
		t.Errorf("%v, %v", heard, err)
	}
	r.Clock.Advance(2 * time.Minute)
	end := &meditationv1.CompleteSessionRequest{SessionId: id, EndedAt: timestamppb.New(begin.Add(off + 10*time.Minute))}
	for range 2 {
		done, err := client.CompleteSession(t.Context(), end)
		if err != nil || done.GetSession().GetPracticedSeconds() != 600 || !done.GetSession().GetEndedAt().AsTime().Equal(begin.Add(10*time.Minute)) {
			t.Errorf("%v, %v", done, err)
		}
	}
}
