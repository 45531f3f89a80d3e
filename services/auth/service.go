// Package auth is how people and staff prove who they are and stay signed in: accounts, passwords, second factors, sessions, roles.
// It hands out tokens; who presents one is found out by platform/token, without a look into this package's tables.
// It never knows what a person practises or takes.
package auth

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1/authv1connect"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/queue"
	"github.com/mindspace-app/mindspace/platform/secret"
	"github.com/mindspace-app/mindspace/platform/token"
	"github.com/mindspace-app/mindspace/services/auth/password"
	"github.com/mindspace-app/mindspace/services/auth/refresh"
)

// Options are what the service needs, and what an operator decides.
type Options struct {
	Pool        *pgxpool.Pool
	Keys        *secret.Keyring
	Queue       *queue.Client
	Signer      *token.Signer
	Revocations *token.Revocations
	Hasher      *password.Hasher
	Cursors     *cursor.Codec
	Logger      *slog.Logger
	Now         func() time.Time
	// PublicURL is where browsers find this program, without a slash at the end.
	PublicURL string
	// Origins are the web origins and app identities, besides PublicURL, whose passkeys are taken.
	Origins []string
	// Providers are the OpenID providers that one may sign in with.
	Providers []Provider
	// ReturnURLs are the addresses of apps that a provider's sign-in may end at.
	ReturnURLs []string
	// RequireVerifiedEmail lets nobody in whose address is not verified.
	RequireVerifiedEmail bool
	// CoolingOff is how long after its request an erasure is called off by signing in; 7 days when it is not given.
	CoolingOff time.Duration
	// BackupHorizon is how long backups are kept: receipts of erasures say so; 30 days when it is not given.
	BackupHorizon time.Duration
	// Demo lets staff in by password alone, and the demo's own logins in at all.
	Demo bool
}

// Service is mindspace.auth.v1.AuthService.
type Service struct {
	Options
	refreshes *refresh.Codec
	aead      tink.AEAD
	guards    *guards
	passkeys  *passkeys
	providers *providers
}

var _ authv1connect.AuthServiceHandler = (*Service)(nil)

// New returns the service. It connects to nothing; it fails when PublicURL, Origins or Providers make no sense.
func New(o Options) (*Service, error) {
	o.CoolingOff, o.BackupHorizon = cmp.Or(o.CoolingOff, 7*day), cmp.Or(o.BackupHorizon, 30*day)
	s := &Service{
		Options:   o,
		refreshes: refresh.New(o.Keys),
		aead:      o.Keys.AEAD(),
		guards:    newGuards(o.Pool, o.Keys, o.Now),
	}
	var err error
	if s.passkeys, err = newPasskeys(o.PublicURL, o.Origins); err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	if s.providers, err = newProviders(o); err != nil {
		return nil, fmt.Errorf("OpenID providers: %w", err)
	}
	return s, nil
}

// CheckOrigins says what is wrong with the addresses whose passkeys are taken.
func CheckOrigins(publicURL string, origins []string) error {
	_, err := newPasskeys(publicURL, origins)
	return err
}

// CheckReturnURL says what is wrong with an address that a provider's sign-in may end at.
func CheckReturnURL(address string) error { return checkReturnURL(address) }

// now is the time as the database keeps it.
func (o Options) now() time.Time { return stored(o.Now()) }

// stored is a time as the database keeps it.
func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// emit inserts an event in the transaction of what it tells of.
func (o Options) emit(ctx context.Context, tx pgx.Tx, event river.JobArgs) error {
	if _, err := o.Queue.InsertTx(ctx, tx, event, nil); err != nil {
		return fmt.Errorf("emit %s: %w", event.Kind(), err)
	}
	return nil
}
