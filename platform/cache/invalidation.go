package cache

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/mindspace-app/mindspace/platform/feed"
)

const (
	// sendBatch is how many keys go into one message and one pipeline.
	sendBatch = 500
	// scanCount is how many keys Redis looks at in one step when a cache is cleared.
	scanCount = 1000
	// clearTimeout bounds the clearing of a cache in Redis.
	clearTimeout = 30 * time.Second
)

// invalidation says which keys of a cache are to go.
type invalidation struct {
	Cache string
	Keys  []string
	All   bool
	// shared says that the keys are in Redis too.
	shared bool
}

// message is an invalidation on its way. Keys are bytes, as JSON text must be UTF-8 and keys need not.
type message struct {
	Node  string   `json:"n"`
	Cache string   `json:"c"`
	Keys  [][]byte `json:"k,omitempty"`
	All   bool     `json:"a,omitempty"`
}

// invalidate sends an invalidation, or keeps it for later.
func (s *Store) invalidate(ctx context.Context, i invalidation) {
	if s.rdb == nil {
		return
	}
	if !s.usable() && s.keepWhileDown(i) {
		return
	}
	limit := s.timeout
	if i.All && i.shared {
		limit = clearTimeout
	}
	// The change is committed: that the request was given up since must not leave others with the old value.
	if err := s.send(context.WithoutCancel(ctx), i, limit); err != nil {
		s.metrics.redisErrors.WithLabelValues("invalidate").Inc()
		s.keep(ctx, i, err)
		return
	}
	s.worked()
}

// send deletes keys from Redis, then tells the other processes. In this order: who is told may look into Redis at once.
func (s *Store) send(ctx context.Context, i invalidation, limit time.Duration) error {
	_, err := within(ctx, limit, func(ctx context.Context) (struct{}, error) {
		if i.All {
			if i.shared {
				if err := s.deleteAll(ctx, i.Cache); err != nil {
					return struct{}{}, err
				}
			}
			return struct{}{}, s.publish(ctx, message{Node: s.node, Cache: i.Cache, All: true})
		}
		for keys := range slices.Chunk(i.Keys, sendBatch) {
			if i.shared {
				if err := s.delete(ctx, i.Cache, keys); err != nil {
					return struct{}{}, err
				}
			}
			m := message{Node: s.node, Cache: i.Cache}
			for _, key := range keys {
				m.Keys = append(m.Keys, []byte(key))
			}
			if err := s.publish(ctx, m); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

func (s *Store) publish(ctx context.Context, m message) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return s.rdb.Publish(ctx, s.channel, data).Err()
}

// delete removes keys one by one in a pipeline, as a cluster may have them on several nodes.
func (s *Store) delete(ctx context.Context, cache string, keys []string) error {
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, key := range keys {
			p.Unlink(ctx, s.key(cache, key))
		}
		return nil
	})
	return err
}

// deleteAll removes every key of a cache. A key that is there when it begins is found; a lease that is made later
// belongs to a load that began later.
func (s *Store) deleteAll(ctx context.Context, cache string) error {
	switch rdb := s.rdb.(type) {
	case *redis.ClusterClient:
		return rdb.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return s.deleteFrom(ctx, node, cache) })
	case *redis.Ring:
		return rdb.ForEachShard(ctx, func(ctx context.Context, node *redis.Client) error { return s.deleteFrom(ctx, node, cache) })
	default:
		return s.deleteFrom(ctx, rdb, cache)
	}
}

func (s *Store) deleteFrom(ctx context.Context, node redis.Cmdable, cache string) error {
	var at uint64
	for {
		found, next, err := node.Scan(ctx, at, pattern(s.key(cache, "")), scanCount).Result()
		if err != nil {
			return err
		}
		if len(found) > 0 {
			if _, err := node.Pipelined(ctx, func(p redis.Pipeliner) error {
				for _, key := range found {
					p.Unlink(ctx, key)
				}
				return nil
			}); err != nil {
				return err
			}
		}
		if next == 0 {
			return nil
		}
		at = next
	}
}

// pattern is the glob for every key that begins with prefix.
func pattern(prefix string) string {
	out := make([]byte, 0, len(prefix)+8)
	for _, b := range []byte(prefix) {
		if slices.Contains([]byte(`*?[]^\`), b) {
			out = append(out, '\\')
		}
		out = append(out, b)
	}
	return string(append(out, '*'))
}

// Run listens for what other processes invalidate, until ctx ends; it then returns nil. It subscribes again whenever
// the subscription breaks, and drops every entry of this process when it has, since it cannot know what it missed.
// Without Redis it only waits.
func (s *Store) Run(ctx context.Context) error {
	if s.rdb == nil {
		<-ctx.Done()
		return nil
	}
	var lookout sync.WaitGroup
	defer lookout.Wait()
	lookout.Go(func() { s.lookOut(ctx) })
	feed.Listen(ctx, s.rdb, s.channel, feed.Ear{Stands: s.subscribed, Hears: s.hear, Breaks: s.deaf})
	s.metrics.subscribed.Set(0)
	return nil
}

// lookOut sends what was kept even when no request comes by.
func (s *Store) lookOut(ctx context.Context) {
	ticker := time.NewTicker(firstPause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.usable()
		}
	}
}

// subscribed drops what may have been invalidated while nobody listened, and sends what could not be sent.
func (s *Store) subscribed(ctx context.Context, again bool) error {
	s.forgetAll()
	s.metrics.subscribed.Set(1)
	s.logger.InfoContext(ctx, "cache invalidations of other processes are heard", slog.Bool("again", again))
	if s.link.down.Load() {
		s.try()
	}
	return nil
}

// deaf notes that what others invalidate is not heard, and logs the first attempt that failed.
func (s *Store) deaf(ctx context.Context, err error, first bool) {
	s.metrics.subscribed.Set(0)
	s.metrics.redisErrors.WithLabelValues("subscribe").Inc()
	if first {
		s.logger.WarnContext(ctx, "cache invalidations of other processes are not heard", slog.Any("error", err))
	}
}

// hear does what another process asked for. What it cannot read is not from a process of this kind.
func (s *Store) hear(payload string) {
	var m message
	if err := json.Unmarshal([]byte(payload), &m); err != nil || m.Node == s.node {
		return
	}
	c := s.member(m.Cache)
	if c == nil {
		return
	}
	if m.All {
		c.forgetAll()
		c.heard(1)
		return
	}
	keys := make([]string, len(m.Keys))
	for i, key := range m.Keys {
		keys[i] = string(key)
	}
	c.forget(keys)
	c.heard(len(keys))
}
