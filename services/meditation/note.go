package meditation

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/meditationdb"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
)

// withNote is the row as the contract shows it to the person who wrote its note. Errors and lists show it without.
func (s *Service) withNote(ctx context.Context, q *meditationdb.Queries, row *meditationdb.MeditationSession) (*meditationv1.Session, error) {
	if !row.HasNote {
		return sessionMessage(row), nil
	}
	sealed, err := q.GetNote(ctx, meditationdb.GetNoteParams{UserID: row.UserID, ClientID: row.ClientID})
	if err != nil && !errors.Is(err, pgx.ErrNoRows) { // taken away since the row was read
		return nil, fmt.Errorf("get note: %w", err)
	}
	return s.opened(row, sealed)
}

// opened is the row with the note that belongs to it; nil is none.
func (s *Service) opened(row *meditationdb.MeditationSession, sealed []byte) (*meditationv1.Session, error) {
	session := sessionMessage(row)
	if sealed == nil {
		return session, nil
	}
	var err error
	session.Note, err = s.openNote(row.UserID, row.ClientID, sealed)
	return session, err
}

// sealNote encrypts what a person has written about the session of a client id, for that row only.
func (s *Service) sealNote(person, client uuid.UUID, text string) ([]byte, error) {
	sealed, err := s.Keys.Seal([]byte(text), noteBound(person, client))
	if err != nil {
		return nil, fmt.Errorf("seal the note of a session: %w", err)
	}
	return sealed, nil
}

// openNote reverses sealNote. What was sealed for another row, or was changed, does not open: its error names the person. Faults: those of the keyring.
func (s *Service) openNote(person, client uuid.UUID, sealed []byte) (string, error) {
	plain, err := s.Keys.Open(sealed, noteBound(person, client))
	if err != nil {
		return "", fmt.Errorf("open a note of %s: %w", person, err)
	}
	return string(plain), nil
}
