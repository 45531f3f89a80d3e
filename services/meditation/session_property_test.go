package meditation_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/services/meditation"
)

// life is what a phone does with sessions, drawn at random, and what another phone knows that follows the changes.
type life struct {
	*phone
	*rapid.T
	begun  []*meditationv1.StartSessionRequest
	ids    []string
	cursor string
	copied copyOf
}

// one draws a session that was begun; none when there is none.
func (l *life) one() int {
	if len(l.ids) == 0 {
		l.Skip("nothing has begun")
	}
	return rapid.IntRange(0, len(l.ids)-1).Draw(l.T, "session")
}

// moment draws a time within a week.
func (l *life) moment() time.Time {
	return l.rig.Clock.Now().Add(-time.Duration(rapid.IntRange(25*60, 7*24*60).Draw(l.T, "minutes ago")) * time.Minute)
}

// meditation draws one, or the timer.
func (l *life) meditation() string {
	c := l.rig.catalogue
	return rapid.SampledFrom([]string{"", c.alone.String(), c.lessons[0].String(), c.lessons[1].String()}).Draw(l.T, "meditation")
}

// allowed fails for every error but those that a session that was deleted, or has ended, may give.
func (l *life) allowed(err error) {
	if code := connect.CodeOf(err); err != nil && code != connect.CodeNotFound && code != connect.CodeAlreadyExists && code != connect.CodeFailedPrecondition {
		l.Fatal(err)
	}
}

func (l *life) start(*rapid.T) {
	req := &meditationv1.StartSessionRequest{
		ClientId: uuid.NewString(), MeditationId: l.meditation(), StartedAt: timestamppb.New(l.moment()),
		TimeZone: rapid.SampledFrom([]string{"UTC", "Europe/Belgrade", "Pacific/Apia", "Asia/Kolkata"}).Draw(l.T, "zone"),
	}
	res, err := l.StartSession(l.t.Context(), req)
	if err != nil {
		l.Fatal(err)
	}
	l.begun, l.ids = append(l.begun, req), append(l.ids, res.GetSession().GetId())
}

// again sends a start again: it is the same session, unless it was deleted.
func (l *life) again(*rapid.T) {
	i := l.one()
	res, err := l.StartSession(l.t.Context(), l.begun[i])
	l.allowed(err)
	if err == nil && res.GetSession().GetId() != l.ids[i] {
		l.Fatalf("%v, begun as %s", res, l.ids[i])
	}
}

func (l *life) hear(*rapid.T) {
	i := l.one()
	req := &meditationv1.HeartbeatRequest{SessionId: l.ids[i], At: timestamppb.New(l.begun[i].GetStartedAt().AsTime().Add(minutes(rapid.IntRange(0, 60).Draw(l.T, "minutes"))))}
	_, err := l.Heartbeat(l.t.Context(), req)
	l.allowed(err)
}

// complete ends a session, and again: what is stored then is what was answered.
func (l *life) complete(*rapid.T) {
	i := l.one()
	req := &meditationv1.CompleteSessionRequest{
		SessionId: l.ids[i], EndedAt: timestamppb.New(l.begun[i].GetStartedAt().AsTime().Add(minutes(rapid.IntRange(0, 60).Draw(l.T, "minutes")))),
		MoodAfter: rapid.Int32Range(0, 5).Draw(l.T, "mood"), Note: rapid.SampledFrom([]string{"", "a thought"}).Draw(l.T, "note"),
	}
	first, err := l.CompleteSession(l.t.Context(), req)
	l.allowed(err)
	if err != nil {
		return
	}
	if second, err := l.CompleteSession(l.t.Context(), req); err != nil || !proto.Equal(first, second) {
		l.Fatalf("%v, then %v, %v", first, second, err)
	}
}

func (l *life) abandon(*rapid.T) {
	id, err := uuid.Parse(l.ids[l.one()])
	if err != nil {
		l.Fatal(err)
	}
	if again, err := l.rig.service.EndAbandoned(l.t.Context(), meditation.SessionStarted{UserID: l.owner.ID, SessionID: id}); err != nil || again != 0 {
		l.Fatalf("again in %s, %v", again, err)
	}
}

