package mail_test

import (
	"bytes"
	"errors"
	"maps"
	netmail "net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mindspace-app/mindspace/platform/mail"
)

// What could begin another header, or go to somebody else, is refused, and no message is made.
func TestMalformedMessages(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*mail.Message){
		"a header in the subject":        func(m *mail.Message) { m.Subject = "Hello\r\nBcc: victim@example.test" },
		"a bare line feed":               func(m *mail.Message) { m.Subject = "Hello\nBcc: victim@example.test" },
		"a bare carriage return":         func(m *mail.Message) { m.Subject = "Hello\rBcc: victim@example.test" },
		"a zero byte":                    func(m *mail.Message) { m.Subject = "Hello\x00" },
		"a line separator":               func(m *mail.Message) { m.Subject = "Hello\u2028there" },
		"no subject":                     func(m *mail.Message) { m.Subject = "" },
		"no text":                        func(m *mail.Message) { m.Text = "" },
		"a header in the name":           func(m *mail.Message) { m.ToName = "Ana\r\nBcc: victim@example.test" },
		"a header in the address":        func(m *mail.Message) { m.To = "ana@example.test\r\nBcc: victim@example.test" },
		"a command in the address":       func(m *mail.Message) { m.To = "ana@example.test>\r\nRCPT TO:<victim@example.test" },
		"two addresses":                  func(m *mail.Message) { m.To = "ana@example.test, victim@example.test" },
		"a name and an address":          func(m *mail.Message) { m.To = "Ana <ana@example.test>" },
		"an address with a comment":      func(m *mail.Message) { m.To = "ana@example.test (Ana)" },
		"no address":                     func(m *mail.Message) { m.To = "" },
		"no host":                        func(m *mail.Message) { m.To = "ana" },
		"no ID":                          func(m *mail.Message) { m.ID = "" },
		"a header in the ID":             func(m *mail.Message) { m.ID = "1>\r\nBcc: victim@example.test" },
		"a way out of the folder":        func(m *mail.Message) { m.ID = "../../etc/passwd" },
		"an ID that fills the file name": func(m *mail.Message) { m.ID = strings.Repeat("a", 300) },
	}
	dir := t.TempDir()
	s := open(t, "file://"+dir)
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := letter("ana@example.test")
			change(&m)
			err := s.Send(t.Context(), m)
			if !errors.Is(err, mail.ErrRefused) {
				t.Fatalf("Send = %v, want ErrRefused", err)
			}
			if strings.Contains(err.Error(), "example.test") {
				t.Errorf("Send = %q names an address", err)
			}
		})
	}
	t.Cleanup(func() {
		if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
			t.Errorf("files: %v, %v", files, err)
		}
	})
}

// Whatever name, subject and text are: the message is refused, or has just the headers that it should have, and one recipient.
func TestNothingAddsHeaders(t *testing.T) {
	t.Parallel()
	want := []string{
		"Auto-Submitted", "Content-Transfer-Encoding", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To",
	}
	tricks := rapid.SampledFrom([]string{"\r\n", "\n", "Bcc: x@y.z", "\"", "\\", "<", ">", ",", ";", ":", "=?utf-8?q?=0D=0AA:b?=", " ", "\t", "ж", "\u202e", "@"})
	text := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.OneOf(tricks, rapid.String()), 1, 12).Draw(t, "pieces"), "")
	})
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		folder, err := os.MkdirTemp(dir, "")
		if err != nil {
			rt.Fatal(err)
		}
		s, err := mail.Open("file://"+folder, from, silent)
		if err != nil {
			rt.Fatal(err)
		}
		m := mail.Message{To: "ana@example.test", ToName: text.Draw(rt, "name"), Subject: text.Draw(rt, "subject"), Text: text.Draw(rt, "text"), ID: "id"}
		err = s.Send(rt.Context(), m)
		if errors.Is(err, mail.ErrRefused) {
			return
		}
		if err != nil {
			rt.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(folder, "*.eml"))
		if err != nil || len(files) != 1 {
			rt.Fatalf("files: %v, %v", files, err)
		}
		data, err := os.ReadFile(files[0])
		if err != nil {
			rt.Fatal(err)
		}
		got, err := netmail.ReadMessage(bytes.NewReader(data))
		if err != nil {
			rt.Fatal(err)
		}
		if keys := slices.Sorted(maps.Keys(got.Header)); !slices.Equal(keys, want) {
			rt.Errorf("headers %q", keys)
		}
		to, err := got.Header.AddressList("To")
		if err != nil || len(to) != 1 || to[0].Address != m.To || to[0].Name != strings.ToValidUTF8(m.ToName, "\ufffd") {
			rt.Errorf("to %+v, %v, want the name %q", to, err, m.ToName)
		}
	})
}
