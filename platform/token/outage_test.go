package token_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/mindspace-app/mindspace/platform/feed/feedtest"
	"github.com/mindspace-app/mindspace/platform/token"
)

// counter counts questions to Redis.
type counter struct {
	redis.Hook
	asked atomic.Int64
}

// DialHook changes nothing.
func (*counter) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook changes nothing.
func (*counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook counts.
func (c *counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if strings.EqualFold(cmd.Name(), "zmscore") {
			c.asked.Add(1)
		}
		return next(ctx, cmd)
	}
}

// While Redis is away or hangs, tokens work, nobody waits, and what is revoked meanwhile is not lost.
func TestTokensGoOnWithoutRedis(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]feedtest.Mode{"away": feedtest.Shut, "hanging": feedtest.Silent} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for kind, start := range redises() {
				t.Run(kind, func(t *testing.T) {
					t.Parallel()
					url := start(t)
					c := newCluster()
					g, gated := feedtest.New(t, url)
					n, other := c.start(t, gated), c.start(t, url)
					var asks counter
					n.rdb.AddHook(&asks)
					p := newProcess(t, nil)
					v := p.on(n)
					before, during, spared := newPerson(t, p), newPerson(t, p), newPerson(t, p)
					n.EndSessions(t.Context(), before.claims.SessionID)
					wantAccepted(t, v, spared.text)
					if n.metric(t, "unchecked_total") != 0 || asks.asked.Load() != 0 {
						t.Error("while it hears, it asks Redis")
					}

					g.Set(mode)
					n.awaitDeafness(t)
					for range 300 {
						wantAccepted(t, v, spared.text)
					}
					if got := n.metric(t, "unchecked_total"); got != 300 {
						t.Errorf("%v unchecked, want 300", got)
					}
					if got := asks.asked.Load(); got > 10 {
						t.Errorf("Redis was asked %d times while it was away", got)
					}
					wantRefused(t, v, before.text, "TOKEN_REVOKED") // what is known stays known
					n.EndSessions(t.Context(), during.claims.SessionID)
					n.Outdate(t.Context(), before.claims.UserID, time.Now())
					wantRefused(t, v, during.text, "TOKEN_REVOKED")
					wantAccepted(t, p.on(other), during.text)

					g.Set(feedtest.Open)
					eventually(t, "the other process hears of it", func() bool { return reasonOf(t, p.on(other), during.text) == "TOKEN_REVOKED" })
					eventually(t, "all of it", func() bool { return other.metric(t, "revocations") == 3 })
					n.awaitHearing(t)
					eventually(t, "the log says so", func() bool { return n.log.count(logBack) == 1 })
					if got := n.log.count(logAway); got != 1 {
						t.Errorf("%d warnings, want one for the outage", got)
					}
					was := n.metric(t, "unchecked_total")
					wantAccepted(t, v, spared.text)
					if got := n.metric(t, "unchecked_total"); got != was {
						t.Error("checks still find nothing out")
					}
				})
			}
		})
	}
}

// When the subscription alone is broken or hangs, Redis is asked, so that nothing is missed.
func TestBrokenSubscription(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]feedtest.Mode{"broken": feedtest.Shut, "hanging": feedtest.Silent} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for kind, start := range redises() {
				t.Run(kind, func(t *testing.T) {
					t.Parallel()
					url := start(t)
					c := newCluster()
					g, gated := feedtest.New(t, url)
					n, other := c.deaf(splitClient{client(t, url), client(t, gated)}), c.start(t, url)
					n.run(t)
					n.awaitHearing(t)
					p := newProcess(t, nil)
					v := p.on(n)
					ended, spared := newPerson(t, p), newPerson(t, p)
					wantAccepted(t, v, ended.text)
					g.Set(mode)
					n.awaitDeafness(t)
					other.EndSessions(t.Context(), ended.claims.SessionID, newID())
					wantRefused(t, v, ended.text, "TOKEN_REVOKED")
					wantAccepted(t, v, spared.text)
					g.Set(feedtest.Open)
					n.awaitHearing(t)
					if got := n.metric(t, "revocations"); got != 2 {
						t.Errorf("it knows %v revocations, want also the one that it missed", got)
					}
					if got := n.metric(t, "unchecked_total"); got != 0 {
						t.Errorf("%v checks found nothing out", got)
					}
					if n.log.count(logAway) != 0 {
						t.Error("it warns, though every token was checked")
					}
				})
			}
		})
	}
}

// A revocation that cannot be sent until no token needs it any more is not sent at all.
func TestKeptRevocationsEnd(t *testing.T) {
	t.Parallel()
	for kind, start := range redises() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			c := newCluster()
			g, gated := feedtest.New(t, url)
			clock := newClock()
			n := c.start(t, gated, func(cfg *token.RevocationsConfig) { cfg.Now = clock.now })
			g.Set(feedtest.Shut)
			n.EndSessions(t.Context(), newID())
			clock.add(token.Horizon)
			late := newID()
			n.EndSessions(t.Context(), late)
			g.Set(feedtest.Open)
			rdb := client(t, url)
			eventually(t, "what was kept is sent", func() bool { return rdb.ZCard(t.Context(), c.key()).Val() > 0 })
			if got := rdb.ZRange(t.Context(), c.key(), 0, -1).Val(); len(got) != 1 || got[0] != "s:"+late.String() {
				t.Errorf("Redis has %v", got)
			}
		})
	}
}

