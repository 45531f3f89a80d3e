package feed_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/mindspace-app/mindspace/platform/cache/redistest"
	"github.com/mindspace-app/mindspace/platform/feed"
	"github.com/mindspace-app/mindspace/platform/feed/feedtest"
)

// patience bounds waiting for what must happen; it is used up only when it does not.
const patience = 30 * time.Second

// listener writes down what its ear is told.
type listener struct {
	channel string
	stands  chan bool
	hears   chan string
	current chan time.Time
	breaks  chan bool
	ended   chan struct{}
	refuse  error
}

// redises are the kinds of Redis that tests run on, and how to get one.
func redises() map[string]func(testing.TB) string {
	return map[string]func(testing.TB) string{
		"redis":     redistest.New,
		"miniredis": func(tb testing.TB) string { tb.Helper(); return "redis://" + miniredis.RunT(tb).Addr() },
	}
}

func client(tb testing.TB, url string) *redis.Client {
	tb.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		tb.Fatal(err)
	}
	c := redis.NewClient(options)
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// listen listens until the end of the test. Nothing that it is told is dropped but Current, of which the last counts.
func listen(tb testing.TB, url string, refuse error) *listener {
	tb.Helper()
	l := &listener{
		channel: redistest.Key(), stands: make(chan bool, 100), hears: make(chan string, 100), current: make(chan time.Time, 1),
		breaks: make(chan bool, 100), ended: make(chan struct{}), refuse: refuse,
	}
	ctx, cancel := context.WithCancel(context.Background())
	rdb := client(tb, url)
	go func() {
		defer close(l.ended)
		feed.Listen(ctx, rdb, l.channel, feed.Ear{
			Stands: func(_ context.Context, again bool) error { l.stands <- again; return l.refuse },
			Hears:  func(payload string) { l.hears <- payload },
			Current: func(at time.Time) {
				select {
				case <-l.current:
				default:
				}
				l.current <- at
			},
			Breaks: func(_ context.Context, _ error, first bool) { l.breaks <- first },
		})
	}()
	tb.Cleanup(func() {
		cancel()
		await(tb, "the end", l.ended)
	})
	return l
}

// await gives what comes next.
func await[T any](tb testing.TB, what string, from <-chan T) T {
	tb.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(patience):
		tb.Fatalf("did not happen: %s", what)
		panic("not reached")
	}
}

func TestHearsEverythingInOrder(t *testing.T) {
	t.Parallel()
	for kind, start := range redises() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			l := listen(t, url, nil)
			if await(t, "it stands", l.stands) {
				t.Error("it stood before")
			}
			rdb := client(t, url)
			for i := range 50 {
				if err := rdb.Publish(t.Context(), l.channel, fmt.Sprint(i)).Err(); err != nil {
					t.Fatal(err)
				}
			}
			sent := time.Now()
			for at := await(t, "an answer", l.current); at.Before(sent); at = await(t, "a later answer", l.current) {
				continue
			}
			// What was sent before is heard by now.
			if got := len(l.hears); got != 50 {
				t.Fatalf("heard %d messages, want 50", got)
			}
			for i := range 50 {
				if got := <-l.hears; got != fmt.Sprint(i) {
					t.Errorf("message %d is %q", i, got)
				}
			}
			if len(l.breaks) != 0 || len(l.stands) != 0 {
				t.Error("it broke")
			}
		})
	}
}

func TestSubscribesAgain(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]feedtest.Mode{"shut": feedtest.Shut, "silent": feedtest.Silent} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for kind, start := range redises() {
				t.Run(kind, func(t *testing.T) {
					t.Parallel()
					url := start(t)
					g, gated := feedtest.New(t, url)
					l := listen(t, gated, nil)
					await(t, "it stands", l.stands)
					for range 2 {
						g.Set(mode)
						if !await(t, "it breaks", l.breaks) {
							t.Error("the first failure is not told as such")
						}
						if mode == feedtest.Shut && await(t, "another attempt", l.breaks) {
							t.Error("a further failure is told as the first")
						}
						g.Set(feedtest.Open)
						if !await(t, "it stands again", l.stands) {
							t.Error("it is not told that it stood before")
						}
						for len(l.breaks) > 0 {
							if <-l.breaks {
								t.Error("a further failure is told as the first")
							}
						}
					}
					if err := client(t, url).Publish(t.Context(), l.channel, "x").Err(); err != nil {
						t.Fatal(err)
					}
					if got := await(t, "a message", l.hears); got != "x" {
						t.Errorf("heard %q", got)
					}
				})
			}
		})
	}
}

// Who cannot catch up with what was missed gets another subscription.
func TestStandsFails(t *testing.T) {
	t.Parallel()
	l := listen(t, redistest.New(t), errors.New("cannot load"))
	for i := range 3 {
		if await(t, "an attempt", l.stands) {
			t.Error("it is told that it stood")
		}
		if first := await(t, "it breaks", l.breaks); first != (i == 0) {
			t.Errorf("attempt %d: first is %v", i, first)
		}
	}
}
