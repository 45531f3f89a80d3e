package meditation

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/meditationdb"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/platform/cache"
)

const (
	// cachedPractice is how many persons' practice one process remembers, at 4 bytes a practice day and about 1 KB beside.
	cachedPractice = 50_000
	// practiceFresh is how long it is remembered; a change drops it at once.
	practiceFresh = time.Minute
	// shownFrozen is how many frozen dates are told.
	shownFrozen = 100
)

// practice is what a person's statistics are made of, but for what today is. It is shared by all who have it from the cache, and never changed.
type practice struct {
	// dates are those on which something was practised, ascending.
	dates             []Day
	sessions, seconds int64
	// earlierLongest is the longest streak by earlier versions of the rule; 0 when none was noted.
	earlierLongest int32
	// milestones are in the order in which they were reached.
	milestones []*meditationv1.Milestone
}

// newPractice keeps practice in the process only: reading it from the database takes two short queries of one person.
func newPractice(store *cache.Store) *cache.Cache[practice] {
	return cache.New(store, cache.Options[practice]{Name: "meditation_practice", MaxEntries: cachedPractice, TTL: practiceFresh})
}

// practiceOf is the practice of a person, of which the cache may know.
func (s *Service) practiceOf(ctx context.Context, person uuid.UUID) (practice, error) {
	return s.practice.Get(ctx, person.String(), func(ctx context.Context) (practice, error) {
		return loadPractice(ctx, meditationdb.New(s.Pool), person)
	})
}

// loadPractice reads the practice of a person.
func loadPractice(ctx context.Context, q *meditationdb.Queries, person uuid.UUID) (practice, error) {
	row, err := q.GetPractice(ctx, meditationdb.GetPracticeParams{UserID: person, RuleVersion: RuleVersion})
	if err != nil {
		return practice{}, fmt.Errorf("get practice: %w", err)
	}
	p := practice{sessions: row.Sessions, seconds: row.Seconds, earlierLongest: row.EarlierLongest, dates: make([]Day, len(row.Dates))}
	for i, date := range row.Dates {
		p.dates[i] = Day(date)
	}
	reached, err := q.ListMilestones(ctx, person)
	if err != nil {
		return practice{}, fmt.Errorf("list milestones: %w", err)
	}
	for _, m := range reached {
		p.milestones = append(p.milestones, &meditationv1.Milestone{Kind: milestoneKinds[m.Kind], Threshold: m.Threshold, ReachedAt: timestamppb.New(m.ReachedAt)})
	}
	return p, nil
}

// longest is the longest streak of a person: never less than it was by an earlier version of the rule.
func (p practice) longest(s *Streak) int32 { return max(s.Longest(), p.earlierLongest) }

// totalSessions are those that count.
func (p practice) totalSessions() int32 { return bounded(p.sessions) }

// totalMinutes are whole minutes of everything that was practised.
func (p practice) totalMinutes() int32 { return bounded(p.seconds / 60) }

// bounded is a count as the contract has it.
func bounded(n int64) int32 { return int32(min(max(n, 0), math.MaxInt32)) }

// stats is what the contract tells of it.
func (p practice) stats(today Day) *meditationv1.Stats {
	streak := StreakOf(p.dates, today)
	m := &meditationv1.Stats{
		CurrentStreakDays: streak.Days(), LongestStreakDays: p.longest(&streak), PracticeDays: streak.PracticeDays(),
		TotalMinutes: p.totalMinutes(), TotalSessions: p.totalSessions(), FreezesHeld: streak.Held(), Today: today.String(), Milestones: p.milestones,
	}
	_, m.PracticedToday = slices.BinarySearch(p.dates, today)
	if len(p.dates) > 0 {
		m.LastPracticeDate = p.dates[len(p.dates)-1].String()
	}
	frozen := streak.Frozen()
	for _, date := range frozen[max(0, len(frozen)-shownFrozen):] {
		m.FrozenDates = append(m.FrozenDates, date.String())
	}
	return m
}
