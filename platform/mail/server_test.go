package mail_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"strings"
	"testing"

	"github.com/mindspace-app/mindspace/platform/mail"
)

const (
	from     = "Ум и покой <hello@mindspace.test>"
	password = "s3cr3t p@ss/word"
	escaped  = "s3cr3t%20p%40ss%2Fword"
)

var silent = slog.New(slog.DiscardHandler)

func letter(to string) mail.Message {
	return mail.Message{
		To: to, ToName: `Анна "Аня" О'Нил, <x@evil.test>`,
		Subject: "Подтвердите, пожалуйста, адрес своей электронной почты – в течение двадцати четырёх часов",
		Text:    "Здравствуйте!\n.\nСсылка: https://mindspace.test/verify?token=a=b&c\n",
		HTML:    "<p>Здравствуйте!</p>\n<p>čćžšđ</p>\n",
		ID:      "0190a5c0-1111-7222-8333-444455556666",
	}
}

func open(t *testing.T, address string) mail.Sender {
	t.Helper()
	s, err := mail.Open(address, from, silent)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSend(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, mode, address, option string
		account                     []string
		wantTLS                     bool
	}{
		{"plain", "PLAIN", "smtp://127.0.0.1", "", nil, false},
		{"with a password on this machine", "PLAIN", "smtp://ana:" + escaped + "@127.0.0.1", "", []string{"ana", password}, false},
		{"STARTTLS and a password", "STARTTLS", "smtp://ana:" + escaped + "@127.0.0.1", "", []string{"ana", password}, true},
		{"STARTTLS elsewhere", "STARTTLS", "smtp://ana:" + escaped + "@mail.example.test", "", []string{"ana", password}, true},
		{"STARTTLS offered, not wanted", "STARTTLS", "smtp://127.0.0.1", "?tls=none", nil, false},
		{"TLS from the first byte and a password", "IMPLICIT", "smtps://ana:" + escaped + "@localhost", "", []string{"ana", password}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := startServer(t, tt.mode, tt.account...)
			s := server.open(t, tt.address, tt.option)
			mail.Trust(s, server.roots)
			if err := s.Send(t.Context(), letter("ana@example.test")); err != nil {
				t.Fatal(err)
			}
			got, m := server.message(t)
			if got.TLS != tt.wantTLS || (got.User != "") != (tt.account != nil) {
				t.Errorf("TLS %t, user %q", got.TLS, got.User)
			}
			if got.Sender != "hello@mindspace.test" || len(got.Recipients) != 1 || got.Recipients[0] != "ana@example.test" || got.HELO != "mindspace.test" {
				t.Errorf("envelope: %+v", got)
			}
			checkLetter(t, m)
		})
	}
}

// checkLetter compares what arrived with what was sent.
func checkLetter(t *testing.T, m *netmail.Message) {
	t.Helper()
	sent := letter("ana@example.test")
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != sent.Subject {
		t.Errorf("subject %q, %v", subject, err)
	}
	to, err := m.Header.AddressList("To")
	if err != nil || len(to) != 1 || to[0].Address != sent.To || to[0].Name != sent.ToName {
		t.Errorf("to %v, %v", to, err)
	}
	sender, err := m.Header.AddressList("From")
	if err != nil || len(sender) != 1 || sender[0].Name != "Ум и покой" || sender[0].Address != "hello@mindspace.test" {
		t.Errorf("from %v, %v", sender, err)
	}
	if id := m.Header.Get("Message-Id"); id != "<"+sent.ID+"@mindspace.test>" {
		t.Errorf("message id %s", id)
	}
	if auto := m.Header.Get("Auto-Submitted"); auto != "auto-generated" {
		t.Errorf("auto-submitted %q", auto)
	}
	if _, err := m.Header.Date(); err != nil {
		t.Errorf("date: %v", err)
	}
	checkBodies(t, m, sent)
}

func checkBodies(t *testing.T, m *netmail.Message, sent mail.Message) {
	t.Helper()
	kind, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %q, %v", kind, err)
	}
	parts := multipart.NewReader(m.Body, parameters["boundary"])
	for _, want := range []struct{ kind, body string }{{"text/plain", sent.Text}, {"text/html", sent.HTML}} {
		part, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		kind, parameters, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if kind != want.kind || !strings.EqualFold(parameters["charset"], "utf-8") {
			t.Errorf("part %q, charset %q, want %q", kind, parameters["charset"], want.kind)
		}
		var body io.Reader = part
		if part.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
			body = quotedprintable.NewReader(part)
		}
		if got := strings.ReplaceAll(readAll(t, body), "\r\n", "\n"); got != want.body {
			t.Errorf("%s = %q, want %q", want.kind, got, want.body)
		}
	}
	if _, err := parts.NextRawPart(); !errors.Is(err, io.EOF) {
		t.Errorf("one more part: %v", err)
	}
}

func TestTextAlone(t *testing.T) {
	t.Parallel()
	server := startServer(t, "PLAIN")
	m := letter("ana@example.test")
	m.ToName, m.HTML = "", ""
	if err := server.open(t, "smtp://127.0.0.1", "").Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	_, got := server.message(t)
	if kind := got.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/plain") {
		t.Errorf("content type %q", kind)
	}
	if to := got.Header.Get("To"); to != "<ana@example.test>" {
		t.Errorf("to %q", to)
	}
}

