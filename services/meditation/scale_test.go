package meditation_test

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
	"github.com/mindspace-app/mindspace/services/meditation"
)

// scaled is a scale with the catalogue of the rig.
func scaled(r *rig) *meditation.Scale {
	s := &meditation.Scale{Seed: 7, Until: r.Clock.Now().Truncate(24 * time.Hour), Zones: zones(r.t)}
	for _, lesson := range r.catalogue.lessons {
		s.Meditations = append(s.Meditations, meditation.ScaleMeditation{ID: lesson, CourseID: r.catalogue.course, Seconds: 600})
	}
	s.Meditations = append(s.Meditations, meditation.ScaleMeditation{ID: r.catalogue.alone, Seconds: 600})
	return s
}

// zones are some with which one can go wrong.
func zones(t *testing.T) (all []*time.Location) {
	t.Helper()
	for _, name := range []string{"Europe/Belgrade", "America/St_Johns", "Asia/Kathmandu", "Pacific/Auckland", "Pacific/Honolulu", "Australia/Lord_Howe"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, zone)
	}
	return all
}

// persons makes up so many persons of a scale, in the order of their ids.
func persons(s *meditation.Scale, n int) (all []meditation.ScalePerson) {
	for i := range n {
		since := s.Until.AddDate(-1, 0, 0).Add(time.Duration(i) * time.Minute)
		all = append(all, meditation.ScalePerson{
			ID: uid.At(since, 0, uint64(i)), Number: uint64(i), Zone: s.Zones[i%len(s.Zones)], DayStartHour: []int{0, 4}[i/2%2], Since: since, Expected: 60,
		})
	}
	return all
}

// fill stores what persons of a scale have practised.
func fill(t *testing.T, pool *pgxpool.Pool, s *meditation.Scale, all []meditation.ScalePerson) (sessions int) {
	t.Helper()
	practice := make([]meditation.ScalePractice, 0, len(all))
	for _, p := range all {
		practice = append(practice, s.Practice(p))
		sessions += practice[len(practice)-1].Sessions()
	}
	err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := meditation.CopyScale(t.Context(), tx, practice)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sessions
}

// column reads the texts that a query gives.
func column(r *rig, query string, args ...any) []string {
	r.t.Helper()
	rows, err := r.Pool.Query(r.t.Context(), query, args...)
	if err != nil {
		r.t.Fatal(err)
	}
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		r.t.Fatal(err)
	}
	return texts
}

// What is made up is what RecordSessions would have stored of the same sessions.
func TestScaleIsWhatRecordingStores(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := scaled(r)
	all := persons(s, 6)
	if fill(t, r.Pool, s, all) < 100 {
		t.Fatal("there is too little to compare")
	}
	for i, p := range all {
		recorder := r.Register(fmt.Sprintf("person%d@example.test", i))
		r.people.set(p.Zone.String(), int32(p.DayStartHour))
		recordAll(r, recorder, p.ID)
		for _, table := range []string{"sessions s", "days s"} {
			query := "SELECT (to_jsonb(s) - '{user_id,id,change,updated_at}'::text[])::text AS row FROM meditation." + table + " WHERE user_id = $1 ORDER BY row"
			madeUp, recorded := column(r, query, p.ID), column(r, query, recorder.ID)
			if !slices.Equal(madeUp, recorded) {
				t.Errorf("person %d, %s: %d rows made up, %d recorded:\n%s\n%s", i, table, len(madeUp), len(recorded), strings.Join(madeUp, "\n"), strings.Join(recorded, "\n"))
			}
		}
		// So are milestones and the longest streak, of which the worker takes note.
		if err := meditation.NewMilestones(r.service).Advance(t.Context(), meditation.SessionsRecorded{UserID: recorder.ID}); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"milestones s", "streak_records s"} {
			query := "SELECT (to_jsonb(s) - '{user_id,reached_at}'::text[])::text AS row FROM meditation." + table + " WHERE user_id = $1 ORDER BY row"
			if madeUp, recorded := column(r, query, p.ID), column(r, query, recorder.ID); !slices.Equal(madeUp, recorded) {
				t.Errorf("person %d, %s: made up %v, recorded %v", i, table, madeUp, recorded)
			}
		}
	}
}

