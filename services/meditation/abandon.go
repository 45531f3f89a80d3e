package meditation

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/meditationdb"
	"github.com/mindspace-app/mindspace/platform/postgres"
)

const (
	// maxSilence is how long nothing may be heard of a session before it is ended.
	maxSilence = 30 * time.Minute
	// minWait is how long it takes at least until a session is looked at again.
	minWait = time.Minute
)

// EndAbandoned ends a session of which nothing was heard for half an hour where it was last heard of, so what was practised until then counts. If it is
// to be looked at again, again is how long from now; otherwise 0: it has ended, or is no more. It asks no other domain, as a worker has no caller to ask
// for: the course is the one that the event tells of.
func (s *Service) EndAbandoned(ctx context.Context, event SessionStarted) (again time.Duration, err error) {
	person, session := event.UserID, event.SessionID
	// Looked at first without a lock: most sessions have ended, and of an erased person nothing is to be written again.
	row, err := getSession(ctx, meditationdb.New(s.Pool), person, session)
	if err != nil {
		return 0, ignoreNotFound(err)
	}
	if again := s.silentIn(&row); again > 0 || row.State != stateRunning {
		return again, nil
	}
	err = postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		row, change, err := lockSession(ctx, meditationdb.New(tx), person, session)
		if err != nil || row.State != stateRunning {
			return err
		}
		if again = s.silentIn(&row); again > 0 {
			return nil
		}
		end := abandoned(&row, s.now())
		if end.finished && event.Course != nil {
			end.fact = fact{course: event.Course.CourseID, courseList: event.Course.MeditationIDs}
		}
		_, err = s.endSession(ctx, tx, &row, end, change)
		return err
	})
	s.practice.Invalidate(context.WithoutCancel(ctx), person.String()) // whatever became of the commit
	return again, ignoreNotFound(err)                                  // the fault has undone the attempt before it is no more one
}

// silentIn is how long until nothing was heard of a running session for too long; 0 when that is so already, or it has ended.
func (s *Service) silentIn(row *meditationdb.MeditationSession) time.Duration {
	left := row.SeenAt.Add(maxSilence).Sub(s.now())
	if left <= 0 || row.State != stateRunning || !row.SeenAt.Before(row.StartedAt.Add(maxLength)) {
		return 0
	}
	return max(left, minWait)
}

// abandoned is how a session ends that was last heard of a while ago. A timer has no end that could have been reached.
func abandoned(row *meditationdb.MeditationSession, now time.Time) ending {
	e := ending{state: stateAbandoned, at: earlier(later(row.SeenAt, row.StartedAt), row.StartedAt.Add(maxLength)), practiced: row.PracticedSeconds, now: now}
	e.finished = row.MeditationID != nil && fact{seconds: row.PlannedSeconds}.finished(e.practiced)
	return e
}

// ignoreNotFound passes on every error but that there is no such session.
func ignoreNotFound(err error) error {
	if errors.Is(err, errNoSession) {
		return nil
	}
	return err
}
