package audit

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/platform/reseal"
)

// Sealed declares the column with the persons' keys, which the keyring has encrypted. What records say is sealed under those, and is never
// touched: the chain holds it as it is.
func Sealed() []reseal.Column {
	return []reseal.Column{
		{Table: "audit.person_keys", Key: []string{"person_id", "id"}, Column: "wrapped_key", Bound: func(key []string) ([]byte, error) {
			person, err := uuid.Parse(key[0])
			if err != nil {
				return nil, fmt.Errorf("person's id: %w", err)
			}
			id, err := uuid.Parse(key[1])
			if err != nil {
				return nil, fmt.Errorf("key's id: %w", err)
			}
			return wrapData(person, id), nil
		}},
	}
}
