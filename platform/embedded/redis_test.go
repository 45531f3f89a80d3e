package embedded

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// needRedis skips where no redis-server is installed: it is optional, the in-process kind stands in for it.
func needRedis(t *testing.T) {
	t.Helper()
	if _, _, ok, err := FindRedis(); err != nil || ok {
		return
	}
	if os.Getenv(strictVariable) == "1" {
		t.Fatal("no redis-server is installed")
	}
	t.Skip("no redis-server is installed")
}

func startRedisAt(t *testing.T, cfg RedisConfig) *Redis {
	t.Helper()
	r, err := StartRedis(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopRedis(t, r) })
	return r
}

func stopRedis(t *testing.T, r *Redis) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func client(t *testing.T, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(options)
	t.Cleanup(func() { c.Close() })
	return c
}

// listens tells whether the server takes connections, without the client's noise when it does not.
func listens(c *redis.Client) bool {
	conn, err := net.Dial("tcp4", c.Options().Addr)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

func TestRedis(t *testing.T) {
	t.Parallel()
	for _, kind := range []RedisKind{RedisServer, RedisInProcess} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			if kind == RedisServer {
				needRedis(t)
			}
			r := startRedisAt(t, RedisConfig{InProcess: kind == RedisInProcess})
			if r.Kind() != kind || (r.Version() == "") != (kind == RedisInProcess) {
				t.Errorf("started %s %s, want %s", r.Kind(), r.Version(), kind)
			}
			c := client(t, r.URL())
			if err := c.Set(t.Context(), "fleeting", 1, 150*time.Millisecond).Err(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "a key expires", func() bool { return c.Exists(t.Context(), "fleeting").Val() == 0 })

			// Another logical database, up to the last.
			options := *c.Options()
			options.DB = RedisDatabases - 1
			other := redis.NewClient(&options)
			t.Cleanup(func() { other.Close() })
			if err := other.Set(t.Context(), "elsewhere", 1, 0).Err(); err != nil {
				t.Error(err)
			}
			if n := c.Exists(t.Context(), "elsewhere").Val(); n != 0 {
				t.Error("databases share keys")
			}

			options.Password = "guess"
			stranger := redis.NewClient(&options)
			t.Cleanup(func() { stranger.Close() })
			if err := stranger.Ping(t.Context()).Err(); err == nil {
				t.Error("a wrong password was accepted")
			}

			stopRedis(t, r)
			<-r.Done()
			if listens(c) {
				t.Error("it answers after it was stopped")
			}
			stopRedis(t, r)
		})
	}
}

func TestDurableRedisKeepsItsData(t *testing.T) {
	t.Parallel()
	needRedis(t)
	dir := filepath.Join(enterable(t), "redis")
	for round := range 2 {
		r := startRedisAt(t, RedisConfig{Dir: dir, Durable: true})
		got, err := client(t, r.URL()).Incr(t.Context(), "rounds").Result()
		if err != nil || got != int64(round+1) {
			t.Errorf("round %d counts %d (%v)", round, got, err)
		}
		if info, err := os.Stat(filepath.Join(dir, redisConfiguration)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file with the password has mode %v (%v)", info.Mode(), err)
		}
		if _, err := StartRedis(t.Context(), RedisConfig{Dir: dir}); err == nil || !strings.Contains(err.Error(), ErrRunning.Error()) {
			t.Errorf("a second start: %v", err)
		}
		stopRedis(t, r)
	}
}

func TestRedisEndsWithAKilledProgram(t *testing.T) {
	t.Parallel()
	needRedis(t)
	us, err := selfAccount()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(enterable(t), "redis")
	command, report := startChild(t, childConfig{Dir: dir, Redis: true}, us)
	if report.Error != "" {
		t.Fatal(report.Error)
	}
	c := client(t, report.URL)
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server ends", func() bool { return !listens(c) })
	startRedisAt(t, RedisConfig{Dir: dir})
}

func TestBadRedisDataIsRefusedAndKept(t *testing.T) {
	t.Parallel()
	needRedis(t)
	dir := filepath.Join(enterable(t), "redis")
	r := startRedisAt(t, RedisConfig{Dir: dir, Durable: true})
	if err := client(t, r.URL()).Set(t.Context(), "a", "b", 0).Err(); err != nil {
		t.Fatal(err)
	}
	stopRedis(t, r)
	manifests, err := filepath.Glob(filepath.Join(dir, redisState, "appendonlydir", "*.manifest"))
	if err != nil || len(manifests) != 1 {
		t.Fatalf("found %v (%v)", manifests, err)
	}
	if err := os.WriteFile(manifests[0], []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = StartRedis(t.Context(), RedisConfig{Dir: dir, Durable: true})
	if err == nil || !strings.Contains(err.Error(), "the end of its log") {
		t.Errorf("got %v", err)
	}
	if text, err := os.ReadFile(manifests[0]); err != nil || string(text) != "rubbish" {
		t.Errorf("the file now holds %q (%v)", text, err)
	}
}
