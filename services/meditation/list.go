package meditation

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/gen/db/meditationdb"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// place is where a page of the history ends.
type place struct {
	StartedAt time.Time `json:"s"`
	ID        uuid.UUID `json:"i"`
}

var (
	// historyEnd is after every session.
	historyEnd = place{StartedAt: lastDay.start(), ID: uuid.Max}
	// firstDay and lastDay are before and after every local date of a session.
	firstDay, lastDay = dayOf(1890, time.January, 1), dayOf(9999, time.December, 31)
)

// ListSessions returns one page of the caller's sessions, newest start first, without notes. Faults: Invalid (pageToken, fromDate, toDate, courseId).
func (s *Service) ListSessions(ctx context.Context, req *meditationv1.ListSessionsRequest) (*meditationv1.ListSessionsResponse, error) {
	me, size := identity.CallerFrom(ctx).UserID, cursor.PageSize(req.GetPageSize())
	params, err := historyParams(me, req)
	if err != nil {
		return nil, err
	}
	scope := strings.Join([]string{"ListSessions", me.String(), req.GetFromDate(), req.GetToDate(), req.GetKind().String(), req.GetCourseId()}, "|")
	before := historyEnd
	if err := s.Cursors.Resume(scope, req.GetPageToken(), &before); err != nil {
		return nil, err
	}
	params.BeforeStartedAt, params.BeforeID, params.PageSize = before.StartedAt, before.ID, size+1
	rows, err := s.history(ctx, params, req.GetCourseId())
	if err != nil {
		return nil, err
	}
	res := &meditationv1.ListSessionsResponse{}
	rows, res.NextPageToken, err = cursor.Cut(s.Cursors, scope, rows, size, func(last meditationdb.MeditationSession) any {
		return place{StartedAt: last.StartedAt, ID: last.ID}
	})
	if err != nil {
		return nil, err
	}
	res.Sessions = make([]*meditationv1.Session, 0, len(rows))
	for i := range rows {
		res.Sessions = append(res.Sessions, sessionMessage(&rows[i]))
	}
	return res, nil
}

// history reads a page, of one course or of all practice. Fault: Invalid (courseId).
func (s *Service) history(ctx context.Context, params meditationdb.ListSessionsParams, course string) ([]meditationdb.MeditationSession, error) {
	q := meditationdb.New(s.Pool)
	if course == "" {
		rows, err := q.ListSessions(ctx, params)
		if err != nil {
			return nil, fmt.Errorf("list sessions: %w", err)
		}
		return rows, nil
	}
	id, err := uid.Parse("courseId", course)
	if err != nil {
		return nil, err
	}
	rows, err := q.ListCourseSessions(ctx, meditationdb.ListCourseSessionsParams{
		UserID: params.UserID, CourseID: id, StartedFrom: params.StartedFrom, StartedUntil: params.StartedUntil, FromDate: params.FromDate, ToDate: params.ToDate,
		Guided: params.Guided, BeforeStartedAt: params.BeforeStartedAt, BeforeID: params.BeforeID, PageSize: params.PageSize,
	})
	if err != nil {
		return nil, fmt.Errorf("list sessions of a course: %w", err)
	}
	return rows, nil
}

// historyParams reads the filters. Faults: Invalid (fromDate, toDate).
func historyParams(person uuid.UUID, req *meditationv1.ListSessionsRequest) (meditationdb.ListSessionsParams, error) {
	params := meditationdb.ListSessionsParams{UserID: person}
	from, to := firstDay, lastDay
	var err error
	if req.GetFromDate() != "" {
		if from, err = ParseDay("fromDate", req.GetFromDate()); err != nil {
			return params, err
		}
	}
	if req.GetToDate() != "" {
		if to, err = ParseDay("toDate", req.GetToDate()); err != nil {
			return params, err
		}
	}
	if to < from {
		return params, fault.Invalid("toDate is before fromDate").WithField("toDate", "must not be before fromDate")
	}
	params.FromDate, params.ToDate = from.stored(), to.stored()
	params.StartedFrom, params.StartedUntil = startsOf(from, to)
	if kind := req.GetKind(); kind != meditationv1.SessionKind_SESSION_KIND_UNSPECIFIED {
		guided := kind == meditationv1.SessionKind_SESSION_KIND_GUIDED
		params.Guided = &guided
	}
	return params, nil
}

// startsOf bounds the instants at which sessions of local dates start, from the first on and before the second: zones are at most 16 hours off UTC, and
// a person's day begins at 23 at the latest.
func startsOf(from, to Day) (time.Time, time.Time) { return (from - 1).start(), (to + 3).start() }