// An attempt that may have arrived is repeated under the same name.
func TestRetryCarriesTheSameMessageID(t *testing.T) {
	t.Parallel()
	server := startServer(t, "PLAIN")
	s := server.open(t, "smtp://127.0.0.1", "")
	other := letter("ana@example.test")
	other.ID = "other"
	var ids []string
	for _, m := range []mail.Message{letter("ana@example.test"), letter("ana@example.test"), other} {
		if err := s.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		_, got := server.message(t)
		ids = append(ids, got.Header.Get("Message-Id"))
	}
	if ids[0] != ids[1] || ids[0] == ids[2] {
		t.Errorf("message ids %q", ids)
	}
}

// What the server says decides whether sending again makes sense. The recipient is never named, though the server names them.
func TestAnswers(t *testing.T) {
	t.Parallel()
	server := startServer(t, "PLAIN")
	s := server.open(t, "smtp://127.0.0.1", "")
	for _, tt := range []struct {
		to      string
		refused bool
		code    string
	}{
		{"refused@example.test", true, "550"},
		{"later@example.test", false, "451"},
		{"spam@example.test", true, "554"},
	} {
		t.Run(tt.code, func(t *testing.T) {
			t.Parallel()
			err := s.Send(t.Context(), letter(tt.to))
			if err == nil || errors.Is(err, mail.ErrRefused) != tt.refused {
				t.Fatalf("Send = %v, want refused %t", err, tt.refused)
			}
			if text := err.Error(); !strings.Contains(text, tt.code) || strings.Contains(text, "example.test") {
				t.Errorf("Send = %q, want the code and no address", text)
			}
		})
	}
}

// A server that takes the message and then hangs up has it.
func TestHangingUpAfterwards(t *testing.T) {
	t.Parallel()
	server := startServer(t, "PLAIN")
	if err := server.open(t, "smtp://127.0.0.1", "").Send(t.Context(), letter("vanish@example.test")); err != nil {
		t.Errorf("Send = %v", err)
	}
	server.message(t)
}

func TestSettingsAreNotTheMessagesFault(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, mode, address, want string
		account                   []string
		trusted                   bool
	}{
		{"another password", "STARTTLS", "smtp://ana:wr0ngword@127.0.0.1", "535", []string{"ana", password}, true},
		{"no password", "PLAIN", "smtp://127.0.0.1", "530", []string{"ana", password}, true},
		{"a certificate that nobody trusts", "STARTTLS", "smtp://127.0.0.1", "certificate", nil, false},
		{"a certificate that nobody trusts, from the first byte", "IMPLICIT", "smtps://127.0.0.1", "certificate", nil, false},
		{"a certificate for another host", "STARTTLS", "smtp://mail.example.org", "certificate", nil, true},
		{"another machine without TLS", "PLAIN", "smtp://mail.example.test", "STARTTLS", nil, true},
		{"another machine without TLS, with a password", "PLAIN", "smtp://ana:wr0ngword@mail.example.test", "STARTTLS", []string{"ana", password}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := startServer(t, tt.mode, tt.account...)
			s := server.open(t, tt.address, "")
			if tt.trusted {
				mail.Trust(s, server.roots)
			}
			err := s.Send(t.Context(), letter("ana@example.test"))
			if err == nil || errors.Is(err, mail.ErrRefused) {
				t.Fatalf("Send = %v, want an error that can be mended", err)
			}
			if text := err.Error(); !strings.Contains(text, tt.want) || strings.Contains(text, "wr0ngword") || strings.Contains(text, "ana") {
				t.Errorf("Send = %q, want %q in it, and neither account nor recipient", text, tt.want)
			}
		})
	}
}

// A server that says nothing, or stops in the middle, is left when the time is over.
func TestHangingServer(t *testing.T) {
	t.Parallel()
	t.Run("silent", func(t *testing.T) {
		t.Parallel()
		for _, scheme := range []string{"smtp", "smtps"} {
			listener := listen(t)
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				if conn, err := listener.Accept(); err == nil {
					defer conn.Close()
				}
				cancel()
				<-t.Context().Done()
			}()
			err := open(t, scheme+"://"+listener.Addr().String()).Send(ctx, letter("ana@example.test"))
			if !errors.Is(err, context.Canceled) || errors.Is(err, mail.ErrRefused) {
				t.Errorf("%s: Send = %v", scheme, err)
			}
		}
	})
	t.Run("in the middle", func(t *testing.T) {
		t.Parallel()
		server := startServer(t, "PLAIN")
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- server.open(t, "smtp://127.0.0.1", "").Send(ctx, letter("hang@example.test")) }()
		server.next(t, "hang")
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) || errors.Is(err, mail.ErrRefused) {
			t.Errorf("Send = %v", err)
		}
	})
	t.Run("past the deadline", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 1)
		defer cancel()
		err := open(t, "smtp://"+listen(t).Addr().String()).Send(ctx, letter("ana@example.test"))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Send = %v", err)
		}
	})
}

func TestServerDown(t *testing.T) {
	t.Parallel()
	listener := listen(t)
	address := listener.Addr().String()
	listener.Close()
	err := open(t, "smtp://"+address).Send(t.Context(), letter("ana@example.test"))
	if err == nil || errors.Is(err, mail.ErrRefused) {
		t.Errorf("Send = %v, want an error that may pass", err)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}
