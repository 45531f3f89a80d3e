package token

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

const (
	defaultPrefix = "mindspace"
	// fresh is for how long it may be unknown whether a message was missed until each check asks Redis: a second, less
	// what it takes to send a message.
	fresh = 900 * time.Millisecond
	// deaf is the time of the last proof when there is none.
	deaf = -int64(time.Hour)
	// askPatience is how long a check waits for Redis.
	askPatience = 100 * time.Millisecond
	// tellPatience is how long a revocation waits for Redis.
	tellPatience = 250 * time.Millisecond
	// cooldown is how long Redis is left alone after it failed; then one call at a time tries.
	cooldown = time.Second
)

// Revocation is one that the database knows of: either a session that ended, or a person whose tokens from before are outdated.
type Revocation struct {
	// SessionID is the session that ended; uuid.Nil when it is about a person.
	SessionID uuid.UUID
	// UserID is the person whose tokens issued before At are outdated; uuid.Nil when it is about a session.
	UserID uuid.UUID
	// At is when.
	At time.Time
}

// RevocationsConfig sets up revocations. Every field may be left out.
type RevocationsConfig struct {
	// Logger is told when Redis goes away and comes back; nil for none.
	Logger *slog.Logger
	// Registry gets the metrics; nil for none.
	Registry prometheus.Registerer
	// Prefix begins the key and the channel in Redis; "mindspace" when empty.
	Prefix string
	// Now is the time by which revocations age; nil for the clock. It is for tests.
	Now func() time.Time
	// Recent gives the revocations since a time from the database; nil in a process that does not own it.
	Recent func(ctx context.Context, since time.Time) ([]Revocation, error)
}

// Revocations know which tokens are revoked, in this process and all others on one Redis. They are safe for use by several
// goroutines.
type Revocations struct {
	rdb     redis.UniversalClient
	logger  *slog.Logger
	now     func() time.Time
	recent  func(ctx context.Context, since time.Time) ([]Revocation, error)
	key     string
	channel string
	metrics *metrics
	ledger  ledger

	// started is the zero of the times below, which must not jump with the clock.
	started time.Time
	// heard is up to when all messages are known to be heard, in ns since started.
	heard atomic.Int64
	// away says that the last call of Redis failed; tryAt is when to call it again, in ns since started.
	away  atomic.Bool
	tryAt atomic.Int64
	// again asks Run to fill Redis from the database.
	again chan struct{}

	// mu guards unsent: what could not be sent yet.
	mu     sync.Mutex
	unsent marks
}

// NewRevocations makes them. rdb must heed deadlines (ContextTimeoutEnabled); with nil they are of this process alone.
// [Revocations.Run] has to run as long as they are used; without it each check asks Redis, and nothing is ever forgotten.
func NewRevocations(rdb redis.UniversalClient, cfg RevocationsConfig) *Revocations {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	// The braces keep both on one node of a cluster.
	name := "{" + cmp.Or(cfg.Prefix, defaultPrefix) + ":token}:"
	r := &Revocations{
		rdb: rdb, logger: cfg.Logger, now: cfg.Now, recent: cfg.Recent,
		key: name + "revoked", channel: name + "revocations",
		ledger: ledger{marks: marks{}}, unsent: marks{}, started: time.Now(), again: make(chan struct{}, 1),
	}
	r.heard.Store(deaf)
	r.metrics = newMetrics(cfg.Registry, r)
	return r
}

// EndSessions refuses all tokens of these sessions from now on, everywhere. Call it after the commit that ended them, which
// also keeps them from being refreshed. It does not fail: what cannot be sent now is sent when Redis is back. It waits for
// Redis for a short time at most, and goes on when ctx has ended.
func (r *Revocations) EndSessions(ctx context.Context, ids ...uuid.UUID) {
	until := r.now().UnixMilli() + horizonMillis
	ended := marks{}
	for _, id := range ids {
		ended.add(mark{ofSession, id}, until)
	}
	r.revoke(ctx, ended)
}

