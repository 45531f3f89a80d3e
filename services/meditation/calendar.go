package meditation

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/gen/db/meditationdb"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
)

const (
	// calendarDates is how many dates are told of when the caller does not say since when.
	calendarDates = 30
	// maxCalendarSpan is the longest time between the first date and the last one.
	maxCalendarSpan = 3660
)

// GetCalendar tells what the caller practised in a span of their local dates. Faults: Invalid (fromDate, toDate).
func (s *Service) GetCalendar(ctx context.Context, req *meditationv1.GetCalendarRequest) (*meditationv1.GetCalendarResponse, error) {
	me, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	today, err := me.today(s.now())
	if err != nil {
		return nil, err
	}
	from, to, err := calendarSpan(req, today)
	if err != nil {
		return nil, err
	}
	rows, err := s.listDays(ctx, me.id, from, to)
	if err != nil {
		return nil, err
	}
	mine, err := s.practiceOf(ctx, me.id)
	if err != nil {
		return nil, err
	}
	streak := StreakOf(mine.dates, today)
	return &meditationv1.GetCalendarResponse{Points: calendarPoints(from, to, req.GetPeriod(), rows, streak.AllFrozen())}, nil
}

// calendarSpan is the span that is asked for, both dates included.
func calendarSpan(req *meditationv1.GetCalendarRequest, today Day) (from, to Day, err error) {
	to = today
	if req.GetToDate() != "" {
		if to, err = ParseDay("toDate", req.GetToDate()); err != nil {
			return 0, 0, err
		}
	}
	from = to - calendarDates + 1
	if req.GetFromDate() != "" {
		if from, err = ParseDay("fromDate", req.GetFromDate()); err != nil {
			return 0, 0, err
		}
	}
	switch {
	case from > to:
		return 0, 0, fault.Invalid("fromDate is after toDate").WithField("fromDate", "must not be after toDate, which is today when it is empty")
	case to-from > maxCalendarSpan:
		return 0, 0, fault.Invalid("the span is too long").WithField("toDate", fmt.Sprintf("must be at most %d days after fromDate", maxCalendarSpan))
	}
	return from, to, nil
}

// listDays are the days of a person within a span, ascending; dates without practice have none.
func (s *Service) listDays(ctx context.Context, person uuid.UUID, from, to Day) ([]meditationdb.ListDaysRow, error) {
	rows, err := meditationdb.New(s.Pool).ListDays(ctx, meditationdb.ListDaysParams{UserID: person, FromDate: from.stored(), ToDate: to.stored(), Dates: maxCalendarSpan + 1})
	if err != nil {
		return nil, fmt.Errorf("list days: %w", err)
	}
	return rows, nil
}

// calendarPoints sums up days by periods of a span; every period has a point. days and frozen ascend.
func calendarPoints(from, to Day, period meditationv1.Period, days []meditationdb.ListDaysRow, frozen []Day) []*meditationv1.CalendarPoint {
	var points []*meditationv1.CalendarPoint
	first, _ := slices.BinarySearch(frozen, from)
	frozen = frozen[first:]
	for start := from; start <= to; {
		end := min(periodEnd(start, period), to)
		point := &meditationv1.CalendarPoint{Date: start.String()}
		var sessions, seconds int64
		for ; len(days) > 0 && Day(days[0].Date) <= end; days = days[1:] {
			sessions += int64(days[0].Sessions)
			seconds += int64(days[0].Seconds)
			point.PracticeDays++
		}
		for ; len(frozen) > 0 && frozen[0] <= end; frozen = frozen[1:] {
			point.FrozenDays++
		}
		point.Sessions, point.Minutes = bounded(sessions), bounded(seconds/60)
		points = append(points, point)
		start = end + 1
	}
	return points
}

// periodEnd is the last date of the period in which a date is.
func periodEnd(date Day, period meditationv1.Period) Day {
	switch period {
	case meditationv1.Period_PERIOD_WEEK:
		sinceMonday := (int(date.start().Weekday()) + 6) % 7
		return date + Day(6-sinceMonday)
	case meditationv1.Period_PERIOD_MONTH:
		year, month, _ := date.start().Date()
		return dayOf(year, month+1, 1) - 1
	default:
		return date
	}
}
