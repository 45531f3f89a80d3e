package secret

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// The settings through which the program is given its keyring. This package does not read them; its messages name them.
const (
	// InlineSetting holds the keyring itself: its JSON, or base64 of that.
	InlineSetting = "KEYRING"
	// FileSetting holds the path of a file with the keyring.
	FileSetting = "KEYRING_FILE"
)

// maxFileSize is far above what a keyring with a hundred keys takes (about 60 KiB), in bytes.
const maxFileSize = 1 << 20

// Load gives the keyring from the value of [InlineSetting] or from the file that [FileSetting] names. Exactly one must
// be set. A file that its group or others may read is refused. When the file does not exist, errors.Is finds fs.ErrNotExist.
func Load(inline, file string) (*Keyring, error) {
	switch {
	case inline != "" && file != "":
		return nil, fmt.Errorf("secret: both %s and %s are set: keep one of them", InlineSetting, FileSetting)
	case inline != "":
		k, err := Parse([]byte(inline))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", InlineSetting, err)
		}
		return k, nil
	case file != "":
		k, err := readFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", FileSetting, err)
		}
		return k, nil
	default:
		return nil, fmt.Errorf("secret: no keyring: set %s (its JSON, or base64 of that) or %s (a file with it)", InlineSetting, FileSetting)
	}
}

// Save writes the keyring to a file of mode 0600. The file is replaced as a whole or not at all, and its directory must exist.
func (k *Keyring) Save(file string) (err error) {
	data, err := k.JSON()
	if err != nil {
		return err
	}
	// CreateTemp makes the file with mode 0600, beside the target so that the rename cannot cross file systems.
	tmp, err := os.CreateTemp(filepath.Dir(file), ".keyring-*")
	if err != nil {
		return fmt.Errorf("secret: save the keyring: %w", err)
	}
	defer func() {
		if err != nil {
			_ = tmp.Close()
			_ = os.Remove(tmp.Name())
		}
	}()
	if _, err = tmp.Write(append(data, '\n')); err != nil {
		return fmt.Errorf("secret: save the keyring: %w", err)
	}
	if err = tmp.Sync(); err != nil {
		return fmt.Errorf("secret: save the keyring: %w", err)
	}
	if err = tmp.Close(); err != nil {
		return fmt.Errorf("secret: save the keyring: %w", err)
	}
	if err = os.Rename(tmp.Name(), file); err != nil {
		return fmt.Errorf("secret: save the keyring: %w", err)
	}
	// Without this, a crash of the machine could bring the old name back, and with it keys that are no longer the newest.
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return fmt.Errorf("secret: save the keyring: %w", err)
	}
	defer func() { _ = dir.Close() }()
	if err = dir.Sync(); err != nil {
		return fmt.Errorf("secret: save the keyring: %w", err)
	}
	return nil
}

func readFile(file string) (*Keyring, error) {
	// The operator names this file in the settings; it is not input of a request.
	f, err := os.Open(file) //nolint:gosec // G304: see above
	if err != nil {
		return nil, fmt.Errorf("secret: open the keyring: %w", err)
	}
	defer func() { _ = f.Close() }()

	// The mode is asked of the opened file, so that it cannot be swapped between the check and the read.
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("secret: look at the keyring: %w", err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("secret: %s is a directory, not a file with a keyring", file)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("secret: %s may be read or changed by others than its owner (mode %04o): run chmod 600 %s", file, mode, file)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("secret: read the keyring: %w", err)
	}
	if len(data) > maxFileSize {
		return nil, errors.New("secret: the file is too large to be a keyring")
	}
	return Parse(data)
}
