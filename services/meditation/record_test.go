package meditation_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
	"github.com/mindspace-app/mindspace/services/meditation"
)

// told is a session of so many minutes that a phone kept, in UTC.
func told(start time.Time, minutes int) *meditationv1.RecordedSession {
	return &meditationv1.RecordedSession{
		ClientId: uuid.NewString(), StartedAt: timestamppb.New(start), EndedAt: timestamppb.New(start.Add(time.Duration(minutes) * time.Minute)), TimeZone: "UTC",
	}
}

// record sends sessions and gives the results.
func record(t *testing.T, client meditationv1connect.MeditationServiceClient, sessions ...*meditationv1.RecordedSession) []*meditationv1.RecordResult {
	t.Helper()
	res, err := client.RecordSessions(t.Context(), &meditationv1.RecordSessionsRequest{Sessions: sessions})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.GetResults()) != len(sessions) {
		t.Fatalf("%d results for %d sessions", len(res.GetResults()), len(sessions))
	}
	return res.GetResults()
}

// storedDay is what the database has of a local day.
type storedDay struct{ sessions, seconds int }

// days are the stored local days of a person, by date.
func days(r *rig, p *authtest.Person) map[string]storedDay {
	r.t.Helper()
	return daysIn(r, "SELECT local_date::text, sessions, seconds FROM meditation.days WHERE user_id = $1 AND sessions > 0", p)
}

// daysIn reads days by date, of a person.
func daysIn(r *rig, query string, p *authtest.Person) map[string]storedDay {
	r.t.Helper()
	rows, err := r.Pool.Query(r.t.Context(), query, p.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]storedDay{}
	for rows.Next() {
		var date string
		var d storedDay
		if err := rows.Scan(&date, &d.sessions, &d.seconds); err != nil {
			r.t.Fatal(err)
		}
		all[date] = d
	}
	if err := rows.Err(); err != nil {
		r.t.Fatal(err)
	}
	return all
}

// events counts the jobs of a kind that are about a person.
func events(r *rig, p *authtest.Person, kind string) (n int) {
	r.t.Helper()
	if err := r.Pool.QueryRow(r.t.Context(), "SELECT count(*) FROM river.river_job WHERE kind = $1 AND args ->> 'user_id' = $2", kind, p.ID.String()).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

func TestRecordSessionsIsDoneOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	client := r.as(ana)
	start := r.Clock.Now().Add(-48 * time.Hour).Truncate(24 * time.Hour).Add(8 * time.Hour)
	first, second := told(start, 10), told(start.Add(-24*time.Hour), 20)
	second.MeditationId, second.MoodBefore, second.MoodAfter, second.Note = r.catalogue.lessons[0].String(), 2, 5, "a private thought"
	second.PracticedSeconds = proto.Int32(900)
	results := record(t, client, first, second)
	for i, result := range results {
		if result.GetError() != nil || result.GetSession().GetId() == "" || result.GetClientId() != []string{first.GetClientId(), second.GetClientId()}[i] {
			t.Fatalf("result %d: %v", i, result)
		}
	}
	if s := results[0].GetSession(); s.GetPracticedSeconds() != 600 || s.GetKind() != meditationv1.SessionKind_SESSION_KIND_TIMER || !s.GetFinished() ||
		s.GetLocalDate() != start.Format(time.DateOnly) || s.GetState() != meditationv1.SessionState_SESSION_STATE_COMPLETED || s.GetHasNote() {
		t.Errorf("the timer: %v", s)
	}
	if s := results[1].GetSession(); s.GetPracticedSeconds() != 900 || s.GetCourseId() != r.catalogue.course.String() || s.GetMoodAfter() != 5 || !s.GetHasNote() || s.GetNote() != "" {
		t.Errorf("the meditation: %v", s)
	}
	want := map[string]storedDay{start.Format(time.DateOnly): {1, 600}, start.Add(-24 * time.Hour).Format(time.DateOnly): {1, 900}}
	if got := days(r, ana); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("days: %v, want %v", got, want)
	}
	again := record(t, client, second, first, first)
	for i, want := range []*meditationv1.RecordResult{results[1], results[0], results[0]} {
		if !proto.Equal(again[i], want) {
			t.Errorf("sent again, result %d: %v, want %v", i, again[i], want)
		}
	}
	if got := days(r, ana); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("days after sending again: %v, want %v", got, want)
	}
	if strings.Contains(r.Log.String(), "private thought") {
		t.Error("the log has the note")
	}
	var sealed []byte
	if err := r.Pool.QueryRow(t.Context(), "SELECT sealed FROM meditation.notes WHERE user_id = $1", ana.ID).Scan(&sealed); err != nil || strings.Contains(string(sealed), "private") {
		t.Errorf("the note as it is stored: %q, %v", sealed, err)
	}
}

