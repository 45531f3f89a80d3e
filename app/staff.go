package app

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/mindspace-app/mindspace/services/auth"
)

// NewStaff is a member of staff as the command line names them.
type NewStaff struct {
	Email, Name string
	Roles       []string
}

// CreateStaff gives an account staff roles, and makes it when there is none. The password of a new account is asked for where in is a terminal,
// read from in where it is piped, and made up and shown where there is neither.
func CreateStaff(ctx context.Context, config Config, n NewStaff, in *os.File, out io.Writer) error {
	a, err := New(ctx, config, texts(together()))
	if err != nil {
		return err
	}
	defer a.Close()
	staff := auth.NewStaff{Email: n.Email, DisplayName: n.Name, Roles: n.Roles}
	exists, err := a.signIn.admin.HasAccount(ctx, n.Email)
	if err != nil {
		return err
	}
	made := false
	if !exists {
		if staff.Password, made, err = newPassword(in, out); err != nil {
			return err
		}
	}
	id, existed, err := a.signIn.admin.CreateStaff(ctx, staff)
	if err != nil {
		return err
	}
	switch {
	case existed:
		fmt.Fprintf(out, "account %s has the roles %s now, from its next access token on\n", id, strings.Join(n.Roles, ", "))
	case made:
		fmt.Fprintf(out, "account %s was made with the password %s: change it at the first sign-in\n", id, staff.Password)
	default:
		fmt.Fprintf(out, "account %s was made\n", id)
	}
	if config.Environment != Demo {
		fmt.Fprintln(out, "the roles count once a second factor is set up: an authenticator app or a passkey")
	}
	return nil
}

// newPassword asks for a password, or makes one up; made tells which.
func newPassword(in *os.File, out io.Writer) (text string, made bool, err error) {
	if term.IsTerminal(int(in.Fd())) {
		fmt.Fprint(out, "Password (empty to have one made): ")
		typed, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(out)
		if err != nil {
			return "", false, fmt.Errorf("read password: %w", err)
		}
		text = string(typed)
	} else {
		text, err = bufio.NewReader(io.LimitReader(in, 4<<10)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", false, fmt.Errorf("read password: %w", err)
		}
		text = strings.TrimRight(text, "\r\n")
	}
	if text == "" {
		return rand.Text(), true, nil
	}
	return text, false, nil
}
