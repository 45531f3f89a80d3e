// Package redistest gives each test a Redis database of its own. It is for tests only.
//
// TEST_REDIS_URL names the server to use; tools/testenv sets it where redis-server is installed. Without it one server is started
// for each test binary: a real one when installed, else one in process. It ends with the binary, however that ends.
//
// A database of its own means keys of its own. Publish and subscribe know no databases in Redis: all tests on one server share
// the channels. A test that publishes puts something of its own into the channel's name, as [Key] gives it, or takes a
// server of its own from package embedded.
package redistest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/mindspace-app/mindspace/platform/embedded"
)

const (
	// serverVariable names the server to use.
	serverVariable = "TEST_REDIS_URL"
	// patience bounds each step; it is only ever used up on a machine in trouble.
	patience = time.Minute
	// claimLife is when a database is free again whose test was killed.
	claimLife = 30 * time.Minute
	// claimPrefix begins the keys in database 0 that say which databases are taken. Database 0 is never given out.
	claimPrefix = "redistest:database:"
	// lastClaim is the number that was tried last, so that processes do not all try the same.
	lastClaim = "redistest:last"
)

// New gives the URL of an empty database of the server. It is emptied and given back at the end of the test.
func New(tb testing.TB) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := server()
	if err != nil {
		tb.Fatalf("redistest: %v", err)
	}
	number, err := s.claim(ctx)
	if err != nil {
		tb.Fatalf("redistest: %v", err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := errors.Join(s.flush(ctx, number), s.release(ctx, number)); err != nil {
			tb.Errorf("redistest: %v", err)
		}
	})
	if err := s.flush(ctx, number); err != nil {
		tb.Fatalf("redistest: %v", err)
	}
	return s.address(number)
}

// Client is a client of the database that [New] gives, closed at the end of the test.
func Client(tb testing.TB) *redis.Client {
	tb.Helper()
	options, err := redis.ParseURL(New(tb))
	if err != nil {
		tb.Fatalf("redistest: %v", err)
	}
	client := redis.NewClient(options)
	tb.Cleanup(func() {
		if err := client.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
			tb.Errorf("redistest: %v", err)
		}
	})
	return client
}

// Key gives a word that no other test has, for the names of channels.
func Key() string { return strings.ToLower(rand.Text()) }

// host is the server that databases are taken from.
type host struct {
	url       *url.URL
	options   *redis.Options
	admin     *redis.Client
	databases int
}

// server is one for the whole test binary.
var server = sync.OnceValues(connect)

func connect() (*host, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	target := os.Getenv(serverVariable)
	if target == "" {
		started, err := embedded.StartRedis(ctx, embedded.RedisConfig{})
		if err != nil {
			return nil, err
		}
		target = started.URL()
	}
	h, err := newHost(target)
	if err != nil {
		return nil, err
	}
	if err := h.admin.Ping(ctx).Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", serverVariable, err)
	}
	// The in-process kind has no CONFIG, and as many databases as one likes.
	if values, err := h.admin.ConfigGet(ctx, "databases").Result(); err == nil {
		if h.databases, err = strconv.Atoi(values["databases"]); err != nil {
			return nil, fmt.Errorf("databases of %s: %w", serverVariable, err)
		}
	}
	return h, nil
}

func newHost(target string) (*host, error) {
	options, err := redis.ParseURL(target)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", serverVariable, err)
	}
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", serverVariable, err)
	}
	options.DB = 0
	return &host{url: u, options: options, admin: redis.NewClient(options), databases: embedded.RedisDatabases}, nil
}

// claim takes a database that no other test has, in this process or another.
func (h *host) claim(ctx context.Context) (int, error) {
	for {
		for range h.databases {
			last, err := h.admin.Incr(ctx, lastClaim).Result()
			if err != nil {
				return 0, err
			}
			number := 1 + int(last%int64(h.databases-1))
			err = h.admin.SetArgs(ctx, claimPrefix+strconv.Itoa(number), os.Getpid(), redis.SetArgs{Mode: "NX", TTL: claimLife}).Err()
			if err == nil {
				return number, nil
			}
			if !errors.Is(err, redis.Nil) {
				return 0, err
			}
		}
		timer := time.NewTimer(100 * time.Millisecond)
		select {
		case <-ctx.Done():
			timer.Stop()
			return 0, fmt.Errorf("all %d databases are taken; start redis-server with --databases %d: %w", h.databases, embedded.RedisDatabases, ctx.Err())
		case <-timer.C:
		}
	}
}

func (h *host) release(ctx context.Context, number int) error {
	return h.admin.Del(ctx, claimPrefix+strconv.Itoa(number)).Err()
}

func (h *host) flush(ctx context.Context, number int) error {
	options := *h.options
	options.DB = number
	client := redis.NewClient(&options)
	defer client.Close()
	return client.FlushDB(ctx).Err()
}

// address is the server's URL with another database.
func (h *host) address(number int) string {
	u := *h.url
	query := u.Query()
	query.Del("db")
	if u.Scheme == "unix" {
		query.Set("db", strconv.Itoa(number))
	} else {
		u.Path = "/" + strconv.Itoa(number)
	}
	u.RawQuery = query.Encode()
	return u.String()
}
