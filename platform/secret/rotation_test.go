package secret_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/secret"
)

// rotateIn adds a key that encrypts after a while.
func rotateIn(tb testing.TB, k *secret.Keyring, notice time.Duration) (*secret.Keyring, secret.Rotation) {
	tb.Helper()
	next, rotation, err := k.RotateAEAD(time.Now().Add(notice))
	if err != nil {
		tb.Fatal(err)
	}
	return next, rotation
}

func seal(tb testing.TB, k *secret.Keyring, text string) []byte {
	tb.Helper()
	sealed, err := k.Seal([]byte(text), []byte("row"))
	if err != nil {
		tb.Fatal(err)
	}
	return sealed
}

func opens(tb testing.TB, k *secret.Keyring, sealed []byte, want string) {
	tb.Helper()
	if got, err := k.Open(sealed, []byte("row")); err != nil || string(got) != want {
		tb.Errorf("Open = %q, %v; want %q", got, err, want)
	}
}

func keyOf(tb testing.TB, sealed []byte) uint32 {
	tb.Helper()
	id, ok := secret.KeyOf(sealed)
	if !ok {
		tb.Fatal("a sealed value names no key")
	}
	return id
}

// A new key is readable at once, encrypts only when its time has come, and does so without anyone doing anything.
func TestNewKeyIsReadBeforeItIsWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := generate(t)
		aead := first.AEAD() // captured at the start, as services do
		old := seal(t, first, "old")
		next, rotation := rotateIn(t, first, time.Minute)
		next, err := secret.Parse(encode(t, next))
		if err != nil {
			t.Fatal(err)
		}
		if rotation.Old != first.PrimaryID() || rotation.New == rotation.Old || rotation.Old != keyOf(t, old) {
			t.Fatalf("rotation %+v of %d", rotation, first.PrimaryID())
		}
		if next.PrimaryID() != rotation.Old || keyOf(t, seal(t, next, "x")) != rotation.Old {
			t.Error("the new key encrypts before its time")
		}
		time.Sleep(time.Minute - time.Nanosecond) //nolint:forbidigo // the bubble's clock
		if next.PrimaryID() != rotation.Old {
			t.Error("the new key is primary a moment too early")
		}
		time.Sleep(time.Nanosecond) //nolint:forbidigo // the bubble's clock
		fresh := seal(t, next, "new")
		if next.PrimaryID() != rotation.New || keyOf(t, fresh) != rotation.New {
			t.Error("the new key does not encrypt at its time")
		}
		opens(t, next, old, "old")
		opens(t, next, fresh, "new")

		var missing *secret.MissingKeyError
		_, err = aead.Decrypt(fresh, []byte("row"))
		if !errors.As(err, &missing) || missing.ID != rotation.New {
			t.Errorf("a key that is not there gives %v", err)
		}
	})
}

func TestMissingKeyIsAFaultThatNamesIt(t *testing.T) {
	t.Parallel()
	k, other := generate(t), generate(t)
	sealed := seal(t, other, "x")
	_, err := k.Open(sealed, []byte("row"))
	f, ok := fault.As(err)
	if !ok || f.Kind() != fault.KindUnavailable || f.Reason() != secret.ReasonKeyMissing {
		t.Fatalf("got %v", err)
	}
	if name := strings.Fields(err.Error())[3]; !strings.Contains(f.Message(), name) {
		t.Errorf("%q does not name the key of %q", f.Message(), err)
	}
	// What is damaged, moved or no ciphertext at all is something else.
	mine := seal(t, k, "x")
	for name, c := range map[string]struct {
		sealed []byte
		bound  string
	}{
		"damaged": {append(slices.Clone(mine[:len(mine)-1]), mine[len(mine)-1]^1), "row"},
		"moved":   {mine, "another row"},
		"cut":     {mine[:10], "row"},
		"text":    {[]byte("garbage"), "row"},
		"empty":   {nil, "row"},
	} {
		if got, err := k.Open(c.sealed, []byte(c.bound)); err == nil || errors.As(err, new(*secret.MissingKeyError)) || fault.KindOf(err) != fault.KindInternal {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestKeysAreListedAndPruned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := generate(t)
		old := seal(t, first, "old")
		time.Sleep(time.Hour) //nolint:forbidigo // the bubble's clock
		second, rotation := rotateIn(t, first, time.Minute)
		keys := second.Keys()
		if len(keys) != 2 || keys[0].ID != rotation.Old || keys[1].ID != rotation.New || !keys[0].Until.Equal(rotation.From) || !keys[1].From.Equal(rotation.From) || !keys[1].Until.IsZero() {
			t.Fatalf("%+v", keys)
		}
		if !keys[0].Primary(time.Now()) || keys[1].Primary(time.Now()) || keys[0].Primary(rotation.From) || !keys[1].Primary(rotation.From) {
			t.Error("the wrong key counts as primary")
		}
		for what, id := range map[string]uint32{"primary": rotation.Old, "to come": rotation.New, "unknown": 1} {
			if _, err := second.Prune(id); err == nil {
				t.Errorf("the key that is %s was removed", what)
			}
		}
		if _, _, err := second.RotateAEAD(time.Now().Add(time.Hour)); err == nil {
			t.Error("rotated while another key has yet to become primary")
		}
		time.Sleep(2 * time.Minute) //nolint:forbidigo // the bubble's clock
		third, err := second.Prune(rotation.Old)
		if err != nil {
			t.Fatal(err)
		}
		if third, err = secret.Parse(encode(t, third)); err != nil {
			t.Fatal(err)
		}
		if keys := third.Keys(); len(keys) != 1 || keys[0].ID != rotation.New || third.PrimaryID() != rotation.New {
			t.Errorf("%+v", keys)
		}
		if _, err := third.Open(old, []byte("row")); !errors.As(err, new(*secret.MissingKeyError)) {
			t.Errorf("under a removed key: %v", err)
		}
		opens(t, second, old, "old")
		a, _ := first.Derive("x")
		if b, all := third.Derive("x"); a != b || len(all) != 1 {
			t.Error("the subkeys changed")
		}
		fourth, again := rotateIn(t, third, time.Minute)
		if again.Old != rotation.New || len(fourth.Keys()) != 2 {
			t.Errorf("%+v", again)
		}
	})
}

