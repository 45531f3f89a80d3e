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
				Name: "users.exports", What: "copies such as this one that were made for you", Owner: "user_id", Order: "id", Open: tellBySupport,
				Secret: []string{"requested_by", "sealed_key", "blob_key"}, Mentions: []personal.Mention{{Column: "requested_by"}},
			},
		},
		Files:  exportFiles,
		Forget: func(ctx context.Context, person uuid.UUID) { s.users.Invalidate(ctx, person.String()) },
		Rules:  s.exportRules(),
	}
}

// tellBySupport tells that support has started an export, without telling who it was.
func tellBySupport(_ context.Context, row personal.Row) error {
	row["by_support"] = row["requested_by"] != nil
	return nil
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
