package token_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/mindspace-app/mindspace/platform/cache/redistest"
	"github.com/mindspace-app/mindspace/platform/feed/feedtest"
	"github.com/mindspace-app/mindspace/platform/token"
)

func TestEndedSession(t *testing.T) {
	t.Parallel()
	r := token.NewRevocations(nil, token.RevocationsConfig{})
	p := newProcess(t, r)
	claims := p.claims()
	phone := p.sign(t, claims)
	claims.SessionID = newID()
	laptop := p.sign(t, claims)
	for _, text := range []string{phone, laptop} {
		wantAccepted(t, p.verifier, text)
	}
	r.EndSessions(t.Context())
	r.EndSessions(t.Context(), claims.SessionID)
	wantAccepted(t, p.verifier, phone)
	wantRefused(t, p.verifier, laptop, "TOKEN_REVOKED") // remembered
	wantRefused(t, p.another(r), laptop, "TOKEN_REVOKED")
	p.add(time.Minute)
	claims.IssuedAt, claims.ExpiresAt = p.now(), p.now().Add(token.Lifetime)
	wantRefused(t, p.verifier, p.sign(t, claims), "TOKEN_REVOKED") // for good
	p.add(token.Lifetime)
	wantRefused(t, p.verifier, laptop, "TOKEN_EXPIRED")
}

func TestOutdatedTokens(t *testing.T) {
	t.Parallel()
	r := token.NewRevocations(nil, token.RevocationsConfig{})
	p := newProcess(t, r)
	at := time.UnixMilli(p.now().UnixMilli()).Add(-time.Minute)
	claims := p.claims()
	issued := func(at time.Time) string {
		claims.IssuedAt, claims.ExpiresAt = at, at.Add(token.Lifetime)
		return p.sign(t, claims)
	}
	before, atOnce, after := issued(at.Add(-time.Millisecond)), issued(at), issued(at.Add(time.Second))
	someoneElse := newPerson(t, p)

	r.Outdate(t.Context(), claims.UserID, at)
	wantRefused(t, p.verifier, before, "TOKEN_REVOKED")
	wantAccepted(t, p.verifier, atOnce)
	wantAccepted(t, p.verifier, after)
	r.Outdate(t.Context(), claims.UserID, at.Add(-time.Hour)) // takes nothing back
	wantRefused(t, p.verifier, before, "TOKEN_REVOKED")

	// Whatever was issued before, if only by a part of a millisecond.
	within := issued(at.Add(300 * time.Microsecond))
	r.Outdate(t.Context(), claims.UserID, at.Add(301*time.Microsecond))
	wantRefused(t, p.verifier, within, "TOKEN_REVOKED")
	wantAccepted(t, p.verifier, issued(at.Add(time.Millisecond)))

	r.Outdate(t.Context(), claims.UserID, at.Add(time.Minute))
	wantRefused(t, p.verifier, after, "TOKEN_REVOKED")
	wantAccepted(t, p.verifier, issued(at.Add(time.Minute)))
	wantAccepted(t, p.verifier, someoneElse.text)
}

// Revocations are forgotten when no token can need them, and not before.
func TestRevocationsAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newCluster().deaf(nil)
		n.run(t)
		n.EndSessions(t.Context(), newID(), newID())
		n.Outdate(t.Context(), newID(), time.Now().Add(-time.Minute))
		for _, step := range []struct {
			wait time.Duration
			want float64
		}{{0, 3}, {token.Horizon - time.Minute - time.Second, 3}, {30 * time.Second, 2}, {time.Minute, 0}} {
			<-time.After(step.wait)
			synctest.Wait()
			if got := n.metric(t, "revocations"); got != step.want {
				t.Errorf("after %v more: %v, want %v", step.wait, got, step.want)
			}
		}
	})
}

