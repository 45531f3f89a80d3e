package meditation_test

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/mindspace-app/mindspace/gen/db/meditationdb"
)

// hotQuery is a query, as it is asked somewhere.
type hotQuery struct {
	// name is that of the generated method, and what it is asked with.
	name string
	// page tells that it has to come in the order of an index, as there may be very many before it. What a month or a catalogue has may be sorted.
	page bool
	send func(q *meditationdb.Queries) error
}

// sent is for methods that give something beside their error.
func sent[T any](_ T, err error) error { return err }

// hotQueries are all queries of the domain, with arguments as requests have them.
func hotQueries(me uuid.UUID) []hotQuery {
	ctx := context.Background()
	var (
		other, third       = madeUp(1000), madeUp(1001)
		course, meditation = madeUp(2), madeUp(112)
		end                = time.Date(9990, 1, 1, 0, 0, 0, 0, time.UTC)
		begin              = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)
		now                = time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)
		guided, mood       = true, int16(3)
	)
	date := func(t time.Time) pgtype.Date { return pgtype.Date{Time: t.Truncate(24 * time.Hour), Valid: true} }
	history := meditationdb.ListSessionsParams{
		UserID: me, StartedFrom: begin, StartedUntil: end, FromDate: date(begin), ToDate: date(end), BeforeStartedAt: end, BeforeID: uuid.Max, PageSize: 21,
	}
	later, month, kind := history, history, history
	later.BeforeStartedAt, later.BeforeID = now, other
	month.StartedFrom, month.StartedUntil, month.FromDate, month.ToDate = now.AddDate(0, -1, -1), now.AddDate(0, 0, 3), date(now.AddDate(0, -1, 0)), date(now)
	kind.Guided = &guided
	list := func(p meditationdb.ListSessionsParams) func(q *meditationdb.Queries) error {
		return func(q *meditationdb.Queries) error { return sent(q.ListSessions(ctx, p)) }
	}
	return []hotQuery{
		{"LockPerson", false, func(q *meditationdb.Queries) error { return sent(q.LockPerson(ctx, me)) }},
		{"LockPractised", false, func(q *meditationdb.Queries) error { return sent(q.LockPractised(ctx, me)) }},
		{"RecordSessions", false, func(q *meditationdb.Queries) error {
			return sent(q.RecordSessions(ctx, meditationdb.RecordSessionsParams{
				UserID: me, Now: now, Ids: []uuid.UUID{other}, ClientIds: []uuid.UUID{third}, MeditationIds: []uuid.UUID{meditation}, CourseIds: []uuid.UUID{course},
				StartedAts: []time.Time{now}, EndedAts: []time.Time{now.Add(time.Minute)}, Practiced: []int32{60}, Planned: []int32{600}, TimeZones: []string{"UTC"},
				LocalDates: []pgtype.Date{date(now)}, Finished: []bool{false}, MoodsBefore: []int16{0}, MoodsAfter: []int16{0}, SealedNotes: [][]byte{{0}},
			}))
		}},
		{"RecountDays", false, func(q *meditationdb.Queries) error {
			return q.RecountDays(ctx, meditationdb.RecountDaysParams{UserID: me, LocalDates: []pgtype.Date{date(now), date(now.AddDate(0, 0, -1))}})
		}},
		{"ListSessionsByClientIDs", false, func(q *meditationdb.Queries) error {
			return sent(q.ListSessionsByClientIDs(ctx, meditationdb.ListSessionsByClientIDsParams{UserID: me, ClientIds: []uuid.UUID{other, third}}))
		}},
		{"StartSession", false, func(q *meditationdb.Queries) error {
			return sent(q.StartSession(ctx, meditationdb.StartSessionParams{
				UserID: me, ID: other, ClientID: third, MeditationID: &meditation, CourseID: &course, StartedAt: now, PlannedSeconds: 600, TimeZone: "UTC", LocalDate: date(now), Change: 9, Now: now,
			}))
		}},
		{"HearOfSession", false, func(q *meditationdb.Queries) error {
			return sent(q.HearOfSession(ctx, meditationdb.HearOfSessionParams{UserID: me, ID: other, PracticedSeconds: 60, SeenAt: now}))
		}},
		{"LockSession", false, func(q *meditationdb.Queries) error {
			return sent(q.LockSession(ctx, meditationdb.LockSessionParams{UserID: me, ID: other}))
		}},
		{"EndSession", false, func(q *meditationdb.Queries) error {
			return sent(q.EndSession(ctx, meditationdb.EndSessionParams{UserID: me, ID: other, State: "completed", EndedAt: now, PracticedSeconds: 60, MoodAfter: &mood, Change: 9, Now: now}))
		}},
		{"RestartSession", false, func(q *meditationdb.Queries) error {
			return sent(q.RestartSession(ctx, meditationdb.RestartSessionParams{UserID: me, ID: other, StartedAt: now, TimeZone: "UTC", LocalDate: date(now)}))
		}},
		{"GetChange", false, func(q *meditationdb.Queries) error { return sent(q.GetChange(ctx, me)) }},
		{"DescribeSession", false, func(q *meditationdb.Queries) error {
			return sent(q.DescribeSession(ctx, meditationdb.DescribeSessionParams{UserID: me, ID: other, MoodBefore: &mood, Change: 9, Now: now}))
		}},
		{"DeleteSession", false, func(q *meditationdb.Queries) error {
			return q.DeleteSession(ctx, meditationdb.DeleteSessionParams{UserID: me, ID: other, Change: 9, Now: now})
		}},
		{"GetSession", false, func(q *meditationdb.Queries) error {
			return sent(q.GetSession(ctx, meditationdb.GetSessionParams{UserID: me, ID: other}))
		}},
		{"GetSessionByClientID", false, func(q *meditationdb.Queries) error {
			return sent(q.GetSessionByClientID(ctx, meditationdb.GetSessionByClientIDParams{UserID: me, ClientID: other}))
		}},
		{"ListSessions", true, list(history)},
		{"ListSessions, a later page", true, list(later)},
		{"ListSessions, of a month", false, list(month)},
		{"ListSessions, of a kind", true, list(kind)},
		{"ListCourseSessions", true, func(q *meditationdb.Queries) error {
			p := meditationdb.ListCourseSessionsParams{
				UserID: me, CourseID: course, StartedFrom: begin, StartedUntil: end, FromDate: date(begin), ToDate: date(end), BeforeStartedAt: now, BeforeID: other, PageSize: 21,
			}
			return sent(q.ListCourseSessions(ctx, p))
		}},
		{"ListChanges", true, func(q *meditationdb.Queries) error {
			return sent(q.ListChanges(ctx, meditationdb.ListChangesParams{UserID: me, AfterChange: 5, AfterID: other, PageSize: 101}))
		}},
		{"ListRecent", false, func(q *meditationdb.Queries) error {
			return sent(q.ListRecent(ctx, meditationdb.ListRecentParams{UserID: me, Sessions: 100, Meditations: 10}))
		}},
		{"ListCourseProgress", false, func(q *meditationdb.Queries) error {
			return sent(q.ListCourseProgress(ctx, meditationdb.ListCourseProgressParams{UserID: me, CourseIds: []uuid.UUID{course, madeUp(3)}}))
		}},
		{"ListCourseCompletions", false, func(q *meditationdb.Queries) error {
			return sent(q.ListCourseCompletions(ctx, meditationdb.ListCourseCompletionsParams{UserID: me, CourseIds: []uuid.UUID{course, madeUp(3)}}))
		}},
		{"CountFinished", false, func(q *meditationdb.Queries) error {
			return sent(q.CountFinished(ctx, meditationdb.CountFinishedParams{UserID: me, CourseID: course, MeditationIds: []uuid.UUID{meditation, madeUp(113)}}))
		}},
		{"InsertCourseCompletion", false, func(q *meditationdb.Queries) error {
			return sent(q.InsertCourseCompletion(ctx, meditationdb.InsertCourseCompletionParams{UserID: me, CourseID: course, Now: now}))
		}},
		{"GetPractice", false, func(q *meditationdb.Queries) error {
			return sent(q.GetPractice(ctx, meditationdb.GetPracticeParams{UserID: me, RuleVersion: 1}))
		}},
		{"ListDays", false, func(q *meditationdb.Queries) error {
			return sent(q.ListDays(ctx, meditationdb.ListDaysParams{UserID: me, FromDate: date(now.AddDate(0, -1, 0)), ToDate: date(now), Dates: 32}))
		}},
		{"ListMilestones", false, func(q *meditationdb.Queries) error { return sent(q.ListMilestones(ctx, me)) }},
		{"InsertMilestones", false, func(q *meditationdb.Queries) error {
			return q.InsertMilestones(ctx, meditationdb.InsertMilestonesParams{UserID: me, Now: now, Kinds: []string{"sessions"}, Thresholds: []int32{10}})
		}},
		{"SetStreakRecord", false, func(q *meditationdb.Queries) error {
			return q.SetStreakRecord(ctx, meditationdb.SetStreakRecordParams{UserID: me, RuleVersion: 1, LongestDays: 5})
		}},
		{"DeleteStreakRecords", false, func(q *meditationdb.Queries) error {
			return q.DeleteStreakRecords(ctx, meditationdb.DeleteStreakRecordsParams{UserID: me, RuleVersion: 1})
		}},
		{"GetNote", false, func(q *meditationdb.Queries) error {
			return sent(q.GetNote(ctx, meditationdb.GetNoteParams{UserID: me, ClientID: other}))
		}},
		{"PutNote", false, func(q *meditationdb.Queries) error {
			return q.PutNote(ctx, meditationdb.PutNoteParams{UserID: me, ClientID: other, Sealed: []byte{0}})
		}},
		{"DeleteNote", false, func(q *meditationdb.Queries) error {
			return q.DeleteNote(ctx, meditationdb.DeleteNoteParams{UserID: me, ClientID: other})
		}},
		{"ListPositions", false, func(q *meditationdb.Queries) error {
			return sent(q.ListPositions(ctx, meditationdb.ListPositionsParams{UserID: me, BeforeAt: now, AfterID: other, PageSize: 21}))
		}},
		{"ListPositions, of one meditation", false, func(q *meditationdb.Queries) error {
			return sent(q.ListPositions(ctx, meditationdb.ListPositionsParams{UserID: me, MeditationID: &meditation, BeforeAt: now, AfterID: other, PageSize: 21}))
		}},
		{"SavePositions", false, func(q *meditationdb.Queries) error {
			return sent(q.SavePositions(ctx, meditationdb.SavePositionsParams{UserID: me, MeditationIds: []uuid.UUID{meditation}, PositionSeconds: []int32{30}, Ats: []time.Time{now}}))
		}},
	}
}

// A query that is added has to be planned here, too.
func TestEveryQueryIsPlanned(t *testing.T) {
	t.Parallel()
	planned := map[string]bool{"WithTx": true}
	for _, q := range hotQueries(uuid.Nil) {
		name, _, _ := strings.Cut(q.name, ",")
		planned[name] = true
	}
	queries := reflect.TypeFor[*meditationdb.Queries]()
	for i := range queries.NumMethod() {
		if name := queries.Method(i).Name; !planned[name] {
			t.Errorf("%s is in no plan: add it to hotQueries", name)
		}
	}
}
