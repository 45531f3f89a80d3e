package user

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/platform/reseal"
)

// Sealed declares the columns of this domain that the keyring has encrypted.
func Sealed() []reseal.Column {
	return []reseal.Column{
		{Table: "users.health_profiles", Key: []string{"user_id"}, Column: "sealed", Bound: func(key []string) ([]byte, error) {
			person, err := uuid.Parse(key[0])
			if err != nil {
				return nil, fmt.Errorf("person's id: %w", err)
			}
			return healthBound(person), nil
		}},
		{Table: "users.exports", Key: []string{"user_id", "id"}, Column: "sealed_key", Bound: func(key []string) ([]byte, error) {
			person, err := uuid.Parse(key[0])
			if err != nil {
				return nil, fmt.Errorf("person's id: %w", err)
			}
			export, err := uuid.Parse(key[1])
			if err != nil {
				return nil, fmt.Errorf("export's id: %w", err)
			}
			return exportKeyBound(person, export), nil
		}},
	}
}

// healthBound binds a sealed health profile to its person, so that it opens nowhere else.
func healthBound(person uuid.UUID) []byte {
	return append([]byte("users.health_profiles.sealed\x00"), person[:]...)
}

// exportKeyBound binds the sealed key of an export to its row.
func exportKeyBound(person, export uuid.UUID) []byte {
	return append(append([]byte("users.exports.sealed_key\x00"), person[:]...), export[:]...)
}
