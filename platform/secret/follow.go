package secret

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tink-crypto/tink-go/v2/keyset"
)

const (
	// PollInterval is how often a keyring looks at the file that it came from. A new key is to become primary later than that.
	PollInterval = 2 * time.Second
	// lookPause is how long a keyring does not look again, however many values are sealed under keys that it does not have.
	lookPause = 250 * time.Millisecond
)

// origin is the file that a keyring came from, and what was last seen there.
type origin struct {
	file string // empty when the keyring came from no file

	mu      sync.Mutex
	seen    [sha256.Size]byte // of the content that was last looked at, taken or not
	failure string            // why the file could not be read; empty when it could
	looked  time.Time         // when it was last looked at for a missing key
	logger  *slog.Logger      // nil until somebody follows
	missed  map[uint32]bool   // the missing keys that were told of
}

// Follow takes every newer keyring from the file that k came from, until ctx ends. It returns nil then, and at once when k came from no file.
//
// A file is taken when it is a later revision of the same keyring and lacks no key but those that were removed on purpose. Any other,
// and one that cannot be read, is logged once and left alone. Of the file only the keys that encrypt are taken.
func (k *Keyring) Follow(ctx context.Context, logger *slog.Logger) error {
	if k.r.origin.file == "" {
		return nil
	}
	k.r.origin.mu.Lock()
	k.r.origin.logger = logger
	k.r.origin.mu.Unlock()
	ticker := time.NewTicker(PollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			k.r.origin.mu.Lock()
			k.r.look(ctx)
			k.r.origin.mu.Unlock()
		}
	}
}

// Followable tells whether the keyring came from a file, so that it can be changed while the program runs.
func (k *Keyring) Followable() bool { return k.r.origin.file != "" }

// lookFor looks at the file for a key that is missing, and gives the keys as they are then.
func (r *ring) lookFor(id uint32) *state {
	o := &r.origin
	o.mu.Lock()
	defer o.mu.Unlock()
	// Somebody else may have looked meanwhile.
	if s := r.state.Load(); s.has(id) {
		return s
	}
	if now := time.Now(); o.file != "" && now.Sub(o.looked) >= lookPause {
		o.looked = now
		r.look(context.Background())
	}
	s := r.state.Load()
	if !s.has(id) && o.logger != nil && !o.missed[id] && len(o.missed) < 1000 {
		if o.missed == nil {
			o.missed = map[uint32]bool{}
		}
		o.missed[id] = true
		o.logger.Error("something is encrypted under a key that is not in the keyring: bring the file that has it", "missing_key_id", id)
	}
	return s
}

// look takes what is in the file when it is newer; the origin is locked.
func (r *ring) look(ctx context.Context) {
	o := &r.origin
	data, err := readFile(o.file)
	if err != nil {
		if text := err.Error(); text != o.failure {
			o.failure = text
			o.warn(ctx, err)
		}
		return
	}
	o.failure = ""
	sum := sha256.Sum256(data)
	if bytes.Equal(sum[:], o.seen[:]) {
		return
	}
	o.seen = sum
	next, err := Parse(data)
	if err == nil {
		err = r.succeeds(next.r)
	}
	if err != nil {
		o.warn(ctx, err)
		return
	}
	if next.r.state.Load().Revision == r.state.Load().Revision {
		return // the same keys, written anew
	}
	r.state.Store(next.r.state.Load())
	if o.logger != nil {
		s := r.state.Load()
		last := s.phases[len(s.phases)-1]
		o.logger.InfoContext(ctx, "a newer keyring was taken", "revision", s.Revision, "key_id", last.Key, "primary_from", last.From)
	}
}

func (o *origin) warn(ctx context.Context, err error) {
	if o.logger != nil {
		o.logger.ErrorContext(ctx, "the keyring file was not taken; going on with the keys from before", "error", err)
	}
}

// succeeds tells whether next may take the place of r: nil when it may, or when both are the same.
func (r *ring) succeeds(next *ring) error {
	mine, theirs := r.state.Load(), next.state.Load()
	switch {
	case !next.created.Equal(r.created) || next.demo != r.demo:
		return errors.New("secret: the file holds the keyring of another installation")
	case theirs.Revision < mine.Revision:
		return fmt.Errorf("secret: the file holds an older keyring: revision %d, after %d", theirs.Revision, mine.Revision)
	}
	if err := contains(next.prfKeys, r.prfKeys); err != nil {
		return err
	}
	for _, id := range mine.order {
		other, ok := theirs.usable[id]
		switch {
		case ok && !other.Equal(mine.usable[id]):
			return fmt.Errorf("secret: the file holds another key with the id %d", id)
		case !ok && !theirs.pruned(id):
			return fmt.Errorf("secret: the file lacks the key %d, and does not say that it was removed", id)
		case !ok && theirs.Revision == mine.Revision:
			return fmt.Errorf("secret: the file lacks the key %d, and is no later revision", id)
		}
	}
	if theirs.Revision == mine.Revision && !theirs.same(mine) {
		return fmt.Errorf("secret: the file and this process hold different keyrings of revision %d: two were made from one", mine.Revision)
	}
	return nil
}

// contains tells whether every key of a keyset is in another.
func contains(all, some *keyset.Handle) error {
	return eachKey(some, func(mine *keyset.Entry) error {
		found := false
		err := eachKey(all, func(e *keyset.Entry) error {
			found = found || e.KeyID() == mine.KeyID() && e.Key().Equal(mine.Key())
			return nil
		})
		if err != nil || !found {
			return errors.New("secret: the file holds other subkeys: those are taken at a start only")
		}
		return nil
	})
}

// SameAs tells whether two keyrings are of one installation, whatever the revision of each.
func (k *Keyring) SameAs(other *Keyring) bool {
	return k.r.created.Equal(other.r.created) && contains(k.r.prfKeys, other.r.prfKeys) == nil
}
