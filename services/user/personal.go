package user

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/mindspace-app/mindspace/platform/personal"
)

// Personal is what this domain holds about persons.
func (s *Service) Personal() personal.Domain {
	return personal.Domain{
		Name: "user",
		Tables: []personal.Table{
			{Name: "users.health_profiles", What: "what you have told of your health, and your goals; it is kept encrypted", Owner: "user_id", Open: s.openHealthRow},
			{Name: "users.consents", What: "what you have agreed to and withdrawn, and the version of the text that you were shown", Owner: "user_id", Order: "id"},
			{Name: "users.profiles", What: "when your day begins, your units and your country", Owner: "user_id"},
			{
				Name: "users.notes", What: "what support has written about you", Owner: "user_id", Order: "id",
				Secret: []string{"author_id"}, Mentions: []personal.Mention{{Column: "author_id"}},
			},
			{
				Name: "users.exports", What: "copies such as this one that were made for you", Owner: "user_id", Order: "id",
				Secret: []string{"requested_by", "sealed_key", "blob_key"}, Mentions: []personal.Mention{{Column: "requested_by"}},
			},
		},
		Files:  exportFiles,
		Forget: func(ctx context.Context, person uuid.UUID) { s.users.Invalidate(ctx, person.String()) },
		Rules:  append(keptRules(), s.exportRules()...),
	}
}

// keptRules are about what nothing here deletes by time.
func keptRules() []personal.Rule {
	return []personal.Rule{
		{What: "health profiles and goals", Table: "users.health_profiles", Keep: -1, Why: "until the person withdraws their consent, or is erased"},
		{What: "consents and withdrawals", Table: "users.consents", Keep: -1, Why: "for as long as the person has the account: we must be able to show that consent was given (GDPR article 7)"},
		{What: "profiles", Table: "users.profiles", Keep: -1, Why: "for as long as the person has the account"},
		{What: "notes of support", Table: "users.notes", Keep: -1, Why: "until support removes them, or the person is erased"},
	}
}

// openHealthRow puts what the person has told in the place of its ciphertext. A row that does not open is an error, never an export without it.
func (s *Service) openHealthRow(_ context.Context, row personal.Row) error {
	person, err := row.UUID("user_id")
	if err != nil {
		return err
	}
	sealed, _ := row["sealed"].([]byte)
	record, err := s.openHealth(person, sealed)
	if err != nil {
		return err
	}
	text, err := protojson.Marshal(record)
	if err != nil {
		return fmt.Errorf("encode a health record: %w", err)
	}
	delete(row, "sealed")
	row["record"] = json.RawMessage(text)
	return nil
}
