package cursor_test

import (
	"encoding/base64"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/secret"
)

// position is what a query by time and id keeps.
type position struct {
	At time.Time `json:"t"`
	ID uuid.UUID `json:"i"`
}

const scope = "/mindspace.content.v1.ContentService/ListMeditations?locale=en"

func keyring(tb testing.TB) *secret.Keyring {
	tb.Helper()
	k, err := secret.Generate(false)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func encode(tb testing.TB, c *cursor.Codec, p any) string {
	tb.Helper()
	token, err := c.Encode(scope, p)
	if err != nil {
		tb.Fatalf("Encode: %v", err)
	}
	return token
}

// wantRefused fails unless err is the fault that a wrong token gives.
func wantRefused(t interface{ Errorf(string, ...any) }, what string, err error) {
	f, ok := fault.As(err)
	if !ok {
		t.Errorf("%s: error %v is not a fault", what, err)
		return
	}
	if f.Kind() != fault.KindInvalid || f.Reason() != cursor.Reason {
		t.Errorf("%s: kind %v, reason %q", what, f.Kind(), f.Reason())
	}
	if len(f.Fields()) != 1 || f.Fields()[0].Path != "pageToken" || f.Fields()[0].Reason != cursor.Reason {
		t.Errorf("%s: fields %v do not name pageToken", what, f.Fields())
	}
}

func TestTokenComesBackAsThePosition(t *testing.T) {
	t.Parallel()
	c := cursor.New(keyring(t))
	want := position{At: time.Date(2026, 11, 30, 18, 0, 0, 123456000, time.UTC), ID: uuid.Must(uuid.NewV7())}
	token := encode(t, c, want)
	if len(token) > 160 {
		t.Errorf("a token by time and id takes %d bytes", len(token))
	}
	if strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		t.Errorf("token %q needs escaping in a URL", token)
	}
	var got position
	if err := c.Decode(scope, token, &got); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWrongTokensAreRefused(t *testing.T) {
	t.Parallel()
	k := keyring(t)
	c := cursor.New(k)
	token := encode(t, c, position{ID: uuid.Must(uuid.NewV7())})
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	other := append([]byte{}, raw...)
	other[0] = 2
	cases := map[string]string{
		"empty":                "",
		"blank":                " ",
		"not base64":           "not a token!",
		"one byte":             "AQ",
		"only a signature":     base64.RawURLEncoding.EncodeToString(append([]byte{1}, make([]byte, 16)...)),
		"cut by one":           token[:len(token)-1],
		"padded":               token + "==",
		"a line more":          token + "\n",
		"a line within":        token[:8] + "\r\n" + token[8:],
		"standard base64":      base64.StdEncoding.EncodeToString(raw),
		"another version":      base64.RawURLEncoding.EncodeToString(other),
		"twice":                token + token,
		"too long":             strings.Repeat("A", cursor.MaxTokenSize+1),
		"as long as can be":    strings.Repeat("A", cursor.MaxTokenSize),
		"ten thousand":         strings.Repeat("x", 10_000),
		"invalid UTF-8":        "\xff\xfe\xfd" + token[3:],
		"another installation": encode(t, cursor.New(keyring(t)), position{}),
	}
	for name, in := range cases {
		var p position
		wantRefused(t, name, c.Decode(scope, in, &p))
	}
	for _, wrong := range []string{"", scope + " ", scope[1:], strings.ToUpper(scope), strings.Repeat(scope, 200)} {
		var p position
		wantRefused(t, "scope "+wrong[:min(len(wrong), 20)], c.Decode(wrong, token, &p))
	}
	var another []int
	wantRefused(t, "a position of another shape", c.Decode(scope, token, &another))
}

func TestOldCursorsOpenAfterRotation(t *testing.T) {
	t.Parallel()
	first := keyring(t)
	second, err := first.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	third, err := second.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	old := encode(t, cursor.New(first), 42)
	var n int
	if err := cursor.New(third).Decode(scope, old, &n); err != nil || n != 42 {
		t.Errorf("an old token gives %d, %v", n, err)
	}
	wantRefused(t, "an old token of another query", cursor.New(third).Decode(scope+"x", old, &n))
	fresh := encode(t, cursor.New(third), 43)
	wantRefused(t, "a token of a newer key", cursor.New(second).Decode(scope, fresh, &n))
}

func TestEncodeRefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	c := cursor.New(keyring(t))
	if _, err := c.Encode(scope, make(chan int)); err == nil {
		t.Error("a channel was encoded")
	}
	largest := strings.Repeat("a", cursor.MaxPositionSize-2) // two quotes
	token := encode(t, c, largest)
	if len(token) > cursor.MaxTokenSize {
		t.Errorf("token of %d bytes", len(token))
	}
	var got string
	if err := c.Decode(scope, token, &got); err != nil || got != largest {
		t.Errorf("the largest position does not come back: %v", err)
	}
	if _, err := c.Encode(scope, largest+"a"); err == nil {
		t.Error("a position that is too large was encoded")
	}
}

