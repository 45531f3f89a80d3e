package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	redisLog           = "redis.log"
	redisConfiguration = "redis.conf"
	// redisState is the folder of Redis's own files in the server's home.
	redisState = "redis"
	// RedisDatabases is the number of logical databases; tests take one each, and an unused one costs some hundred bytes.
	RedisDatabases = 4096
)

// RedisKind says what answers.
type RedisKind string

// The two kinds.
const (
	// RedisServer is a real redis-server in a process of its own.
	RedisServer RedisKind = "redis-server"
	// RedisInProcess is miniredis in this process: for a machine without redis-server. It forgets all when the program ends, and lacks a few commands.
	RedisInProcess RedisKind = "in-process"
)

// RedisConfig says how to run Redis.
type RedisConfig struct {
	// Dir is the folder for its data and log; made when missing. Empty asks for a throwaway folder that goes with the server.
	// The in-process kind uses none.
	Dir string
	// Durable makes the server write each change to disk within a second. Without it, it keeps all in memory.
	Durable bool
	// InProcess passes redis-server by, as if it were not installed.
	InProcess bool
	// Logger gets what a person should know while waiting; nil is silent.
	Logger *slog.Logger
}

// Redis is a running server of either kind.
type Redis struct {
	kind     RedisKind
	version  string
	password string
	port     int
	done     <-chan struct{}
	stop     func(context.Context) error
}

// FindRedis gives the path and version of the redis-server that [StartRedis] would use: REDIS_BIN, or the one on PATH. ok is
// false when there is none or it is older than 6.2, and Redis would run in process. The error is about REDIS_BIN only.
func FindRedis() (path, version string, ok bool, err error) {
	path = os.Getenv("REDIS_BIN")
	chosen := path != ""
	if info, statErr := os.Stat(path); chosen && statErr == nil && info.IsDir() { //nolint:gosec // a program that the operator chose
		path = filepath.Join(path, "redis-server")
	}
	if chosen {
		// The server is started from another folder than this program's.
		if path, err = filepath.Abs(path); err != nil {
			return "", "", false, fmt.Errorf("REDIS_BIN: %w", err)
		}
	} else {
		if path, err = exec.LookPath("redis-server"); err != nil {
			return "", "", false, nil //nolint:nilerr // not installed
		}
	}
	version, err = redisVersion(path)
	if err != nil {
		if chosen {
			return "", "", false, fmt.Errorf("REDIS_BIN: %w", err)
		}
		return "", "", false, nil
	}
	return path, version, true, nil
}

// redisVersion asks the program and refuses one that lacks commands we use (GETEX, since 6.2).
func redisVersion(path string) (string, error) {
	text, err := exec.Command(path, "--version").Output() //nolint:gosec,noctx // a program that the operator chose, and that answers at once
	if err != nil {
		return "", fmt.Errorf("%s does not run: %w", path, err)
	}
	match := regexp.MustCompile(`v=((\d+)\.(\d+)\S*)`).FindStringSubmatch(string(text))
	if match == nil {
		return "", fmt.Errorf("%s tells no version: %q", path, strings.TrimSpace(string(text)))
	}
	major, err1 := strconv.Atoi(match[2])
	minor, err2 := strconv.Atoi(match[3])
	if err := errors.Join(err1, err2); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if major < 6 || (major == 6 && minor < 2) {
		return "", fmt.Errorf("%s is Redis %s, and 6.2 or newer is needed", path, match[1])
	}
	return match[1], nil
}

// StartRedis starts a real redis-server when one is installed, else one in process, and returns when it answers. As root
// the server runs as postgres or nobody, like [StartPostgres]. A folder in use gives [ErrRunning].
// ctx bounds the start only; the server runs until [Redis.Stop] or the end of the program.
func StartRedis(ctx context.Context, cfg RedisConfig) (*Redis, error) {
	cfg.Logger = orDiscard(cfg.Logger)
	if !cfg.InProcess {
		path, version, ok, err := FindRedis()
		if err != nil {
			return nil, fmt.Errorf("start Redis: %w", err)
		}
		if ok {
			r, err := startRedisServer(ctx, cfg, path)
			if err != nil {
				return nil, fmt.Errorf("start Redis: %w", err)
			}
			r.version = version
			return r, nil
		}
	}
	r, err := startInProcess()
	if err != nil {
		return nil, fmt.Errorf("start Redis: %w", err)
	}
	return r, nil
}

