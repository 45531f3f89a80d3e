package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/mindspace-app/mindspace/platform/secret"
)

// CreateKeys writes a new keyring for production to a file that must not exist yet.
func CreateKeys(file string) error {
	return createKeys(file, false)
}

func createKeys(file string, demo bool) error {
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s exists already: a keyring is never overwritten", file)
	}
	keys, err := secret.Generate(demo)
	if err != nil {
		return fmt.Errorf("make keyring: %w", err)
	}
	return keys.Save(file)
}

// loadKeys reads the keyring. Production refuses one that was made for the demo.
func loadKeys(c Config) (*secret.Keyring, error) {
	keys, err := secret.Load(c.Keys, c.KeysFile)
	if err != nil {
		return nil, err
	}
	if keys.Demo() && c.Environment == Production {
		return nil, errors.New("this keyring was made for the demo: production needs its own, made with `mindspace keys create FILE`")
	}
	return keys, nil
}
