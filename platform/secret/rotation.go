package secret

import (
	"fmt"
	"slices"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
)

// KeyInfo is what may be told about a key that encrypts.
type KeyInfo struct {
	ID uint32
	// From is since when, or from when on, it is primary; for a key from before that was written down, when the keyring was made.
	From time.Time
	// Until is when another one takes its place; zero when none does.
	Until time.Time
}

// Primary tells whether everything is encrypted under it at a time.
func (i KeyInfo) Primary(now time.Time) bool {
	return !i.From.After(now) && (i.Until.IsZero() || i.Until.After(now))
}

// Keys lists the keys that encrypt, in the order in which they become primary.
func (k *Keyring) Keys() []KeyInfo {
	s := k.r.state.Load()
	infos := make([]KeyInfo, 0, len(s.order))
	for _, id := range s.order {
		// A key that is in no phase was replaced before that was written down.
		info := KeyInfo{ID: id, From: k.r.created, Until: k.r.created}
		for i, p := range s.phases {
			if p.Key != id {
				continue
			}
			if !p.From.IsZero() {
				info.From = p.From
			}
			if info.Until = (time.Time{}); i+1 < len(s.phases) && s.phases[i+1].Key != id {
				info.Until = s.phases[i+1].From
			}
		}
		infos = append(infos, info)
	}
	slices.SortStableFunc(infos, func(a, b KeyInfo) int { return a.From.Compare(b.From) })
	return infos
}

// Rotation is a new key that encrypts, and when it begins to.
type Rotation struct {
	Old, New uint32
	From     time.Time
}

// RotateAEAD gives a keyring with a new key that encrypts from a time on, which must be later than from when any other does. k is unchanged,
// and nothing is encrypted anew. Every process has to have the new keyring by then: what it cannot open it answers with [MissingKeyError].
//
// The subkeys stay. Hashes and tags made with them are stored, or are in the hands of people, and cannot be made anew.
func (k *Keyring) RotateAEAD(from time.Time) (*Keyring, Rotation, error) {
	s, now := k.r.state.Load(), time.Now()
	if last := s.phases[len(s.phases)-1]; last.From.After(now) || !from.After(last.From) {
		return nil, Rotation{}, fmt.Errorf("secret: the key %d has only just been made and is primary from %s on", last.Key, last.From.Format(time.RFC3339))
	}
	old := s.at(now).Key
	m := keyset.NewManagerFromHandle(s.keys)
	id, err := m.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, Rotation{}, fmt.Errorf("secret: make an AEAD key: %w", err)
	}
	if slices.Contains(s.Pruned, id) {
		return nil, Rotation{}, fmt.Errorf("secret: the key %d was there once and was removed; try again", id)
	}
	// Programs that know nothing of turns go by this one.
	if err := m.SetPrimary(old); err != nil {
		return nil, Rotation{}, fmt.Errorf("secret: keep the primary AEAD key: %w", err)
	}
	keys, err := m.Handle()
	if err != nil {
		return nil, Rotation{}, fmt.Errorf("secret: add an AEAD key: %w", err)
	}
	past := history{Revision: s.Revision + 1, Pruned: s.Pruned, Turns: slices.Clone(s.Turns)}
	if len(past.Turns) == 0 && from.After(k.r.created) { // of the first key it was not written down that it had its turn, nor would be when it ended
		past.Turns = []turn{{Key: old, From: k.r.created.UTC()}}
	}
	past.Turns = append(past.Turns, turn{Key: id, From: from.UTC()})
	next, err := assemble(k.r.demo, k.r.created, keys, past, k.r.prfKeys)
	return next, Rotation{Old: old, New: id, From: from.UTC()}, err
}

// Prune gives a keyring without some keys: what is sealed under them can never be opened again. k is unchanged. A key that is or
// becomes primary is not removed.
func (k *Keyring) Prune(ids ...uint32) (*Keyring, error) {
	s, now := k.r.state.Load(), time.Now()
	active := s.at(now)
	past := history{Revision: s.Revision + 1, Pruned: append(slices.Clone(s.Pruned), ids...)}
	for _, t := range s.Turns {
		if !slices.Contains(ids, t.Key) {
			past.Turns = append(past.Turns, t)
		}
	}
	m := keyset.NewManagerFromHandle(s.keys)
	if err := m.SetPrimary(active.Key); err != nil {
		return nil, fmt.Errorf("secret: keep the primary AEAD key: %w", err)
	}
	for _, id := range ids {
		if id == active.Key || slices.ContainsFunc(s.Turns, func(t turn) bool { return t.Key == id && t.From.After(now) }) {
			return nil, fmt.Errorf("secret: the key %d is the one that encrypts", id)
		}
		if err := m.Delete(id); err != nil {
			return nil, fmt.Errorf("secret: remove the key %d: %w", id, err)
		}
	}
	keys, err := m.Handle()
	if err != nil {
		return nil, fmt.Errorf("secret: remove AEAD keys: %w", err)
	}
	return assemble(k.r.demo, k.r.created, keys, past, k.r.prfKeys)
}

// Rotate gives a keyring with a new primary key in both keysets, at once. The keys of k stay in it: what they encrypted or
// signed can still be opened. Nothing is encrypted anew.
//
// This is for an installation that stands still, after its subkeys became known to somebody: processes that still run on k cannot open what
// the new keyring makes, a process takes new subkeys at its start only, and hashes that are stored under the old primary subkey count no
// more (the guards of guesses begin at nought). No command does it; [Keyring.RotateAEAD] is what a running installation needs.
func (k *Keyring) Rotate() (*Keyring, error) {
	s := k.r.state.Load()
	aeadKeys, id, err := addPrimary(s.keys, aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("secret: rotate the AEAD keys: %w", err)
	}
	prfKeys, _, err := addPrimary(k.r.prfKeys, prf.HKDFSHA256PRFKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("secret: rotate the PRF keys: %w", err)
	}
	// Turns that were to come are none any more.
	now := time.Now().UTC()
	past := history{Revision: s.Revision + 1, Pruned: s.Pruned}
	for _, t := range s.Turns {
		if t.From.Before(now) {
			past.Turns = append(past.Turns, t)
		}
	}
	past.Turns = append(past.Turns, turn{Key: id, From: now})
	return assemble(k.r.demo, k.r.created, aeadKeys, past, prfKeys)
}

// addPrimary gives a copy of a keyset with a fresh primary key.
func addPrimary(h *keyset.Handle, template *tinkpb.KeyTemplate) (*keyset.Handle, uint32, error) {
	m := keyset.NewManagerFromHandle(h)
	id, err := m.Add(template)
	if err != nil {
		return nil, 0, err
	}
	if err := m.SetPrimary(id); err != nil {
		return nil, 0, err
	}
	next, err := m.Handle()
	return next, id, err
}
