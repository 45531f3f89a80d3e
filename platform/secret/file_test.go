package secret_test

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mindspace-app/mindspace/platform/secret"
)

func TestLoadFromExactlyOneSource(t *testing.T) {
	t.Parallel()
	k := generate(t)
	doc := string(encode(t, k))
	file := filepath.Join(t.TempDir(), "keyring.json")
	if err := k.Save(file); err != nil {
		t.Fatal(err)
	}
	want, _ := k.Derive("x")

	for name, args := range map[string][2]string{
		"inline json":   {doc, ""},
		"inline base64": {base64.StdEncoding.EncodeToString([]byte(doc)), ""},
		"file":          {"", file},
	} {
		got, err := secret.Load(args[0], args[1])
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if key, _ := got.Derive("x"); key != want {
			t.Errorf("%s: another keyring", name)
		}
	}

	for name, args := range map[string][2]string{"both": {doc, file}, "neither": {"", ""}} {
		_, err := secret.Load(args[0], args[1])
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		for _, setting := range []string{secret.InlineSetting, secret.FileSetting} {
			if !strings.Contains(err.Error(), setting) {
				t.Errorf("%s: error %q does not name %s", name, err, setting)
			}
		}
	}

	if _, err := secret.Load("nonsense", ""); err == nil || !strings.HasPrefix(err.Error(), secret.InlineSetting+":") {
		t.Errorf("error %v does not name %s", err, secret.InlineSetting)
	}
}

func TestLoadRefusesAFileOpenToOthers(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keyring.json")
	if err := generate(t).Save(file); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666, 0o777} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		_, err := secret.Load("", file)
		if err == nil || !strings.Contains(err.Error(), "chmod 600 "+file) {
			t.Errorf("mode %04o: error %v does not say chmod 600", mode, err)
		}
	}
	for _, mode := range []fs.FileMode{0o600, 0o400, 0o700} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := secret.Load("", file); err != nil {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}

func TestLoadNamesWhatIsWrongWithTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := secret.Load("", filepath.Join(dir, "absent"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file gives %v, want fs.ErrNotExist", err)
	}
	if _, err := secret.Load("", dir); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("a directory gives %v", err)
	}
	huge := filepath.Join(dir, "huge")
	if err := os.WriteFile(huge, []byte("{"+strings.Repeat(" ", 2<<20)+"}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := secret.Load("", huge); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a huge file gives %v", err)
	}
}

func TestSaveReplacesTheWholeFileAndLeavesNothingElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "keyring.json")
	if err := os.WriteFile(file, []byte(strings.Repeat("x", 1<<16)), 0o644); err != nil {
		t.Fatal(err)
	}
	k := generate(t)
	if err := k.Save(file); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %04o, want 0600", info.Mode().Perm())
	}
	got, err := secret.Load("", file)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := k.Derive("x")
	if key, _ := got.Derive("x"); key != want {
		t.Error("another keyring came back")
	}
	if err := k.Save(filepath.Join(dir, "no", "such", "directory")); err == nil {
		t.Error("saved into a directory that does not exist")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("%d files in the directory, want only the keyring", len(entries))
	}
}