func TestRecordSessionsAnswersEach(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	now := r.Clock.Now()
	change := func(change func(*meditationv1.RecordedSession)) *meditationv1.RecordedSession {
		one := told(now.Add(-time.Hour), 10)
		change(one)
		return one
	}
	tests := []struct {
		what, code, field string
		session           *meditationv1.RecordedSession
	}{
		{"ends before it starts", "invalid_argument", "endedAt", change(func(s *meditationv1.RecordedSession) { s.EndedAt = timestamppb.New(now.Add(-2 * time.Hour)) })},
		{"30 hours", "invalid_argument", "endedAt", change(func(s *meditationv1.RecordedSession) {
			s.StartedAt = timestamppb.New(now.Add(-30 * time.Hour))
			s.EndedAt = timestamppb.New(now)
		})},
		{"starts in the future", "invalid_argument", "startedAt", change(func(s *meditationv1.RecordedSession) { s.StartedAt = timestamppb.New(now.Add(time.Hour)) })},
		{"ends in the future", "invalid_argument", "endedAt", change(func(s *meditationv1.RecordedSession) { s.EndedAt = timestamppb.New(now.Add(time.Hour)) })},
		{"before 2000", "invalid_argument", "startedAt", told(time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC), 10)},
		{"no start", "invalid_argument", "startedAt", change(func(s *meditationv1.RecordedSession) { s.StartedAt = nil })},
		{"no end", "invalid_argument", "endedAt", change(func(s *meditationv1.RecordedSession) { s.EndedAt = nil })},
		{"a time that is none", "invalid_argument", "startedAt", change(func(s *meditationv1.RecordedSession) { s.StartedAt = &timestamppb.Timestamp{Seconds: 1 << 60} })},
		{"unknown zone", "invalid_argument", "timeZone", change(func(s *meditationv1.RecordedSession) { s.TimeZone = "Mars/Olympus" })},
		{"a path for a zone", "invalid_argument", "timeZone", change(func(s *meditationv1.RecordedSession) { s.TimeZone = "../../etc/passwd" })},
		{"no client id", "invalid_argument", "clientId", change(func(s *meditationv1.RecordedSession) { s.ClientId = "" })},
		{"meditation that is no id", "invalid_argument", "meditationId", change(func(s *meditationv1.RecordedSession) { s.MeditationId = "sleep" })},
		{"meditation that never was", "not_found", "meditationId", change(func(s *meditationv1.RecordedSession) { s.MeditationId = uuid.NewString() })},
		{"negative practice", "invalid_argument", "practicedSeconds", change(func(s *meditationv1.RecordedSession) { s.PracticedSeconds = proto.Int32(-1) })},
		{"more practice than time", "invalid_argument", "practicedSeconds", change(func(s *meditationv1.RecordedSession) { s.PracticedSeconds = proto.Int32(601) })},
		{"mood", "invalid_argument", "moodAfter", change(func(s *meditationv1.RecordedSession) { s.MoodAfter = 6 })},
		{"long note", "invalid_argument", "note", change(func(s *meditationv1.RecordedSession) { s.Note = strings.Repeat("ж", 4001) })},
	}
	good := told(now.Add(-2*time.Hour), 15)
	sessions := []*meditationv1.RecordedSession{good}
	for _, test := range tests {
		sessions = append(sessions, test.session)
	}
	results := record(t, r.as(ana), sessions...)
	if results[0].GetError() != nil {
		t.Errorf("the good one: %v", results[0])
	}
	for i, test := range tests {
		got := results[i+1]
		if got.GetError().GetCode() != test.code || got.GetError().GetField() != test.field || got.GetError().GetMessage() == "" || got.GetSession() != nil || got.GetClientId() != test.session.GetClientId() {
			t.Errorf("%s: %v, want %s of %s", test.what, got, test.code, test.field)
		}
	}
	if got := days(r, ana); len(got) != 1 {
		t.Errorf("days: %v", got)
	}
}

