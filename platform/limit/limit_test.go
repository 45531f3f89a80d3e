package limit_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mindspace-app/mindspace/platform/limit"
)

func TestLocalAllowsTheQuotaAndNoMore(t *testing.T) {
	t.Parallel()
	l, allowed := limit.NewLocal(10), atomic.Int32{}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, ok := l.Allow("k", limit.Quota{Calls: 7, Per: time.Hour}); ok {
				allowed.Add(1)
			}
		})
	}
	all.Wait()
	if allowed.Load() != 7 {
		t.Errorf("%d calls allowed, want 7", allowed.Load())
	}
	wait, ok := l.Allow("k", limit.Quota{Calls: 7, Per: time.Hour})
	if ok || wait <= 0 || wait > time.Hour/7 {
		t.Errorf("wait %v, ok %v; want at most a seventh of an hour", wait, ok)
	}
	if _, ok := l.Allow("another", limit.Quota{Calls: 1, Per: time.Hour}); !ok {
		t.Error("one key used up another's quota")
	}
}

func TestZeroQuotaAllowsAll(t *testing.T) {
	t.Parallel()
	l := limit.NewLocal(10)
	for range 1000 {
		if _, ok := l.Allow("k", limit.Quota{}); !ok {
			t.Fatal("refused without a quota")
		}
	}
}

func TestLocalForgetsRatherThanGrows(t *testing.T) {
	t.Parallel()
	l := limit.NewLocal(100)
	for n := range 10_000 {
		l.Allow(fmt.Sprint(n), limit.Quota{Calls: 1, Per: time.Hour})
	}
	remembered := 0
	for n := range 10_000 {
		if _, ok := l.Allow(fmt.Sprint(n), limit.Quota{Calls: 1, Per: time.Hour}); !ok {
			remembered++
		}
	}
	if remembered > 1000 {
		t.Errorf("%d of 10,000 keys remembered, want about 100", remembered)
	}
}