// Without anything to send, and with a subscription that never broke, it finds out that Redis is back all the same.
func TestRedisIsFoundAgain(t *testing.T) {
	t.Parallel()
	for kind, start := range redises() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			g, gated := feedtest.New(t, url)
			clock := newClock()
			n := newCluster().deaf(splitClient{client(t, gated), client(t, url)}, func(cfg *token.RevocationsConfig) { cfg.Now = clock.now })
			n.run(t)
			n.awaitHearing(t)
			g.Set(feedtest.Shut)
			n.EndSessions(t.Context(), newID())
			if got := n.log.count(logAway); got != 1 {
				t.Fatalf("%d warnings, want one", got)
			}
			clock.add(token.Horizon)
			n.awaitHearing(t)
			g.Set(feedtest.Open)
			eventually(t, "it notices", func() bool { return n.log.count(logBack) == 1 })
			if got := n.log.count("are not heard"); got != 0 {
				t.Error("the subscription broke, so that the test shows nothing")
			}
		})
	}
}

// An emptied Redis is filled from the database, for processes that have neither it nor a memory.
func TestEmptiedRedisIsFilledAgain(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	url := "redis://" + server.Addr()
	c := newCluster()
	p := newProcess(t, nil)
	ended, outdated := newPerson(t, p), newPerson(t, p)
	at := time.Now()
	owner := c.start(t, url, func(cfg *token.RevocationsConfig) {
		cfg.Recent = func(context.Context, time.Time) ([]token.Revocation, error) {
			return []token.Revocation{{SessionID: ended.claims.SessionID, At: at}, {UserID: outdated.claims.UserID, At: at}}, nil
		}
	})
	wantRefused(t, p.on(owner), ended.text, "TOKEN_REVOKED")
	rdb := client(t, url)
	filled := func() bool { return rdb.ZCard(context.Background(), c.key()).Val() == 2 }
	eventually(t, "Redis has what the database has", filled)

	server.Close()
	server.FlushAll()
	owner.awaitDeafness(t)
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	// This one may be there before Redis is filled, and is then told.
	fresh := c.start(t, url)
	eventually(t, "Redis has it again", filled)
	for _, who := range []person{ended, outdated} {
		eventually(t, "a new process refuses the token", func() bool { return reasonOf(t, p.on(fresh), who.text) == "TOKEN_REVOKED" })
	}
}

func TestProcessStartsWithoutRedis(t *testing.T) {
	t.Parallel()
	server := miniredis.NewMiniRedis()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	url := "redis://" + server.Addr()
	server.Close()
	t.Cleanup(server.Close)
	c := newCluster()
	n := c.deaf(client(t, url))
	n.run(t)
	p := newProcess(t, nil)
	ended, spared := newPerson(t, p), newPerson(t, p)
	wantAccepted(t, p.on(n), spared.text)
	n.EndSessions(t.Context(), ended.claims.SessionID)
	wantRefused(t, p.on(n), ended.text, "TOKEN_REVOKED")
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	n.awaitHearing(t)
	wantAccepted(t, p.on(n), spared.text)
	eventually(t, "another process hears of it", func() bool {
		return reasonOf(t, p.on(c.start(t, url)), ended.text) == "TOKEN_REVOKED"
	})
	if n.metric(t, "unchecked_total") == 0 || n.log.count(logAway) != 1 || n.log.count(logBack) != 1 {
		t.Errorf("unchecked %v, %d warnings, back %d times", n.metric(t, "unchecked_total"), n.log.count(logAway), n.log.count(logBack))
	}
}

// Many requests, revocations and a Redis that comes and goes at once: for the race detector, and nothing is lost.
func TestHammer(t *testing.T) {
	t.Parallel()
	for kind, start := range redises() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			c := newCluster()
			g, gated := feedtest.New(t, url)
			n, other := c.start(t, gated), c.start(t, url)
			p := newProcess(t, nil)
			v := p.on(n)
			spared := newPerson(t, p)
			done := make(chan struct{})
			for range 4 {
				go func() {
					defer func() { done <- struct{}{} }()
					for range 200 {
						if _, err := v.Authenticate(context.Background(), spared.text); err != nil {
							t.Errorf("refused: %v", err)
						}
						n.EndSessions(context.Background(), uuid.New())
					}
				}()
			}
			for i := range 4 {
				if i%2 == 0 {
					g.Set(feedtest.Shut)
				}
				<-done
				g.Set(feedtest.Open)
			}
			if got := n.metric(t, "revocations"); got != 800 {
				t.Errorf("the process knows %v revocations, want 800", got)
			}
			eventually(t, "the other process knows all", func() bool { return other.metric(t, "revocations") == 800 })
		})
	}
}
