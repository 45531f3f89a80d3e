package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/embedded"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/telemetry"
	"github.com/mindspace-app/mindspace/services/auth"
)

// stopPatience is how long embedded servers may take to write down what they hold.
const stopPatience = 30 * time.Second

// UpOptions are the settings of `mindspace up`.
type UpOptions struct {
	Addr        string `env:"ADDR" default:":8080" help:"Public address."`
	OpsAddr     string `env:"OPS_ADDR" default:"127.0.0.1:9090" help:"Address for /metrics and /debug/pprof; empty for none."`
	Data        string `env:"MINDSPACE_DATA" default:".mindspace" type:"path" help:"Folder for database, files and keys; kept between starts."`
	DatabaseURL string `env:"DATABASE_URL" help:"Use this PostgreSQL rather than starting one."`
	RedisURL    string `env:"REDIS_URL" help:"Use this Redis rather than starting one."`
	KeysFile    string `name:"keyring-file" env:"KEYRING_FILE" help:"Use this keyring rather than making one: processes on one database need the same."`
	SignIn      `embed:""`
	LimitScale  float64 `env:"LIMIT_SCALE" default:"1" help:"Multiplies every rate limit; 0 turns them off."`
	LogLevel    string  `env:"LOG_LEVEL" default:"info" help:"debug, info, warn or error."`
	LogFormat   string  `env:"LOG_FORMAT" default:"text" help:"json or text."`
}

// config is what serving needs, once everything is there.
func (o UpOptions) config(databaseURL, redisURL, addr string) Config {
	if o.MailURL == "" {
		o.MailURL = folderURL(o.letters())
	}
	return Config{
		Environment: Demo, SignIn: o.SignIn, DatabaseURL: databaseURL, DatabaseMaxConns: 16, RedisURL: redisURL,
		BlobURL:  (&url.URL{Scheme: "file", Path: filepath.Join(o.Data, "blobs"), RawQuery: "create_dir=1&no_tmp_dir=1"}).String(),
		KeysFile: o.keyring(), Addr: addr, OpsAddr: o.OpsAddr, LimitScale: o.LimitScale, AddressPerSecond: 100,
		DrainGrace: 10 * time.Second, LogLevel: o.LogLevel, LogFormat: o.LogFormat,
	}
}

func (o UpOptions) keyring() string {
	if o.KeysFile != "" {
		return o.KeysFile
	}
	return filepath.Join(o.Data, "keyring.json")
}

// letters is the folder where letters go when there is no mail server.
func (o UpOptions) letters() string { return filepath.Join(o.Data, "mail") }

// Up starts everything on this machine and serves until ctx ends: PostgreSQL and Redis of its own unless it is given some, the schema,
// the data, and every role. It is the demo: its secrets are made on the spot and its servers listen on loopback only.
func Up(ctx context.Context, o UpOptions, out io.Writer) error {
	logger, closer, err := telemetry.NewLogger(telemetry.LogConfig{Format: o.LogFormat, Output: os.Stderr})
	if err != nil {
		return err
	}
	defer func() { _ = closer.Close() }()
	// Take the ports first: a port in use should be told at once, not after the database is up.
	listeners, err := listen(ctx, o.Addr, o.OpsAddr, true)
	if err != nil {
		return err
	}
	defer listeners.close()
	if err := os.MkdirAll(o.Data, 0o755); err != nil { //nolint:gosec // the database's own user has to pass through; what is secret inside is 0600 or 0700
		return fmt.Errorf("data folder: %w", err)
	}
	servers, err := startServers(ctx, o, logger)
	if err != nil {
		return err
	}
	defer servers.stop(logger)
	config := o.config(servers.databaseURL, servers.redisURL, listeners.public.Addr().String())
	if err := prepare(ctx, o, &config, logger); err != nil {
		return err
	}
	a, err := New(ctx, config, []string{"all"})
	if err != nil {
		return err
	}
	defer a.Close()
	if _, err := a.seed(ctx, SeedDemo); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	announced := make(chan struct{})
	go func() {
		defer close(announced)
		if a.awaitReady(ctx) {
			banner(out, listeners, o, servers)
		}
	}()
	err = a.serve(ctx, listeners)
	stop()
	<-announced
	return err
}

