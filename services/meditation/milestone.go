package meditation

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/mindspace-app/mindspace/gen/db/meditationdb"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// The kinds of milestones in the database.
const (
	kindStreakDays = "streak_days"
	kindSessions   = "sessions"
	kindMinutes    = "minutes"
)

// milestoneKinds is how the contract calls them.
var milestoneKinds = map[string]meditationv1.MilestoneKind{
	kindStreakDays: meditationv1.MilestoneKind_MILESTONE_KIND_STREAK_DAYS,
	kindSessions:   meditationv1.MilestoneKind_MILESTONE_KIND_SESSIONS,
	kindMinutes:    meditationv1.MilestoneKind_MILESTONE_KIND_MINUTES,
}

// thresholds are what can be reached. One that is taken away stays with those who have reached it; one that is added is reached with the next session.
var thresholds = []struct {
	kind string
	of   []int32
}{
	{kindStreakDays, []int32{3, 7, 14, 30, 60, 100, 200, 365, 500, 1000}},
	{kindSessions, []int32{1, 10, 50, 100, 250, 500, 1000}},
	{kindMinutes, []int32{60, 300, 600, 1500, 3000, 6000, 12000}},
}

// Milestones notes what follows from sessions once they are stored: milestones, completed courses, and the longest streak by this version of the rule.
// It asks no other domain, so a service without Users and Content will do.
type Milestones struct {
	service *Service
}

// NewMilestones returns what works beside the service.
func NewMilestones(s *Service) *Milestones { return &Milestones{service: s} }

// Advance notes what a person has reached with sessions that were recorded, and emits MilestoneReached and CourseCompleted for what is new.
// It may run any number of times, at once, and late; of a person who was erased it notes nothing.
func (m *Milestones) Advance(ctx context.Context, event SessionsRecorded) error {
	return m.note(ctx, event.UserID, event.Courses)
}

// Retreat notes the longest streak that is left when a session was deleted. What was reached stays.
func (m *Milestones) Retreat(ctx context.Context, event SessionDeleted) error {
	return m.note(ctx, event.UserID, nil)
}

// note does both: under the person's lock, so that nothing is noted twice.
func (m *Milestones) note(ctx context.Context, person uuid.UUID, courses []CourseFinished) error {
	var events []river.JobArgs
	err := postgres.InTx(ctx, m.service.Pool, func(tx pgx.Tx) error {
		events = nil
		q := meditationdb.New(tx)
		if _, err := q.LockPractised(ctx, person); errors.Is(err, pgx.ErrNoRows) {
			return nil
		} else if err != nil {
			return fmt.Errorf("lock person: %w", err)
		}
		reached, err := m.noteMilestones(ctx, q, person)
		if err != nil {
			return err
		}
		completed, err := m.noteCourses(ctx, q, person, courses)
		if err != nil {
			return err
		}
		events = append(reached, completed...)
		for _, event := range events {
			if _, err := m.service.Queue.InsertTx(ctx, tx, event, nil); err != nil {
				return fmt.Errorf("insert %s: %w", event.Kind(), err)
			}
		}
		return nil
	})
	if err == nil && len(events) > 0 {
		m.service.practice.Invalidate(context.WithoutCancel(ctx), person.String())
	}
	return err
}

// noteMilestones stores the milestones that a person has newly reached and their longest streak, and gives the events.
func (m *Milestones) noteMilestones(ctx context.Context, q *meditationdb.Queries, person uuid.UUID) ([]river.JobArgs, error) {
	p, err := loadPractice(ctx, q, person)
	if err != nil {
		return nil, err
	}
	var streak Streak
	for _, date := range p.dates {
		streak.Practise(date)
	}
	err = q.SetStreakRecord(ctx, meditationdb.SetStreakRecordParams{UserID: person, RuleVersion: RuleVersion, LongestDays: streak.Longest()})
	if err != nil {
		return nil, fmt.Errorf("set streak record: %w", err)
	}
	missing := p.missing(&streak)
	if len(missing) == 0 {
		return nil, nil
	}
	params := meditationdb.InsertMilestonesParams{UserID: person, Now: m.service.now()}
	events := make([]river.JobArgs, 0, len(missing))
	for _, one := range missing {
		params.Kinds, params.Thresholds = append(params.Kinds, one.kind), append(params.Thresholds, one.threshold)
		events = append(events, MilestoneReached{UserID: person, MilestoneKind: one.kind, Threshold: one.threshold})
	}
	if err := q.InsertMilestones(ctx, params); err != nil {
		return nil, fmt.Errorf("insert milestones: %w", err)
	}
	return events, nil
}

// milestone is something that can be reached.
type milestone struct {
	kind      string
	threshold int32
}

// missing are the milestones that the practice amounts to and that have not been noted.
func (p practice) missing(streak *Streak) []milestone {
	counts := map[string]int32{kindStreakDays: p.longest(streak), kindSessions: p.totalSessions(), kindMinutes: p.totalMinutes()}
	var missing []milestone
	for _, t := range thresholds {
		for _, threshold := range t.of {
			noted := slices.ContainsFunc(p.milestones, func(m *meditationv1.Milestone) bool {
				return m.GetKind() == milestoneKinds[t.kind] && m.GetThreshold() == threshold
			})
			if threshold <= counts[t.kind] && !noted {
				missing = append(missing, milestone{t.kind, threshold})
			}
		}
	}
	return missing
}

// noteCourses stores the courses of which a person has finished every meditation, if that is new, and gives the events.
func (m *Milestones) noteCourses(ctx context.Context, q *meditationdb.Queries, person uuid.UUID, courses []CourseFinished) ([]river.JobArgs, error) {
	var events []river.JobArgs
	for _, course := range courses {
		// An id that stands there twice would never be counted twice.
		ids := uid.Set(course.MeditationIDs)
		if len(ids) == 0 {
			continue
		}
		finished, err := q.CountFinished(ctx, meditationdb.CountFinishedParams{UserID: person, CourseID: course.CourseID, MeditationIds: ids})
		if err != nil {
			return nil, fmt.Errorf("count finished: %w", err)
		}
		if finished < int64(len(ids)) {
			continue
		}
		inserted, err := q.InsertCourseCompletion(ctx, meditationdb.InsertCourseCompletionParams{UserID: person, CourseID: course.CourseID, Now: m.service.now()})
		if err != nil {
			return nil, fmt.Errorf("insert course completion: %w", err)
		}
		if inserted > 0 {
			events = append(events, CourseCompleted{UserID: person, CourseID: course.CourseID})
		}
	}
	return events, nil
}
