package auth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
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
	"github.com/mindspace-app/mindspace/platform/limit"
	"github.com/mindspace-app/mindspace/platform/mail"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
	"github.com/mindspace-app/mindspace/platform/queue"
	"github.com/mindspace-app/mindspace/platform/rpc"
	"github.com/mindspace-app/mindspace/platform/secret"
	"github.com/mindspace-app/mindspace/platform/token"
	"github.com/mindspace-app/mindspace/services/auth"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
	"github.com/mindspace-app/mindspace/services/auth/password"
)

const (
	publicURL    = "http://localhost:8080"
	goodPassword = "correct horse battery"
)

// rig is the auth services behind the chain, on a database and a Redis of the test's own, with a clock that the test moves.
type rig struct {
	t       *testing.T
	clock   *clock
	pool    *pgxpool.Pool
	rdb     *redis.Client
	keys    *secret.Keyring
	service *auth.Service
	admin   *auth.Admin
	signing *auth.SigningKeys
	server  *rpc.Server
	log     *safeBuffer
	// client is nobody in particular.
	client authv1connect.AuthServiceClient
	post   *postbox
}

// shared are the stores that several rigs may have in common: as many processes of one installation.
type shared struct {
	pool *pgxpool.Pool
	rdb  *redis.Client
	keys *secret.Keyring
	// prefix keeps what this installation publishes apart.
	prefix string
	clock  *clock
}

func newShared(tb testing.TB) shared {
	tb.Helper()
	keys, err := secret.Generate(true)
	if err != nil {
		tb.Fatal(err)
	}
	return shared{
		pool: pgtest.New(tb, migrations.FS), rdb: redistest.Client(tb), keys: keys, prefix: redistest.Key(),
		clock: &clock{now: time.Now().UTC().Truncate(time.Microsecond)},
	}
}

func newRig(tb testing.TB, change ...func(*auth.Options)) *rig {
	tb.Helper()
	return newShared(tb).process(tb, change...)
}

// process is one process of the installation.
func (s shared) process(tb testing.TB, change ...func(*auth.Options)) *rig {
	tb.Helper()
	r := &rig{clock: s.clock, pool: s.pool, rdb: s.rdb, keys: s.keys, log: &safeBuffer{}, post: &postbox{}}
	r.t, _ = tb.(*testing.T) // a benchmark has none
	logger := slog.New(slog.NewJSONHandler(r.log, nil))
	revocations := token.NewRevocations(r.rdb, token.RevocationsConfig{Logger: logger, Prefix: s.prefix, Now: r.clock.Now, Recent: auth.RecentRevocations(r.pool)})
	store := cache.NewStore(r.rdb, cache.Config{Logger: logger, Prefix: s.prefix})
	running, stop := context.WithCancel(context.Background())
	var background sync.WaitGroup
	background.Go(func() { _ = revocations.Run(running) })
	background.Go(func() { _ = store.Run(running) })
	tb.Cleanup(func() { stop(); background.Wait() })

	inserter, err := queue.NewInserter(r.pool, logger)
	if err != nil {
		tb.Fatal(err)
	}
	parameters := password.Parameters()
	parameters.Memory, parameters.Iterations = 64, 1 // tests hash a lot
	hasher, err := password.New(parameters, 0)
	if err != nil {
		tb.Fatal(err)
	}
	r.signing = auth.NewSigningKeys(r.pool, r.keys, r.clock.Now, logger)
	options := auth.Options{
		Pool: r.pool, Keys: r.keys, Queue: inserter, Signer: token.NewSigner(publicURL, r.signing), Revocations: revocations, Hasher: hasher,
		Cursors: cursor.New(r.keys), Logger: logger, Now: r.clock.Now, PublicURL: publicURL, Demo: false,
	}
	for _, one := range change {
		one(&options)
	}
	if r.service, err = auth.New(options); err != nil {
		tb.Fatal(err)
	}
	r.admin = auth.NewAdmin(r.service, r.signing, audit.New(r.keys))
	verifier := token.NewVerifier(token.VerifierConfig{Issuer: publicURL, Keys: r.signing, Revocations: revocations, Logger: logger, Now: r.clock.Now})
	r.server, err = rpc.NewServer(rpc.Options{
		Logger: logger, Classifiers: []fault.Classifier{postgres.Classify},
		Authenticator: auth.Authenticator{Tokens: verifier, PartnerKeys: auth.NewPartnerKeys(r.pool, r.keys, store, revocations, r.clock.Now, logger)},
	})
	if err != nil {
		tb.Fatal(err)
	}
	authv1connect.RegisterAuthServiceHandler(r.server.Server, r.service)
	authv1connect.RegisterAuthAdminServiceHandler(r.server.Server, r.admin)
	authv1connect.RegisterAccountServiceHandler(r.server.Server, auth.NewAccounts(r.service))
	authv1connect.RegisterAccountAdminServiceHandler(r.server.Server, auth.NewAccountAdmin(r.service, audit.New(r.keys)))
	r.client = r.bearing("")
	return r
}

// bearing is a client with a credential.
func (r *rig) bearing(credential string) authv1connect.AuthServiceClient {
	return authv1connect.NewAuthServiceClient(r.transport(credential))
}

