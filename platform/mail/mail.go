// Package mail sends one e-mail: to a server by SMTP, or into a folder where a person can look at it.
// It knows nothing of what a letter says, keeps no queue and tries nothing twice; a job does that.
// It logs neither addresses nor contents, and its errors name neither.
package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	netmail "net/mail"
	"strings"
	"time"
)

// ErrRefused is found in an error when the message will not be taken however often it is sent: the server said so for good, or the
// message itself is malformed. Any other error may pass by itself, or once the operator has mended the settings.
var ErrRefused = errors.New("refused for good")

// patience is how long sending takes at most, from dialling to the server's word that it has the message.
const patience = 30 * time.Second

// Sender sends messages. It may be used by many goroutines at once.
type Sender interface {
	// Send returns nil once the server has taken the message. After any other end the message may still have arrived, so it is sent
	// again with the same ID. It ends with ctx, and after 30 seconds.
	Send(ctx context.Context, m Message) error
}

// Open returns the sender for the address, in one of these forms:
//
//	smtp://user:password@host:587   STARTTLS, which the server must offer, unless it is on this machine
//	smtp://host:1025?tls=none       never encrypted
//	smtps://user:password@host:465  TLS from the first byte
//	file:///folder                  one .eml file a message, for demos and tests
//
// Ports may be left out. The certificate must be one that this machine trusts. A password is never sent in clear, except on this machine.
// Every message comes from the address from, for example "Mind Space <hello@example.org>". Open dials nothing; it makes the folder.
func Open(address, from string, logger *slog.Logger) (Sender, error) {
	sender, err := parseFrom(from)
	if err != nil {
		return nil, err
	}
	t, err := parseTarget(address)
	if err != nil {
		return nil, err
	}
	if t.folder != "" {
		return newFolder(t.folder, sender, logger)
	}
	return &server{target: t, from: sender, connect: new(net.Dialer).DialContext}, nil
}

// CheckURL says what is wrong with an address for [Open], without repeating it, since it may hold a password.
func CheckURL(address string) error {
	_, err := parseTarget(address)
	return err
}

// CheckFrom says what is wrong with a from address for [Open].
func CheckFrom(from string) error {
	_, err := parseFrom(from)
	return err
}

func parseFrom(from string) (*netmail.Address, error) {
	sender, err := netmail.ParseAddress(from)
	if err != nil {
		return nil, fmt.Errorf("mail: %q is no e-mail address: %w", from, err)
	}
	if err := checkLine("the name of the sender", sender.Name); err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	return sender, nil
}

// hostOf gives the part of the address after the @.
func hostOf(address string) string {
	return address[strings.LastIndexByte(address, '@')+1:]
}
