package meditation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/mindspace-app/mindspace/gen/db/meditationdb"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// StartSession begins a session, and has it looked after when it should have ended. Of what the request leaves out nothing is compared with a session
// that is stored under its client id. Faults: Invalid (clientId, meditationId, startedAt, timeZone, sentAt), NotFound (MEDITATION_NOT_FOUND),
// Exists (CLIENT_ID_TAKEN), Precondition (SESSION_DELETED).
func (s *Service) StartSession(ctx context.Context, req *meditationv1.StartSessionRequest) (*meditationv1.StartSessionResponse, error) {
	me, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	start, f, err := s.newStart(ctx, me, req)
	if err != nil {
		return nil, err
	}
	res := &meditationv1.StartSessionResponse{}
	err = postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		q := meditationdb.New(tx)
		var err error
		if start.Change, err = q.LockPerson(ctx, me.id); err != nil {
			return fmt.Errorf("lock person: %w", err)
		}
		row, err := q.StartSession(ctx, start)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			if row, err = startedBefore(ctx, q, start, req); err != nil {
				return err
			}
		case err != nil:
			return fmt.Errorf("start session: %w", err)
		default:
			_, err = s.Queue.InsertTx(ctx, tx, SessionStarted{UserID: me.id, SessionID: row.ID, Course: f.courseFinished()}, &river.InsertOpts{ScheduledAt: overdueAt(&row, start.Now)})
			if err != nil {
				return fmt.Errorf("tell that a session started: %w", err)
			}
		}
		res.Session, err = s.withNote(ctx, q, &row)
		return err
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

// newStart checks what a phone tells of a session that begins. Faults: Invalid, NotFound (MEDITATION_NOT_FOUND).
func (s *Service) newStart(ctx context.Context, me person, req *meditationv1.StartSessionRequest) (meditationdb.StartSessionParams, fact, error) {
	start := meditationdb.StartSessionParams{UserID: me.id, Now: s.now(), DayStartHour: int16(me.dayStartHour)} //nolint:gosec // an hour of the day
	var err error
	if start.ClientID, err = uid.Parse("clientId", req.GetClientId()); err != nil {
		return start, fact{}, err
	}
	skew, err := skewOf(start.Now, req.GetSentAt())
	if err != nil {
		return start, fact{}, err
	}
	start.StartedAt, start.ClockSkewSeconds = start.Now, seconds(skew)
	if req.GetStartedAt() != nil {
		if start.StartedAt, err = startOf(start.Now, skew, req.GetStartedAt()); err != nil {
			return start, fact{}, err
		}
	}
	zone, err := me.zoneOf("timeZone", req.GetTimeZone())
	if err != nil {
		return start, fact{}, err
	}
	start.TimeZone, start.LocalDate = zone.String(), DateOf(start.StartedAt, zone, me.dayStartHour).stored()
	var meditation uuid.UUID
	if req.GetMeditationId() != "" {
		if meditation, err = meditationOf("meditationId", req.GetMeditationId()); err != nil {
			return start, fact{}, err
		}
	}
	f, err := s.factOf(ctx, meditation)
	if err != nil {
		return start, fact{}, err
	}
	start.MeditationID, start.CourseID, start.PlannedSeconds = optional(meditation), optional(f.course), f.seconds
	start.ID, err = uid.New()
	return start, f, err
}

// startedBefore gives the session that is stored under the client id, if it is the one that the request begins. Times are compared by the phone's own
// clock. Faults: Exists (CLIENT_ID_TAKEN), Precondition (SESSION_DELETED).
func startedBefore(ctx context.Context, q *meditationdb.Queries, start meditationdb.StartSessionParams, req *meditationv1.StartSessionRequest) (meditationdb.MeditationSession, error) {
	row, err := q.GetSessionByClientID(ctx, meditationdb.GetSessionByClientIDParams{UserID: start.UserID, ClientID: start.ClientID})
	if err != nil {
		return row, fmt.Errorf("get session: %w", err)
	}
	if row.State == stateDeleted {
		return row, fault.Precondition("the session was deleted").WithReason("SESSION_DELETED")
	}
	same := idOf(row.MeditationID) == idOf(start.MeditationID) &&
		(req.GetStartedAt() == nil || row.StartedAt.Add(-skewOfRow(&row)).Equal(stored(req.GetStartedAt().AsTime()))) && (req.GetTimeZone() == "" || row.TimeZone == start.TimeZone)
	if !same {
		return row, fault.Exists("another session is stored under this client id").WithReason("CLIENT_ID_TAKEN").WithDetail(sessionMessage(&row))
	}
	return row, nil
}

// overdueAt is when a session that has not been ended should have been: the time of its meditation after its start, and as long again as a phone may be
// silent; never sooner than that from now.
func overdueAt(row *meditationdb.MeditationSession, now time.Time) time.Time {
	planned := row.StartedAt.Add(time.Duration(row.PlannedSeconds) * time.Second)
	if planned.Before(now) {
		planned = now
	}
	return planned.Add(maxSilence)
}