// Outdate refuses the person's tokens that were issued before a time, everywhere: after a change of roles, or when somebody
// is suspended. Their sessions go on, and a refresh gives a token that is good. Call it after the commit; it does not fail,
// as EndSessions.
func (r *Revocations) Outdate(ctx context.Context, user uuid.UUID, before time.Time) {
	r.revoke(ctx, marks{{ofUser, user}: outdatedUntil(before)})
}

// outdatedUntil is until when it has to be known that tokens from before a time are outdated. A part of a millisecond counts
// as a whole one, since of the time of issue it counts as none.
func outdatedUntil(before time.Time) int64 {
	return before.Add(time.Millisecond-time.Nanosecond).UnixMilli() + horizonMillis
}

// revoke notes revocations here and tells the others.
func (r *Revocations) revoke(ctx context.Context, m marks) {
	if len(m) == 0 {
		return
	}
	r.ledger.merge(m)
	if r.rdb == nil {
		return
	}
	// The change is committed: that the request was given up since must not leave others without it.
	ctx = context.WithoutCancel(ctx)
	if !r.mayCall() || r.tell(ctx, m, tellPatience) != nil {
		r.keep(m)
	}
}

// keep notes what could not be sent.
func (r *Revocations) keep(m marks) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unsent.merge(m)
}

// refuse tells whether a token is revoked. While messages are heard it only looks into a map.
func (r *Revocations) refuse(ctx context.Context, t *verified) bool {
	session, user := t.caller.SessionID, t.caller.UserID
	if r.ledger.refuses(session, user, t.issued) {
		return true
	}
	if r.rdb == nil || r.hears() {
		return false
	}
	if !r.ask(ctx, mark{ofSession, session}, mark{ofUser, user}) {
		r.metrics.unchecked.Inc()
		return false
	}
	return r.ledger.refuses(session, user, t.issued)
}

// ask looks in Redis for marks and notes what it finds; it tells whether Redis answered.
func (r *Revocations) ask(ctx context.Context, about ...mark) bool {
	if !r.mayCall() {
		return false
	}
	names := make([]string, len(about))
	for i, what := range about {
		names[i] = what.String()
	}
	// Not the request's own deadline: a caller who sets a short one must not pass unchecked.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askPatience)
	defer cancel()
	scores, err := r.rdb.ZMScore(ctx, r.key, names...).Result()
	if err != nil {
		r.failed(ctx, err)
		return false
	}
	r.worked(ctx)
	found := marks{}
	for i, score := range scores {
		found.add(about[i], int64(score)) // 0 when it is not there
	}
	if len(found) > 0 {
		r.ledger.merge(found)
	}
	return true
}

// hears tells whether every revocation that was sent until a moment ago is known to have been heard.
func (r *Revocations) hears() bool {
	return int64(time.Since(r.started))-r.heard.Load() < int64(fresh)
}

// mayCall tells whether to call Redis now: always while it answers, and one call each second while it does not.
func (r *Revocations) mayCall() bool {
	if !r.away.Load() {
		return true
	}
	now, at := int64(time.Since(r.started)), r.tryAt.Load()
	return now >= at && r.tryAt.CompareAndSwap(at, now+int64(cooldown))
}

// failed notes that Redis did not answer.
func (r *Revocations) failed(ctx context.Context, err error) {
	if errors.Is(err, context.Canceled) {
		return // this process stops
	}
	r.tryAt.Store(int64(time.Since(r.started) + cooldown))
	if r.away.CompareAndSwap(false, true) {
		r.logger.WarnContext(ctx, "token revocations go on without Redis", slog.Any("error", err))
	}
}

// worked notes that Redis answered.
func (r *Revocations) worked(ctx context.Context) {
	if r.away.Load() && r.away.CompareAndSwap(true, false) {
		r.logger.InfoContext(ctx, "token revocations use Redis again")
	}
}
