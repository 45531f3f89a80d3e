package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"
)

// failureInterval is how often a log file that cannot be written is reported.
const failureInterval = time.Minute

// dailyFile is a log file that lumberjack rotates by size, and this by day: the first line of a new day goes to a new file.
type dailyFile struct {
	other *slog.Logger // where the file's own trouble is told
	now   func() time.Time

	mu         sync.Mutex
	file       *lumberjack.Logger
	day        time.Time // the midnight, in UTC, that the file's day began with
	closed     bool
	nextReport time.Time
}

// openDailyFile makes sure that the file can be written. Lines of an earlier day that are in it already are put aside before the first new one.
func openDailyFile(c LogConfig, other io.Writer, now func() time.Time) (*dailyFile, error) {
	if err := os.MkdirAll(filepath.Dir(c.File), 0o750); err != nil {
		return nil, fmt.Errorf("telemetry: log file: %w", err)
	}
	f, err := os.OpenFile(c.File, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("telemetry: log file: %w", err)
	}
	info, err := f.Stat()
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, fmt.Errorf("telemetry: log file: %w", err)
	}
	day := dayOf(now())
	if info.Size() > 0 {
		day = dayOf(info.ModTime())
	}
	return &dailyFile{
		other: slog.New(slog.NewJSONHandler(other, nil)),
		now:   now,
		day:   day,
		file: &lumberjack.Logger{
			Filename: c.File,
			MaxSize:  positiveOr(c.FileSizeMB, defaultFileSizeMB),
			MaxAge:   positiveOr(c.FileDays, defaultFileDays),
		},
	}, nil
}

func positiveOr(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}

// dayOf is the midnight, in UTC, that the day of t began with.
func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// write adds a line. It never fails: what cannot be written is lost in the file, and still in the other output.
func (d *dailyFile) write(line []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	now := d.now()
	if today := dayOf(now); today.After(d.day) {
		d.day = today
		if err := d.rotate(); err != nil {
			d.report(now, err)
		}
	}
	if _, err := d.file.Write(line); err != nil {
		d.report(now, err)
	}
}

// rotate puts the file aside, unless it is empty: quiet days leave nothing behind.
func (d *dailyFile) rotate() error {
	if info, err := os.Stat(d.file.Filename); err == nil && info.Size() == 0 {
		return nil
	}
	return d.file.Rotate()
}

func (d *dailyFile) report(now time.Time, err error) {
	if now.Before(d.nextReport) {
		return
	}
	d.nextReport = now.Add(failureInterval)
	d.other.Error("log file cannot be written", "error", err)
}

// Close closes the file; lines that come later are not written to it.
func (d *dailyFile) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	return d.file.Close()
}