func startRedisServer(ctx context.Context, cfg RedisConfig, path string) (*Redis, error) {
	h, err := openHome(cfg.Dir, "redis", redisState, []string{redisLog, redisConfiguration})
	if err != nil {
		return nil, err
	}
	h.tell(ctx, cfg.Logger)
	for attempt := 1; ; attempt++ {
		r, err := launchRedis(ctx, cfg, h, path)
		if err == nil {
			return r, nil
		}
		if !errors.Is(err, errPortTaken) || attempt == portAttempts {
			return nil, errors.Join(err, h.discard())
		}
	}
}

func launchRedis(ctx context.Context, cfg RedisConfig, h *home, path string) (*Redis, error) {
	state := filepath.Join(h.dir, redisState)
	if err := makeFolder(state); err != nil {
		return nil, err
	}
	if err := h.account.own(state); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	r := &Redis{kind: RedisServer, password: newPassword(), port: port}
	// The password goes through a private file: arguments are for all to see.
	if err := writeFile(h.dir, redisConfiguration, r.configuration(cfg, state)); err != nil {
		return nil, fmt.Errorf("write %s: %w", redisConfiguration, err)
	}
	if err := h.account.own(filepath.Join(h.dir, redisConfiguration)); err != nil {
		return nil, fmt.Errorf("write %s: %w", redisConfiguration, err)
	}
	rotate(h.dir, redisLog)
	server, err := program{
		account: h.account, home: h.dir, log: redisLog, throwaway: h.throwaway,
		stopSignal: "TERM", killSignal: syscall.SIGKILL,
		args: []string{path, filepath.Join(h.dir, redisConfiguration)},
	}.start()
	if err != nil {
		return nil, err
	}
	r.done = server.done
	r.stop = func(ctx context.Context) error { defer h.close(); return server.stop(ctx) }
	if err := r.await(ctx, server); err != nil {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return nil, errors.Join(err, server.abandon(cleanup))
	}
	return r, nil
}

// configuration is the server's own; nothing of the machine's redis.conf counts.
func (r *Redis) configuration(cfg RedisConfig, state string) string {
	lines := []string{
		"bind " + loopback,
		"protected-mode yes",
		"port " + strconv.Itoa(r.port),
		"requirepass " + r.password,
		"databases " + strconv.Itoa(RedisDatabases),
		"dir " + strconv.Quote(state),
		"daemonize no",
		"save \"\"",
	}
	if cfg.Durable {
		lines = append(lines, "appendonly yes", "appendfsync everysec")
	} else {
		lines = append(lines, "appendonly no")
	}
	return strings.Join(lines, "\n") + "\n"
}

func (r *Redis) await(ctx context.Context, server *process) error {
	options, err := redis.ParseURL(r.URL())
	if err != nil {
		return err
	}
	options.MaxRetries = -1
	client := redis.NewClient(options)
	defer client.Close()
	for {
		// The client writes to standard error when nobody listens yet, so that is found out without it.
		// A server that is still loading its data answers with an error.
		probe, err := (&net.Dialer{}).DialContext(ctx, "tcp4", options.Addr)
		if err == nil {
			probe.Close()
			err = client.Ping(ctx).Err()
		}
		if err == nil {
			return nil
		}
		timer := time.NewTimer(readyPoll)
		select {
		case <-server.done:
			timer.Stop()
			text := server.explain()
			if strings.Contains(text, "Address already in use") {
				return errPortTaken
			}
			return fmt.Errorf("the server ended at once; the end of its log, %s:\n%s", filepath.Join(server.program.home, redisLog), text)
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("the server did not become ready: %w (%w)", ctx.Err(), err)
		case <-timer.C:
		}
	}
}

// URL leads to the server's database 0. It holds the password.
func (r *Redis) URL() string {
	u := url.URL{
		Scheme: "redis", User: url.UserPassword("default", r.password),
		Host: net.JoinHostPort(loopback, strconv.Itoa(r.port)), Path: "/0",
	}
	return u.String()
}

// Kind says what answers.
func (r *Redis) Kind() RedisKind { return r.kind }

// Version is the server's; empty for the in-process kind.
func (r *Redis) Version() string { return r.version }

// Done is closed when the server has ended, by [Redis.Stop] or by itself.
func (r *Redis) Done() <-chan struct{} { return r.done }

// Stop ends the server; a durable one writes what it has. When ctx ends first it is ended at once, and an error says so.
// A second call does nothing.
func (r *Redis) Stop(ctx context.Context) error {
	if err := r.stop(ctx); err != nil {
		return fmt.Errorf("stop Redis: %w", err)
	}
	return nil
}
