package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/fileblob" // BLOB_URL=file://…
	_ "gocloud.dev/blob/memblob"  // BLOB_URL=mem://, for tests
	_ "gocloud.dev/blob/s3blob"   // BLOB_URL=s3://…

	"github.com/mindspace-app/mindspace/console"
	"github.com/mindspace-app/mindspace/platform/cache"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/health"
	"github.com/mindspace-app/mindspace/platform/limit"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/queue"
	"github.com/mindspace-app/mindspace/platform/rpc"
	"github.com/mindspace-app/mindspace/platform/secret"
	"github.com/mindspace-app/mindspace/platform/telemetry"
)

// Extension is a hook for a product built on this one: it may register further services before the program starts.
type Extension func(*rpc.Server)

// App is a process of the program, wired and not yet running.
type App struct {
	config  Config
	roles   []Role
	logger  *slog.Logger
	metrics *telemetry.Metrics
	tracing *telemetry.Tracing
	keys    *secret.Keyring

	pool   *pgxpool.Pool // for requests; may lead through a pooler
	direct *pgxpool.Pool // sessions of its own; the same pool when there is no pooler
	redis  *redis.Client
	blobs  *blob.Bucket
	cache  *cache.Store
	// inserter puts events into the queue.
	inserter *queue.Client
	health   *health.Checks

	draining  context.Context //nolint:containedctx // the life of the process
	drain     context.CancelFunc
	answers   *rpc.Answers
	encodings *rpc.Encodings
	server    *rpc.Server
	directory *rpc.Directory
	signIn    *signIn
	people    *people
	practice  *practice
	pages     *console.Console

	closers []func() error
}

// New wires a process for the roles. Nothing runs and nothing is connected yet: a database that is away is no error here.
func New(ctx context.Context, config Config, roleNames []string, extensions ...Extension) (*App, error) {
	roles, roleErr := parseRoles(roleNames)
	config.SignIn = config.withDefaults(config.Environment, config.Addr)
	if err := errors.Join(config.check(), roleErr); err != nil {
		return nil, fmt.Errorf("configuration:\n%w", err)
	}
	a := &App{config: config, roles: roles}
	a.draining, a.drain = context.WithCancel(context.WithoutCancel(ctx))
	for _, step := range []func(context.Context) error{a.openTelemetry, a.openStores, a.openServices} {
		if err := step(ctx); err != nil {
			a.Close()
			return nil, err
		}
	}
	for _, extend := range extensions {
		extend(a.server)
	}
	if a.has(RoleGateway) {
		a.pages = console.New(a.directory, Version(), a.logger)
	}
	a.health = a.checks()
	if err := errors.Join(a.server.Check(), a.directory.Check()); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

func (a *App) has(role Role) bool { return slices.Contains(a.roles, role) }

// Close releases what New opened, last first.
func (a *App) Close() {
	for _, closer := range slices.Backward(a.closers) {
		if err := closer(); err != nil {
			a.logger.Warn("not closed cleanly", "error", err)
		}
	}
	a.closers = nil
}

func (a *App) onClose(closer func() error) { a.closers = append(a.closers, closer) }

// openTelemetry makes logs, metrics and traces, first of all, since everything after it uses them.
func (a *App) openTelemetry(ctx context.Context) error {
	level, err := a.config.logLevel()
	if err != nil {
		return err
	}
	logger, closer, err := telemetry.NewLogger(telemetry.LogConfig{
		Level: level, Format: a.config.LogFormat, Output: os.Stderr, File: a.config.LogFile,
	})
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	a.logger = logger
	a.onClose(closer.Close)
	if a.metrics, err = telemetry.NewMetrics(Version(), logger); err != nil {
		return err
	}
	a.tracing, err = telemetry.NewTracing(ctx, telemetry.TraceConfig{
		Endpoint: a.config.OTLPEndpoint, Ratio: a.config.TraceRatio, Service: "mindspace", Version: Version(),
	})
	if err != nil {
		return err
	}
	a.onClose(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return a.tracing.Shutdown(ctx)
	})
	telemetry.Install(a.tracing, a.metrics, logger)
	return nil
}

