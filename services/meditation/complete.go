package meditation

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/meditationdb"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// CompleteSession ends a session, also one that was ended as nothing was heard of it. Repeated with the same end, or without one, it gives what is
// stored; only the first is told to others. Faults: Invalid (sessionId, endedAt, practicedSeconds, moodBefore, moodAfter), NotFound (SESSION_NOT_FOUND),
// Exists (SESSION_COMPLETED).
func (s *Service) CompleteSession(ctx context.Context, req *meditationv1.CompleteSessionRequest) (*meditationv1.CompleteSessionResponse, error) {
	me := identity.CallerFrom(ctx).UserID
	id, err := uid.Parse("sessionId", req.GetSessionId())
	if err != nil {
		return nil, err
	}
	row, err := getSession(ctx, meditationdb.New(s.Pool), me, id)
	if err != nil {
		return nil, err
	}
	e, err := s.newEnding(ctx, &row, req)
	if err != nil {
		return nil, err
	}
	res := &meditationv1.CompleteSessionResponse{}
	err = postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		q := meditationdb.New(tx)
		row, change, err := lockSession(ctx, q, me, id)
		switch {
		case err != nil:
			return err
		case row.State == stateDeleted:
			return errNoSession
		case row.State != stateCompleted:
			if row, err = s.endSession(ctx, tx, &row, e, change); err != nil {
				return err
			}
		case !sameEnd(&row, req):
			return fault.Exists("the session has ended otherwise").WithReason("SESSION_COMPLETED").WithDetail(sessionMessage(&row))
		}
		res.Session, err = s.withNote(ctx, q, &row)
		return err
	})
	s.practice.Invalidate(context.WithoutCancel(ctx), me.String()) // whatever became of the commit
	if err != nil {
		return nil, err
	}
	return res, nil
}

// ending is how a session ends.
type ending struct {
	state                 string
	at                    time.Time
	practiced             int32
	finished              bool
	moodBefore, moodAfter *int16
	// sealed is the note; nil for none.
	sealed []byte
	// fact is of its meditation, where the session finishes one of a course.
	fact fact
	now  time.Time
}

// newEnding checks how a person ends a session, and prepares it. Of one that has the same end already nothing is checked: time has gone on.
// Faults: Invalid (endedAt, practicedSeconds, moodBefore, moodAfter).
func (s *Service) newEnding(ctx context.Context, row *meditationdb.MeditationSession, req *meditationv1.CompleteSessionRequest) (ending, error) {
	e := ending{state: stateCompleted, now: s.now()}
	if row.State == stateCompleted && sameEnd(row, req) {
		return e, nil
	}
	at, skew := req.GetEndedAt(), skewOfRow(row)
	if at == nil {
		at, skew = timestamppb.New(endNow(row.StartedAt, e.now, req.GetPracticedSeconds())), 0
	}
	var err error
	if e.at, err = endOf(e.now, skew, row.StartedAt, at); err != nil {
		return e, err
	}
	if e.practiced, err = practicedOf(row.StartedAt, e.at, req.PracticedSeconds); err != nil {
		return e, err
	}
	before, after, err := moodsOf(req.GetMoodBefore(), req.GetMoodAfter())
	if err != nil {
		return e, err
	}
	e.moodBefore, e.moodAfter = optionalMood(before), optionalMood(after)
	if req.GetNote() != "" {
		if e.sealed, err = s.sealNote(row.UserID, row.ClientID, req.GetNote()); err != nil {
			return e, err
		}
	}
	e.finished = fact{seconds: row.PlannedSeconds}.finished(e.practiced)
	if e.finished && row.CourseID != nil && row.MeditationID != nil {
		e.fact, err = s.factOf(ctx, *row.MeditationID)
		if fault.KindOf(err) == fault.KindNotFound {
			err = nil // the catalogue has lost it; what was practised counts
		}
	}
	return e, err
}

// endNow is the end of a session that ends now. A phone's clock may be ahead of ours, so it is as late as the start by that clock and the practice need.
func endNow(start, now time.Time, practiced int32) time.Time {
	needed := start.Add(time.Duration(practiced) * time.Second)
	return later(later(now, start), earlier(needed, now.Add(maxAhead)))
}

// sameEnd tells whether a session that has ended did so as the request says. What it leaves out is not compared.
func sameEnd(row *meditationdb.MeditationSession, req *meditationv1.CompleteSessionRequest) bool {
	told := req.GetEndedAt()
	if told != nil && !stored(told.AsTime()).Add(skewOfRow(row)).Equal(*row.EndedAt) {
		return false
	}
	if req.PracticedSeconds != nil {
		return req.GetPracticedSeconds() == row.PracticedSeconds
	}
	return told == nil || row.PracticedSeconds == wholeSeconds(row.StartedAt, *row.EndedAt)
}

// endSession writes how a session ends, counts its day anew, and tells it to others. The session is locked.
func (s *Service) endSession(ctx context.Context, tx pgx.Tx, row *meditationdb.MeditationSession, e ending, change int64) (meditationdb.MeditationSession, error) {
	q := meditationdb.New(tx)
	ended, err := q.EndSession(ctx, meditationdb.EndSessionParams{
		UserID: row.UserID, ID: row.ID, State: e.state, EndedAt: e.at, PracticedSeconds: e.practiced, Finished: e.finished,
		MoodBefore: e.moodBefore, MoodAfter: e.moodAfter, HasNote: e.sealed != nil, Change: change, Now: e.now,
	})
	if err != nil {
		return ended, fmt.Errorf("end session: %w", err)
	}
	if e.sealed != nil {
		if err := q.PutNote(ctx, meditationdb.PutNoteParams{UserID: row.UserID, ClientID: row.ClientID, Sealed: e.sealed}); err != nil {
			return ended, fmt.Errorf("put note: %w", err)
		}
	}
	if err := recountDay(ctx, q, row); err != nil {
		return ended, err
	}
	event := SessionsRecorded{UserID: row.UserID, SessionIDs: []uuid.UUID{row.ID}}
	// The course may have lost the meditation since the session began; then that course is not what it finishes.
	if row.CourseID != nil && e.fact.course == *row.CourseID {
		event.addCourse(e.fact)
	}
	if _, err := s.Queue.InsertTx(ctx, tx, event, nil); err != nil {
		return ended, fmt.Errorf("tell that a session ended: %w", err)
	}
	return ended, nil
}

// recountDay counts the local date of a session anew.
func recountDay(ctx context.Context, q *meditationdb.Queries, row *meditationdb.MeditationSession) error {
	err := q.RecountDays(ctx, meditationdb.RecountDaysParams{UserID: row.UserID, LocalDates: []pgtype.Date{row.LocalDate}})
	if err != nil {
		return fmt.Errorf("count the day anew: %w", err)
	}
	return nil
}
