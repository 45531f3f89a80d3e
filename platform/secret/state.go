package secret

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/key"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// maxTurns is how many rotations a keyring remembers at most; prune forgets those of the keys that it removes.
const maxTurns = 100

// history is what has become of the keys that encrypt, since they were first made.
type history struct {
	// Revision counts the changes, so that a process can tell a newer file from an older one.
	Revision int `json:"revision,omitempty"`
	// Turns tell when which key becomes primary, in the order of time. Before the first it is the keyset's own primary key.
	Turns []turn `json:"turns,omitempty"`
	// Pruned are the ids of keys that were removed on purpose: a file that lacks any other one is not taken.
	Pruned []uint32 `json:"pruned,omitempty"`
}

// turn is the time from which on everything is encrypted under a key.
type turn struct {
	Key  uint32    `json:"key"`
	From time.Time `json:"from"`
}

// state are the keys that encrypt, at one revision. It does not change.
type state struct {
	history
	keys *keyset.Handle
	// usable are the keys by their ids, without those that Tink calls disabled.
	usable map[uint32]key.Key
	order  []uint32 // the ids of usable as they stand in the keyset
	// phases are in the order of time; the first has no beginning.
	phases []phase
}

// phase is the time in which a key is the primary one.
type phase struct {
	turn
	aead tink.AEAD // encrypts under that key, decrypts under all
}

func newState(keys *keyset.Handle, past history) (*state, error) {
	s := &state{history: past, keys: keys, usable: map[uint32]key.Key{}}
	var first turn
	err := eachKey(keys, func(e *keyset.Entry) error {
		p, ok := e.Key().Parameters().(*aesgcm.Parameters)
		if !ok || p.KeySizeInBytes() != keySize {
			return errors.New("holds a key that is not AES-256-GCM")
		}
		// Without its prefix nobody could tell under which key something is encrypted.
		if p.Variant() != aesgcm.VariantTink {
			return errors.New("holds a key whose ciphertexts do not name it")
		}
		if e.KeyStatus() == keyset.Enabled {
			s.usable[e.KeyID()] = e.Key()
			s.order = append(s.order, e.KeyID())
		}
		if e.IsPrimary() {
			first.Key = e.KeyID()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := s.checkHistory(); err != nil {
		return nil, err
	}
	for _, t := range append([]turn{first}, s.Turns...) {
		p, err := withPrimary(keys, t.Key)
		if err != nil {
			return nil, errors.New("cannot be used")
		}
		s.phases = append(s.phases, phase{turn: t, aead: p})
	}
	return s, nil
}

func (s *state) checkHistory() error {
	if s.Revision < 0 || len(s.Turns) > maxTurns {
		return errors.New("has a history that cannot be")
	}
	for i, t := range s.Turns {
		switch {
		case !s.has(t.Key):
			return fmt.Errorf("lacks the key %d, which becomes primary by its history", t.Key)
		case t.From.IsZero() || i > 0 && !t.From.After(s.Turns[i-1].From):
			return errors.New("has a history that is not in the order of time")
		}
	}
	for _, id := range s.Pruned {
		if s.has(id) {
			return fmt.Errorf("holds the key %d, which was removed by its history", id)
		}
	}
	return nil
}

// withPrimary gives what encrypts under one key and decrypts under all.
func withPrimary(keys *keyset.Handle, id uint32) (tink.AEAD, error) {
	m := keyset.NewManagerFromHandle(keys)
	if err := m.SetPrimary(id); err != nil {
		return nil, err
	}
	h, err := m.Handle()
	if err != nil {
		return nil, err
	}
	return aead.New(h)
}

func (s *state) has(id uint32) bool { _, ok := s.usable[id]; return ok }

// at is the phase of a time.
func (s *state) at(now time.Time) phase {
	for _, p := range slices.Backward(s.phases) {
		if !p.From.After(now) {
			return p
		}
	}
	return s.phases[0]
}

// AEAD encrypts under the key that is primary at the time of the call and decrypts under every key. Give associated data that names the
// row and the column, so that a ciphertext that was moved elsewhere does not open.
func (k *Keyring) AEAD() tink.AEAD { return live{k} }

// live is a keyring as Tink's interface.
type live struct{ k *Keyring }

// Encrypt is Seal.
func (l live) Encrypt(plaintext, bound []byte) ([]byte, error) { return l.k.Seal(plaintext, bound) }

// Decrypt is Open.
func (l live) Decrypt(sealed, bound []byte) ([]byte, error) { return l.k.Open(sealed, bound) }

// Seal encrypts under the primary key. bound names the row and the column: a ciphertext that was moved elsewhere does not open.
func (k *Keyring) Seal(plaintext, bound []byte) ([]byte, error) {
	return k.r.state.Load().at(time.Now()).aead.Encrypt(plaintext, bound)
}

// Open reverses Seal. When the key is not in the keyring, it looks at the file that the keyring follows, and then fails with a
// [MissingKeyError]. What does not open under the key that it names was changed, cut or moved, which is another error.
func (k *Keyring) Open(sealed, bound []byte) ([]byte, error) {
	id, ok := KeyOf(sealed)
	if !ok {
		return nil, errors.New("secret: a value is not one that a keyring has sealed")
	}
	s := k.r.state.Load()
	if !s.has(id) {
		if s = k.r.lookFor(id); !s.has(id) {
			return nil, &MissingKeyError{ID: id}
		}
	}
	plaintext, err := s.phases[0].aead.Decrypt(sealed, bound)
	if err != nil {
		return nil, fmt.Errorf("secret: a value under the key %d was changed, cut or moved: %w", id, err)
	}
	return plaintext, nil
}

// prefixSize is the length of what Tink writes before a ciphertext: a byte 1 and the id of the key, big endian.
const prefixSize = 5

// Prefix is what everything begins with that is sealed under a key.
func Prefix(id uint32) []byte { return binary.BigEndian.AppendUint32([]byte{1}, id) }

// KeyOf tells under which key something is sealed; false for what no keyring has sealed.
func KeyOf(sealed []byte) (id uint32, ok bool) {
	if len(sealed) < prefixSize || sealed[0] != 1 {
		return 0, false
	}
	return binary.BigEndian.Uint32(sealed[1:]), true
}

// PrimaryID is the key under which Seal encrypts now.
func (k *Keyring) PrimaryID() uint32 { return k.r.state.Load().at(time.Now()).Key }

// Has tells whether what is sealed under a key can be opened. Like Open it looks at the file for a key that is not here.
func (k *Keyring) Has(id uint32) bool { return k.r.state.Load().has(id) || k.r.lookFor(id).has(id) }

func (s *state) pruned(id uint32) bool { return slices.Contains(s.Pruned, id) }

// same tells whether another state of the same revision, with our keys, says the same.
func (s *state) same(other *state) bool {
	return len(s.usable) == len(other.usable) && slices.EqualFunc(s.phases, other.phases, func(a, b phase) bool {
		return a.Key == b.Key && a.From.Equal(b.From)
	})
}