// as is a client with the access token.
func (r *rig) as(tokens *authv1.Tokens) authv1connect.AuthServiceClient {
	return r.bearing(tokens.GetAccessToken())
}

// adminAs is a client of the admin service with the access token.
func (r *rig) adminAs(tokens *authv1.Tokens) authv1connect.AuthAdminServiceClient {
	return authv1connect.NewAuthAdminServiceClient(r.transport(tokens.GetAccessToken()))
}

func (r *rig) transport(credential string) *connect.Client {
	return connect.NewClient(connectinprocess.New(r.server.Server), func(next connect.ClientFunc) connect.ClientFunc {
		return func(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
			if info, ok := connect.CallInfoForClientContext(ctx); ok && credential != "" {
				info.RequestHeader().Set("Authorization", "Bearer "+credential)
			}
			return next(ctx, spec)
		}
	})
}

// register makes an account, where addresses need no verification.
func (r *rig) register(email string) *authv1.RegisterResponse {
	r.t.Helper()
	res, err := r.client.Register(r.from("192.0.2.1"), &authv1.RegisterRequest{Email: email, Password: goodPassword, DisplayName: "Ana", Device: "phone"})
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// login signs in with the password that register gives.
func (r *rig) login(email string) *authv1.LoginResponse {
	r.t.Helper()
	res, err := r.client.Login(r.from("192.0.2.1"), &authv1.LoginRequest{Email: email, Password: goodPassword, Device: "phone"})
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// from is a request from a network address.
func (r *rig) from(address string) context.Context {
	return identity.WithRequest(r.t.Context(), identity.Request{ID: uuid.NewString(), Address: netip.MustParseAddr(address)})
}

// clock is a time that the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// advance moves the clock on.
func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// postbox keeps what is sent.
type postbox struct {
	mu   sync.Mutex
	sent []mail.Message
}

func (p *postbox) Send(_ context.Context, m mail.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, m)
	return nil
}

// deliver has the postman do what the queue holds, and gives the letters to an address since the last time.
func (r *rig) deliver(to string) []mail.Message {
	r.t.Helper()
	postman := auth.NewPostman(r.pool, r.post, publicURL, limit.NewShared(nil, slog.New(slog.DiscardHandler)), r.clock.Now)
	rows, err := r.pool.Query(r.t.Context(), "DELETE FROM river.river_job RETURNING kind, args, id::text")
	if err != nil {
		r.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var kind, id string
		var raw []byte
		if err := rows.Scan(&kind, &raw, &id); err != nil {
			r.t.Fatal(err)
		}
		var args struct {
			AccountID uuid.UUID `json:"account_id"`
			EventID   uuid.UUID `json:"event_id"`
		}
		if err := json.Unmarshal(raw, &args); err != nil {
			r.t.Fatal(err)
		}
		ctx := r.t.Context()
		switch kind {
		case auth.AccountRegistered{}.Kind(), auth.VerificationRequested{}.Kind():
			err = postman.SendVerification(ctx, args.AccountID, auth.Delivery{ID: id})
		case auth.RegistrationRepeated{}.Kind():
			err = postman.SendAlreadyRegistered(ctx, args.AccountID, auth.Delivery{ID: id})
		case auth.PasswordResetRequested{}.Kind():
			err = postman.SendReset(ctx, args.AccountID, auth.Delivery{ID: id})
		case auth.SecurityEventRecorded{}.Kind():
			err = postman.SendAlert(ctx, args.AccountID, args.EventID, auth.Delivery{ID: id})
		default:
			err = errors.New("nobody listens")
		}
		if err != nil {
			r.t.Fatalf("%s: %v", kind, err)
		}
	}
	if err := rows.Err(); err != nil {
		r.t.Fatal(err)
	}
	r.post.mu.Lock()
	defer r.post.mu.Unlock()
	var letters, others []mail.Message
	for _, m := range r.post.sent {
		if m.To == to {
			letters = append(letters, m)
		} else {
			others = append(others, m)
		}
	}
	r.post.sent = others
	return letters
}

var linkToken = regexp.MustCompile(`token=([^\s"&]+)`)

// tokenOf finds the token in a letter's link.
func (r *rig) tokenOf(m mail.Message) string {
	r.t.Helper()
	found := linkToken.FindStringSubmatch(m.Text)
	if found == nil {
		r.t.Fatalf("no token in:\n%s", m.Text)
	}
	text, err := url.QueryUnescape(found[1])
	if err != nil {
		r.t.Fatal(err)
	}
	return text
}

// events are the kinds of the person's security events, newest first.
func (r *rig) events(tokens *authv1.Tokens) string {
	r.t.Helper()
	res, err := r.as(tokens).ListSecurityEvents(r.t.Context(), &authv1.ListSecurityEventsRequest{PageSize: 100})
	if err != nil {
		r.t.Fatal(err)
	}
	var kinds []string
	for _, event := range res.GetEvents() {
		kinds = append(kinds, event.GetKind())
	}
	return strings.Join(kinds, " ")
}

var (
	// refused checks that a call failed with a code and a reason.
	refused = authtest.Refused
	// wrongField is the first field that an error names; empty when it names none.
	wrongField = authtest.WrongField
)

// safeBuffer is a log that the service writes while the test reads.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
