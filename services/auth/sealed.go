package auth

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/platform/reseal"
)

// Sealed declares the columns of this domain that the keyring has encrypted.
func Sealed() []reseal.Column {
	return []reseal.Column{
		{Table: "auth.totps", Key: []string{"account_id"}, Column: "secret", Bound: func(key []string) ([]byte, error) {
			person, err := uuid.Parse(key[0])
			if err != nil {
				return nil, fmt.Errorf("account id: %w", err)
			}
			return totpPlace(person), nil
		}},
		{Table: "auth.signing_keys", Key: []string{"id"}, Column: "private_key", Bound: func(key []string) ([]byte, error) {
			return keyPlace(key[0]), nil
		}},
	}
}
