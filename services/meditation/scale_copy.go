package meditation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// CopyScale stores made-up practice in the caller's transaction and gives the number of rows. Persons ascend by their ids, so that the indexes grow at
// their right ends. Persons who have practised already fail it.
func CopyScale(ctx context.Context, tx pgx.Tx, all []ScalePractice) (rows int64, err error) {
	if !slices.IsSortedFunc(all, func(a, b ScalePractice) int { return bytes.Compare(a.person.ID[:], b.person.ID[:]) }) {
		return 0, errors.New("copy practice: persons do not ascend by their ids")
	}
	for _, t := range scaleTables {
		n, err := tx.CopyFrom(ctx, pgx.Identifier{"meditation", t.name}, t.columns, &scaleRows{table: t, people: all})
		if err != nil {
			return rows, fmt.Errorf("copy practice: %w", err)
		}
		rows += n
	}
	return rows, nil
}

// scaleTable is a table that is filled.
type scaleTable struct {
	name    string
	columns []string
	// rows are those of one person.
	rows func(p *ScalePractice) [][]any
}

var scaleTables = []scaleTable{
	{"people", []string{"user_id", "change"}, scalePeople},
	{"sessions", []string{
		"user_id", "id", "client_id", "meditation_id", "course_id", "state", "started_at", "ended_at", "practiced_seconds", "planned_seconds", "time_zone",
		"day_start_hour", "local_date", "finished", "mood_before", "mood_after", "seen_at", "change", "updated_at",
	}, scaleSessions},
	{"days", []string{"user_id", "local_date", "sessions", "seconds"}, scaleDays},
	{"streak_records", []string{"user_id", "rule_version", "longest_days"}, scaleRecords},
	{"milestones", []string{"user_id", "kind", "threshold", "reached_at"}, scaleMilestones},
}

func scalePeople(p *ScalePractice) [][]any {
	if len(p.entries) == 0 {
		return nil
	}
	return [][]any{{storedID(p.person.ID), int64(len(p.entries))}}
}

// scaleSessions numbers the changes: each session was one.
func scaleSessions(p *ScalePractice) [][]any {
	rows, person := make([][]any, len(p.entries)), storedID(p.person.ID)
	for i := range p.entries {
		e := &p.entries[i]
		rows[i] = []any{
			person, storedID(e.id), storedID(e.client), storedID(e.meditation), storedID(e.fact.course), stateCompleted, e.startedAt, e.endedAt, e.practiced, e.fact.seconds,
			e.zone, int16(p.person.DayStartHour), e.date.stored(), e.finished(), toldMood(e.moodBefore), toldMood(e.moodAfter), e.endedAt, int64(i + 1), e.endedAt, //nolint:gosec // an hour of the day
		}
	}
	return rows
}

func scaleDays(p *ScalePractice) [][]any {
	rows, person := make([][]any, len(p.days)), storedID(p.person.ID)
	for i, d := range p.days {
		rows[i] = []any{person, d.date.stored(), d.sessions, d.seconds}
	}
	return rows
}

func scaleRecords(p *ScalePractice) [][]any {
	if len(p.entries) == 0 {
		return nil
	}
	longest, _ := p.reached()
	return [][]any{{storedID(p.person.ID), int16(RuleVersion), longest}}
}

// scaleMilestones has all of them noticed with the last session.
func scaleMilestones(p *ScalePractice) [][]any {
	if len(p.entries) == 0 {
		return nil
	}
	_, reached := p.reached()
	rows, person := make([][]any, len(reached)), storedID(p.person.ID)
	for i, m := range reached {
		rows[i] = []any{person, m.kind, m.threshold, p.entries[len(p.entries)-1].endedAt}
	}
	return rows
}

// storedID is an id as the database has it, null for none.
func storedID(id uuid.UUID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: id != uuid.Nil} }

func toldMood(mood int16) any {
	if mood == 0 {
		return nil
	}
	return mood
}

// scaleRows hands out the rows of one table, person after person.
type scaleRows struct {
	table  scaleTable
	people []ScalePractice
	rows   [][]any
}

// Next goes to the next row.
func (s *scaleRows) Next() bool {
	if len(s.rows) > 0 {
		s.rows = s.rows[1:]
	}
	for len(s.rows) == 0 {
		if len(s.people) == 0 {
			return false
		}
		s.rows, s.people = s.table.rows(&s.people[0]), s.people[1:]
	}
	return true
}

// Values is the row.
func (s *scaleRows) Values() ([]any, error) { return s.rows[0], nil }

// Err is never one: rows are made here.
func (s *scaleRows) Err() error { return nil }
