package embedded

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// readFile gives the trimmed text of a small file, "" when there is none. Like writeFile it follows no link out of dir, as dir may belong
// to a less trusted user.
func readFile(dir, name string) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	text, err := root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}

// writeFile replaces a small private file.
func writeFile(dir, name, text string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	temporary := name + ".new"
	if err := root.WriteFile(temporary, []byte(text), 0o600); err != nil {
		return err
	}
	return root.Rename(temporary, name)
}

// tail is the end of what a file holds beyond an offset.
func tail(dir, name string, from int64) string {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return ""
	}
	defer root.Close()
	file, err := root.Open(name)
	if err != nil {
		return ""
	}
	defer file.Close()
	const enough = 2000
	if info, err := file.Stat(); err == nil {
		from = max(from, info.Size()-enough)
	}
	text, err := io.ReadAll(io.NewSectionReader(file, from, enough))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// size of a file; 0 when there is none.
func size(dir, name string) int64 {
	info, err := os.Lstat(filepath.Join(dir, name))
	if err != nil {
		return 0
	}
	return info.Size()
}

// rotate keeps the server's log from growing for ever: at a start the big one becomes the old one.
func rotate(dir, name string) {
	const big = 16 << 20
	if size(dir, name) > big {
		path := filepath.Join(dir, name)
		// Without the rename the log only goes on growing.
		_ = os.Rename(path, path+".1")
	}
}
