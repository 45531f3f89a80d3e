// Package app is the composition root: it reads the configuration, wires every room to the next, and runs the roles of this process.
// It decides nothing about the business.
package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/mindspace-app/mindspace/platform/gateway"
	"github.com/mindspace-app/mindspace/platform/telemetry"
)

// The environments. Demo is what `mindspace up` runs in: everything local, secrets made on the spot.
const (
	Production = "production"
	Demo       = "demo"
)

// Config is all that can be set from outside, and why one would.
type Config struct {
	// Environment decides what is allowed: production refuses demo secrets and hides reflection.
	Environment string `name:"environment" env:"MINDSPACE_ENV" default:"production" help:"production or demo."`

	// DatabaseURL is the PostgreSQL to use.
	DatabaseURL string `name:"database-url" env:"DATABASE_URL" help:"PostgreSQL, for example postgres://user:pw@host/db."`
	// DatabaseDirectURL is the same database past PgBouncer: migrations, workers and LISTEN need a session of their own.
	DatabaseDirectURL string `name:"database-direct-url" env:"DATABASE_DIRECT_URL" help:"The same database, not through a transaction pooler."`
	// DatabasePooler tells that DatabaseURL leads through PgBouncer in transaction mode.
	DatabasePooler bool `name:"database-pooler" env:"DATABASE_POOLER" help:"DATABASE_URL leads through PgBouncer in transaction mode."`
	// DatabaseMaxConns bounds the connections of this process, since PostgreSQL's own number is small and shared.
	DatabaseMaxConns int32 `name:"database-max-conns" env:"DATABASE_MAX_CONNS" default:"16" help:"Connections of this process at most."`

	// RedisURL is the Redis to use; losing it costs speed, never data.
	RedisURL string `name:"redis-url" env:"REDIS_URL" help:"Redis, for example redis://host:6379/0."`
	// BlobURL is where audio and exports are kept.
	BlobURL string `name:"blob-url" env:"BLOB_URL" help:"file:///path or s3://bucket?region=…&endpoint=… for anything that speaks S3."`

	// Keys is the keyring itself, for platforms that hand secrets over in the environment.
	Keys string `name:"keyring" env:"KEYRING" help:"The keyring as JSON."`
	// KeysFile is a file with the keyring, for platforms that mount secrets.
	KeysFile string `name:"keyring-file" env:"KEYRING_FILE" help:"File with the keyring, mode 0600."`

	// SignIn says how people prove who they are.
	SignIn `embed:""`
	// Privacy says what happens to what they tell.
	Privacy `embed:""`
	// Media says where sound is fetched.
	Media `embed:""`

	// Addr is the public port.
	Addr string `name:"addr" env:"ADDR" default:":8080" help:"Public address."`
	// OpsAddr is for metrics and profiles, never public.
	OpsAddr string `name:"ops-addr" env:"OPS_ADDR" default:"127.0.0.1:9090" help:"Address for /metrics and /debug/pprof; empty for none."`
	// AllowedOrigins are the web apps, on other hosts, that may call from a browser.
	AllowedOrigins []string `name:"allowed-origins" env:"ALLOWED_ORIGINS" help:"Origins of web apps that may call, for example https://app.example.org."`
	// TrustedProxies may tell the caller's address in X-Forwarded-For; anyone else could lie.
	TrustedProxies []string `name:"trusted-proxies" env:"TRUSTED_PROXIES" help:"Networks of the proxies in front, for example 10.0.0.0/8."`
	// LimitScale multiplies every rate limit, for load tests and unusual traffic; 0 turns limits off.
	LimitScale float64 `name:"limit-scale" env:"LIMIT_SCALE" default:"1" help:"Multiplies every rate limit; 0 turns them off."`
	// AddressPerSecond is how many requests one network address may send, before anything of them is read.
	AddressPerSecond float64 `name:"address-per-second" env:"ADDRESS_PER_SECOND" default:"100" help:"Requests a second from one address; bursts of four seconds' worth."`
	// DrainDelay is how long a stopping process still answers while saying that it is not ready: as long as the load balancer takes to notice.
	DrainDelay time.Duration `name:"drain-delay" env:"DRAIN_DELAY" default:"0s" help:"How long to answer on after readiness went false."`
	// DrainGrace is how long requests in flight and jobs may take to finish.
	DrainGrace time.Duration `name:"drain-grace" env:"DRAIN_GRACE" default:"20s" help:"How long work in flight may take to finish."`

	// LogLevel, LogFormat and LogFile say what is logged and where.
	LogLevel  string `name:"log-level" env:"LOG_LEVEL" default:"info" help:"debug, info, warn or error."`
	LogFormat string `name:"log-format" env:"LOG_FORMAT" default:"json" help:"json or text."`
	LogFile   string `name:"log-file" env:"LOG_FILE" help:"Also log to this file, a new one each day."`
	// OTLPEndpoint is the collector of traces; empty for none.
	OTLPEndpoint string `name:"otlp-endpoint" env:"OTEL_EXPORTER_OTLP_ENDPOINT" help:"OpenTelemetry collector over HTTP, for example http://host:4318."`
	// TraceRatio is the share of requests that are traced when their caller does not say.
	TraceRatio float64 `name:"trace-ratio" env:"TRACE_RATIO" default:"0.05" help:"Share of requests that are traced, 0 to 1."`
}

