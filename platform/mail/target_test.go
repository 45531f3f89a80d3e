package mail_test

import (
	"strings"
	"testing"

	"github.com/mindspace-app/mindspace/platform/mail"
)

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"smtp://mail.example.org", "smtp://mail.example.org/", "smtp://mail.example.org:2525", "smtp://mailpit:1025?tls=none",
		"smtp://ana%40example.org:pass%20word@mail.example.org:587", "smtps://ana:password@mail.example.org", "smtps://[2001:db8::1]:465",
		"smtp://ana:password@127.0.0.1?tls=none", "smtp://ana:password@[::1]?tls=none", "smtp://ana:password@localhost?tls=none",
		"file:///var/lib/mindspace/mail",
	} {
		if err := mail.CheckURL(good); err != nil {
			t.Errorf("CheckURL(%q) = %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "mail.example.org", "mail.example.org:587", "http://mail.example.org", "SMTPX://mail.example.org",
		"smtp://", "smtp://:587", "smtp://mail.example.org::587", "smtp://mail.example.org%20x", "smtp://mail.example.org:0", "smtp://mail.example.org:99999", "smtp://mail.example.org:smtp",
		"smtp://mail.example.org/folder", "smtp://mail.example.org#part", "smtp://mail.example.org?tls=maybe", "smtp://mail.example.org?ssl=none",
		"smtp://mail.example.org?tls=none&tls=none", "smtp://mail.example.org?%zz", "smtps://mail.example.org?tls=none",
		"smtp://ana@mail.example.org", "smtp://:s3cret@mail.example.org", "smtp://ana:s3cret@mail.example.org?tls=none",
		"smtp://ana:s3cret%@mail.example.org", "smtp://ana:s3cret/x@mail.example.org", "smtp://ana:s3cret word@mail.example.org", "smtp://ana:s3cret\n@mail.example.org",
		"smtp:ana:s3cret@mail.example.org",
		"file://folder", "file:folder", "file://", "file:///folder?s3cret", "file://ana:s3cret@/folder",
	} {
		err := mail.CheckURL(bad)
		if err == nil {
			t.Errorf("CheckURL(%q) = nil", bad)
			continue
		}
		if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "ana") {
			t.Errorf("CheckURL(%q) repeats the account: %v", bad, err)
		}
		if _, err := mail.Open(bad, from, silent); err == nil {
			t.Errorf("Open(%q) = nil", bad)
		}
	}
}

func TestCheckFrom(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"hello@example.org", "Mind Space <hello@example.org>", "Ум и покой <hello@example.org>", `"Space, Mind" <hello@example.org>`} {
		if err := mail.CheckFrom(good); err != nil {
			t.Errorf("CheckFrom(%q) = %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "hello", "Mind Space", "<hello@example.org", "a@example.org, b@example.org", "Mind Space <hello@example.org>\r\nBcc: x@example.org",
		"=?utf-8?q?Mind=0D=0ASpace?= <hello@example.org>",
	} {
		if err := mail.CheckFrom(bad); err == nil {
			t.Errorf("CheckFrom(%q) = nil", bad)
		}
		if _, err := mail.Open("smtp://localhost", bad, silent); err == nil {
			t.Errorf("Open from %q = nil", bad)
		}
	}
}
