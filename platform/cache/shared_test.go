package cache_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/mindspace-app/mindspace/platform/cache"
)

func TestValuesAreSharedThroughRedis(t *testing.T) {
	t.Parallel()
	for kind, start := range redises() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			group := newCluster()
			one, two := group.start(t, url), group.start(t, url)
			a, b := cache.New(one.Store, shared("test")), cache.New(two.Store, shared("test"))
			var src source
			src.set("k", "1")
			get(t, a, &src, "k")
			eventuallyShared(t, one, group, "test", "k")
			if v := get(t, b, &src, "k"); v != "1" {
				t.Errorf("got %q", v)
			}
			if n := src.loads.Load(); n != 1 {
				t.Errorf("%d loads for two nodes, want 1", n)
			}
			if n := two.metric(t, counterCalled, "test", "l2_hit"); n != 1 {
				t.Errorf("l2_hit = %v, want 1", n)
			}
			ttl, err := one.rdb.PTTL(context.Background(), group.key("test", "k")).Result()
			if err != nil || ttl <= 0 || ttl > time.Hour {
				t.Errorf("the value in Redis lives for %v, %v", ttl, err)
			}
		})
	}
}

// key is the name of a cache's key in Redis.
func (c cluster) key(cache, key string) string { return c.prefix + ":cache:" + cache + ":" + key }

// eventuallyShared waits until a value stands in Redis: it is put there after those who wait for it were woken.
func eventuallyShared(tb testing.TB, n *node, c cluster, cache, key string) {
	tb.Helper()
	eventually(tb, "the value is in Redis", func() bool {
		held, err := n.rdb.Get(context.Background(), c.key(cache, key)).Result()
		return err == nil && strings.HasPrefix(held, "v")
	})
}

func TestInvalidationReachesTheOtherNodes(t *testing.T) {
	t.Parallel()
	for kind, start := range redises() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			group := newCluster()
			nodes := []*node{group.start(t, url), group.start(t, url), group.start(t, url)}
			const binary = "\xff\x00 key"
			for _, o := range []cache.Options[string]{shared("both"), {Name: "own", TTL: time.Hour}, private("private")} {
				var caches []*cache.Cache[string]
				for _, n := range nodes {
					caches = append(caches, cache.New(n.Store, o))
				}
				var src source
				for _, key := range []string{"a", "b", binary} {
					src.set(key, "1")
					for _, c := range caches {
						get(t, c, &src, key)
					}
					src.set(key, "2")
				}
				caches[0].Invalidate(context.Background(), "a", binary)
				for i, c := range caches {
					for _, key := range []string{"a", binary} {
						eventually(t, fmt.Sprintf("%s: node %d gives the new value of %q", o.Name, i, key), func() bool {
							return get(t, c, &src, key) == "2"
						})
					}
					if v := get(t, c, &src, "b"); v != "1" {
						t.Errorf("%s: node %d: a key that was not invalidated gives %q", o.Name, i, v)
					}
				}
				if n := nodes[0].metric(t, "invalidations_total", o.Name, "heard"); n != 0 {
					t.Errorf("%s: a node heard %v invalidations of its own", o.Name, n)
				}
				if n := nodes[1].metric(t, "invalidations_total", o.Name, "heard"); n != 2 {
					t.Errorf("%s: the other node heard %v invalidations, want 2", o.Name, n)
				}
			}
		})
	}
}

func private(name string) cache.Options[string] {
	o := shared(name)
	o.Private = true
	return o
}

func TestPrivateValuesNeverReachRedis(t *testing.T) {
	t.Parallel()
	for kind, start := range redises() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			group := newCluster()
			n := group.start(t, url)
			c := cache.New(n.Store, private("health"))
			open := cache.New(n.Store, shared("open"))
			var src source
			src.set("k", "secret value")
			get(t, c, &src, "k")
			c.Invalidate(context.Background(), "k")
			get(t, c, &src, "k")
			// By the time that this value is there, the other would be.
			get(t, open, &src, "k")
			eventuallyShared(t, n, group, "open", "k")
			keys, err := n.rdb.Keys(context.Background(), group.prefix+"*").Result()
			if err != nil || !slices.Equal(keys, []string{group.key("open", "k")}) {
				t.Errorf("keys in Redis: %q, %v", keys, err)
			}
		})
	}
}