// A process that owns the database takes from there what it may have missed, without Redis too.
func TestRecentRevocationsAreRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		session, user := newID(), newID()
		began := time.Now()
		n := newCluster().deaf(nil, func(c *token.RevocationsConfig) {
			c.Recent = func(_ context.Context, since time.Time) ([]token.Revocation, error) {
				if got := time.Since(since); got != token.Horizon {
					t.Errorf("asked for the last %v, want %v", got, token.Horizon)
				}
				if calls.Add(1) < 4 {
					return nil, errors.New("away")
				}
				return []token.Revocation{
					{SessionID: session, At: began}, {UserID: user, At: began}, {SessionID: newID(), At: began.Add(-time.Hour)},
				}, nil
			}
		})
		n.run(t)
		<-time.After(10 * time.Second)
		synctest.Wait()
		if got := calls.Load(); got != 4 {
			t.Errorf("asked %d times, want 3 failures, each a second apart, and one that works", got)
		}
		if got := n.log.count("cannot be read from the database"); got != 1 {
			t.Errorf("logged %d times, want once", got)
		}
		if got := n.metric(t, "revocations"); got != 2 {
			t.Errorf("%v revocations, want 2", got)
		}
		<-time.After(time.Minute)
		synctest.Wait()
		if got := calls.Load(); got != 5 {
			t.Errorf("asked %d times, want once more in a minute", got)
		}
	})
}

// What one process revokes is refused by another, which hears of it and does not ask: its commands are cut off.
func TestRevocationReachesOtherProcesses(t *testing.T) {
	t.Parallel()
	for kind, start := range redises() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			c := newCluster()
			g, gated := feedtest.New(t, url)
			one, two := c.start(t, url), c.deaf(splitClient{client(t, gated), client(t, url)})
			two.run(t)
			two.awaitHearing(t)
			p := newProcess(t, nil)
			v := p.on(two)
			ended, outdated, spared := newPerson(t, p), newPerson(t, p), newPerson(t, p)
			for _, who := range []person{ended, outdated, spared} {
				wantAccepted(t, v, who.text)
			}
			g.Set(feedtest.Shut)
			one.EndSessions(t.Context(), ended.claims.SessionID)
			one.Outdate(t.Context(), outdated.claims.UserID, time.Now())
			for _, who := range []person{ended, outdated} {
				wantRefused(t, p.on(one), who.text, "TOKEN_REVOKED")
				eventually(t, "the other process refuses the token", func() bool { return reasonOf(t, v, who.text) == "TOKEN_REVOKED" })
			}
			wantAccepted(t, v, spared.text)
			if got := one.metric(t, "unchecked_total"); got != 0 {
				t.Errorf("%v checks found nothing out", got)
			}
		})
	}
}

func TestProcessLearnsWhatWasRevokedBefore(t *testing.T) {
	t.Parallel()
	for kind, start := range redises() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			c := newCluster()
			writer := c.deaf(client(t, url)) // such as a command that suspends somebody
			ids := make([]uuid.UUID, 1234)
			for i := range ids {
				ids[i] = newID()
			}
			writer.EndSessions(t.Context(), ids...)
			late := c.start(t, url)
			if got := late.metric(t, "revocations"); got != 1234 {
				t.Errorf("knows %v revocations, want 1234", got)
			}
			// And what is revoked in bulk is heard.
			more := make([]uuid.UUID, 1100)
			for i := range more {
				more[i] = newID()
			}
			writer.EndSessions(t.Context(), more...)
			eventually(t, "all are heard", func() bool { return late.metric(t, "revocations") == 2334 })
		})
	}
}

func TestRedisKeepsWhatIsNeededOnly(t *testing.T) {
	t.Parallel()
	for kind, start := range redises() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			c := newCluster()
			rdb := client(t, url)
			old := c.deaf(rdb, func(cfg *token.RevocationsConfig) { cfg.Now = func() time.Time { return time.Now().Add(-time.Hour) } })
			old.EndSessions(t.Context(), newID())
			now := c.deaf(rdb)
			session, user := newID(), newID()
			now.EndSessions(t.Context(), session)
			at := time.Now()
			now.Outdate(t.Context(), user, at)
			now.Outdate(t.Context(), user, at.Add(-time.Minute)) // the later one stays
			got, err := rdb.ZRangeWithScores(t.Context(), c.key(), 0, -1).Result()
			if err != nil || len(got) != 2 {
				t.Fatalf("Redis has %v (%v)", got, err)
			}
			for _, z := range got {
				if z.Member == "u:"+user.String() {
					if refused := int64(z.Score) - token.Horizon.Milliseconds(); refused < at.UnixMilli() || refused > at.UnixMilli()+1 {
						t.Errorf("outdated before %d, want %d", refused, at.UnixMilli())
					}
				}
			}
			if life, err := rdb.PTTL(t.Context(), c.key()).Result(); err != nil || life < token.Horizon || life > 2*token.Horizon {
				t.Errorf("the key lives for %v (%v)", life, err)
			}
		})
	}
}

