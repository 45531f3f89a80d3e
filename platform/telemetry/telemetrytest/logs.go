package telemetrytest

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/mindspace-app/mindspace/platform/telemetry"
)

// Logs keeps what was logged.
type Logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// NewLogs returns a logger that redacts as the program's does, logs from the level debug on, and keeps every line.
func NewLogs() (*slog.Logger, *Logs) {
	logs := &Logs{}
	return slog.New(telemetry.Redact(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))), logs
}

// Write implements io.Writer.
func (l *Logs) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

// Text is everything that was logged.
func (l *Logs) Text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Lines gives the lines with this message, parsed.
func (l *Logs) Lines(tb testing.TB, message string) []map[string]any {
	tb.Helper()
	var lines []map[string]any
	for text := range strings.Lines(l.Text()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			tb.Fatalf("log line %q: %v", text, err)
		}
		if line[slog.MessageKey] == message {
			lines = append(lines, line)
		}
	}
	return lines
}
