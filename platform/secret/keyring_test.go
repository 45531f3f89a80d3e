package secret_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mindspace-app/mindspace/platform/secret"
)

func generate(tb testing.TB) *secret.Keyring {
	tb.Helper()
	k, err := secret.Generate(false)
	if err != nil {
		tb.Fatalf("Generate: %v", err)
	}
	return k
}

func encode(tb testing.TB, k *secret.Keyring) []byte {
	tb.Helper()
	data, err := k.JSON()
	if err != nil {
		tb.Fatalf("JSON: %v", err)
	}
	return data
}

func rotate(tb testing.TB, k *secret.Keyring) *secret.Keyring {
	tb.Helper()
	next, err := k.Rotate()
	if err != nil {
		tb.Fatalf("Rotate: %v", err)
	}
	return next
}

// keyMaterial gives every key value that a keyring's JSON holds, as it stands there.
func keyMaterial(tb testing.TB, doc []byte) []string {
	tb.Helper()
	type keys struct {
		Key []struct {
			KeyData struct {
				Value string `json:"value"`
			} `json:"keyData"`
		} `json:"key"`
	}
	var d struct {
		AEAD keys `json:"aead"`
		PRF  keys `json:"prf"`
	}
	if err := json.Unmarshal(doc, &d); err != nil {
		tb.Fatalf("read the document: %v", err)
	}
	var out []string
	for _, k := range append(d.AEAD.Key, d.PRF.Key...) {
		if len(k.KeyData.Value) < 40 {
			tb.Fatalf("a key value of %d characters cannot be a key", len(k.KeyData.Value))
		}
		out = append(out, k.KeyData.Value)
	}
	if len(out) < 2 {
		tb.Fatalf("found %d keys, want 2 or more", len(out))
	}
	return out
}

func TestKeyringSurvivesItsOwnJSON(t *testing.T) {
	t.Parallel()
	k, err := secret.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	ciphertext, err := k.AEAD().Encrypt([]byte("hello"), []byte("row 1"))
	if err != nil {
		t.Fatal(err)
	}
	doc := encode(t, k)
	forms := map[string][]byte{
		"json":                   doc,
		"json with blanks":       append(append([]byte("\n  "), doc...), '\n'),
		"base64":                 []byte(base64.StdEncoding.EncodeToString(doc)),
		"raw base64":             []byte(base64.RawStdEncoding.EncodeToString(doc)),
		"url base64":             []byte(base64.URLEncoding.EncodeToString(doc)),
		"base64 over many lines": wrapLines(base64.StdEncoding.EncodeToString(doc), 76),
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := secret.Parse(form)
			if err != nil {
				t.Fatalf("Parse: %v", err)
			}
			if !got.Demo() {
				t.Error("the demo mark is lost")
			}
			if !got.Created().Equal(k.Created()) || got.Created().IsZero() {
				t.Errorf("created = %v, want %v", got.Created(), k.Created())
			}
			plain, err := got.AEAD().Decrypt(ciphertext, []byte("row 1"))
			if err != nil || string(plain) != "hello" {
				t.Errorf("Decrypt = %q, %v", plain, err)
			}
			if _, err := got.AEAD().Decrypt(ciphertext, []byte("row 2")); err == nil {
				t.Error("a ciphertext opened in another row")
			}
			a, _ := k.Derive("cursor")
			b, _ := got.Derive("cursor")
			if a != b {
				t.Error("the same keyring derives another subkey")
			}
		})
	}
}

func wrapLines(s string, width int) []byte {
	var out []byte
	for len(s) > width {
		out = append(append(out, s[:width]...), '\n')
		s = s[width:]
	}
	return append(out, s...)
}

