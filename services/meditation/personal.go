package meditation

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/platform/personal"
)

// Personal is what this domain holds about persons.
func (s *Service) Personal() personal.Domain {
	return personal.Domain{
		Name: "meditation",
		Tables: []personal.Table{
			// First, as whoever changes a person's practice takes this row first.
			{Name: "meditation.people", What: "how often your practice has changed", Owner: "user_id"},
			{Name: "meditation.sessions", What: "what you have practised, when and where, and how you felt; of what you deleted, that it was there", Owner: "user_id", Order: "started_at, id"},
			{Name: "meditation.days", What: "the days on which you practised, and how much", Owner: "user_id", Order: "local_date"},
			{Name: "meditation.notes", What: "what you have written about your practice; it is kept encrypted", Owner: "user_id", Order: "client_id", Open: s.openNoteRow},
			{Name: "meditation.positions", What: "how far into meditations you were", Owner: "user_id", Order: "meditation_id"},
			{Name: "meditation.milestones", What: "what you have reached", Owner: "user_id", Order: "kind, threshold"},
			{Name: "meditation.course_completions", What: "the courses that you have completed", Owner: "user_id", Order: "course_id"},
			{Name: "meditation.streak_records", What: "your longest streak, by each version of how it is counted", Owner: "user_id", Order: "rule_version"},
		},
		Forget: func(ctx context.Context, person uuid.UUID) { s.practice.Invalidate(ctx, person.String()) },
		Rules:  keptRules(),
	}
}

// keptRules are about what nothing here deletes by time.
func keptRules() []personal.Rule {
	const history = "practice history is what people come back for: until the person deletes a session, or is erased"
	const counted = "counted from the practice history, and kept as long"
	return []personal.Rule{
		{What: "sessions", Table: "meditation.sessions", Keep: -1, Why: history + "; of a deleted one a tombstone stays, so that every phone learns of it"},
		{What: "notes about sessions", Table: "meditation.notes", Keep: -1, Why: "as long as the session that they are about"},
		{What: "practice days", Table: "meditation.days", Keep: -1, Why: counted},
		{What: "numbers of changes", Table: "meditation.people", Keep: -1, Why: "phones go on from them: until the person is erased"},
		{What: "positions in meditations", Table: "meditation.positions", Keep: -1, Why: "to go on where one was, whenever that is: until the person is erased"},
		{What: "milestones", Table: "meditation.milestones", Keep: -1, Why: "what was reached stays reached: until the person is erased"},
		{What: "completed courses", Table: "meditation.course_completions", Keep: -1, Why: "what was completed stays completed: until the person is erased"},
		{What: "longest streaks", Table: "meditation.streak_records", Keep: -1, Why: counted + ": a new version of the rule must not make them shorter"},
	}
}

// openNoteRow puts what the person has written in the place of its ciphertext. A row that does not open is an error, never an export without it.
func (s *Service) openNoteRow(_ context.Context, row personal.Row) error {
	person, err := row.UUID("user_id")
	if err != nil {
		return err
	}
	client, err := row.UUID("client_id")
	if err != nil {
		return err
	}
	sealed, _ := row["sealed"].([]byte)
	if row["note"], err = s.openNote(person, client, sealed); err != nil {
		return fmt.Errorf("export a note: %w", err)
	}
	delete(row, "sealed")
	return nil
}