// A process that does not listen asks Redis for each token, whatever the caller's deadline.
func TestDeafProcessAsksRedis(t *testing.T) {
	t.Parallel()
	for kind, start := range redises() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			c := newCluster()
			one, deaf := c.deaf(client(t, url)), c.deaf(client(t, url))
			p := newProcess(t, nil)
			v := p.on(deaf)
			ended, outdated, spared := newPerson(t, p), newPerson(t, p), newPerson(t, p)
			for _, who := range []person{ended, outdated, spared} {
				wantAccepted(t, v, who.text)
			}
			one.EndSessions(t.Context(), ended.claims.SessionID)
			one.Outdate(t.Context(), outdated.claims.UserID, time.Now())
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := v.Authenticate(gone, ended.text); err == nil {
				t.Error("a caller in a hurry passes unchecked")
			}
			wantRefused(t, v, ended.text, "TOKEN_REVOKED")
			wantRefused(t, v, outdated.text, "TOKEN_REVOKED")
			wantAccepted(t, v, spared.text)
			if !deaf.SessionEnded(t.Context(), ended.claims.SessionID) || deaf.SessionEnded(t.Context(), outdated.claims.SessionID) {
				t.Error("of a session alone it says something else")
			}
			if got := deaf.metric(t, "unchecked_total"); got != 0 {
				t.Errorf("%v checks found nothing out", got)
			}
		})
	}
}

// What is not from a process of this kind is not listened to, and does no harm.
func TestOddMessages(t *testing.T) {
	t.Parallel()
	for kind, start := range redises() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			c := newCluster()
			n := c.start(t, url)
			channel := "{" + c.prefix + ":token}:revocations"
			for _, text := range []string{"", "null", "{}", "[1]", `[{"m":"","t":1}]`, `[{"m":"x:` + uuid.NewString() + `","t":99}]`, `[{"m":"s:zz","t":99}]`, "\xff"} {
				if err := n.rdb.Publish(t.Context(), channel, text).Err(); err != nil {
					t.Fatal(err)
				}
			}
			for _, name := range []string{"", "s:", "nonsense", "x:" + uuid.NewString()} {
				if err := n.rdb.ZAdd(t.Context(), c.key(), redis.Z{Score: 9e15, Member: name}).Err(); err != nil {
					t.Fatal(err)
				}
			}
			c.deaf(n.rdb).EndSessions(t.Context(), newID())
			eventually(t, "the revocation is heard", func() bool { return n.metric(t, "revocations") == 1 })
			if got := c.start(t, url).metric(t, "revocations"); got != 1 {
				t.Errorf("another process loads %v revocations, want 1", got)
			}
		})
	}
}

// Processes of two installations on one Redis do not hear of each other.
func TestPrefixSeparatesInstallations(t *testing.T) {
	t.Parallel()
	url := redistest.New(t)
	one, two, other := newCluster(), newCluster(), newCluster()
	a, b := one.start(t, url), two.start(t, url)
	a.EndSessions(t.Context(), newID())
	b.EndSessions(t.Context(), newID(), newID())
	if x, y, z := a.metric(t, "revocations"), b.metric(t, "revocations"), other.start(t, url).metric(t, "revocations"); x != 1 || y != 2 || z != 0 {
		t.Errorf("%v, %v and %v revocations", x, y, z)
	}
	token.NewRevocations(client(t, url), token.RevocationsConfig{Logger: slog.New(slog.DiscardHandler)}) // all else may be left out
}
