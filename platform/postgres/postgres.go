// Package postgres is the way to the database: the pool, transactions that are run again when the database asks for it,
// migrations, and the translation of database errors into faults.
// It knows no table of ours, writes no query of a domain and starts no server.
package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// connectTimeout bounds one attempt to connect, so that a database that is away is answered for quickly.
	connectTimeout = 5 * time.Second
	// defaultAcquireTimeout bounds the wait for a connection of the pool.
	defaultAcquireTimeout = 5 * time.Second
	// defaultStatementTimeout is far above any query of a request, and below the patience of a person.
	defaultStatementTimeout = 30 * time.Second
	// idleTransactionTimeout frees the locks of a transaction that its owner has forgotten.
	idleTransactionTimeout = 60 * time.Second
	// pingTimeout bounds the check of a connection that has been idle for a second or more.
	pingTimeout = 2 * time.Second
	// healthCheckPeriod is how often idle connections are looked at in the background.
	healthCheckPeriod = 15 * time.Second
	// maxIdleTime lets a pool shrink after a peak.
	maxIdleTime = 5 * time.Minute
	// maxLifetime and its jitter spread reconnections, so that a failover or a new replica is found without a restart.
	maxLifetime       = 30 * time.Minute
	maxLifetimeJitter = 5 * time.Minute
)

// Config says how to reach a database.
type Config struct {
	// URL of the database, a libpq URL or keyword string. Parameters that it sets itself (statement_timeout,
	// connect_timeout, application_name, pool_max_conns …) win over the defaults here.
	URL string
	// MaxConns bounds the pool; 0 means 4 for each processor that the program may use.
	MaxConns int32
	// ApplicationName is what the server shows in pg_stat_activity; "mindspace" when empty.
	ApplicationName string
	// Name tells pools of one process apart in metrics, for example "primary" and "replica"; "primary" when empty.
	Name string
	// Pooler says that the URL leads to PgBouncer in transaction mode: nothing is prepared, and the timeouts below are
	// not sent, as PgBouncer refuses start-up parameters that it does not track. Set them on the database role instead.
	Pooler bool
	// StatementTimeout makes the server end a longer statement; 0 means 30 s, below 0 none.
	StatementTimeout time.Duration
	// AcquireTimeout bounds the wait for a free connection, also when the request has more time; 0 means 5 s, below 0 none.
	AcquireTimeout time.Duration
	// Registry gets the pool's metrics; nil for none.
	Registry prometheus.Registerer
	// Tracing reports each statement as an OpenTelemetry span, without its parameters.
	Tracing bool
}

// Open makes a pool. It does not wait for the database and works when the database is away: connections are made when
// they are needed, and again after it was away. The error is about the configuration only.
func Open(ctx context.Context, cfg Config) (*pgxpool.Pool, error) {
	poolConfig, err := cfg.pool()
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, poolConfig)
	if err != nil {
		return nil, fmt.Errorf("open database pool: %w", err)
	}
	if cfg.Registry != nil {
		if err := cfg.Registry.Register(newCollector(pool, cmp.Or(cfg.Name, "primary"))); err != nil {
			pool.Close()
			return nil, fmt.Errorf("register metrics of database pool: %w", err)
		}
	}
	return pool, nil
}

func (cfg Config) pool() (*pgxpool.Config, error) {
	if cfg.URL == "" {
		return nil, errors.New("database URL is empty")
	}
	c, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		return nil, badURL(err)
	}
	silent, err := silentParameters(cfg.URL)
	if err != nil {
		return nil, err
	}

	conn := c.ConnConfig
	if conn.ConnectTimeout == 0 {
		conn.ConnectTimeout = connectTimeout
	}
	setDefault(conn.RuntimeParams, "application_name", cmp.Or(cfg.ApplicationName, "mindspace"))
	setDefault(conn.RuntimeParams, "timezone", "UTC")
	if cfg.Pooler {
		conn.DefaultQueryExecMode = pgx.QueryExecModeExec
		conn.StatementCacheCapacity = 0
		conn.DescriptionCacheCapacity = 0
	} else {
		// One plan a statement: ours find rows by their keys, whatever the arguments. Left to itself, PostgreSQL would plan statements on partitioned
		// tables anew each time, which takes three times as long as running them.
		setDefault(conn.RuntimeParams, "plan_cache_mode", "force_generic_plan")
		if timeout := cmp.Or(cfg.StatementTimeout, defaultStatementTimeout); timeout > 0 {
			setDefault(conn.RuntimeParams, "statement_timeout", milliseconds(timeout))
		}
		setDefault(conn.RuntimeParams, "idle_in_transaction_session_timeout", milliseconds(idleTransactionTimeout))
	}

	c.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		registerUUIDs(conn.TypeMap())
		return nil
	}

	if silent("pool_max_conns") {
		c.MaxConns = cmp.Or(cfg.MaxConns, int32(4*runtime.GOMAXPROCS(0))) //nolint:gosec // a number of processors
	}
	if silent("pool_max_conn_lifetime") {
		c.MaxConnLifetime, c.MaxConnLifetimeJitter = maxLifetime, maxLifetimeJitter
	}
	if silent("pool_max_conn_idle_time") {
		c.MaxConnIdleTime = maxIdleTime
	}
	if silent("pool_health_check_period") {
		c.HealthCheckPeriod = healthCheckPeriod
	}
	c.PingTimeout = pingTimeout

	var tracers []pgx.QueryTracer
	if timeout := cmp.Or(cfg.AcquireTimeout, defaultAcquireTimeout); timeout > 0 {
		tracers = append(tracers, acquireLimit(timeout))
	}
	if cfg.Tracing {
		tracers = append(tracers, otelpgx.NewTracer())
	}
	switch len(tracers) {
	case 0:
	case 1:
		conn.Tracer = tracers[0]
	default:
		conn.Tracer = multitracer.New(tracers...)
	}
	return c, nil
}

// acquireLimit bounds the wait for a connection of the pool. pgxpool has no such setting, but it waits with the context
// that its tracer returns.
type acquireLimit time.Duration

type acquireCancel struct{}

// TraceAcquireStart gives the wait a deadline of its own.
func (l acquireLimit) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(l))
	return context.WithValue(ctx, acquireCancel{}, cancel)
}

// TraceAcquireEnd frees the deadline's timer.
func (l acquireLimit) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireEndData) {
	if cancel, ok := ctx.Value(acquireCancel{}).(context.CancelFunc); ok {
		cancel()
	}
}

// TraceQueryStart does nothing; pgx takes tracers of queries only.
func (l acquireLimit) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

// TraceQueryEnd does nothing.
func (l acquireLimit) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// silentParameters returns a function that tells whether the connection string leaves a parameter of the pool unsaid.
func silentParameters(connString string) (func(name string) bool, error) {
	// pgx moves parameters that it does not know, as those of the pool are to it, to the runtime parameters.
	c, err := pgx.ParseConfig(connString)
	if err != nil {
		return nil, badURL(err)
	}
	return func(name string) bool { _, said := c.RuntimeParams[name]; return !said }, nil
}

// badURL says what is wrong with a connection string and shows nothing of it: the parser hides a password as well as it can,
// which in a malformed string is not always. So the error is not wrapped either.
func badURL(err error) error {
	text := err.Error()
	return errors.New("database URL: " + text[strings.LastIndex(text, "`: ")+len("`: "):])
}

func setDefault(params map[string]string, name, value string) {
	if _, said := params[name]; !said {
		params[name] = value
	}
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
