package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/reseal"
	"github.com/mindspace-app/mindspace/platform/secret"
	"github.com/mindspace-app/mindspace/services/auth"
	"github.com/mindspace-app/mindspace/services/meditation"
	"github.com/mindspace-app/mindspace/services/user"
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

// sealedColumns are the columns whose values the keyring has encrypted, of every domain.
func sealedColumns() []reseal.Column {
	var all []reseal.Column
	for _, columns := range [][]reseal.Column{auth.Sealed(), user.Sealed(), meditation.Sealed(), audit.Sealed()} {
		all = append(all, columns...)
	}
	// Kept answers are deleted after a day, sooner than anyone would have to look for them.
	return append(all, reseal.Column{Table: "rpc.idempotency_keys", Key: []string{"person_id", "procedure", "key"}, Column: "response"})
}

// KeysOptions say which keyring and which database the commands around keys work on.
type KeysOptions struct {
	Keys     string `name:"keyring" env:"KEYRING" help:"The keyring as JSON."`
	KeysFile string `name:"keyring-file" env:"KEYRING_FILE" help:"File with the keyring, mode 0600."`
	DatabaseOptions
}

// file is the keyring's file, where a link leads. A keyring that is given as text cannot be changed.
func (o KeysOptions) file() (string, error) {
	if o.Keys != "" {
		return "", errors.New("KEYRING is set: keys that are given as text stay the same for as long as a process runs, " +
			"so that none could read what another one encrypts under a new key; put the keyring into a file (mode 0600), " +
			"name it with KEYRING_FILE instead, restart the processes, and try again")
	}
	if o.KeysFile == "" {
		return "", errors.New("KEYRING_FILE is not set: it names the file with the keyring")
	}
	file, err := filepath.EvalSymlinks(o.KeysFile)
	if err != nil {
		return "", fmt.Errorf("KEYRING_FILE: %w", err)
	}
	return file, nil
}
