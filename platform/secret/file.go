package secret

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
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
// A keyring from a file can [Keyring.Follow] it.
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
		data, err := readFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", FileSetting, err)
		}
		k, err := Parse(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", FileSetting, err)
		}
		k.r.origin.file, k.r.origin.seen = file, sha256.Sum256(data)
		return k, nil
	default:
		return nil, fmt.Errorf("secret: no keyring: set %s (its JSON, or base64 of that) or %s (a file with it)", InlineSetting, FileSetting)
	}
}

// Save writes the keyring to a file of mode 0600. The file is replaced as a whole or not at all, and its directory must exist.
// A file that is there keeps its owner: the program would not read one of root's, where root has changed the keys.
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
	if err = keepOwner(file, tmp); err != nil {
		return fmt.Errorf("secret: save the keyring: %w", err)
	}
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

// keepOwner gives a new file to the owner of the one whose place it takes.
func keepOwner(file string, tmp *os.File) error {
	before, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	now, err := tmp.Stat()
	if err != nil {
		return err
	}
	owner, ok := before.Sys().(*syscall.Stat_t)
	mine, also := now.Sys().(*syscall.Stat_t)
	if !ok || !also || owner.Uid == mine.Uid {
		return nil
	}
	return tmp.Chown(int(owner.Uid), int(owner.Gid))
}

func readFile(file string) ([]byte, error) {
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
	return data, nil
}
