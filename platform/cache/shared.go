package cache

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// What stands under a key in Redis begins with one of these.
const (
	// valueMark begins a value.
	valueMark = 'v'
	// leaseMark begins a lease: the promise of a loader to put the value there.
	leaseMark = 'l'
)

func isValue(held string) bool { return held != "" && held[0] == valueMark }
func isLease(held string) bool { return held != "" && held[0] == leaseMark }

// leaseMargin is how much longer than its load a lease lives.
const leaseMargin = 5 * time.Second

// leaseScript gives what stands under the key. When that is nothing, or what is in ARGV[3], it puts the lease in
// ARGV[1] there for ARGV[2] ms and gives that.
var leaseScript = redis.NewScript(`
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[3] then return held end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]`)

// putScript exchanges the lease in ARGV[1] for the value in ARGV[2], which lives for ARGV[3] ms. It does nothing when
// anything else stands there, or nothing.
var putScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`)

// leaseNumbers makes leases of one node unique.
type leaseNumbers struct{ last atomic.Uint64 }

func (s *Store) newLease() string {
	return string(leaseMark) + s.node + "." + strconv.FormatUint(s.leases.last.Add(1), 36)
}

// fetch gives what stands under a key: a value, or the lease with which to put one there. Loaders of several nodes may
// hold the same lease; the first to come back puts its value. What is in unreadable is replaced by a lease; it is empty
// at the first look.
func (s *Store) fetch(ctx context.Context, cache, key, unreadable string, leaseTTL time.Duration) (held string, err error) {
	name := s.key(cache, key)
	held, err = within(ctx, s.timeout, func(ctx context.Context) (string, error) {
		if unreadable == "" {
			held, err := s.rdb.Get(ctx, name).Result()
			if !errors.Is(err, redis.Nil) {
				return held, err
			}
		}
		return leaseScript.Run(ctx, s.rdb, []string{name}, s.newLease(), leaseTTL.Milliseconds(), unreadable).Text()
	})
	if err != nil {
		s.failed(ctx, "get", err)
		return "", err
	}
	s.worked()
	return held, nil
}

// put exchanges a lease for a value.
func (s *Store) put(ctx context.Context, cache, key, lease string, payload []byte, ttl time.Duration) {
	value := append([]byte{valueMark}, payload...)
	_, err := within(ctx, s.timeout, func(ctx context.Context) (int, error) {
		return putScript.Run(ctx, s.rdb, []string{s.key(cache, key)}, lease, value, max(ttl.Milliseconds(), 1)).Int()
	})
	if err != nil {
		s.failed(ctx, "put", err)
		return
	}
	s.worked()
}