// prepare makes what serving needs: keys and schema.
func prepare(ctx context.Context, o UpOptions, config *Config, logger *slog.Logger) error {
	if o.DatabaseURL != "" && o.KeysFile == "" {
		// Another `up` may run on this database: what one of them signs the others have to read.
		shared, err := sharedKeys(ctx, o.DatabaseURL, o.keyring())
		if err != nil {
			return err
		}
		config.Keys, config.KeysFile = shared, ""
	} else if _, err := os.Stat(o.keyring()); errors.Is(err, fs.ErrNotExist) {
		if err := createKeys(o.keyring(), true); err != nil {
			return err
		}
	}
	return postgres.Migrate(ctx, config.DatabaseURL, migrations.FS, logger)
}

// servers are the embedded ones; nil where a configured one is used.
type servers struct {
	postgres              *embedded.Postgres
	redis                 *embedded.Redis
	databaseURL, redisURL string
}

// startServers starts what is not configured. It destroys nothing: a data folder that is not as it should be is an error that says what to do.
func startServers(ctx context.Context, o UpOptions, logger *slog.Logger) (_ *servers, err error) {
	s := &servers{databaseURL: o.DatabaseURL, redisURL: o.RedisURL}
	defer func() {
		if err != nil {
			s.stop(logger)
		}
	}()
	if s.databaseURL == "" {
		s.postgres, err = embedded.StartPostgres(ctx, embedded.PostgresConfig{Dir: filepath.Join(o.Data, "postgres"), Durable: true, Logger: logger})
		if err != nil {
			return nil, err
		}
		s.databaseURL = s.postgres.URL()
	}
	if s.redisURL == "" {
		s.redis, err = embedded.StartRedis(ctx, embedded.RedisConfig{Dir: filepath.Join(o.Data, "redis"), Durable: true, Logger: logger})
		if err != nil {
			return nil, err
		}
		s.redisURL = s.redis.URL()
	}
	return s, nil
}

func (s *servers) stop(logger *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	if s.redis != nil {
		if err := s.redis.Stop(ctx); err != nil {
			logger.Warn("Redis did not stop cleanly", "error", err)
		}
	}
	if s.postgres != nil {
		if err := s.postgres.Stop(ctx); err != nil {
			logger.Warn("PostgreSQL did not stop cleanly", "error", err)
		}
	}
}

// banner tells where everything is, once it answers.
func banner(out io.Writer, l *listeners, o UpOptions, s *servers) {
	base := browserURL(l.public.Addr())
	fmt.Fprintf(out, "\nMind Space is ready\n\n  Catalogue  %s/\n  API        %s/mindspace.content.v1.ContentService/ListMeditations\n  Readiness  %s/readyz\n", base, base, base)
	if l.ops != nil {
		fmt.Fprintf(out, "  Metrics    %s/metrics\n", browserURL(l.ops.Addr()))
	}
	for _, login := range auth.DemoLogins() {
		fmt.Fprintf(out, "  Login      %-19s %s (%s)\n", login.Email, auth.DemoPassword, login.For)
	}
	if o.MailURL == "" {
		fmt.Fprintf(out, "  Letters    %s\n", o.letters())
	}
	fmt.Fprintf(out, "  Data       %s\n", o.Data)
	if s.postgres != nil {
		fmt.Fprintf(out, "  Database   PostgreSQL %s, started by this program, in %s\n", s.postgres.Binaries().Version, s.postgres.Dir())
	}
	if s.redis != nil {
		fmt.Fprintf(out, "  Redis      %s\n", s.redis.Kind())
	}
	fmt.Fprint(out, "\nCtrl-C stops all of it.\n\n")
}