func TestDeriveSeparatesPurposesAndKeyrings(t *testing.T) {
	t.Parallel()
	k, other := generate(t), generate(t)
	seen := map[secret.Key]string{}
	for _, ring := range []*secret.Keyring{k, other} {
		for _, purpose := range []string{"", "cursor", "cursor2", "cookie"} {
			primary, all := ring.Derive(purpose)
			if len(all) != 1 || all[0] != primary {
				t.Fatalf("Derive(%q): the primary must be the only subkey of a fresh keyring", purpose)
			}
			if first, ok := seen[primary]; ok {
				t.Fatalf("purposes %q and %q share a subkey", first, purpose)
			}
			seen[primary] = purpose
			if again, _ := ring.Derive(purpose); again != primary {
				t.Fatalf("Derive(%q) is not stable", purpose)
			}
		}
	}
}

func TestRotationKeepsOldKeys(t *testing.T) {
	t.Parallel()
	first := generate(t)
	old, err := first.AEAD().Encrypt([]byte("old"), nil)
	if err != nil {
		t.Fatal(err)
	}
	oldKey, _ := first.Derive("cursor")

	second := rotate(t, first)
	third, err := secret.Parse(encode(t, rotate(t, second)))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := third.AEAD().Decrypt(old, nil); err != nil || string(plain) != "old" {
		t.Fatalf("an old ciphertext gives %q, %v", plain, err)
	}
	fresh, err := third.AEAD().Encrypt([]byte("new"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.AEAD().Decrypt(fresh, nil); err == nil {
		t.Fatal("the new primary key is not used to encrypt")
	}

	secondKey, _ := second.Derive("cursor")
	primary, all := third.Derive("cursor")
	if len(all) != 3 || all[0] != primary || all[1] != secondKey || all[2] != oldKey {
		t.Fatal("want the subkeys from the newest to the oldest")
	}
	if primary == secondKey || secondKey == oldKey {
		t.Fatal("rotation did not change the primary subkey")
	}
	if _, all := first.Derive("cursor"); len(all) != 1 {
		t.Fatal("Rotate changed the keyring that it was called on")
	}
	if !third.Created().Equal(first.Created()) {
		t.Error("rotation changed the time of creation")
	}
}

func TestParseRefusesWithoutQuoting(t *testing.T) {
	t.Parallel()
	doc := encode(t, generate(t))
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(doc, &fields); err != nil {
		t.Fatal(err)
	}
	with := func(name, value string) []byte {
		c := map[string]json.RawMessage{}
		for k, v := range fields {
			c[k] = v
		}
		if value == "" {
			delete(c, name)
		} else {
			c[name] = json.RawMessage(value)
		}
		out, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	value := keyMaterial(t, doc)[0]
	cases := map[string]struct {
		in   []byte
		want string
	}{
		"empty":              {nil, "empty"},
		"blank":              {[]byte(" \n"), "empty"},
		"a password":         {[]byte("correct horse battery staple"), "neither JSON nor base64"},
		"a bare key":         {[]byte(value), "neither JSON nor base64"},
		"cut off":            {doc[:len(doc)-20], "cut off"},
		"two in one":         {append(append([]byte{}, doc...), doc...), "not the JSON object"},
		"no aead":            {with("aead", ""), `no "aead"`},
		"no prf":             {with("prf", ""), `no "prf"`},
		"aead is null":       {with("aead", "null"), "aead keyset"},
		"aead is a key":      {with("aead", `"`+value+`"`), "aead keyset is not a valid Tink keyset"},
		"aead is an unknown": {with("aead", `{"`+value+`":1}`), "aead keyset is not a valid Tink keyset"},
		"aead is empty":      {with("aead", `{}`), "aead keyset"},
		"swapped keysets":    {swap(t, fields), "aead keyset holds a key that is not AES-256-GCM"},
		"demo is a key":      {with("demo", `"`+value+`"`), "not the JSON object"},
		"created is a key":   {with("created", `"`+value+`"`), "not the JSON object"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := secret.Parse(c.in)
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q does not say %q", err, c.want)
			}
			if strings.Contains(err.Error(), value[:12]) {
				t.Errorf("error quotes the key: %q", err)
			}
		})
	}
}

func swap(t *testing.T, fields map[string]json.RawMessage) []byte {
	t.Helper()
	out, err := json.Marshal(map[string]json.RawMessage{"aead": fields["prf"], "prf": fields["aead"]})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// However a keyring is garbled, parsing never panics, and no error carries eight characters of a key in a row.
func TestGarbledKeyringNeverLeaks(t *testing.T) {
	t.Parallel()
	doc := encode(t, rotate(t, generate(t)))
	material := keyMaterial(t, doc)
	rapid.Check(t, func(t *rapid.T) {
		in := bytes.Clone(doc)
		for range rapid.IntRange(1, 4).Draw(t, "edits") {
			if len(in) == 0 {
				break
			}
			at := rapid.IntRange(0, len(in)-1).Draw(t, "at")
			switch rapid.IntRange(0, 3).Draw(t, "edit") {
			case 0:
				in[at] = rapid.Byte().Draw(t, "byte")
			case 1:
				in = append(in[:at], in[at+1:]...)
			case 2:
				in = append(in[:at], append([]byte{rapid.SampledFrom([]byte(`"{}[],:\0`)).Draw(t, "insert")}, in[at:]...)...)
			default:
				in = in[:at+1]
			}
		}
		if rapid.Bool().Draw(t, "base64") {
			in = []byte(base64.StdEncoding.EncodeToString(in))
		}
		_, err := secret.Parse(in)
		if err == nil {
			return
		}
		for _, m := range material {
			for i := 0; i+8 <= len(m); i++ {
				if strings.Contains(err.Error(), m[i:i+8]) {
					t.Fatalf("error quotes a key: %q", err)
				}
			}
		}
	})
}

func TestPrintingNeverLeaks(t *testing.T) {
	t.Parallel()
	k := generate(t)
	key, all := k.Derive("cursor")
	type wrapper struct {
		Ring   *secret.Keyring
		Value  secret.Keyring
		Key    secret.Key
		All    []secret.Key
		hidden *secret.Keyring
	}
	w := wrapper{Ring: k, Value: *k, Key: key, All: all, hidden: k}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U", "%t", "%e", "%T"} {
		for _, v := range []any{k, *k, key, &key, all, w, &w, map[string]any{"k": k, "key": key}} {
			_, _ = fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	_, _ = fmt.Fprintln(&out, k, *k, key, all, k.String(), k.GoString(), key.String(), key.GoString())
	for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		l := slog.New(h)
		l.InfoContext(context.Background(), "keys", "ring", k, "value", *k, "key", key, "all", all, "struct", w)
	}
	for _, v := range []any{k, *k, key, all, w} {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(data)
	}

	printed := out.String()
	if !strings.Contains(printed, "redacted") {
		t.Fatal("no placeholder was printed; the test looks at nothing")
	}
	for _, m := range keyMaterial(t, encode(t, k)) {
		raw, err := base64.StdEncoding.DecodeString(m)
		if err != nil {
			t.Fatal(err)
		}
		// The last 8 bytes of Tink's key message are bytes of the key itself.
		refuse(t, printed, raw[len(raw)-8:])
		if strings.Contains(printed, m) {
			t.Error("a keyset value was printed")
		}
	}
	refuse(t, printed, key[:8])
}

// refuse fails when the text holds the bytes in any of the forms in which fmt and JSON write byte arrays.
func refuse(t *testing.T, text string, b []byte) {
	t.Helper()
	for _, form := range []string{
		string(b), fmt.Sprintf("%x", b), fmt.Sprintf("%X", b), strings.Trim(fmt.Sprintf("%d", b), "[]"),
		strings.Trim(fmt.Sprintf("%o", b), "[]"), strings.Trim(fmt.Sprintf("%b", b), "[]"),
		strings.Trim(fmt.Sprintf("%#v", b), "[]byte{}"), strings.ReplaceAll(strings.Trim(fmt.Sprintf("%d", b), "[]"), " ", ","),
		base64.StdEncoding.EncodeToString(b[:6]),
	} {
		if strings.Contains(text, form) {
			t.Errorf("key bytes were printed as %q", form)
		}
	}
}
