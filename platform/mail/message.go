package mail

import (
	"fmt"
	netmail "net/mail"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"
)

// Message is one e-mail to one person.
type Message struct {
	To      string // the bare address, for example ana@example.org
	ToName  string // shown beside it; may be empty, and should be where strangers choose the name
	Subject string // one line
	Text    string // the whole letter as plain text
	HTML    string // the same as HTML; may be empty
	// ID names the message, at most 64 letters, digits, dots, dashes and underscores. It becomes the Message-ID header, together with the
	// host of the sender: whoever gets the message twice can tell.
	ID string
}

// maxID is how long an ID may be.
const maxID = 64

// check refuses what would not arrive as it was meant, above all line breaks: in a header they would begin another one.
func (m Message) check() error {
	to, err := netmail.ParseAddress(m.To)
	if err != nil || to.Address != m.To {
		return fmt.Errorf("the address of the recipient is malformed: %w", ErrRefused)
	}
	if err := checkLine("the name of the recipient", m.ToName); err != nil {
		return err
	}
	if err := checkLine("the subject", m.Subject); err != nil {
		return err
	}
	if m.Subject == "" || m.Text == "" {
		return fmt.Errorf("subject or text is missing: %w", ErrRefused)
	}
	if m.ID == "" || len(m.ID) > maxID || strings.ContainsFunc(m.ID, foreignToID) {
		return fmt.Errorf("the ID is malformed: %w", ErrRefused)
	}
	return nil
}

// checkLine refuses characters that end a line or are not to be seen. The error does not quote the text.
func checkLine(what, text string) error {
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) }) {
		return fmt.Errorf("%s contains control characters: %w", what, ErrRefused)
	}
	return nil
}

func foreignToID(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_", r)
}

// compose checks the message and writes it in the form of RFC 5322, with its bodies in the encoding.
func (m Message) compose(from *netmail.Address, now time.Time, encoding gomail.Encoding) (*gomail.Msg, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	out := gomail.NewMsg(gomail.WithEncoding(encoding), gomail.WithNoDefaultUserAgent())
	if err := out.From(from.String()); err != nil {
		return nil, fmt.Errorf("mail: the sender's address does not fit into a header: %w", ErrRefused)
	}
	to := netmail.Address{Name: m.ToName, Address: m.To}
	if err := out.To(to.String()); err != nil {
		return nil, fmt.Errorf("mail: the recipient's address does not fit into a header: %w", ErrRefused)
	}
	out.Subject(m.Subject)
	out.SetDateWithValue(now)
	out.SetMessageIDWithValue(m.ID + "@" + hostOf(from.Address))
	// Asks programs not to answer, out-of-office notes above all (RFC 3834).
	out.SetGenHeader("Auto-Submitted", "auto-generated")
	out.SetBodyString(gomail.TypeTextPlain, withCRLF(m.Text))
	if m.HTML != "" {
		out.AddAlternativeString(gomail.TypeTextHTML, withCRLF(m.HTML))
	}
	return out, nil
}

// withCRLF ends lines as mail does.
func withCRLF(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
}