func TestClearEmptiesOneCacheEverywhere(t *testing.T) {
	t.Parallel()
	for kind, start := range redises() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			group, other := newCluster(), newCluster()
			one, two, foreign := group.start(t, url), group.start(t, url), other.start(t, url)
			var src source
			const keys = 2500 // more than one step of SCAN
			a, b := cache.New(one.Store, shared("page")), cache.New(two.Store, shared("page"))
			bystander := cache.New(one.Store, shared("page_view"))
			stranger := cache.New(foreign.Store, shared("page"))
			for i := range keys {
				src.set(fmt.Sprint(i), "1")
				get(t, a, &src, fmt.Sprint(i))
			}
			for i := range keys {
				eventuallyShared(t, one, group, "page", fmt.Sprint(i))
			}
			get(t, b, &src, "7")
			get(t, bystander, &src, "7")
			eventuallyShared(t, one, group, "page_view", "7")
			get(t, stranger, &src, "7")
			eventuallyShared(t, foreign, other, "page", "7")

			src.set("7", "2")
			a.Clear(context.Background())
			left, err := one.rdb.Keys(context.Background(), group.key("page", "*")).Result()
			if err != nil || len(left) != 0 {
				t.Errorf("%d keys left, %v", len(left), err)
			}
			if v := get(t, a, &src, "7"); v != "2" {
				t.Errorf("the node itself gives %q", v)
			}
			eventually(t, "the other node gives the new value", func() bool { return get(t, b, &src, "7") == "2" })
			if v := get(t, bystander, &src, "7"); v != "1" {
				t.Errorf("another cache gives %q", v)
			}
			for key, n := range map[string]*node{group.key("page_view", "7"): one, other.key("page", "7"): foreign} {
				if n, err := n.rdb.Exists(context.Background(), key).Result(); err != nil || n != 1 {
					t.Errorf("%s is gone from Redis, %v", key, err)
				}
			}
			if v := get(t, stranger, &src, "7"); v != "1" {
				t.Errorf("another installation gives %q", v)
			}
		})
	}
}

// A load is under way on one node while another invalidates: the old value is stored neither in that node nor in Redis.
func TestLoadOnAnotherNodeFromBeforeAnInvalidationIsNotKept(t *testing.T) {
	t.Parallel()
	for kind, start := range redises() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			for name, invalidate := range map[string]func(*cache.Cache[string]){
				"invalidate": func(c *cache.Cache[string]) { c.Invalidate(context.Background(), "k") },
				"clear":      func(c *cache.Cache[string]) { c.Clear(context.Background()) },
			} {
				group := newCluster()
				writer, reader := group.start(t, url), group.start(t, url)
				w, r := cache.New(writer.Store, shared(name)), cache.New(reader.Store, shared(name))
				before := newBlocked()
				old := asking(context.Background(), r, "k", before.load)
				<-before.begun
				invalidate(w)
				eventually(t, "the reader hears it", func() bool { return reader.metric(t, "invalidations_total", name, "heard") == 1 })
				before.give <- "old"
				wantAnswer(t, old, "old")
				var src source
				src.set("k", "new")
				if v := get(t, r, &src, "k"); v != "new" {
					t.Errorf("%s: the reader kept %q", name, v)
				}
				eventuallyShared(t, reader, group, name, "k")
				if v := get(t, w, &src, "k"); v != "new" {
					t.Errorf("%s: Redis kept %q", name, v)
				}
			}
		})
	}
}

// The same, when the message does not arrive: Redis itself refuses the old value, whoever brings it.
func TestRedisRefusesALateValueFromADeafNode(t *testing.T) {
	t.Parallel()
	for kind, start := range redises() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			group := newCluster()
			writer, reader := group.start(t, url), group.deaf(t, url)
			w, r := cache.New(writer.Store, shared("test")), cache.New(reader.Store, shared("test"))
			ctx := context.Background()
			key := group.key("test", "k")

			// The old load ends when nothing stands under the key, when a younger lease does, and when a younger value does.
			for _, younger := range []string{"nothing", "lease", "value"} {
				before := newBlocked()
				old := asking(ctx, r, "k", before.load)
				<-before.begun
				w.Invalidate(ctx, "k")
				after := newBlocked()
				var fresh <-chan answer
				if younger != "nothing" {
					fresh = asking(ctx, w, "k", after.load)
					<-after.begun
				}
				if younger == "value" {
					after.give <- "new"
					wantAnswer(t, fresh, "new")
					eventuallyShared(t, writer, group, "test", "k")
				}
				before.give <- "old"
				wantAnswer(t, old, "old")
				// The reader's next load leaves a mark that comes after its late put.
				probe := newBlocked()
				mark := asking(ctx, r, "mark", probe.load)
				<-probe.begun
				probe.give <- "x"
				wantAnswer(t, mark, "x")
				eventuallyShared(t, reader, group, "test", "mark")

				if held, err := writer.rdb.Get(ctx, key).Result(); err == nil && strings.Contains(held, "old") {
					t.Errorf("over %s: the old value was put into Redis", younger)
				}
				if younger == "lease" {
					after.give <- "new"
					wantAnswer(t, fresh, "new")
					eventuallyShared(t, writer, group, "test", "k")
				}
				w.Invalidate(ctx, "k", "mark")
				r.Invalidate(ctx, "k", "mark")
			}
		})
	}
}