// alter changes one field of a keyring's JSON.
func alter(tb testing.TB, doc []byte, field, value string) []byte {
	tb.Helper()
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(doc, &fields); err != nil {
		tb.Fatal(err)
	}
	fields[field] = json.RawMessage(value)
	out, err := json.Marshal(fields)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// hostile are keyrings whose history cannot be.
func hostile(tb testing.TB) map[string][]byte {
	tb.Helper()
	next, _ := rotateIn(tb, generate(tb), time.Minute)
	doc := encode(tb, next)
	raw := slices.Clone(doc)
	return map[string][]byte{
		"an unknown key's turn":  alter(tb, doc, "turns", `[{"key":7,"from":"2026-01-01T00:00:00Z"}]`),
		"turns out of order":     alter(tb, doc, "turns", strings.ReplaceAll(`[{"key":K,"from":"2026-01-02T00:00:00Z"},{"key":K,"from":"2026-01-01T00:00:00Z"}]`, "K", id(next))),
		"a turn without a time":  alter(tb, doc, "turns", strings.ReplaceAll(`[{"key":K}]`, "K", id(next))),
		"a turn that is no list": alter(tb, doc, "turns", `{"key":1}`),
		"too many turns":         alter(tb, doc, "turns", "["+strings.TrimSuffix(strings.Repeat(`{"key":`+id(next)+`,"from":"2026-01-02T00:00:00Z"},`, 101), ",")+"]"),
		"a key id too large":     alter(tb, doc, "turns", `[{"key":4294967296,"from":"2026-01-01T00:00:00Z"}]`),
		"a revision below 0":     alter(tb, doc, "revision", "-1"),
		"a pruned key that is":   alter(tb, doc, "pruned", "["+id(next)+"]"),
		"raw ciphertexts":        []byte(strings.ReplaceAll(string(raw), `"TINK"`, `"RAW"`)),
	}
}

func id(k *secret.Keyring) string {
	out, err := json.Marshal(k.PrimaryID())
	if err != nil {
		panic(err)
	}
	return string(out)
}

func TestParseRefusesAHistoryThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, doc := range hostile(t) {
		if _, err := secret.Parse(doc); err == nil || !strings.HasPrefix(err.Error(), "secret: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever a file holds, reading it neither panics nor takes for ever, and a keyring that is read survives its own JSON.
func FuzzParse(f *testing.F) {
	for _, doc := range hostile(f) {
		f.Add(doc)
	}
	f.Add(encode(f, generate(f)))
	f.Add([]byte(`{"aead":{},"prf":{}}`))
	f.Add([]byte(`{"aead":null,"prf":[],"turns":[null],"pruned":[-1]}`))
	f.Add([]byte("eyJ"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		k, err := secret.Parse(doc)
		if err != nil {
			return
		}
		again, err := secret.Parse(encode(t, k))
		if err != nil || again.PrimaryID() != k.PrimaryID() || len(again.Keys()) != len(k.Keys()) {
			t.Fatalf("another keyring came back: %v", err)
		}
		opens(t, again, seal(t, k, "x"), "x")
	})
}

func FuzzOpen(f *testing.F) {
	k := generate(f)
	sealed := seal(f, k, "x")
	f.Add(sealed)
	f.Add(sealed[:5])
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, in []byte) {
		if slices.Equal(in, sealed) {
			return
		}
		if got, err := k.Open(in, []byte("row")); err == nil {
			t.Fatalf("%x opened: %q", in, got)
		}
	})
}

// When a key was replaced is still known after the next rotation, and after the keyring was written and read.
func TestRotationsAreDated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, rotationsAreDated)
}

func rotationsAreDated(t *testing.T) {
	k, err := secret.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	k, first := rotateIn(t, k, time.Minute)
	<-time.After(48 * time.Hour)
	k, second := rotateIn(t, k, time.Hour)
	data, err := k.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if k, err = secret.Parse(data); err != nil {
		t.Fatal(err)
	}
	keys := k.Keys()
	if len(keys) != 3 || keys[0].ID != first.Old || !keys[0].Until.Equal(first.From) || keys[1].ID != first.New || !keys[1].Until.Equal(second.From) || !keys[2].Until.IsZero() {
		t.Errorf("%+v after %+v and %+v", keys, first, second)
	}
}
