// Package letter holds the texts of the e-mails that the sign-in service sends, in every language of the product, as plain text and as
// HTML that says the same. It sends nothing, and puts in neither images nor anything that tells whether a letter was read.
//
// Whoever can sign up with a stranger's address could make us write to that stranger. So what people choose freely gets into letters
// only so far as it cannot carry a message: [Verify] and [AlreadyRegistered], which go to addresses that nobody has confirmed, contain
// nothing of it; for [Reset] and [Alert] see their fields.
package letter

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/mindspace-app/mindspace/platform/locale"
)

// Letter is one of the letters of this package.
type Letter interface {
	// write gives the letter in the language; an error tells what its fields lack.
	write(l language) (document, error)
}

// Rendered is a letter, ready to be sent.
type Rendered struct {
	Subject, Text, HTML string
}

// Verify asks to confirm an e-mail address. It has no name in it: a stranger may have typed both.
type Verify struct {
	Link         string // leads to a page that confirms; http or https
	Token        string // the same to be typed into the app; may be empty
	ExpiresHours int    // how long link and token work
}

func (v Verify) write(l language) (document, error) {
	t := l.verify
	d := document{Subject: t.subject, Greeting: l.greet("")}
	d.say(t.why)
	d.offer(t.action, v.Link, l.orCode, v.Token)
	d.say(fmt.Sprintf(l.expires, l.hours.of(v.ExpiresHours)))
	d.say(t.otherwise)
	return d, errors.Join(checkLink("Link", v.Link), checkExpiry(v.ExpiresHours))
}

// Reset lets somebody who has forgotten the password set another.
type Reset struct {
	// Name is whom to greet. Give it only once the address is verified: until then the name may be a stranger's.
	// One that is no plain name, see [greetable], is left out.
	Name           string
	Link           string // leads to a page that sets the password; http or https
	Token          string // the same to be typed into the app; may be empty
	ExpiresMinutes int    // how long link and token work
}

func (r Reset) write(l language) (document, error) {
	t := l.reset
	d := document{Subject: t.subject, Greeting: l.greet(r.Name)}
	d.say(t.why)
	d.offer(t.action, r.Link, l.orCode, r.Token)
	d.say(fmt.Sprintf(l.expires, l.minutes.of(r.ExpiresMinutes)))
	d.say(t.otherwise)
	return d, errors.Join(checkLink("Link", r.Link), checkExpiry(r.ExpiresMinutes))
}

// AlreadyRegistered tells the owner of an account that somebody tried to sign up with the same address. It has no name in it:
// neither the one that was typed just now, which is a stranger's, nor the account's, whose address need not be verified.
type AlreadyRegistered struct {
	ResetLink  string // leads to the page where a new password is asked for, and carries no token
	SignInLink string // leads to the sign-in page; may be empty
}

func (a AlreadyRegistered) write(l language) (document, error) {
	t := l.registered
	d := document{Subject: t.subject, Greeting: l.greet("")}
	d.say(t.why)
	err := checkLink("ResetLink", a.ResetLink)
	if a.SignInLink != "" {
		d.offer(t.signIn, a.SignInLink, "", "")
		err = errors.Join(err, checkLink("SignInLink", a.SignInLink))
	}
	d.say(t.forgotten)
	d.offer(t.action, a.ResetLink, "", "")
	d.say(t.otherwise)
	return d, err
}

// Kind is a security event that the owner of an account is told about.
type Kind string

// The kinds of events.
const (
	RefreshReuse         Kind = "refresh_reuse" // a used refresh token came back; its session was ended
	PasswordChanged      Kind = "password_changed"
	PasswordReset        Kind = "password_reset"
	TOTPEnabled          Kind = "totp_enabled"
	TOTPDisabled         Kind = "totp_disabled"
	RecoveryCodeUsed     Kind = "recovery_code_used"
	RecoveryCodesRenewed Kind = "recovery_codes_renewed"
	PasskeyAdded         Kind = "passkey_added"
	PasskeyRemoved       Kind = "passkey_removed"
	IdentityLinked       Kind = "identity_linked" // an account with another provider
	IdentityUnlinked     Kind = "identity_unlinked"
	SessionsEnded        Kind = "sessions_ended" // all of them
	FactorsReset         Kind = "factors_reset"  // by staff
	AccountSuspended     Kind = "account_suspended"
	AccountResumed       Kind = "account_resumed"
	ErasureRequested     Kind = "erasure_requested" // its Due and Receipt are needed
	ErasureCancelled     Kind = "erasure_cancelled"
	NewDevice            Kind = "new_device"
)