// A caller whose request was given up still gets its committed change to the other nodes.
func TestInvalidationGoesOnWhenItsContextHasEnded(t *testing.T) {
	t.Parallel()
	for kind, start := range redises() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			group := newCluster()
			one, two := group.start(t, url), group.start(t, url)
			a, b := cache.New(one.Store, shared("test")), cache.New(two.Store, shared("test"))
			var src source
			src.set("k", "1")
			get(t, b, &src, "k")
			src.set("k", "2")
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			a.Invalidate(ctx, "k")
			eventually(t, "the other node gives the new value", func() bool { return get(t, b, &src, "k") == "2" })
		})
	}
}

func TestUnreadableValuesAreReplaced(t *testing.T) {
	t.Parallel()
	for kind, start := range redises() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			group := newCluster()
			one, two := group.start(t, url), group.start(t, url)
			a, b := cache.New(one.Store, shared("test")), cache.New(two.Store, shared("test"))
			var src source
			for i, bad := range []string{"v{not json", "v", "xforeign", "v42"} {
				key := fmt.Sprint(i)
				src.set(key, "good")
				if err := one.rdb.Set(context.Background(), group.key("test", key), bad, time.Hour).Err(); err != nil {
					t.Fatal(err)
				}
				if v := get(t, a, &src, key); v != "good" {
					t.Errorf("%q gives %q", bad, v)
				}
				eventually(t, "the value is replaced", func() bool {
					held, err := one.rdb.Get(context.Background(), group.key("test", key)).Result()
					return err == nil && held == `v"good"`
				})
				get(t, b, &src, key)
			}
			if n := src.loads.Load(); n != 4 {
				t.Errorf("%d loads, want 4", n)
			}
			if n := one.metric(t, "codec_errors_total", "test", "decode"); n != 4 {
				t.Errorf("%v decoding errors counted, want 4", n)
			}
			if n := one.metric(t, counterRedis); n != 0 {
				t.Errorf("%v errors of Redis counted", n)
			}
		})
	}
}

// mute is a codec that cannot encode.
type mute struct{ cache.Codec[string] }

// Marshal fails.
func (mute) Marshal(string) ([]byte, error) { return nil, errors.New("mute") }

func TestUnencodableValuesAreServed(t *testing.T) {
	t.Parallel()
	group := newCluster()
	for kind, start := range redises() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			n := group.start(t, url)
			o := shared("test")
			o.Codec = mute{cache.JSON[string]()}
			c := cache.New(n.Store, o)
			var src source
			src.set("k", "1")
			if v := get(t, c, &src, "k"); v != "1" {
				t.Errorf("got %q", v)
			}
			eventually(t, "the error is counted", func() bool { return n.metric(t, "codec_errors_total", "test", "encode") == 1 })
		})
	}
}

func TestForeignMessagesAreIgnored(t *testing.T) {
	t.Parallel()
	for kind, start := range redises() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			group := newCluster()
			n := group.start(t, url)
			c := cache.New(n.Store, shared("test"))
			var src source
			src.set("k", "1")
			get(t, c, &src, "k")
			for _, text := range []string{"", "nonsense", "[]", "null", `{"n":1}`, `{"n":"x","c":"absent","k":["aw=="]}`, `{"n":"x","c":"absent","a":true}`, `{"n":"x","c":"test","k":["!"]}`} {
				if err := n.rdb.Publish(context.Background(), group.prefix+":cache:invalidations", text).Err(); err != nil {
					t.Fatal(err)
				}
			}
			src.set("k", "2")
			if err := n.rdb.Publish(context.Background(), group.prefix+":cache:invalidations", `{"n":"x","c":"test","k":["aw=="]}`).Err(); err != nil {
				t.Fatal(err)
			}
			// The last one is real: it comes through, after the others, and only it counts.
			eventually(t, "the real message is heard", func() bool { return n.metric(t, "invalidations_total", "heard") == 1 })
			if n := n.metric(t, "subscribed"); n != 1 {
				t.Error("a foreign message broke the subscription")
			}
		})
	}
}

func TestCodecs(t *testing.T) {
	t.Parallel()
	type thing struct {
		Name string
		At   time.Time
	}
	j := cache.JSON[[]thing]()
	want := []thing{{"a", time.Unix(1, 2).UTC()}}
	data, err := j.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := j.Unmarshal(data); err != nil || !slices.Equal(got, want) {
		t.Errorf("JSON: %v, %v", got, err)
	}
	if _, err := j.Unmarshal([]byte("{")); err == nil {
		t.Error("JSON: nonsense was decoded")
	}

	p := cache.Proto[*structpb.Value]()
	if data, err = p.Marshal(structpb.NewStringValue("Ночь")); err != nil {
		t.Fatal(err)
	}
	first, err := p.Unmarshal(data)
	if err != nil || first.GetStringValue() != "Ночь" {
		t.Errorf("Proto: %v, %v", first, err)
	}
	if second, _ := p.Unmarshal(data); second == first {
		t.Error("Proto: two calls gave the same message")
	}
	if _, err := p.Unmarshal([]byte{0xff}); err == nil {
		t.Error("Proto: nonsense was decoded")
	}
}
