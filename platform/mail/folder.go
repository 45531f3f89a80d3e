package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	netmail "net/mail"
	"os"
	"path/filepath"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// stamp begins the names of files, so that they sort by time.
const stamp = "20060102T150405.000Z"

// folder keeps messages as files that mail programs open. Nothing is encoded that need not be, so a link can be copied from the file.
type folder struct {
	dir    string
	from   *netmail.Address
	logger *slog.Logger
	now    func() time.Time
}

func newFolder(dir string, from *netmail.Address, logger *slog.Logger) (*folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("mail: make the folder: %w", err)
	}
	logger.Info("mail is not sent but written into a folder", "folder", dir)
	return &folder{dir: dir, from: from, logger: logger, now: time.Now}, nil
}

// Send implements [Sender]. The file appears whole, readable by its owner only.
func (f *folder) Send(ctx context.Context, m Message) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("mail: send: %w", err)
	}
	now := f.now().UTC()
	message, err := m.compose(f.from, now, gomail.NoEncoding)
	if err != nil {
		return err
	}
	name := now.Format(stamp) + "-" + m.ID + ".eml"
	if err := f.write(name, message); err != nil {
		return fmt.Errorf("mail: write %s: %w", name, err)
	}
	f.logger.InfoContext(ctx, "mail written", "file", name)
	return nil
}

func (f *folder) write(name string, message *gomail.Msg) (err error) {
	draft, err := os.CreateTemp(f.dir, ".draft-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(draft.Name()))
		}
	}()
	if _, err := message.WriteTo(draft); err != nil {
		return errors.Join(err, draft.Close())
	}
	if err := draft.Close(); err != nil {
		return err
	}
	return os.Rename(draft.Name(), filepath.Join(f.dir, name))
}
