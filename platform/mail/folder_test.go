package mail_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mindspace-app/mindspace/platform/mail"
)

func TestFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "my", "mail")
	var log bytes.Buffer
	s, err := mail.Open("file://"+dir, from, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), dir) {
		t.Errorf("the log does not name the folder: %s", log.String())
	}
	mail.SetClock(s, func() time.Time { return time.Date(2026, 3, 29, 3, 0, 0, 5e6, time.FixedZone("CEST", 7200)) })
	sent := letter("ana@example.test")
	if err := s.Send(t.Context(), sent); err != nil {
		t.Fatal(err)
	}

	name := "20260329T010000.005Z-" + sent.ID + ".eml"
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 || files[0].Name() != name {
		t.Fatalf("files %v, %v, want %s", files, err, name)
	}
	checkMode(t, dir, 0o700)
	checkMode(t, filepath.Join(dir, name), 0o600)
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte("Ссылка: https://mindspace.test/verify?token=a=b&c\r\n")) {
		t.Errorf("the link cannot be copied from the file:\n%s", data)
	}
	m, err := netmail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	checkLetter(t, m)
	if text := log.String(); !strings.Contains(text, name) || strings.Contains(text, "example.test") || strings.Contains(text, "token") {
		t.Errorf("the log should name the file only: %s", text)
	}
}

func checkMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != want {
		t.Errorf("%s has mode %v, %v, want %v", path, info.Mode(), err, want)
	}
}

func TestFolderFails(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := mail.Open("file://"+file, from, silent); err == nil {
		t.Error("a file was opened as a folder")
	}

	dir := filepath.Join(t.TempDir(), "mail")
	s := open(t, "file://"+dir)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Send(over, letter("ana@example.test")); !errors.Is(err, context.Canceled) {
		t.Errorf("Send = %v, want canceled", err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), letter("ana@example.test")); err == nil || errors.Is(err, mail.ErrRefused) {
		t.Errorf("Send = %v, want an error that can be mended", err)
	}
}
