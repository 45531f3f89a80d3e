package secret_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mindspace-app/mindspace/platform/secret"
)

// followed is a keyring in a file, and a process that follows it.
type followed struct {
	t    *testing.T
	file string
	ring *secret.Keyring
	log  *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
func (l *lockedBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// follow saves a keyring and follows it; in a bubble.
func follow(t *testing.T, k *secret.Keyring) *followed {
	t.Helper()
	f := &followed{t: t, file: filepath.Join(t.TempDir(), "keyring.json"), log: &lockedBuffer{}}
	f.save(k)
	f.ring = f.load()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.ring.Follow(ctx, slog.New(slog.NewTextHandler(f.log, nil))) }()
	synctest.Wait() // it follows, and has its logger
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *followed) save(k *secret.Keyring) {
	f.t.Helper()
	if err := k.Save(f.file); err != nil {
		f.t.Fatal(err)
	}
}

func (f *followed) load() *secret.Keyring {
	f.t.Helper()
	k, err := secret.Load("", f.file)
	if err != nil {
		f.t.Fatal(err)
	}
	return k
}

// poll lets the file be looked at.
func (f *followed) poll() {
	time.Sleep(secret.PollInterval + time.Millisecond) //nolint:forbidigo // the bubble's clock
	synctest.Wait()
}

func TestNewerKeyringIsTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := generate(t)
		f := follow(t, first)
		if !f.ring.Followable() || first.Followable() {
			t.Error("only a keyring from a file can be followed")
		}
		aead := f.ring.AEAD()
		second, rotation := rotateIn(t, first, time.Minute)
		f.save(second)
		f.poll()
		if !f.ring.Has(rotation.New) || f.ring.PrimaryID() != rotation.Old {
			t.Fatal("the new key is not there, or already primary")
		}
		time.Sleep(time.Minute) //nolint:forbidigo // the bubble's clock
		sealed, err := aead.Encrypt([]byte("x"), []byte("row"))
		if err != nil || keyOf(t, sealed) != rotation.New {
			t.Errorf("encrypted under another key: %v", err)
		}
		third, err := second.Prune(rotation.Old)
		if err != nil {
			t.Fatal(err)
		}
		f.save(third)
		f.poll()
		if f.ring.Has(rotation.Old) || len(f.ring.Keys()) != 1 {
			t.Error("a key that was removed on purpose is still here")
		}
		if log := f.log.String(); strings.Count(log, "a newer keyring was taken") != 2 || strings.Contains(log, "not taken") {
			t.Errorf("log: %s", log)
		}
	})
}

// What is encrypted under a key of which this process has not heard makes it look at the file at once; a key that nobody has does so only now and then.
func TestUnknownKeyIsLookedForAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := generate(t)
		f := follow(t, first)
		second, rotation := rotateIn(t, first, 0)
		sealed := seal(t, second, "new")
		if keyOf(t, sealed) != rotation.New {
			t.Fatal("the new key is not used")
		}
		var missing *secret.MissingKeyError
		if _, err := f.ring.Open(sealed, []byte("row")); !errors.As(err, &missing) || missing.ID != rotation.New {
			t.Fatalf("before the file is there: %v", err)
		}
		f.save(second)
		if _, err := f.ring.Open(sealed, []byte("row")); !errors.As(err, &missing) {
			t.Errorf("the file was looked at twice in a moment: %v", err)
		}
		time.Sleep(time.Second / 2) //nolint:forbidigo // the bubble's clock; less than a poll takes
		opens(t, f.ring, sealed, "new")
		if strings.Count(f.log.String(), "missing_key_id") != 1 {
			t.Errorf("a missing key is told of once: %s", f.log)
		}
	})
}

// badFile is a file that is not to be taken, and what the log says of it.
type badFile struct {
	content []byte
	mode    os.FileMode
	says    string
}

// badFiles are those for a process that runs on the second of two keyrings.
func badFiles(t *testing.T, first, second *secret.Keyring) map[string]badFile {
	t.Helper()
	rival, _ := rotateIn(t, first, 0)
	foreign := encode(t, rotate(t, rotate(t, generate(t))))
	doc := encode(t, second)
	ninth := func(doc []byte) []byte { return alter(t, doc, "revision", "9") }
	return map[string]badFile{
		"empty":           {nil, 0o600, "empty"},
		"cut off":         {doc[:len(doc)/2], 0o600, "cut off"},
		"not a keyring":   {[]byte("correct horse"), 0o600, "neither JSON"},
		"open to others":  {ninth(doc), 0o644, "chmod 600"},
		"older":           {encode(t, first), 0o600, "older"},
		"another's":       {alter(t, ninth(foreign), "created", `"2025-01-01T00:00:00Z"`), 0o600, "another installation"},
		"another's, ours": {ninth(foreign), 0o600, "other subkeys"},
		"lacks a key":     {ninth(encode(t, first)), 0o600, "lacks the key"},
		"a rival":         {encode(t, rival), 0o600, "lacks the key"},
		"a demo's":        {alter(t, ninth(doc), "demo", "true"), 0o600, "another installation"},
		"another turn":    {alter(t, doc, "turns", `[]`), 0o600, "two were made from one"},
	}
}

func TestOtherFilesAreNotTaken(t *testing.T) {
	t.Parallel()
	some := generate(t)
	for name := range badFiles(t, some, rotate(t, some)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				first := generate(t)
				second, rotation := rotateIn(t, first, 0)
				bad := badFiles(t, first, second)[name]
				f := follow(t, second)
				sealed := seal(t, f.ring, "x")
				if err := os.WriteFile(f.file, bad.content, bad.mode); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(f.file, bad.mode); err != nil {
					t.Fatal(err)
				}
				f.poll()
				f.poll()
				f.poll()
				opens(t, f.ring, sealed, "x")
				if len(f.ring.Keys()) != 2 || f.ring.PrimaryID() != rotation.New {
					t.Error("the file was taken")
				}
				log := f.log.String()
				if strings.Count(log, "was not taken") != 1 || !strings.Contains(log, bad.says) {
					t.Errorf("want one line that says %q: %s", bad.says, log)
				}
				for _, m := range keyMaterial(t, encode(t, second)) {
					if strings.Contains(log, m[len(m)-12:]) {
						t.Error("the log quotes a key")
					}
				}
				// The right file is taken as if nothing had been.
				third, next := rotateIn(t, second, time.Minute)
				f.save(third)
				f.poll()
				if !f.ring.Has(next.New) {
					t.Error("the right file is not taken any more")
				}
			})
		})
	}
}

func TestFollowOfNoFileEndsAtOnce(t *testing.T) {
	t.Parallel()
	if err := generate(t).Follow(t.Context(), slog.New(slog.DiscardHandler)); err != nil {
		t.Error(err)
	}
}
