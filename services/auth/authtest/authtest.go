// Package authtest runs sign-in for the tests of other domains: real accounts and tokens behind the real chain, on a database and a Redis of the
// test's own, with a clock that the test moves. It is for tests only.
package authtest

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectinprocess"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1/authv1connect"
	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/cache"
	"github.com/mindspace-app/mindspace/platform/cache/redistest"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
	"github.com/mindspace-app/mindspace/platform/queue"
	"github.com/mindspace-app/mindspace/platform/rpc"
	"github.com/mindspace-app/mindspace/platform/secret"
	"github.com/mindspace-app/mindspace/platform/token"
	"github.com/mindspace-app/mindspace/services/auth"
	"github.com/mindspace-app/mindspace/services/auth/password"
)

const (
	// PublicURL is where the program says it is.
	PublicURL = "http://localhost:8080"
	// Password is everyone's.
	Password = "correct horse battery"
)

// Rig is sign-in, running.
type Rig struct {
	tb        testing.TB
	Clock     *Clock
	Pool      *pgxpool.Pool
	Redis     *redis.Client
	Keys      *secret.Keyring
	Queue     *queue.Client
	Cache     *cache.Store
	Logger    *slog.Logger
	Log       *Log
	Server    *rpc.Server
	Directory *rpc.Directory
	// Post is where last letters go.
	Post Postbox
	Auth *auth.Service
	auth authv1connect.AuthServiceClient
}

// New starts it. Register further services on Server before the first call. It is a demo, so that staff sign in by password alone.
func New(tb testing.TB) *Rig {
	tb.Helper()
	r := &Rig{tb: tb, Clock: &Clock{now: time.Now().UTC().Truncate(time.Microsecond)}, Log: &Log{}}
	var err error
	if r.Keys, err = secret.Generate(true); err != nil {
		tb.Fatal(err)
	}
	r.Pool, r.Redis = pgtest.New(tb, migrations.FS), redistest.Client(tb)
	r.Logger = slog.New(slog.NewJSONHandler(r.Log, nil))
	prefix := redistest.Key()
	revocations := token.NewRevocations(r.Redis, token.RevocationsConfig{Logger: r.Logger, Prefix: prefix, Now: r.Clock.Now, Recent: auth.RecentRevocations(r.Pool)})
	r.Cache = cache.NewStore(r.Redis, cache.Config{Logger: r.Logger, Prefix: prefix})
	running, stop := context.WithCancel(context.Background())
	var background sync.WaitGroup
	background.Go(func() { _ = revocations.Run(running) })
	background.Go(func() { _ = r.Cache.Run(running) })
	tb.Cleanup(func() { stop(); background.Wait() })
	if r.Queue, err = queue.NewInserter(r.Pool, r.Logger); err != nil {
		tb.Fatal(err)
	}
	parameters := password.Parameters()
	parameters.Memory, parameters.Iterations = 64, 1 // tests hash a lot
	hasher, err := password.New(parameters, 0)
	if err != nil {
		tb.Fatal(err)
	}
	signing := auth.NewSigningKeys(r.Pool, r.Keys, r.Clock.Now, r.Logger)
	r.Auth, err = auth.New(auth.Options{
		Pool: r.Pool, Keys: r.Keys, Queue: r.Queue, Signer: token.NewSigner(PublicURL, signing), Revocations: revocations, Hasher: hasher,
		Cursors: cursor.New(r.Keys), Logger: r.Logger, Now: r.Clock.Now, PublicURL: PublicURL, Demo: true, CoolingOff: CoolingOff,
	})
	if err != nil {
		tb.Fatal(err)
	}
	verifier := token.NewVerifier(token.VerifierConfig{Issuer: PublicURL, Keys: signing, Revocations: revocations, Logger: r.Logger, Now: r.Clock.Now})
	r.Server, err = rpc.NewServer(rpc.Options{
		Logger: r.Logger, Classifiers: []fault.Classifier{postgres.Classify},
		Authenticator: auth.Authenticator{Tokens: verifier, PartnerKeys: auth.NewPartnerKeys(r.Pool, r.Keys, r.Cache, revocations, r.Clock.Now, r.Logger)},
	})
	if err != nil {
		tb.Fatal(err)
	}
	r.Directory = rpc.NewDirectory(r.Server)
	authv1connect.RegisterAuthServiceHandler(r.Server.Server, r.Auth)
	authv1connect.RegisterAuthAdminServiceHandler(r.Server.Server, auth.NewAdmin(r.Auth, signing, audit.New(r.Keys)))
	authv1connect.RegisterAccountServiceHandler(r.Server.Server, auth.NewAccounts(r.Auth))
	authv1connect.RegisterAccountAdminServiceHandler(r.Server.Server, auth.NewAccountAdmin(r.Auth, audit.New(r.Keys)))
	r.auth = authv1connect.NewAuthServiceClient(r.Client(""))
	return r
}

// Client is a client that presents a credential; none when it is empty.
func (r *Rig) Client(credential string) *connect.Client {
	return connect.NewClient(connectinprocess.New(r.Server.Server), func(next connect.ClientFunc) connect.ClientFunc {
		return func(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
			if info, ok := connect.CallInfoForClientContext(ctx); ok && credential != "" {
				info.RequestHeader().Set("Authorization", "Bearer "+credential)
			}
			return next(ctx, spec)
		}
	})
}

// Person is somebody who is signed in.
type Person struct {
	ID     uuid.UUID
	Email  string
	Tokens *authv1.Tokens
	// Client presents the access token.
	Client *connect.Client
}

// Register makes an account and signs it in.
func (r *Rig) Register(email string) *Person {
	r.tb.Helper()
	res, err := r.auth.Register(r.From("192.0.2.1"), &authv1.RegisterRequest{Email: email, Password: Password, DisplayName: "Ana", Device: "phone"})
	if err != nil {
		r.tb.Fatal(err)
	}
	return r.person(res.GetUserId(), email, res.GetTokens())
}

// Login signs in again.
func (r *Rig) Login(p *Person) *Person {
	r.tb.Helper()
	res, err := r.auth.Login(r.From("192.0.2.1"), &authv1.LoginRequest{Email: p.Email, Password: Password, Device: "phone"})
	if err != nil {
		r.tb.Fatal(err)
	}
	return r.person(p.ID.String(), p.Email, res.GetTokens())
}

// Staff makes an account with staff roles, as "support", and signs it in.
func (r *Rig) Staff(email string, roles ...string) *Person {
	r.tb.Helper()
	p := r.Register(email)
	for _, role := range roles {
		if _, err := r.Pool.Exec(r.tb.Context(), "INSERT INTO auth.staff_roles (account_id, role, granted_at) VALUES ($1, $2, now())", p.ID, role); err != nil {
			r.tb.Fatal(err)
		}
	}
	return r.Login(p)
}

func (r *Rig) person(id, email string, tokens *authv1.Tokens) *Person {
	return &Person{ID: uuid.MustParse(id), Email: email, Tokens: tokens, Client: r.Client(tokens.GetAccessToken())}
}

// From is a request from a network address.
func (r *Rig) From(address string) context.Context {
	return identity.WithRequest(r.tb.Context(), identity.Request{ID: uuid.NewString(), Address: netip.MustParseAddr(address)})
}

// Clock is a time that the test moves.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Log is what the services log.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write adds to the log.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is the log so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
