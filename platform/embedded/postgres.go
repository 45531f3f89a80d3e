package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// databaseUser is the superuser of the server, and databaseName the database that is made for the program.
	databaseUser = "mindspace"
	databaseName = "mindspace"

	postgresLog = "postgres.log"
	// readyPoll is how often a starting server is asked whether it is ready.
	readyPoll = 25 * time.Millisecond
	// portAttempts is how often another port is tried when someone took the one that was free.
	portAttempts = 3
)

// PostgresConfig says how to run PostgreSQL.
type PostgresConfig struct {
	// Dir is the folder for its data, log and password; made when missing. Empty asks for a throwaway folder that goes with the server.
	Dir string
	// Durable keeps every commit across a crash of the machine. Without it the server is faster, and fit for tests only.
	Durable bool
	// MaxConnections is the server's limit; 0 means 200.
	MaxConnections int
	// FetchedOnly passes the programs of the system by, as if none were installed; PG_BIN still counts.
	FetchedOnly bool
	// Logger gets what a person should know while waiting; nil is silent. The server's own log is a file in Dir.
	Logger *slog.Logger
}

// Postgres is a running server.
type Postgres struct {
	process  *process
	home     *home
	binaries Binaries
	password string
	port     int
}

// StartPostgres starts a server, with a new database when Dir holds none, and returns when it takes connections. It runs as
// the program's own user; as root it runs as the owner of the data, for new data as postgres or nobody, and when that user cannot
// enter Dir, the files are placed below /var/lib/mindspace and Dir notes where.
//
// A folder that is in use gives [ErrRunning]. Anything about Dir that is not as it should be gives an error that says what
// to do, and changes nothing. ctx bounds the start only; the server runs until [Postgres.Stop] or the end of the program.
func StartPostgres(ctx context.Context, cfg PostgresConfig) (*Postgres, error) {
	cfg.Logger = orDiscard(cfg.Logger)
	h, err := openHome(cfg.Dir, "postgres", clusterFolder, []string{passwordFile, postgresLog})
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	p, err := startPostgres(ctx, cfg, h)
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", errors.Join(err, h.discard()))
	}
	return p, nil
}

func startPostgres(ctx context.Context, cfg PostgresConfig, h *home) (*Postgres, error) {
	c := cluster{home: h, durable: cfg.Durable, logger: cfg.Logger}
	major, err := c.inspect()
	if err != nil {
		return nil, err
	}
	f, err := newFetcher(cfg.Logger)
	if err != nil {
		return nil, err
	}
	binaries, err := findPostgres(major, f, cfg.FetchedOnly)
	if err == nil && binaries.Source == SourceFetch {
		binaries, err = f.fetch(ctx, binaries)
	}
	if err == nil {
		err = binaries.usable(h.account)
	}
	if err != nil {
		return nil, err
	}
	password, err := c.prepare(ctx, binaries, major == 0)
	if err != nil {
		return nil, err
	}
	h.tell(ctx, cfg.Logger)
	p := &Postgres{home: h, binaries: binaries, password: password}
	for attempt := 1; ; attempt++ {
		err := p.launch(ctx, cfg)
		if err == nil {
			return p, nil
		}
		if !errors.Is(err, errPortTaken) || attempt == portAttempts {
			return nil, err
		}
	}
}

var errPortTaken = errors.New("the port was taken")

// launch starts the server once, on a port that is free at this moment.
func (p *Postgres) launch(ctx context.Context, cfg PostgresConfig) error {
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	p.port = port
	rotate(p.home.dir, postgresLog)
	p.process, err = program{
		account: p.home.account, home: p.home.dir, log: postgresLog, throwaway: p.home.throwaway,
		stopSignal: "INT",           // fast shutdown: open transactions are rolled back, a checkpoint is written
		killSignal: syscall.SIGQUIT, // immediate shutdown: the next start recovers
		args:       append([]string{filepath.Join(p.binaries.Dir, "postgres")}, p.settings(cfg)...),
	}.start()
	if err != nil {
		return err
	}
	if err := p.await(ctx); err != nil {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return errors.Join(err, p.process.abandon(cleanup))
	}
	return nil
}

func (p *Postgres) settings(cfg PostgresConfig) []string {
	maximum := cfg.MaxConnections
	if maximum == 0 {
		maximum = 200
	}
	settings := []string{
		"-D", filepath.Join(p.home.dir, clusterFolder),
		"-p", strconv.Itoa(p.port),
		"-c", "listen_addresses=" + loopback,
		"-c", "unix_socket_directories=",
		"-c", "max_connections=" + strconv.Itoa(maximum),
		"-c", "password_encryption=scram-sha-256",
		"-c", "timezone=UTC",
		"-c", "log_timezone=UTC",
		"-c", "log_destination=stderr",
		"-c", "logging_collector=off",
		// Details of an error hold values, and values can be personal.
		"-c", "log_error_verbosity=terse",
	}
	if cfg.Durable {
		return append(settings, "-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "full_page_writes=on")
	}
	return append(settings, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
		"-c", "wal_level=minimal", "-c", "max_wal_senders=0", "-c", "log_checkpoints=off")
}

// await waits until the server takes connections, and makes the program's database.
func (p *Postgres) await(ctx context.Context) error {
	for {
		err := p.ready(ctx)
		if err == nil {
			return nil
		}
		timer := time.NewTimer(readyPoll)
		select {
		case <-p.process.done:
			timer.Stop()
			text := p.process.explain()
			if strings.Contains(text, "could not bind") || strings.Contains(text, "could not create any TCP/IP sockets") {
				return errPortTaken
			}
			return fmt.Errorf("the server ended at once; the end of its log, %s:\n%s", filepath.Join(p.home.dir, postgresLog), text)
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("the server did not become ready: %w (%w)", ctx.Err(), err)
		case <-timer.C:
		}
	}
}

func (p *Postgres) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.url("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", databaseName).Scan(&exists); err != nil {
		return err
	}
	if !exists {
		_, err = conn.Exec(ctx, "CREATE DATABASE "+databaseName)
	}
	return err
}

// URL leads to the program's own database, as the server's superuser. It holds the password.
func (p *Postgres) URL() string { return p.url(databaseName) }

func (p *Postgres) url(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(databaseUser, p.password),
		Host: net.JoinHostPort(loopback, strconv.Itoa(p.port)), Path: database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Dir is where the server's files really are.
func (p *Postgres) Dir() string { return p.home.dir }

// Binaries are the programs that run.
func (p *Postgres) Binaries() Binaries { return p.binaries }

// Done is closed when the server has ended, by [Postgres.Stop] or by itself.
func (p *Postgres) Done() <-chan struct{} { return p.process.done }

// Stop ends the server cleanly: sessions are closed, transactions in progress rolled back. When ctx ends first, the server is
// ended at once, an error says so, and the next start recovers. Every commit stays in any case. A second call does nothing.
func (p *Postgres) Stop(ctx context.Context) error {
	defer p.home.close()
	if err := p.process.stop(ctx); err != nil {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	return nil
}
