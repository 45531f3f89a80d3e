package meditation

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/platform/reseal"
)

// Sealed declares the columns of this domain that the keyring has encrypted.
func Sealed() []reseal.Column {
	return []reseal.Column{
		{Table: "meditation.notes", Key: []string{"user_id", "client_id"}, Column: "sealed", Bound: func(key []string) ([]byte, error) {
			person, err := uuid.Parse(key[0])
			if err != nil {
				return nil, fmt.Errorf("person's id: %w", err)
			}
			client, err := uuid.Parse(key[1])
			if err != nil {
				return nil, fmt.Errorf("client's id of a session: %w", err)
			}
			return noteBound(person, client), nil
		}},
	}
}

// noteBound binds a sealed note to its row, so that it opens nowhere else.
func noteBound(person, client uuid.UUID) []byte {
	return append(append([]byte("meditation.notes.sealed\x00"), person[:]...), client[:]...)
}
