package token

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// keysAge is from which age on the keys are loaded again.
	keysAge = time.Minute
	// reloadGap is the least time between two loads, however many unknown keys are named meanwhile.
	reloadGap = 5 * time.Second
	// firstGap is the same while no keys are known at all.
	firstGap = time.Second
	// loadTimeout bounds a load.
	loadTimeout = 5 * time.Second
)

var (
	// errUnknownKey says that nobody has a key of that id.
	errUnknownKey = errors.New("an unknown key")
	// errNoKeys says that the keys could not be loaded, so that it cannot be told whether somebody has it.
	errNoKeys = errors.New("token: the keys cannot be loaded")
)

// keySet is what a key source gave.
type keySet struct {
	byID   map[string]*ecdsa.PublicKey
	loaded time.Time
}

// keyring keeps the keys of a source at hand.
type keyring struct {
	source KeySource
	logger *slog.Logger
	set    atomic.Pointer[keySet]

	// mu guards what follows.
	mu sync.Mutex
	// tried is when the last load began.
	tried time.Time
	// loading is closed when the load that is under way ends; nil when none is.
	loading chan struct{}
	// failed is why the last load gave nothing.
	failed error
}

// known tells whether a key, once found, is still there. It never waits.
func (k *keyring) known(now time.Time, id string) bool {
	set := k.set.Load()
	if set == nil {
		return false
	}
	k.refresh(now, set)
	_, ok := set.byID[id]
	return ok
}

// find gives the key of an id. It waits for a load when the key is not known yet.
func (k *keyring) find(ctx context.Context, now time.Time, id string) (*ecdsa.PublicKey, error) {
	if set := k.set.Load(); set != nil {
		if key, ok := set.byID[id]; ok {
			k.refresh(now, set)
			return key, nil
		}
	}
	select {
	case <-k.load(now):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if set := k.set.Load(); set != nil {
		if key, ok := set.byID[id]; ok {
			return key, nil
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed != nil {
		return nil, errNoKeys
	}
	return nil, errUnknownKey
}

// refresh loads the keys in the background when they are old.
func (k *keyring) refresh(now time.Time, set *keySet) {
	if now.Sub(set.loaded) > keysAge {
		k.load(now)
	}
}

// load gives the end of a load that is under way or begins now; when the last one began just now there is nothing to wait for.
func (k *keyring) load(now time.Time) <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.loading != nil {
		return k.loading
	}
	gap := reloadGap
	if k.set.Load() == nil {
		gap = firstGap
	}
	done := make(chan struct{})
	if !k.tried.IsZero() && now.Sub(k.tried) < gap {
		close(done)
		return done
	}
	k.tried, k.loading = now, done
	go func() {
		defer close(done)
		k.reload(now)
	}()
	return done
}

// reload asks the source. When it fails, the keys that are known stay.
func (k *keyring) reload(now time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	set, err := fetch(ctx, k.source, now)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.loading = nil
	if err == nil {
		k.set.Store(set)
	} else if k.failed == nil {
		k.logger.WarnContext(ctx, "the keys of access tokens cannot be loaded", slog.Any("error", err))
	}
	k.failed = err
}

func fetch(ctx context.Context, source KeySource, now time.Time) (*keySet, error) {
	keys, err := source.PublicKeys(ctx)
	if err != nil {
		return nil, err
	}
	set := &keySet{byID: make(map[string]*ecdsa.PublicKey, len(keys)), loaded: now}
	for _, key := range keys {
		if err := key.check(); err != nil {
			return nil, fmt.Errorf("public keys: %w", err)
		}
		set.byID[key.ID] = key.Key
	}
	return set, nil
}
