package auth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	"github.com/mindspace-app/mindspace/platform/limit"
	"github.com/mindspace-app/mindspace/platform/mail"
	"github.com/mindspace-app/mindspace/platform/uid"
	"github.com/mindspace-app/mindspace/services/auth/letter"
)

const (
	// verifyHours is how long the token of a verification mail is good.
	verifyHours = 48
	// resetMinutes is how long the token of a reset mail is good.
	resetMinutes = 60
)

// Delivery is one letter on its way.
type Delivery struct {
	// ID names the letter, the same in each attempt, so that a second copy is known as such: 1 to 64 of A-Z a-z 0-9 . _ -
	ID string
	// Again tells that it was tried before.
	Again bool
}

// Postman writes the letters that follow from events. Each method may run again for the same event. It makes the tokens in them itself, so that no token is ever in the queue.
type Postman struct {
	pool      *pgxpool.Pool
	sender    mail.Sender
	publicURL string
	limiter   Limiter
	now       func() time.Time
}

// Limiter bounds how many letters one account gets; [limit.Shared] is the one in use.
type Limiter interface {
	Allow(ctx context.Context, key string, q limit.Quota) limit.Result
}

// How many letters of each kind an account gets at most, whoever asks for them: a mailbox must not be flooded by us. Beyond that they are
// dropped without a word, as nobody who asks may learn of it.
var (
	tokenLetters = limit.Quota{Calls: 6, Per: time.Hour}
	// noticeLetters are for those who say that somebody wanted to register.
	noticeLetters = limit.Quota{Calls: 3, Per: 24 * time.Hour}
	alertLetters  = limit.Quota{Calls: 30, Per: time.Hour}
)

// NewPostman returns a postman whose letters lead to pages under publicURL.
func NewPostman(pool *pgxpool.Pool, sender mail.Sender, publicURL string, limiter Limiter, now func() time.Time) *Postman {
	return &Postman{pool: pool, sender: sender, publicURL: publicURL, limiter: limiter, now: now}
}

// SendVerification sends the token that verifies an address, unless it is verified already or the account is nobody's.
func (p *Postman) SendVerification(ctx context.Context, person uuid.UUID, d Delivery) error {
	a, err := p.addressee(ctx, person, d, "verify", tokenLetters)
	if a == nil || err != nil || a.AuthAccount.EmailVerifiedAt != nil {
		return err
	}
	token, err := p.newToken(ctx, a, purposeVerify, verifyHours*time.Hour)
	if err != nil {
		return err
	}
	return p.send(ctx, a, d.ID, letter.Verify{Link: p.link(a, "/auth/verify", token), Token: token, ExpiresHours: verifyHours})
}

// SendReset sends the token that sets a new password, unless the account is nobody's.
func (p *Postman) SendReset(ctx context.Context, person uuid.UUID, d Delivery) error {
	a, err := p.addressee(ctx, person, d, "reset", tokenLetters)
	if a == nil || err != nil {
		return err
	}
	token, err := p.newToken(ctx, a, purposeReset, resetMinutes*time.Minute)
	if err != nil {
		return err
	}
	return p.send(ctx, a, d.ID, letter.Reset{Name: a.knownName(), Link: p.link(a, "/auth/reset", token), Token: token, ExpiresMinutes: resetMinutes})
}

// SendAlreadyRegistered tells the owner of an address that somebody wanted to register with it.
func (p *Postman) SendAlreadyRegistered(ctx context.Context, person uuid.UUID, d Delivery) error {
	a, err := p.addressee(ctx, person, d, "registered", noticeLetters)
	if a == nil || err != nil {
		return err
	}
	return p.send(ctx, a, d.ID, letter.AlreadyRegistered{ResetLink: p.link(a, "/auth/reset", "")})
}

// SendAlert tells the owner what happened to the account. What is not for a letter is in ListSecurityEvents only.
func (p *Postman) SendAlert(ctx context.Context, person, event uuid.UUID, d Delivery) error {
	row, err := authdb.New(p.pool).GetSecurityEvent(ctx, authdb.GetSecurityEventParams{AccountID: person, ID: event})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get security event: %w", err)
	}
	// Each kind by itself: many of one must not keep a graver one from its reader.
	a, err := p.addressee(ctx, person, d, "alert:"+row.Kind, alertLetters)
	if a == nil || err != nil {
		return err
	}
	alert := letter.Alert{
		Name: a.knownName(), Kind: letter.Kind(row.Kind), Time: row.CreatedAt.In(a.zone()), Device: row.Device, Place: networkText(row.Network), Link: p.link(a, "/auth/reset", ""),
	}
	if row.Kind == eventErasureRequested {
		if a.AuthAccount.ErasureID == nil {
			return nil // it was called off before the letter went out
		}
		alert.Due, alert.Receipt = a.AuthAccount.EraseAfter.In(a.zone()), a.AuthAccount.ErasureID.String()
	}
	return p.send(ctx, a, d.ID, alert)
}

// sendErased writes the last letter to somebody whose account is no more.
func (p *Postman) sendErased(ctx context.Context, a *account, receipt uuid.UUID, backupsUntil time.Time) error {
	id, err := uid.New() // its own: that of the erasure is a secret, and mail servers note this one
	if err != nil {
		return err
	}
	return p.send(ctx, a, "erased-"+id.String(), letter.Erased{Name: a.knownName(), Receipt: receipt.String(), BackupsUntil: backupsUntil.In(a.zone())})
}

// zone is where the person lives by.
func (a *account) zone() *time.Location {
	zone, err := time.LoadLocation(a.AuthAccount.TimeZone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// addressee gives the account; nil for nobody's, and when it has had enough letters of a kind.
func (p *Postman) addressee(ctx context.Context, person uuid.UUID, d Delivery, kind string, quota limit.Quota) (*account, error) {
	row, err := authdb.New(p.pool).GetAccount(ctx, person)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // nobody is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("get account: %w", err)
	}
	if !d.Again && !p.limiter.Allow(ctx, "letter:"+kind+":"+person.String(), quota).Allowed {
		return nil, nil //nolint:nilnil // enough of these
	}
	a := account(row)
	return &a, nil
}

// knownName is the name to greet; none while the address is not verified, as its owner may never have heard of us.
func (a *account) knownName() string {
	if a.AuthAccount.EmailVerifiedAt == nil {
		return ""
	}
	return a.AuthAccount.DisplayName
}

func (p *Postman) newToken(ctx context.Context, a *account, purpose string, life time.Duration) (string, error) {
	text, hash := newSecret()
	now := stored(p.now())
	err := authdb.New(p.pool).InsertEmailToken(ctx, authdb.InsertEmailTokenParams{
		AccountID: a.AuthAccount.ID, Hash: hash, Purpose: purpose, Email: a.AuthAccount.Email, CreatedAt: now, ExpiresAt: now.Add(life),
	})
	if err != nil {
		return "", fmt.Errorf("keep token: %w", err)
	}
	return text, nil
}

// link leads to a page in the language of the letter.
func (p *Postman) link(a *account, path, token string) string {
	query := "?"
	if token != "" {
		query = "?token=" + url.QueryEscape(token) + "&"
	}
	return p.publicURL + path + query + "lang=" + url.QueryEscape(a.AuthAccount.Locale)
}

func (p *Postman) send(ctx context.Context, a *account, id string, l letter.Letter) error {
	rendered, err := letter.Render(a.AuthAccount.Locale, l)
	if err != nil {
		return err
	}
	return p.sender.Send(ctx, mail.Message{To: a.AuthAccount.Email, Subject: rendered.Subject, Text: rendered.Text, HTML: rendered.HTML, ID: id})
}
