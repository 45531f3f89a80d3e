package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"
)

// The formats of log lines.
const (
	FormatJSON = "json"
	FormatText = "text"
)

// LogConfig says what is logged, how and where to.
type LogConfig struct {
	// Level is the least level that is logged; nil is Info. Pass a *slog.LevelVar to change it while the program runs.
	Level slog.Leveler
	// Format is FormatJSON (also when empty) or FormatText.
	Format string
	// Output gets every line; nil is the standard error.
	Output io.Writer
	// File is the path of a file that gets every line as well; empty for none. The first line of a new day (UTC) goes to a new file, and so does
	// the line that would make it larger than FileSizeMB; the old one is kept beside it with the time in its name.
	File string
	// FileSizeMB is how large the file may grow within a day; 0 is 100.
	FileSizeMB int
	// FileDays is for how many days rotated files are kept; 0 is 14.
	FileDays int
}

const (
	defaultFileSizeMB = 100
	defaultFileDays   = 14
)

// NewLogger returns the program's logger: it redacts (see [Redact]) and adds request_id, trace_id and span_id from the context.
// A file that cannot be written is reported on the other output from time to time, and nothing else happens: lines still go to the output.
// The closer closes the file; the logger then still writes to the output.
func NewLogger(c LogConfig) (*slog.Logger, io.Closer, error) {
	out := c.Output
	if out == nil {
		out = os.Stderr
	}
	var closer io.Closer = nothingToClose{}
	if c.File != "" {
		f, err := openDailyFile(c, out, time.Now)
		if err != nil {
			return nil, nil, err
		}
		out, closer = &tee{out: out, file: f}, f
	}
	level := c.Level
	if level == nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler
	switch c.Format {
	case FormatJSON, "":
		handler = slog.NewJSONHandler(out, options)
	case FormatText:
		handler = slog.NewTextHandler(out, options)
	default:
		_ = closer.Close()
		return nil, nil, fmt.Errorf("telemetry: log format %q is neither %q nor %q", c.Format, FormatJSON, FormatText)
	}
	return slog.New(Redact(handler)), closer, nil
}

type nothingToClose struct{}

// Close does nothing.
func (nothingToClose) Close() error { return nil }

// tee writes each line to both. The file's failures stay with the file.
type tee struct {
	out  io.Writer
	file *dailyFile
}

func (t *tee) Write(line []byte) (int, error) {
	n, err := t.out.Write(line)
	t.file.write(line)
	return n, err
}
