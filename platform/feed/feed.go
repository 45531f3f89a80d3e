// Package feed listens to one channel of Redis and knows whether it still does. Redis keeps no message for who is not
// connected, and its client connects again by itself without a word, so whoever keeps something up to date by messages
// has to know three things that this room tells: when the subscription stands, up to when everything was heard, and when
// it broke.
package feed

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// Beat is how often Redis is asked for an answer on the connection of the subscription.
	Beat = 300 * time.Millisecond
	// patience is after how long without a message or an answer the subscription counts as broken.
	patience = 3 * time.Second
	// subscribeTimeout bounds the making of a subscription.
	subscribeTimeout = 5 * time.Second
	// The pauses between attempts to subscribe.
	firstRetry = 100 * time.Millisecond
	longRetry  = 2 * time.Second
)

// errReplaced says that the client made another connection by itself, so that messages may have been missed.
var errReplaced = errors.New("feed: the connection was replaced")

// Ear is told what happens to a subscription. All calls come from one goroutine, one at a time, and no message is read
// before the call for the last one returned.
type Ear struct {
	// Stands is called each time the subscription stands. What was sent before may have been missed, and what is sent from
	// now on is heard. again says that it stood before. An error breaks the subscription.
	Stands func(ctx context.Context, again bool) error
	// Hears gets what was sent.
	Hears func(payload string)
	// Current says that all that was sent before a point in time has been heard. Nil when that does not matter.
	Current func(at time.Time)
	// Breaks is called when the subscription breaks, and each time that an attempt to make one fails; first tells the first
	// time since it stood.
	Breaks func(ctx context.Context, err error, first bool)
}

// Listen keeps a subscription to the channel until ctx ends. It subscribes again whenever the subscription breaks.
func Listen(ctx context.Context, rdb redis.UniversalClient, channel string, ear Ear) {
	retry := firstRetry
	first, again := true, false
	stands := ear.Stands
	ear.Stands = func(ctx context.Context, _ bool) error {
		if err := stands(ctx, again); err != nil {
			return err
		}
		retry, first, again = firstRetry, true, true
		return nil
	}
	for {
		err := listen(ctx, rdb, channel, ear)
		if ctx.Err() != nil {
			return
		}
		ear.Breaks(ctx, err, first)
		first = false
		select {
		case <-ctx.Done():
			return
		case <-time.After(retry/2 + rand.N(retry/2+1)): //nolint:gosec // spreads load, guards nothing
		}
		retry = min(2*retry, longRetry)
	}
}

// listen holds one subscription until it breaks or ctx ends.
func listen(ctx context.Context, rdb redis.UniversalClient, channel string, ear Ear) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sub := rdb.Subscribe(ctx)
	// A read does not end with its context, but with its connection.
	stop := context.AfterFunc(ctx, func() { _ = sub.Close() })
	defer func() {
		stop()
		_ = sub.Close()
	}()
	subscribing, done := context.WithTimeout(ctx, subscribeTimeout)
	err := sub.Subscribe(subscribing, channel)
	done()
	if err != nil {
		return err
	}
	start, stood := time.Now(), false
	for {
		got, err := sub.ReceiveTimeout(ctx, patience)
		if err != nil {
			return err
		}
		switch got := got.(type) {
		case *redis.Subscription:
			if stood {
				return errReplaced
			}
			if err := ear.Stands(ctx, false); err != nil {
				return err
			}
			stood = true
			go beat(ctx, cancel, sub, start)
		case *redis.Message:
			ear.Hears(got.Payload)
		case *redis.Pong:
			// The answer follows all that was sent before the question was.
			if asked, err := strconv.ParseInt(got.Payload, 10, 64); err == nil && stood && ear.Current != nil {
				ear.Current(start.Add(time.Duration(asked)))
			}
		}
	}
}

// beat asks for an answer now and again, each question saying when it was put. A question that cannot be put ends the
// subscription, as the client would go on with another connection.
func beat(ctx context.Context, end context.CancelFunc, sub *redis.PubSub, start time.Time) {
	defer end()
	ticker := time.NewTicker(Beat)
	defer ticker.Stop()
	for {
		if err := sub.Ping(ctx, strconv.FormatInt(int64(time.Since(start)), 10)); err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