// check names everything that is wrong at once.
func (c Config) check() error {
	var problems []error
	problem := func(setting, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s: %s", setting, fmt.Sprintf(format, args...)))
	}
	if c.Environment != Production && c.Environment != Demo {
		problem("MINDSPACE_ENV", "must be %s or %s, not %q", Production, Demo, c.Environment)
	}
	needURL(problem, "DATABASE_URL", c.DatabaseURL, "postgres", "postgresql")
	if c.DatabaseDirectURL != "" {
		needURL(problem, "DATABASE_DIRECT_URL", c.DatabaseDirectURL, "postgres", "postgresql")
	}
	if c.DatabasePooler && c.DatabaseDirectURL == "" {
		problem("DATABASE_DIRECT_URL", "is needed beside DATABASE_POOLER: migrations and workers cannot go through a transaction pooler")
	}
	if c.DatabaseMaxConns < 2 {
		problem("DATABASE_MAX_CONNS", "must be 2 at least")
	}
	needURL(problem, "REDIS_URL", c.RedisURL, "redis", "rediss", "unix")
	needURL(problem, "BLOB_URL", c.BlobURL, "file", "s3", "mem")
	if c.Keys == "" && c.KeysFile == "" {
		problem("KEYRING_FILE", "is needed (or KEYRING): make one with `mindspace keys create FILE`")
	}
	c.SignIn.check(c.Environment == Production, problem)
	c.Privacy.check(problem)
	c.Media.check(c.Environment == Production, c.BlobURL, problem)
	if c.LimitScale < 0 {
		problem("LIMIT_SCALE", "must not be negative")
	}
	if c.AddressPerSecond < 0 {
		problem("ADDRESS_PER_SECOND", "must not be negative")
	}
	if c.TraceRatio < 0 || c.TraceRatio > 1 {
		problem("TRACE_RATIO", "must be between 0 and 1")
	}
	if _, err := c.logLevel(); err != nil {
		problems = append(problems, err)
	}
	if c.LogFormat != "" && c.LogFormat != telemetry.FormatJSON && c.LogFormat != telemetry.FormatText {
		problem("LOG_FORMAT", "%q is neither %s nor %s", c.LogFormat, telemetry.FormatJSON, telemetry.FormatText)
	}
	if c.OTLPEndpoint != "" {
		needURL(problem, "OTEL_EXPORTER_OTLP_ENDPOINT", c.OTLPEndpoint, "http", "https")
	}
	for _, origin := range c.AllowedOrigins {
		if err := gateway.CheckOrigin(origin); err != nil {
			problem("ALLOWED_ORIGINS", "%v", err)
		}
	}
	if _, err := c.proxies(); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// needURL checks the scheme only, and never repeats the value: it may hold a password.
func needURL(problem func(string, string, ...any), setting, value string, schemes ...string) {
	if value == "" {
		problem(setting, "is not set")
		return
	}
	u, err := url.Parse(value)
	if err != nil {
		problem(setting, "is not a URL")
		return
	}
	for _, scheme := range schemes {
		if u.Scheme == scheme {
			return
		}
	}
	problem(setting, "must begin with one of %s://", strings.Join(schemes, ":// "))
}

func (c Config) logLevel() (level slog.Level, err error) {
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return 0, fmt.Errorf("LOG_LEVEL: %q is none of debug, info, warn, error", c.LogLevel)
	}
	return level, nil
}

// proxies gives the trusted networks; a single address counts as a network of one.
func (c Config) proxies() ([]netip.Prefix, error) {
	prefixes := make([]netip.Prefix, 0, len(c.TrustedProxies))
	for _, text := range c.TrustedProxies {
		if address, err := netip.ParseAddr(text); err == nil {
			prefixes = append(prefixes, netip.PrefixFrom(address, address.BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("TRUSTED_PROXIES: %q is neither an address nor a network", text)
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes, nil
}

// direct is the database without a pooler in between.
func (c Config) direct() string {
	if c.DatabaseDirectURL != "" {
		return c.DatabaseDirectURL
	}
	return c.DatabaseURL
}
