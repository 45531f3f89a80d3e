package cache_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mindspace-app/mindspace/platform/cache"
)

// versions is a truth whose values only grow.
type versions [16]atomic.Int64

func (v *versions) load(key int) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		// What was read is some while on its way.
		n := v[key].Load()
		for range rand.IntN(50) {
			rand.Uint64()
		}
		return strconv.FormatInt(n, 10), nil
	}
}

func (v *versions) read(tb testing.TB, c *cache.Cache[string], key int) int64 {
	tb.Helper()
	text, err := c.Get(context.Background(), fmt.Sprint(key), v.load(key))
	if err != nil {
		tb.Errorf("Get: %v", err)
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		tb.Errorf("got %q", text)
	}
	return n
}

// Writers and readers on three nodes get in each other's way. Who has invalidated a key reads nothing older on its own
// node, and when all is quiet no node holds anything that is not the truth: with entries that live for an hour, one
// stale value that was kept would be seen.
func TestNoStaleValueIsEverKept(t *testing.T) {
	t.Parallel()
	for kind, start := range redises() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			for _, o := range []cache.Options[string]{shared("both"), {Name: "own", TTL: time.Hour}} {
				group := newCluster()
				var nodes []*node
				var caches []*cache.Cache[string]
				for range 3 {
					n := group.start(t, url)
					nodes = append(nodes, n)
					caches = append(caches, cache.New(n.Store, o))
				}
				var truth versions
				var wg sync.WaitGroup
				for i, c := range caches {
					for range 2 {
						wg.Go(func() { // reader
							for range 600 {
								truth.read(t, c, rand.IntN(len(truth)))
							}
						})
					}
					wg.Go(func() { // writer
						for j := range 150 {
							key := rand.IntN(len(truth))
							wrote := truth[key].Add(1)
							if j%50 == 49 {
								c.Clear(context.Background())
							} else {
								c.Invalidate(context.Background(), fmt.Sprint(key))
							}
							if got := truth.read(t, c, key); got < wrote {
								t.Errorf("%s: node %d wrote version %d and reads %d", o.Name, i, wrote, got)
							}
						}
					})
				}
				wg.Wait()
				for i, c := range caches {
					if up := nodes[i].metric(t, "redis_up"); up != 1 || nodes[i].log.count(logAway) != 0 {
						t.Fatalf("node %d lost Redis: the test shows nothing", i)
					}
					for key := range truth {
						want := truth[key].Load()
						eventually(t, fmt.Sprintf("%s: node %d gives version %d of key %d", o.Name, i, want, key), func() bool {
							return truth.read(t, c, key) == want
						})
					}
				}
				// And it stays so: nothing that was on its way put an old value back.
				for i, c := range caches {
					for key := range truth {
						if got, want := truth.read(t, c, key), truth[key].Load(); got != want {
							t.Errorf("%s: node %d: version %d of key %d came back, want %d", o.Name, i, got, key, want)
						}
					}
				}
				for key := range truth {
					held := nodes[0].rdb.Get(context.Background(), group.key(o.Name, fmt.Sprint(key))).Val()
					if want := fmt.Sprintf(`v"%d"`, truth[key].Load()); held != want && strings.HasPrefix(held, "v") {
						t.Errorf("%s: Redis holds %s for key %d, want %s", o.Name, held, key, want)
					}
				}
			}
		})
	}
}