// openStores opens database, Redis, blobs and keyring.
func (a *App) openStores(ctx context.Context) (err error) {
	if a.keys, err = loadKeys(a.config); err != nil {
		return err
	}
	if err := a.openDatabase(ctx); err != nil {
		return err
	}
	options, err := redis.ParseURL(a.config.RedisURL)
	if err != nil {
		return errors.New("REDIS_URL: is not a Redis address") // the cause would repeat the password
	}
	options.ContextTimeoutEnabled = true // a Redis that hangs must not hold a request for longer than the request wants
	a.redis = redis.NewClient(options)
	a.onClose(a.redis.Close)
	if err := telemetry.InstrumentRedis(a.redis, a.metrics.Registry(), a.tracer()); err != nil {
		return err
	}
	if a.blobs, err = blob.OpenBucket(ctx, a.config.BlobURL); err != nil {
		return fmt.Errorf("BLOB_URL: %w", err)
	}
	a.onClose(a.blobs.Close)
	a.cache = cache.NewStore(a.redis, cache.Config{Logger: a.logger, Registry: a.metrics.Registry()})
	return nil
}

func (a *App) openDatabase(ctx context.Context) (err error) {
	config := postgres.Config{
		URL: a.config.DatabaseURL, MaxConns: a.config.DatabaseMaxConns, ApplicationName: "mindspace", Pooler: a.config.DatabasePooler,
		Registry: a.metrics.Registry(), Tracing: a.tracing.Enabled(),
	}
	if a.pool, err = postgres.Open(ctx, config); err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	a.onClose(func() error { a.pool.Close(); return nil })
	a.direct = a.pool
	if !a.config.DatabasePooler {
		return nil
	}
	config.URL, config.Pooler, config.Name = a.config.direct(), false, "direct"
	if a.direct, err = postgres.Open(ctx, config); err != nil {
		return fmt.Errorf("DATABASE_DIRECT_URL: %w", err)
	}
	a.onClose(func() error { a.direct.Close(); return nil })
	return nil
}

// openServices makes the chain, the directory and the services of this process.
func (a *App) openServices(context.Context) (err error) {
	classifiers := []fault.Classifier{postgres.Classify}
	measure, err := telemetry.ServerInterceptor(telemetry.ServerConfig{
		Registry: a.metrics.Registry(), Tracer: a.tracer(),
		CodeOf: func(ctx context.Context, err error) connect.Code { return fault.Code(ctx, err, classifiers...) },
	})
	if err != nil {
		return err
	}
	a.answers = rpc.NewAnswers(a.pool, a.keys.AEAD(), time.Now, a.logger)
	if a.inserter, err = queue.NewInserter(a.pool, a.logger); err != nil {
		return err
	}
	if a.signIn, err = a.openSignIn(); err != nil {
		return err
	}
	a.encodings = rpc.NewEncodings()
	a.server, err = rpc.NewServer(rpc.Options{
		Logger:        a.logger,
		Classifiers:   classifiers,
		Telemetry:     measure,
		Authenticator: a.signIn.authenticator,
		Limiter:       limit.NewShared(a.redis, a.logger),
		LimitScale:    a.config.LimitScale,
		Answers:       a.answers,
		Encodings:     a.encodings,
		Draining:      a.draining,
	})
	if err != nil {
		return err
	}
	a.directory = rpc.NewDirectory(a.server)
	a.openPractice()
	if err := a.openPeople(); err != nil {
		return err
	}
	if a.has(RoleAuth) {
		a.registerSignIn()
	}
	if a.has(RoleUser) {
		a.registerPeople()
	}
	if a.has(RoleMeditation) {
		a.registerPractice()
	}
	return nil
}

// tracer is nil when tracing is off, which is what the instruments take for "none".
func (a *App) tracer() trace.TracerProvider {
	if !a.tracing.Enabled() {
		return nil
	}
	return a.tracing.Provider()
}