func (l *life) describe(*rapid.T) {
	_, err := l.UpdateSession(l.t.Context(), &meditationv1.UpdateSessionRequest{
		SessionId: l.ids[l.one()], Note: rapid.SampledFrom([]string{"", "another"}).Draw(l.T, "note"), UpdateMask: masked("note"),
	})
	l.allowed(err)
}

func (l *life) delete(*rapid.T) {
	if _, err := l.DeleteSession(l.t.Context(), &meditationv1.DeleteSessionRequest{SessionId: l.ids[l.one()]}); err != nil {
		l.Fatal(err)
	}
}

// record sends a session as a whole: a new one, or one that was begun.
func (l *life) record(*rapid.T) {
	whole := told(l.moment(), rapid.IntRange(0, 60).Draw(l.T, "minutes"))
	if len(l.ids) > 0 && rapid.Bool().Draw(l.T, "begun before") {
		req := l.begun[l.one()]
		length := whole.GetEndedAt().AsTime().Sub(whole.GetStartedAt().AsTime())
		whole.ClientId, whole.MeditationId, whole.StartedAt, whole.TimeZone = req.GetClientId(), req.GetMeditationId(), req.GetStartedAt(), req.GetTimeZone()
		whole.EndedAt = timestamppb.New(req.GetStartedAt().AsTime().Add(length))
	}
	if _, err := l.RecordSessions(l.t.Context(), &meditationv1.RecordSessionsRequest{Sessions: []*meditationv1.RecordedSession{whole}}); err != nil {
		l.Fatal(err)
	}
}

// follow has the other phone ask for a page.
func (l *life) follow(*rapid.T) {
	res := l.sync(l.cursor, rapid.Int32Range(1, 4).Draw(l.T, "size"))
	l.copied.apply(res)
	l.cursor = res.GetCursor()
}

// check follows to the end, and compares: the days are what the sessions come to, and the copy is what is listed.
func (l *life) check() {
	for more := true; more; {
		res := l.sync(l.cursor, 0)
		l.copied.apply(res)
		l.cursor, more = res.GetCursor(), res.GetHasMore()
	}
	if got, want := days(l.rig, l.owner), recounted(l.rig, l.owner); fmt.Sprint(got) != fmt.Sprint(want) {
		l.Fatalf("days %v, the sessions come to %v", got, want)
	}
	var copied []string
	for id := range l.copied {
		copied = append(copied, id)
	}
	slices.SortFunc(copied, func(a, b string) int {
		return cmp.Or(l.copied[b].GetStartedAt().AsTime().Compare(l.copied[a].GetStartedAt().AsTime()), cmp.Compare(b, a))
	})
	if listed := l.pages(&meditationv1.ListSessionsRequest{PageSize: 3}); !slices.Equal(listed, copied) {
		l.Fatalf("listed %v, copied %v", listed, copied)
	}
	for id, session := range l.copied {
		stored := l.get(session)
		if session.GetState() == running { // heartbeats are no change
			session.PracticedSeconds = stored.GetPracticedSeconds()
		}
		if !proto.Equal(stored, session) {
			l.Fatalf("%s is %v, copied %v", id, stored, session)
		}
	}
}

// Whatever is done with sessions, and in whatever order: the days are what the sessions come to, a phone that follows the changes knows what is stored,
// and what is sent again changes nothing.
func TestSessionsAlways(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	people := 0
	rapid.Check(t, func(rt *rapid.T) {
		people++
		l := &life{phone: r.phone(r.Register(fmt.Sprintf("ana%d@example.test", people))), T: rt, copied: copyOf{}}
		r.people.set("UTC", rapid.Int32Range(0, 23).Draw(rt, "day from"))
		rt.Repeat(map[string]func(*rapid.T){
			"start": l.start, "start again": l.again, "hear": l.hear, "complete": l.complete, "abandon": l.abandon, "describe": l.describe,
			"delete": l.delete, "record": l.record, "follow": l.follow,
		})
		l.check()
	})
}
