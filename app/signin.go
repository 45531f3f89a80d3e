package app

import (
	"net"
	"net/url"
	"os"
	"path/filepath"

	"github.com/mindspace-app/mindspace/platform/mail"
	"github.com/mindspace-app/mindspace/services/auth"
)

// SignIn are the settings of how people prove who they are. The demo has a default for each.
type SignIn struct {
	// PublicURL is where the world finds this installation: it is in links of mails, names the issuer of tokens and binds passkeys.
	PublicURL string `name:"public-url" env:"PUBLIC_URL" help:"Where the world finds this installation, for example https://api.example.org."`
	// RequireVerifiedEmail lets nobody in who has not shown that the address is theirs.
	RequireVerifiedEmail *bool `name:"require-verified-email" env:"REQUIRE_VERIFIED_EMAIL" negatable:"" help:"Nobody signs in before the address is verified; on, but in the demo."`
	// MailURL is how letters leave.
	MailURL string `name:"mail-url" env:"MAIL_URL" help:"smtp://user:pw@host:587, smtps://host, or file:///folder for .eml files."`
	// MailFrom is who letters come from.
	MailFrom string `name:"mail-from" env:"MAIL_FROM" help:"Sender of letters, for example Mind Space <hello@example.org>."`
	// PasskeyOrigins are the apps, besides PublicURL, whose passkeys are taken.
	PasskeyOrigins []string `name:"passkey-origins" env:"PASSKEY_ORIGINS" help:"Origins of apps whose passkeys are taken, for example https://app.example.org or android:apk-key-hash:…"`
	// OidcProviders are whom else one may sign in with.
	OidcProviders string `name:"oidc-providers" env:"OIDC_PROVIDERS" help:"OpenID providers as JSON, see docs/security.md."`
	// OidcReturnURLs are where a sign-in with a provider may end: an open list would send codes to strangers.
	OidcReturnURLs []string `name:"oidc-return-urls" env:"OIDC_RETURN_URLS" help:"Addresses of apps that a provider's sign-in may end at."`

	// issuer is who signs access tokens: PublicURL, and in a demo without one the same for every process, whatever its port.
	issuer string
}

// demoIssuer is the issuer of a demo that has no address but that of its port.
const demoIssuer = "http://localhost"

// withDefaults fills in what the demo leaves out: it serves itself only.
func (s SignIn) withDefaults(environment, addr string) SignIn {
	s.issuer = s.PublicURL
	if environment != Demo {
		return s
	}
	if s.PublicURL == "" {
		s.PublicURL, s.issuer = localURL(addr), demoIssuer
	}
	if s.MailURL == "" {
		s.MailURL = folderURL(filepath.Join(os.TempDir(), "mindspace-mail"))
	}
	if s.MailFrom == "" {
		s.MailFrom = "Mind Space <mindspace@demo.test>"
	}
	if s.RequireVerifiedEmail == nil {
		s.RequireVerifiedEmail = new(bool)
	}
	return s
}

// verifiedEmail tells whether an address must be verified.
func (s SignIn) verifiedEmail() bool { return s.RequireVerifiedEmail == nil || *s.RequireVerifiedEmail }

// check names what is wrong.
func (s SignIn) check(production bool, problem func(setting, format string, args ...any)) {
	u, err := url.Parse(s.PublicURL)
	if err != nil || s.PublicURL == "" || u.Scheme+"://"+u.Host != s.PublicURL || u.Scheme != "https" && u.Scheme != "http" {
		problem("PUBLIC_URL", "must be a scheme and a host, for example https://api.example.org")
	} else if production && u.Scheme != "https" && u.Hostname() != "localhost" {
		problem("PUBLIC_URL", "must begin with https://: letters carry secrets in links to it")
	} else if net.ParseIP(u.Hostname()) != nil {
		problem("PUBLIC_URL", "must name the host, as passkeys are bound to a name: localhost rather than 127.0.0.1")
	}
	if err := mail.CheckURL(s.MailURL); err != nil {
		problem("MAIL_URL", "%v", err)
	}
	if err := mail.CheckFrom(s.MailFrom); err != nil {
		problem("MAIL_FROM", "%v", err)
	}
	if err := auth.CheckOrigins(s.PublicURL, s.PasskeyOrigins); err != nil {
		problem("PASSKEY_ORIGINS", "%v", err)
	}
	for _, address := range s.OidcReturnURLs {
		if err := auth.CheckReturnURL(address); err != nil {
			problem("OIDC_RETURN_URLS", "%v", err)
		}
	}
	if _, err := auth.ParseProviders(s.OidcProviders); err != nil {
		problem("OIDC_PROVIDERS", "%v", err)
	}
}

// localURL is where a browser on this machine finds a public address.
func localURL(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" || port == "0" {
		port = "8080"
	}
	if host == "" || net.ParseIP(host) != nil {
		host = "localhost" // passkeys are bound to a name
	}
	return "http://" + net.JoinHostPort(host, port)
}

func folderURL(folder string) string { return (&url.URL{Scheme: "file", Path: folder}).String() }