func TestRecordSessionsShowsWhatIsStored(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client := r.as(r.Register("ana@example.test"))
	one := told(r.Clock.Now().Add(-time.Hour), 10)
	stored := record(t, client, one)[0].GetSession()
	for what, change := range map[string]func(*meditationv1.RecordedSession){
		"another end": func(s *meditationv1.RecordedSession) {
			s.EndedAt = timestamppb.New(s.EndedAt.AsTime().Add(time.Second))
		},
		"another start": func(s *meditationv1.RecordedSession) {
			s.StartedAt = timestamppb.New(s.StartedAt.AsTime().Add(-time.Second))
		},
		"another meditation": func(s *meditationv1.RecordedSession) { s.MeditationId = r.catalogue.alone.String() },
		"another zone":       func(s *meditationv1.RecordedSession) { s.TimeZone = "Europe/Belgrade" },
		"other practice":     func(s *meditationv1.RecordedSession) { s.PracticedSeconds = proto.Int32(1) },
	} {
		other := proto.CloneOf(one)
		change(other)
		got := record(t, client, other)[0]
		if got.GetError().GetCode() != "already_exists" || got.GetError().GetReason() != "CLIENT_ID_TAKEN" || !proto.Equal(got.GetSession(), stored) {
			t.Errorf("%s: %v", what, got)
		}
	}
	// In one request, the first one counts.
	a := told(r.Clock.Now().Add(-3*time.Hour), 10)
	b := proto.CloneOf(a)
	b.EndedAt = timestamppb.New(b.EndedAt.AsTime().Add(time.Minute))
	results := record(t, client, a, b, a)
	if results[0].GetError() != nil || results[1].GetError().GetReason() != "CLIENT_ID_TAKEN" || results[2].GetError() != nil {
		t.Errorf("twice in one request: %v", results)
	}
	// Another person may use the same id.
	if got := record(t, r.as(r.Register("ben@example.test")), b)[0]; got.GetError() != nil {
		t.Errorf("another person's: %v", got)
	}
}

func TestRecordSessionsRefusesTheRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	many := make([]*meditationv1.RecordedSession, 501)
	for i := range many {
		many[i] = told(r.Clock.Now().Add(-time.Duration(i+1)*time.Hour), 1)
	}
	_, err := r.as(ana).RecordSessions(t.Context(), &meditationv1.RecordSessionsRequest{Sessions: many})
	if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != "sessions" || len(days(r, ana)) != 0 {
		t.Errorf("501 sessions: %v", err)
	}
	_, err = r.as(ana).RecordSessions(t.Context(), &meditationv1.RecordSessionsRequest{SentAt: &timestamppb.Timestamp{Seconds: 253402300799}})
	if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != "sentAt" {
		t.Errorf("a clock in the year 9999: %v", err)
	}
	if res, err := r.as(ana).RecordSessions(t.Context(), &meditationv1.RecordSessionsRequest{}); err != nil || len(res.GetResults()) != 0 {
		t.Errorf("nothing: %v, %v", res, err)
	}
	nobody := meditationv1connect.NewMeditationServiceClient(r.Client(""))
	if _, err := nobody.RecordSessions(t.Context(), &meditationv1.RecordSessionsRequest{}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("nobody: %v", err)
	}
}

// A phone whose clock is off tells times that are off; what it sends again later is still the same session.
func TestRecordSessionsCorrectsTheClock(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client := r.as(r.Register("ana@example.test"))
	for name, off := range map[string]time.Duration{"behind": -3 * time.Hour, "ahead": 26 * time.Hour, "in 1970": -56 * 365 * 24 * time.Hour, "a little": 90 * time.Second} {
		real := r.Clock.Now().Add(-time.Hour)
		one := told(real.Add(off), 10)
		send := func(later time.Duration) *meditationv1.RecordResult {
			res, err := client.RecordSessions(t.Context(), &meditationv1.RecordSessionsRequest{
				Sessions: []*meditationv1.RecordedSession{one}, SentAt: timestamppb.New(r.Clock.Now().Add(off + later)),
			})
			if err != nil {
				t.Fatal(err)
			}
			return res.GetResults()[0]
		}
		first := send(0)
		want := real
		if name == "a little" {
			want = real.Add(off)
		}
		if got := first.GetSession().GetStartedAt().AsTime(); first.GetError() != nil || !got.Equal(want) {
			t.Errorf("%s: %v, want %v", name, first, want)
		}
		if again := send(-4 * time.Second); !proto.Equal(again, first) {
			t.Errorf("%s, sent again: %v, want %v", name, again, first)
		}
	}
}

