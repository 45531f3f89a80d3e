package token

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/mindspace-app/mindspace/platform/feed"
)

const (
	// beat is how often Run looks whether something is to be done.
	beat = time.Second
	// tidying is how often it forgets what is over and fills Redis from the database.
	tidying = time.Minute
	// longPatience bounds calls that no request waits for.
	longPatience = 5 * time.Second
	// tellBatch is how many marks go into one message and one call.
	tellBatch = 500
)

// tellScript adds marks to the sorted set in KEYS[1], each for the later time: ARGV[5], [6] and so on are times and names.
// It drops those from before ARGV[2], lets the set live for ARGV[3] ms, and sends the message in ARGV[4] to the channel in
// ARGV[1] when any of it is new. In one step, so that what is in the set was sent, and what is sent is in the set.
var tellScript = redis.NewScript(`
local changed = redis.call('ZADD', KEYS[1], 'GT', 'CH', unpack(ARGV, 5))
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if changed > 0 then redis.call('PUBLISH', ARGV[1], ARGV[4]) end
return changed`)

// Run hears of what other processes revoke, sends what could not be sent, and forgets what is over, until ctx ends; it then
// returns nil.
func (r *Revocations) Run(ctx context.Context) error {
	var keeping sync.WaitGroup
	defer keeping.Wait()
	keeping.Go(func() { r.keepUp(ctx) })
	if r.rdb == nil {
		<-ctx.Done()
		return nil
	}
	feed.Listen(ctx, r.rdb, r.channel, feed.Ear{
		Stands:  r.stands,
		Hears:   func(payload string) { r.ledger.merge(decodeMarks(payload)) },
		Current: func(at time.Time) { r.heard.Store(int64(at.Sub(r.started))) },
		Breaks:  r.breaks,
	})
	r.heard.Store(deaf)
	return nil
}

// stands loads what may have been missed. From then on messages bring the rest.
func (r *Revocations) stands(ctx context.Context, again bool) error {
	at := time.Now()
	loading, cancel := context.WithTimeout(ctx, longPatience)
	defer cancel()
	since := strconv.FormatInt(r.now().UnixMilli(), 10)
	found, err := r.rdb.ZRangeByScoreWithScores(loading, r.key, &redis.ZRangeBy{Min: since, Max: "+inf"}).Result()
	if err != nil {
		return fmt.Errorf("load token revocations: %w", err)
	}
	known := marks{}
	for _, z := range found {
		if name, ok := z.Member.(string); ok {
			if what, ok := parseMark(name); ok {
				known.add(what, int64(z.Score))
			}
		}
	}
	r.ledger.merge(known)
	r.worked(ctx)
	r.heard.Store(int64(at.Sub(r.started)))
	r.logger.InfoContext(ctx, "token revocations of other processes are heard", slog.Bool("again", again))
	select {
	case r.again <- struct{}{}:
	default:
	}
	return nil
}

// breaks makes each check ask Redis. That is no outage yet, so it is no warning.
func (r *Revocations) breaks(ctx context.Context, err error, first bool) {
	r.heard.Store(deaf)
	if first {
		r.logger.InfoContext(ctx, "token revocations of other processes are not heard: each check asks Redis", slog.Any("error", err))
	}
}

// keepUp does what no request waits for.
func (r *Revocations) keepUp(ctx context.Context) {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	var tidied time.Time
	complained := false
	for {
		r.flush(ctx)
		if time.Since(tidied) >= tidying {
			now := r.now().UnixMilli()
			r.ledger.dropBefore(now)
			err := r.refill(ctx)
			switch {
			case err == nil:
				tidied, complained = time.Now(), false
			case !complained && ctx.Err() == nil:
				r.logger.WarnContext(ctx, "token revocations cannot be read from the database", slog.Any("error", err))
				complained = true
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-r.again:
			tidied = time.Time{}
		case <-ticker.C:
		}
	}
}

// flush sends what was kept. While Redis is away it looks whether it is back.
func (r *Revocations) flush(ctx context.Context) {
	r.mu.Lock()
	sending := r.unsent
	sending.dropBefore(r.now().UnixMilli())
	r.unsent = marks{}
	r.mu.Unlock()
	if len(sending) > 0 && (!r.mayCall() || r.tell(ctx, sending, longPatience) != nil) {
		r.keep(sending)
	}
	if len(sending) == 0 && r.away.Load() && r.mayCall() {
		ctx, cancel := context.WithTimeout(ctx, longPatience)
		defer cancel()
		if r.rdb.Ping(ctx).Err() == nil {
			r.worked(ctx)
		}
	}
}

// refill takes over what the database knows, and sees to it that Redis has it too.
func (r *Revocations) refill(ctx context.Context) error {
	if r.recent == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, longPatience)
	defer cancel()
	list, err := r.recent(ctx, r.now().Add(-Horizon))
	if err != nil {
		return err
	}
	known := marks{}
	for _, item := range list {
		if item.SessionID != uuid.Nil {
			known.add(mark{ofSession, item.SessionID}, item.At.UnixMilli()+horizonMillis)
		}
		if item.UserID != uuid.Nil {
			known.add(mark{ofUser, item.UserID}, outdatedUntil(item.At))
		}
	}
	known.dropBefore(r.now().UnixMilli())
	r.ledger.merge(known)
	if r.rdb != nil && r.mayCall() {
		_ = r.tell(ctx, known, longPatience) // it is noted, and comes again when the subscription stands again or a minute has passed
	}
	return nil
}

// tell puts marks into Redis and sends those that are new there to the other processes.
func (r *Revocations) tell(ctx context.Context, m marks, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for batch := range m.batches(tellBatch) {
		message, err := batch.encode()
		if err != nil {
			return err
		}
		// Clocks differ, and another process may still need what is over here.
		over := r.now().Add(-Leeway).UnixMilli()
		args := []any{r.channel, over, 2 * horizonMillis, message}
		for what, until := range batch {
			args = append(args, until, what.String())
		}
		if err := tellScript.Run(ctx, r.rdb, []string{r.key}, args...).Err(); err != nil {
			r.failed(ctx, err)
			return err
		}
	}
	r.worked(ctx)
	return nil
}
