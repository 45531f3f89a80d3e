package refresh_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/platform/secret"
	"github.com/mindspace-app/mindspace/services/auth/refresh"
)

func keyring(tb testing.TB) *secret.Keyring {
	tb.Helper()
	k, err := secret.Generate(true)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func TestTokenComesBack(t *testing.T) {
	t.Parallel()
	c, session := refresh.New(keyring(t)), uuid.New()
	first := c.First(session)
	text := c.Encode(first)
	got, ok := c.Decode(text)
	if !ok || got != first || got.Session != session || got.Generation != 0 {
		t.Errorf("%v, %v", got, ok)
	}
	if !first.Matches(first.Hash()) || first.Matches(c.First(session).Hash()) {
		t.Error("hashes tell nothing apart")
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(text, "msr_"))
	if err != nil || bytes.Contains(raw, first.Hash()) {
		t.Errorf("the token holds its own hash, or is no base64: %v", err)
	}
}

func TestNextTokenIsAlwaysTheSame(t *testing.T) {
	t.Parallel()
	k := keyring(t)
	c := refresh.New(k)
	first := c.First(uuid.New())
	next := c.Children(first)[0]
	if again := refresh.New(k).Children(first)[0]; again != next {
		t.Error("another process derives another one")
	}
	if next.Generation != 1 || next.Session != first.Session || next.Matches(first.Hash()) {
		t.Errorf("%v follows %v", next, first)
	}
	if other := refresh.New(keyring(t)).Children(first)[0]; other.Matches(next.Hash()) {
		t.Error("it can be derived without the server's key")
	}
}

// After a rotation of the keyring old tokens are good, and a next one that was made before is found again.
func TestKeysAreRotated(t *testing.T) {
	t.Parallel()
	k := keyring(t)
	old := refresh.New(k)
	first := old.First(uuid.New())
	next := old.Children(first)[0]
	rotated, err := k.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	c := refresh.New(rotated)
	if got, ok := c.Decode(old.Encode(first)); !ok || got != first {
		t.Error("a token from before is refused")
	}
	children := c.Children(first)
	if children[0] == next || children[1] != next {
		t.Error("the next token is not first of the new key and then of the old one")
	}
	if _, ok := old.Decode(c.Encode(first)); ok {
		t.Error("the old keys accept what the new key made")
	}
}

func TestForgedTokensAreRefused(t *testing.T) {
	t.Parallel()
	k := keyring(t)
	c := refresh.New(k)
	good := c.Encode(c.First(uuid.New()))
	raw, _ := base64.RawURLEncoding.DecodeString(good[4:])
	for name, text := range map[string]string{
		"empty": "", "prefix": "msr_", "cut": good[:len(good)-1], "longer": good + "A", "another prefix": "msx_" + good[4:],
		"line end": good[:50] + "\n" + good[50:], "access token": "eyJhbGciOiJFUzI1NiJ9.e30.AAAA", "another keyring": refresh.New(keyring(t)).Encode(c.First(uuid.New())),
	} {
		if _, ok := c.Decode(text); ok {
			t.Errorf("%s: accepted", name)
		}
	}
	for i := range raw {
		forged := append([]byte(nil), raw...)
		forged[i] ^= 1
		if _, ok := c.Decode("msr_" + base64.RawURLEncoding.EncodeToString(forged)); ok {
			t.Errorf("byte %d changed: accepted", i)
		}
	}
}

func FuzzDecode(f *testing.F) {
	k, err := secret.Generate(true)
	if err != nil {
		f.Fatal(err)
	}
	c := refresh.New(k)
	f.Add("msr_")
	f.Add(refresh.New(keyring(f)).Encode(c.First(uuid.Nil)))
	f.Fuzz(func(t *testing.T, text string) {
		if got, ok := c.Decode(text); ok {
			t.Errorf("made up a token: %v", got)
		}
	})
}
