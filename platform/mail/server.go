package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/textproto"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"
)

// server sends by SMTP, with a connection for each message.
type server struct {
	target
	from    *netmail.Address
	roots   *x509.CertPool         // who may sign the server's certificate; nil is whom this machine trusts
	connect gomail.DialContextFunc // how the server is reached
}

// Send implements [Sender].
func (s *server) Send(ctx context.Context, m Message) error {
	message, err := m.compose(s.from, time.Now(), gomail.EncodingQP)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dial, hangUp := s.dialer(ctx)
	defer hangUp()
	client, err := gomail.NewClient(s.host, append(s.options(m), gomail.WithDialContextFunc(dial))...)
	if err != nil {
		return fmt.Errorf("mail: set up: %w", err)
	}
	err = client.DialAndSendWithContext(ctx, message)
	// The server has taken it: that it then hung up without a farewell is no reason to send it once more.
	if err == nil || message.IsDelivered() {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("mail: send: %w", ctx.Err())
	}
	return explain(err)
}

func (s *server) options(m Message) []gomail.Option {
	options := []gomail.Option{
		gomail.WithPort(s.port),
		gomail.WithTimeout(patience),
		// The name of the machine is nobody's business, and servers like a full one.
		gomail.WithHELO(hostOf(s.from.Address)),
		gomail.WithTLSConfig(s.tlsConfig()),
		gomail.WithTLSPolicy(s.policy()),
		gomail.WithoutNoop(), gomail.WithoutRset(),
	}
	if s.implicitTLS {
		options = append(options, gomail.WithSSL())
	}
	if ascii(m.To) && ascii(s.from.Address) {
		// Asked for, the extension could make a relay return a message for which it is not needed.
		options = append(options, gomail.WithoutSMTPUTF8())
	}
	if s.user != "" {
		options = append(options, gomail.WithUsername(s.user), gomail.WithPassword(s.password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1,
				gomail.SMTPAuthPlain, gomail.SMTPAuthLogin, gomail.SMTPAuthCramMD5))
	}
	return options
}

func (s *server) tlsConfig() *tls.Config {
	return &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12, RootCAs: s.roots}
}

func (s *server) policy() gomail.TLSPolicy {
	switch {
	case s.noTLS:
		return gomail.NoTLS
	case s.local():
		return gomail.TLSOpportunistic
	default:
		return gomail.TLSMandatory
	}
}

// dialer gives a dial function whose connections are cut when ctx ends, since the client heeds a context only while it dials,
// and hangUp, which closes them.
func (s *server) dialer(ctx context.Context) (dial gomail.DialContextFunc, hangUp func()) {
	var hangUps []func()
	dial = func(dialling context.Context, network, address string) (net.Conn, error) {
		conn, err := s.connect(dialling, network, address)
		if err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		hangUps = append(hangUps, func() { stop(); conn.Close() })
		if !s.implicitTLS {
			return conn, nil
		}
		secured := tls.Client(conn, s.tlsConfig())
		if err := secured.HandshakeContext(dialling); err != nil {
			return nil, err
		}
		return secured, nil
	}
	return dial, func() {
		for _, h := range hangUps {
			h()
		}
	}
}

// explain gives an error without the address and without the server's words, which may repeat it.
func explain(err error) error {
	var failed *gomail.SendError
	if errors.As(err, &failed) {
		return explainCode(failed.Reason.String(), failed.ErrorCode(), failed.EnhancedStatusCode())
	}
	var answer *textproto.Error
	if errors.As(err, &answer) {
		// Before a message was offered: a matter of settings or of the server's day, never of the message.
		return fmt.Errorf("mail: connect and sign in: the server answers %d", answer.Code)
	}
	return fmt.Errorf("mail: connect: %w", err)
}

func explainCode(step string, code int, detail string) error {
	switch {
	case code == 0:
		return fmt.Errorf("mail: %s: the connection broke off", step)
	case code < 500 || aboutSignIn(code):
		return fmt.Errorf("mail: %s: the server answers %d %s", step, code, detail)
	default:
		return fmt.Errorf("mail: %s: the server answers %d %s: %w", step, code, detail, ErrRefused)
	}
}

// aboutSignIn tells the answers with which a server asks for other credentials or for TLS (RFC 4954). They are permanent for the
// server, but it is the operator who mends them, and the message can go out then.
func aboutSignIn(code int) bool {
	return code == 530 || code == 534 || code == 535 || code == 538
}

func ascii(text string) bool {
	for _, r := range text {
		if r > unicode.MaxASCII {
			return false
		}
	}
	return true
}
