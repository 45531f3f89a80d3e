package telemetry

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestLevelChangesWhileRunning(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	level := new(slog.LevelVar)
	logger, _, err := NewLogger(LogConfig{Level: level, Output: &out, Format: FormatText})
	if err != nil {
		t.Fatal(err)
	}
	logger.Debug("too early")
	level.Set(slog.LevelDebug)
	logger.Debug("in time")
	if s := out.String(); strings.Contains(s, "too early") || !strings.Contains(s, `level=DEBUG msg="in time"`) {
		t.Errorf("logged %q", s)
	}
}

func TestUnknownFormatIsRefused(t *testing.T) {
	t.Parallel()
	if _, _, err := NewLogger(LogConfig{Format: "xml"}); err == nil {
		t.Error("the format xml was accepted")
	}
}

// fileAt opens a daily file with a clock of the test's.
func fileAt(t *testing.T, path string, now *atomic.Pointer[time.Time], other io.Writer) *dailyFile {
	t.Helper()
	f, err := openDailyFile(LogConfig{File: path, FileDays: 3}, other, func() time.Time { return *now.Load() })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func clockAt(now time.Time) *atomic.Pointer[time.Time] {
	var p atomic.Pointer[time.Time]
	p.Store(&now)
	return &p
}

// rotated gives the contents of the files that were put aside.
func rotated(t *testing.T, path string) []string {
	t.Helper()
	names, err := filepath.Glob(strings.TrimSuffix(path, ".log") + "-*.log")
	if err != nil {
		t.Fatal(err)
	}
	var contents []string
	for _, name := range names {
		contents = append(contents, read(t, name))
	}
	return contents
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestEveryDayHasItsOwnFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "deep", "mindspace.log")
	evening := time.Now().UTC().Truncate(24 * time.Hour).Add(24*time.Hour - time.Second)
	morning := evening.Add(2 * time.Second)
	now := clockAt(evening)
	f := fileAt(t, path, now, io.Discard)
	f.write([]byte("yesterday\n"))
	now.Store(&morning)
	f.write([]byte("today\n"))
	f.write([]byte("still today\n"))
	if got := read(t, path); got != "today\nstill today\n" {
		t.Errorf("the file holds %q", got)
	}
	if got := rotated(t, path); len(got) != 1 || got[0] != "yesterday\n" {
		t.Errorf("put aside were %q, want yesterday's lines", got)
	}
}

func TestLinesOfAnEarlierRunArePutAside(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mindspace.log")
	if err := os.WriteFile(path, []byte("last week\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lastWeek := time.Now().Add(-7 * 24 * time.Hour)
	if err := os.Chtimes(path, lastWeek, lastWeek); err != nil {
		t.Fatal(err)
	}
	f := fileAt(t, path, clockAt(time.Now()), io.Discard)
	f.write([]byte("today\n"))
	if got := read(t, path); got != "today\n" {
		t.Errorf("the file holds %q", got)
	}
	if got := rotated(t, path); len(got) != 1 || got[0] != "last week\n" {
		t.Errorf("put aside were %q", got)
	}
}

func TestQuietDaysLeaveNoEmptyFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mindspace.log")
	now := clockAt(time.Now())
	f := fileAt(t, path, now, io.Discard)
	tomorrow := time.Now().Add(24 * time.Hour)
	now.Store(&tomorrow)
	f.write([]byte("first\n"))
	if got := rotated(t, path); len(got) != 0 {
		t.Errorf("put aside were %q, want nothing", got)
	}
}

func TestOldFilesAreRemoved(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mindspace.log")
	old := strings.TrimSuffix(path, ".log") + "-" + time.Now().Add(-4*24*time.Hour).UTC().Format("2006-01-02T15-04-05.000") + ".log"
	kept := strings.TrimSuffix(path, ".log") + "-" + time.Now().Add(-2*24*time.Hour).UTC().Format("2006-01-02T15-04-05.000") + ".log"
	for _, name := range []string{old, kept} {
		if err := os.WriteFile(name, []byte("old\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := fileAt(t, path, clockAt(time.Now()), io.Discard)
	f.write([]byte("today\n"))
	deadline, tick := time.After(30*time.Second), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for gone := false; !gone; {
		select {
		case <-deadline:
			t.Fatal("a file older than three days is still there")
		case <-tick.C:
			_, err := os.Stat(old)
			gone = errors.Is(err, os.ErrNotExist)
		}
	}
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("a file of the last three days is gone: %v", err)
	}
}

func TestFileThatCannotBeWrittenCostsNoLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	path := filepath.Join(t.TempDir(), "mindspace.log")
	logger, closer, err := NewLogger(LogConfig{Output: &out, File: path})
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil { // nobody can append to a directory, not even root
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		logger.Info("still here")
	}
	if n := strings.Count(out.String(), "still here"); n != 3 {
		t.Errorf("%d of 3 lines in %s", n, out.String())
	}
}

func TestTroubleWithTheFileIsReportedNowAndThen(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := clockAt(time.Now())
	f := fileAt(t, filepath.Join(t.TempDir(), "mindspace.log"), now, &out)
	report := func() { f.report(*now.Load(), errors.New("disk full")) }
	report()
	report()
	if n := strings.Count(out.String(), "log file cannot be written"); n != 1 {
		t.Errorf("reported %d times within a minute, want once", n)
	}
	later := now.Load().Add(failureInterval)
	now.Store(&later)
	report()
	if n := strings.Count(out.String(), "log file cannot be written"); n != 2 {
		t.Errorf("reported %d times in two minutes, want twice", n)
	}
}

func TestFileGetsEveryLineUntilItIsClosed(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	path := filepath.Join(t.TempDir(), "mindspace.log")
	logger, closer, err := NewLogger(LogConfig{Output: &out, File: path})
	if err != nil {
		t.Fatal(err)
	}
	logger.Info("both", "password", "hunter2")
	if err := closer.Close(); err != nil {
		t.Fatal(err)
	}
	logger.Info("output only")
	if got, want := read(t, path), strings.SplitAfter(out.String(), "\n")[0]; got != want || !strings.Contains(got, `"[redacted]"`) {
		t.Errorf("the file holds %q, want %q", got, want)
	}
	if !strings.Contains(out.String(), "output only") {
		t.Error("the logger fell silent with the file")
	}
}

func TestImpossibleFileIsAnErrorAtOnce(t *testing.T) {
	t.Parallel()
	if _, _, err := NewLogger(LogConfig{File: t.TempDir()}); err == nil {
		t.Error("a directory was accepted as the log file")
	}
}

func TestComplaintsAreRateLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c := newComplaints(slog.New(slog.NewTextHandler(&out, nil)), time.Minute)
		for range 5 {
			c.Handle(errors.New("connection refused"))
		}
		<-time.After(time.Minute) // of the bubble's clock
		c.Handle(errors.New("connection refused"))
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "omitted_before=0") || !strings.Contains(lines[1], "omitted_before=4") {
			t.Errorf("logged %q, want one line a minute and how many were left out", lines)
		}
	})
}