// Kinds lists all kinds.
func Kinds() []Kind {
	return []Kind{
		RefreshReuse, PasswordChanged, PasswordReset, TOTPEnabled, TOTPDisabled, RecoveryCodeUsed, RecoveryCodesRenewed,
		PasskeyAdded, PasskeyRemoved, IdentityLinked, IdentityUnlinked, SessionsEnded, FactorsReset, AccountSuspended, AccountResumed,
		ErasureRequested, ErasureCancelled, NewDevice,
	}
}

// Known says whether there is a text for the kind.
func (k Kind) Known() bool { return slices.Contains(Kinds(), k) }

// Alert tells of a security event.
type Alert struct {
	// Name is whom to greet, under the same conditions as in [Reset].
	Name string
	Kind Kind
	// Time is when it happened; it is shown in its own zone.
	Time time.Time
	// Device is what the client calls itself; may be empty. Whoever stole a password chooses it, so it is stripped, see [plain].
	Device string
	// Place is where the client was, as coarse as we keep it, for example 203.0.113.0/24; may be empty.
	// It must come from us, never from the client: it is stripped less than the device.
	Place string
	// Due is when everything is erased, shown in its own zone, and Receipt the id of the erasure: for ErasureRequested only.
	Due     time.Time
	Receipt string
	// Link leads to the page where a new password is asked for, or to the account's sign-in settings.
	Link string
}

// timeFormat is the same in every language.
const timeFormat = "2006-01-02 15:04 (UTC-07:00)"

func (a Alert) write(l language) (document, error) {
	t, ok := l.alerts[a.Kind]
	if !ok {
		return document{}, fmt.Errorf("kind %q has no text", a.Kind)
	}
	if a.Time.IsZero() {
		return document{}, errors.New("the time is missing")
	}
	if requested := a.Kind == ErasureRequested; requested == a.Due.IsZero() || requested == (a.Receipt == "") {
		return document{}, errors.New("when everything is erased and the receipt belong to a request for it")
	}
	d := document{Subject: t.subject, Greeting: l.greet(a.Name)}
	d.say(t.happened)
	details := []detail{{l.when, a.Time.Format(timeFormat)}}
	if device := plain(a.Device, ""); device != "" {
		details = append(details, detail{l.device, device})
	}
	if place := plain(a.Place, ":/"); place != "" {
		details = append(details, detail{l.place, place})
	}
	if !a.Due.IsZero() {
		details = append(details, detail{l.due, a.Due.Format(timeFormat)}, detail{l.receipt, a.Receipt})
	}
	d.Blocks = append(d.Blocks, block{Details: details})
	advice := t.advice
	if advice == "" {
		advice = l.advice
	}
	d.say(advice)
	d.offer(l.secure, a.Link, "", "")
	return d, checkLink("Link", a.Link)
}

// Erased is the last letter that a person gets: everything about them was erased.
type Erased struct {
	// Name is whom to greet, under the same conditions as in [Reset].
	Name string
	// Receipt is the id of the erasure.
	Receipt string
	// BackupsUntil is when the last backup from before is gone, shown in its own zone.
	BackupsUntil time.Time
}

func (e Erased) write(l language) (document, error) {
	if e.Receipt == "" || e.BackupsUntil.IsZero() {
		return document{}, errors.New("the receipt or the end of the backups is missing")
	}
	t := l.erased
	d := document{Subject: t.subject, Greeting: l.greet(e.Name)}
	d.say(t.happened)
	d.say(fmt.Sprintf(t.backups, e.BackupsUntil.Format("2006-01-02")))
	d.say(t.receipt)
	d.Blocks = append(d.Blocks, block{Code: e.Receipt})
	d.say(t.last)
	return d, nil
}

// Render gives the letter in the language of the BCP 47 tag, in English when it is none of ours.
func Render(tag string, letter Letter) (Rendered, error) {
	name := locale.Of(tag)
	l := languages[name]
	d, err := letter.write(l)
	if err != nil {
		return Rendered{}, fmt.Errorf("letter: %T: %w", letter, err)
	}
	d.Language, d.Footer = l.tag, l.footer
	return d.render()
}

// checkLink takes absolute http and https addresses. The error does not quote the link, which may carry a token.
func checkLink(field, link string) error {
	u, err := url.Parse(link)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("%s is no absolute http or https address", field)
	}
	return nil
}

func checkExpiry(n int) error {
	if n <= 0 {
		return errors.New("the time until it expires is missing")
	}
	return nil
}