// Whatever the scope and position are, they come back; under another scope, or with one character changed, they don't.
func TestTokenProperties(t *testing.T) {
	t.Parallel()
	c := cursor.New(keyring(t))
	rapid.Check(t, func(t *rapid.T) {
		scope, other := rapid.String().Draw(t, "scope"), rapid.String().Draw(t, "other")
		want := rapid.MapOfN(rapid.StringN(0, 4, 8), rapid.Int64(), 0, 8).Draw(t, "position")
		token, err := c.Encode(scope, want)
		if err != nil {
			t.Skip("does not fit")
		}
		if len(token) > cursor.MaxTokenSize {
			t.Fatalf("token of %d bytes", len(token))
		}
		got := map[string]int64{}
		if err := c.Decode(scope, token, &got); err != nil {
			t.Fatalf("Decode: %v", err)
		}
		if len(got) != len(want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		for k, v := range want {
			if got[k] != v {
				t.Fatalf("got %v, want %v", got, want)
			}
		}
		if other != scope {
			wantRefused(t, "another scope", c.Decode(other, token, &got))
		}
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		at := rapid.IntRange(0, len(token)-1).Draw(t, "at")
		char := alphabet[rapid.IntRange(0, 63).Draw(t, "char")]
		if char != token[at] {
			wantRefused(t, "a changed token", c.Decode(scope, token[:at]+string(char)+token[at+1:], &got))
		}
	})
}

func TestCodecIsSafeForManyGoroutines(t *testing.T) {
	t.Parallel()
	c := cursor.New(keyring(t))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				n := g*1000 + i
				token, err := c.Encode(scope, n)
				var got int
				if err == nil {
					err = c.Decode(scope, token, &got)
				}
				if err != nil || got != n {
					t.Errorf("got %d, %v; want %d", got, err, n)
					return
				}
			}
		})
	}
	wg.Wait()
}

// FuzzDecode: no token makes Decode panic, and what it accepts is exactly what Encode makes.
func FuzzDecode(f *testing.F) {
	c := cursor.New(keyring(f))
	f.Add(scope, encode(f, c, position{ID: uuid.Max}))
	f.Add(scope, encode(f, c, 1))
	f.Add("", "")
	f.Add(scope, "AQ")
	f.Add(scope, strings.Repeat("_", cursor.MaxTokenSize))
	f.Add("\xff", "\x00\xff=+/")
	f.Add(scope, base64.RawURLEncoding.EncodeToString([]byte("\x01{}0123456789abcdef")))
	f.Fuzz(func(t *testing.T, scope, token string) {
		var got any
		err := c.Decode(scope, token, &got)
		if err != nil {
			wantRefused(t, "fuzz", err)
			return
		}
		var again any
		if err := c.Decode(scope+"x", token, &again); err == nil {
			t.Fatalf("token %q opens under two scopes", token)
		}
	})
}

// FuzzRoundTrip: every scope and text come back.
func FuzzRoundTrip(f *testing.F) {
	c := cursor.New(keyring(f))
	f.Add(scope, []byte("2026-11-30T18:00:00Z"))
	f.Add("", []byte{})
	f.Add("\x00", []byte{0, 255})
	f.Fuzz(func(t *testing.T, scope string, want []byte) {
		token, err := c.Encode(scope, want)
		if err != nil {
			if len(want) < cursor.MaxPositionSize/2 {
				t.Fatalf("Encode of %d bytes: %v", len(want), err)
			}
			return
		}
		var got []byte
		if err := c.Decode(scope, token, &got); err != nil || string(got) != string(want) {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	c := cursor.New(keyring(b))
	p := position{At: time.Now(), ID: uuid.New()}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Encode(scope, &p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	c := cursor.New(keyring(b))
	token := encode(b, c, position{At: time.Now(), ID: uuid.New()})
	var p position
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Decode(scope, token, &p); err != nil {
			b.Fatal(err)
		}
	}
}