// recordAll sends the stored sessions of somebody as another's.
func recordAll(r *rig, recorder *authtest.Person, of uuid.UUID) {
	r.t.Helper()
	rows, err := r.Pool.Query(r.t.Context(), `SELECT client_id::text, coalesce(meditation_id::text, ''), started_at, ended_at, practiced_seconds, time_zone,
		coalesce(mood_before, 0), coalesce(mood_after, 0) FROM meditation.sessions WHERE user_id = $1`, of)
	if err != nil {
		r.t.Fatal(err)
	}
	var all []*meditationv1.RecordedSession
	for rows.Next() {
		var started, ended time.Time
		var practiced int32
		s := &meditationv1.RecordedSession{}
		if err := rows.Scan(&s.ClientId, &s.MeditationId, &started, &ended, &practiced, &s.TimeZone, &s.MoodBefore, &s.MoodAfter); err != nil {
			r.t.Fatal(err)
		}
		s.StartedAt, s.EndedAt, s.PracticedSeconds = timestamppb.New(started), timestamppb.New(ended), proto.Int32(practiced)
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		r.t.Fatal(err)
	}
	for some := range slices.Chunk(all, 500) {
		for _, result := range record(r.t, r.as(recorder), some...) {
			if result.GetError() != nil {
				r.t.Fatalf("refused: %v", result)
			}
		}
	}
}

func TestScaleIsConsistent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := scaled(r)
	all := persons(s, 1000)
	sessions := fill(t, r.Pool, s, all)
	if sessions < 50*len(all) || sessions > 65*len(all) {
		t.Errorf("%d persons with 60 sessions expected have %d", len(all), sessions)
	}
	for what, query := range map[string]string{
		"a day that is not the sum of its sessions": `SELECT 1 FROM meditation.days d FULL JOIN
			(SELECT user_id, local_date, count(*) AS sessions, sum(practiced_seconds) AS seconds FROM meditation.sessions WHERE practiced_seconds > 0 GROUP BY 1, 2) s
			USING (user_id, local_date) WHERE (d.sessions, d.seconds) IS DISTINCT FROM (s.sessions, s.seconds)`,
		"a local date that the wall clock did not show": `SELECT 1 FROM meditation.sessions
			WHERE local_date <> (started_at AT TIME ZONE time_zone - make_interval(hours => day_start_hour))::date`,
		"changes that are not counted": `SELECT 1 FROM meditation.people p FULL JOIN
			(SELECT user_id, max(change) AS change, count(DISTINCT change) AS n FROM meditation.sessions GROUP BY 1) s USING (user_id)
			WHERE p.change IS DISTINCT FROM s.change OR p.change <> s.n`,
		"practice that is longer than its session": "SELECT 1 FROM meditation.sessions WHERE practiced_seconds > extract(epoch FROM ended_at - started_at)",
		"practice after the end":                   fmt.Sprintf("SELECT 1 FROM meditation.sessions WHERE ended_at > '%s'", s.Until.Format(time.RFC3339)),
	} {
		var n int
		if err := r.Pool.QueryRow(t.Context(), "SELECT count(*) FROM ("+query+") wrong").Scan(&n); err != nil || n > 0 {
			t.Errorf("%s: %d, %v", what, n, err)
		}
	}
	for _, p := range all[:50] {
		if !reflect.DeepEqual(s.Practice(p), s.Practice(p)) {
			t.Errorf("person %d practises otherwise the second time", p.Number)
		}
	}
}

func TestScaleRefusesPersonsOutOfOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := scaled(r)
	all := persons(s, 2)
	if bytes.Compare(all[0].ID[:], all[1].ID[:]) >= 0 {
		t.Fatal("they ascend no more")
	}
	err := postgres.InTx(t.Context(), r.Pool, func(tx pgx.Tx) error {
		_, err := meditation.CopyScale(t.Context(), tx, []meditation.ScalePractice{s.Practice(all[1]), s.Practice(all[0])})
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "ascend") {
		t.Errorf("out of order: %v", err)
	}
}