// Many phones of one person at once, some with the same sessions, lose nothing and count nothing twice.
func TestRecordSessionsAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.test")
	start := r.Clock.Now().Add(-40 * 24 * time.Hour)
	all := make([]*meditationv1.RecordedSession, 60)
	for i := range all {
		all[i] = told(start.Add(time.Duration(i)*7*time.Hour), 5)
	}
	var phones sync.WaitGroup
	for phone := range 12 {
		phones.Go(func() {
			random := rand.New(rand.NewPCG(uint64(phone), 1))
			mine := append([]*meditationv1.RecordedSession(nil), all...)
			random.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
			for len(mine) > 0 {
				n := min(len(mine), 1+random.IntN(20))
				for _, result := range record(t, r.as(ana), mine[:n]...) {
					if result.GetError() != nil {
						t.Errorf("phone %d: %v", phone, result)
					}
				}
				mine = mine[n:]
			}
		})
	}
	phones.Wait()
	sessions, seconds := 0, 0
	for _, d := range days(r, ana) {
		sessions, seconds = sessions+d.sessions, seconds+d.seconds
	}
	if sessions != len(all) || seconds != len(all)*300 {
		t.Errorf("%d sessions of %d seconds, want %d of %d", sessions, seconds, len(all), len(all)*300)
	}
}

// journeys counts what goes to the database and back.
type journeys struct{ batches, queries atomic.Int64 }

func (j *journeys) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	j.batches.Add(1)
	return ctx
}
func (*journeys) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (*journeys) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}
func (j *journeys) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	j.queries.Add(1)
	return ctx
}
func (*journeys) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// Five hundred sessions are one round trip, not five hundred.
func TestRecordSessionsInOneRoundTrip(t *testing.T) {
	t.Parallel()
	var counted journeys
	r := newRig(t, func(o *meditation.Options) {
		config := o.Pool.Config()
		config.ConnConfig.Tracer = &counted
		pool, err := pgxpool.NewWithConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		o.Pool = pool
	})
	ana := r.Register("ana@example.test")
	all := make([]*meditationv1.RecordedSession, 500)
	for i := range all {
		all[i] = told(r.Clock.Now().Add(-time.Duration(i+1)*25*time.Hour), 10)
		all[i].Note = "thought " + strconv.Itoa(i)
	}
	for _, result := range record(t, r.as(ana), all...) {
		if result.GetError() != nil {
			t.Fatal(result)
		}
	}
	if counted.batches.Load() != 1 || counted.queries.Load() != 0 {
		t.Errorf("%d batches and %d statements beside them", counted.batches.Load(), counted.queries.Load())
	}
	if n := len(days(r, ana)); n != 500 {
		t.Errorf("%d days", n)
	}
}

// Behind a pooler nothing is prepared, and arguments are sent as text.
func TestRecordSessionsBehindAPooler(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *meditation.Options) {
		pool, err := postgres.Open(t.Context(), postgres.Config{URL: o.Pool.Config().ConnString(), MaxConns: 2, Pooler: true, Name: "pooler"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		o.Pool = pool
	})
	ana := r.Register("ana@example.test")
	one := told(r.Clock.Now().Add(-time.Hour), 10)
	one.MeditationId, one.Note = r.catalogue.lessons[1].String(), "note"
	for range 2 {
		if got := record(t, r.as(ana), one, told(r.Clock.Now().Add(-30*time.Hour), 10)); got[0].GetError() != nil || got[1].GetError() != nil {
			t.Fatal(got)
		}
	}
	if n := events(r, ana, meditation.SessionsRecorded{}.Kind()); n != 2 {
		t.Errorf("%d events", n)
	}
}
