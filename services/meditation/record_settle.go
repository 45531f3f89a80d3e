package meditation

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/meditationdb"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// settle tells what became of one session of the request, of which byClient has what is stored.
func (s *Service) settle(ctx context.Context, r *recording, a askedEntry, byClient map[uuid.UUID]*meditationdb.MeditationSession) error {
	result, row := r.results[a.place], byClient[a.entry.client]
	if row == nil {
		return fmt.Errorf("record sessions: session %s was not stored", a.entry.client)
	}
	if a.entry.ends(row) || (a.entry.same(row, r.skew) && a.entry.adds(row) != description{}) {
		if err := s.supplement(ctx, r, a.entry, row); err != nil {
			return err
		}
	}
	switch {
	case row.State == stateDeleted:
		result.Error = &meditationv1.RecordError{
			Code: fault.KindPrecondition.Code().String(), Message: "the session was deleted", Field: "clientId", Reason: "SESSION_DELETED",
		}
		return nil
	case !a.entry.same(row, r.skew):
		result.Error = &meditationv1.RecordError{
			Code: fault.KindExists.Code().String(), Message: "another session is stored under this client id", Field: "clientId", Reason: "CLIENT_ID_TAKEN",
		}
	}
	result.Session = sessionMessage(row)
	return nil
}

// supplement adds to a stored session what the phone tells beyond it: its end, with the times that the phone kept, or moods and note. row is the session as
// it is then.
func (s *Service) supplement(ctx context.Context, r *recording, e entry, row *meditationdb.MeditationSession) error {
	id := row.ID
	err := postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		q := meditationdb.New(tx)
		locked, change, err := lockSession(ctx, q, r.me.id, id)
		if err != nil {
			return err
		}
		if e.ends(&locked) {
			locked, err = s.endAsKept(ctx, tx, r, &locked, e, change)
		} else if d := e.adds(&locked); e.same(&locked, r.skew) && d != (description{}) {
			locked, err = s.describe(ctx, q, &locked, d, change)
		}
		*row = locked
		return err
	})
	s.practice.Invalidate(context.WithoutCancel(ctx), r.me.id.String()) // whatever became of the commit
	if err != nil {
		return fmt.Errorf("supplement a session: %w", err)
	}
	return nil
}

// endAsKept ends a session that was started here with the times that the phone kept: they are of one clock, and may be of another date. The session is locked.
func (s *Service) endAsKept(ctx context.Context, tx pgx.Tx, r *recording, row *meditationdb.MeditationSession, e entry, change int64) (meditationdb.MeditationSession, error) {
	q := meditationdb.New(tx)
	end := ending{
		state: stateCompleted, at: e.endedAt, practiced: e.practiced, finished: e.finished(), fact: e.fact, now: r.now,
		moodBefore: optionalMood(e.moodBefore), moodAfter: optionalMood(e.moodAfter),
	}
	if e.note != "" {
		var err error
		if end.sealed, err = s.sealNote(r.me.id, e.client, e.note); err != nil {
			return *row, err
		}
	}
	begun, err := q.RestartSession(ctx, meditationdb.RestartSessionParams{
		UserID: row.UserID, ID: row.ID, StartedAt: e.startedAt, TimeZone: e.zone, DayStartHour: int16(r.me.dayStartHour), LocalDate: e.date.stored(), //nolint:gosec // an hour of the day
		ClockSkewSeconds: seconds(r.skew),
	})
	if err != nil {
		return *row, fmt.Errorf("restart session: %w", err)
	}
	if begun.LocalDate != row.LocalDate {
		if err := recountDay(ctx, q, row); err != nil {
			return *row, err
		}
	}
	return s.endSession(ctx, tx, &begun, end, change)
}

// forgive answers sessions whose times were refused with what is stored, where that is the same by the phone's own clock: a clock that is mended between
// two attempts must not make a session wrong that was stored with the first.
func (s *Service) forgive(ctx context.Context, r *recording, sessions []*meditationv1.RecordedSession) error {
	places := map[uuid.UUID][]int{}
	var clients []uuid.UUID
	for place, result := range r.results {
		if field := result.GetError().GetField(); field != "startedAt" && field != "endedAt" {
			continue
		}
		if id, err := uuid.Parse(result.GetClientId()); err == nil {
			clients, places[id] = append(clients, id), append(places[id], place)
		}
	}
	rows, err := s.byClients(ctx, r.me.id, clients)
	if err != nil {
		return err
	}
	for i := range rows {
		for _, place := range places[rows[i].ClientID] {
			if toldAs(&rows[i], sessions[place]) {
				r.results[place].Error, r.results[place].Session = nil, sessionMessage(&rows[i])
			}
		}
	}
	return nil
}

// toldAs tells whether a session has the times that a phone tells of it, by the phone's own clock.
func toldAs(row *meditationdb.MeditationSession, told *meditationv1.RecordedSession) bool {
	byPhone := func(t time.Time) time.Time { return t.Add(-skewOfRow(row)) }
	return row.State == stateCompleted && told.GetMeditationId() == uid.Text(row.MeditationID) &&
		told.GetStartedAt().IsValid() && byPhone(row.StartedAt).Equal(stored(told.GetStartedAt().AsTime())) &&
		told.GetEndedAt().IsValid() && byPhone(*row.EndedAt).Equal(stored(told.GetEndedAt().AsTime()))
}
