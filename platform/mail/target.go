package mail

import (
	"errors"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
)

// The default ports: submission (RFC 6409) and submission over TLS (RFC 8314).
const (
	submissionPort  = 587
	submissionsPort = 465
)

// target is where messages go: a folder when that is set, a server otherwise.
type target struct {
	folder string

	host           string
	port           int
	user, password string
	implicitTLS    bool // TLS from the first byte
	noTLS          bool // not even when the server offers it
}

// local says whether the server is on this machine, where nobody else listens.
func (t target) local() bool {
	if strings.EqualFold(t.host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(t.host)
	return err == nil && address.Unmap().IsLoopback()
}

// parseTarget reads an address for [Open]. Its errors quote nothing of it: even a part that cannot be read may be a piece of a password.
func parseTarget(address string) (target, error) {
	u, err := url.Parse(address)
	if err != nil {
		return target{}, errors.New("mail: not a URL (special characters in a password are written as %XX)")
	}
	switch u.Scheme {
	case "file":
		return folderTarget(u)
	case "smtp", "smtps":
		return serverTarget(u)
	default:
		return target{}, errors.New("mail: must begin with smtp://, smtps:// or file:///")
	}
}

func folderTarget(u *url.URL) (target, error) {
	if u.Host != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !filepath.IsAbs(u.Path) {
		return target{}, errors.New("mail: a folder is written as file:///absolute/path")
	}
	return target{folder: filepath.Clean(u.Path)}, nil
}

func serverTarget(u *url.URL) (target, error) {
	t := target{host: u.Hostname(), implicitTLS: u.Scheme == "smtps", port: submissionPort}
	if t.implicitTLS {
		t.port = submissionsPort
	}
	if !validHost(t.host) || u.Fragment != "" || (u.Path != "" && u.Path != "/") {
		return target{}, errors.New("mail: a server is written as smtp://user:password@host:port")
	}
	if text := u.Port(); text != "" {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || port == 0 {
			return target{}, errors.New("mail: the port must be between 1 and 65535")
		}
		t.port = int(port)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return target{}, errors.New("mail: what follows the ? cannot be read")
	}
	for name, values := range query {
		if name != "tls" || len(values) != 1 || values[0] != "none" || t.implicitTLS {
			return target{}, errors.New("mail: the only option is ?tls=none, with smtp://")
		}
		t.noTLS = true
	}
	if u.User != nil {
		t.user = u.User.Username()
		t.password, _ = u.User.Password()
		if t.user == "" || t.password == "" {
			return target{}, errors.New("mail: user and password belong together")
		}
	}
	if t.user != "" && t.noTLS && !t.local() {
		return target{}, errors.New("mail: a password is not sent in clear to another machine: leave out ?tls=none or the password")
	}
	return t, nil
}

// validHost takes names and addresses; a colon is part of an IPv6 address only.
func validHost(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || host != "" && !strings.ContainsAny(host, ": ")
}
