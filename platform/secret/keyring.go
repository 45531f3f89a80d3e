// Package secret holds the keys of this installation: one keyring, loaded at start and handed to whoever needs it.
// A keyring has two Tink keysets, one that encrypts (AES-256-GCM) and one from which named subkeys are derived
// (HKDF-SHA-256), so that a new purpose never needs a new secret to be distributed.
//
// The keys that encrypt can be exchanged while the program runs: a keyring that came from a file follows that file. A new key is
// in the file some time before anything is encrypted under it, so that by then every process can read what the others write.
// The subkeys stay as they were at the start.
//
// It never reads the environment, never stores keys in the database, and never prints them: every way of formatting
// a keyring or a subkey gives a placeholder, and no error carries a part of what was parsed.
package secret

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/prf/hkdfprf"
)

// keySize is the length of an AES-256 key, of an HKDF input key and of a derived subkey, in bytes.
const keySize = 32

// Keyring is the set of keys of an installation. It is safe for use by several goroutines; copies of it are the same keyring.
type Keyring struct{ r *ring }

// ring is what a keyring and its copies share.
type ring struct {
	demo    bool
	created time.Time

	prfKeys *keyset.Handle
	prf     *prf.Set
	// prfOrder are the ids of the PRF keys: the primary first, then the others from the newest to the oldest.
	prfOrder []uint32

	// state are the keys that encrypt. Only follow.go replaces it.
	state  atomic.Pointer[state]
	origin origin
}

// Generate makes a keyring with fresh random keys. A demo keyring is marked as one, so that production can refuse it.
func Generate(demo bool) (*Keyring, error) {
	aeadKeys, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("secret: make an AEAD key: %w", err)
	}
	prfKeys, err := keyset.NewHandle(prf.HKDFSHA256PRFKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("secret: make a PRF key: %w", err)
	}
	return assemble(demo, time.Now().UTC().Truncate(time.Second), aeadKeys, history{}, prfKeys)
}

// Demo tells whether the keyring was made for a demonstration and must not protect anyone's real data.
func (k *Keyring) Demo() bool { return k.r.demo }

// Created is when the keyring was first generated. Rotation does not change it.
func (k *Keyring) Created() time.Time { return k.r.created }

// Derive gives the subkeys for a purpose, for example "cursor": the primary one, with which to sign or encrypt, and
// all of them, the primary first, with which to verify or open. The same keyring and purpose give the same subkeys in
// every process; different purposes give unrelated ones. Whoever takes them at the start keeps them: they do not change while the program runs.
func (k *Keyring) Derive(purpose string) (primary Key, all []Key) {
	input := []byte("mindspace subkey v1\x00" + purpose)
	all = make([]Key, 0, len(k.r.prfOrder))
	for _, id := range k.r.prfOrder {
		out, err := k.r.prf.PRFs[id].ComputePRF(input, keySize)
		if err != nil || len(out) != keySize {
			// assemble has computed a value under each of these keys, and HKDF-SHA-256 gives up to 8160 bytes.
			panic("secret: a PRF key that worked at start no longer does")
		}
		all = append(all, Key(out))
	}
	return all[0], all
}

const keyringPlaceholder = "secret.Keyring[redacted]"

// String gives a placeholder.
func (Keyring) String() string { return keyringPlaceholder }

// GoString gives a placeholder.
func (Keyring) GoString() string { return keyringPlaceholder }

// Format writes a placeholder, whatever the verb.
func (Keyring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, keyringPlaceholder) }

// LogValue gives a placeholder.
func (Keyring) LogValue() slog.Value { return slog.StringValue(keyringPlaceholder) }

// MarshalJSON gives a placeholder, for encoders that meet a keyring by accident. [Keyring.JSON] gives the keys.
func (Keyring) MarshalJSON() ([]byte, error) { return []byte(`"` + keyringPlaceholder + `"`), nil }

// assemble checks the keysets and builds their primitives.
func assemble(demo bool, created time.Time, aeadKeys *keyset.Handle, past history, prfKeys *keyset.Handle) (*Keyring, error) {
	r := &ring{demo: demo, created: created, prfKeys: prfKeys}
	current, err := newState(aeadKeys, past)
	if err != nil {
		return nil, fmt.Errorf("secret: the aead keyset %w", err)
	}
	r.state.Store(current)
	var older []uint32
	if err := eachKey(prfKeys, func(e *keyset.Entry) error {
		p, ok := e.Key().Parameters().(*hkdfprf.Parameters)
		if !ok || p.KeySizeInBytes() < keySize || p.HashType() != hkdfprf.SHA256 {
			return errors.New("holds a key that is not HKDF-SHA-256 of 32 bytes or more")
		}
		switch {
		case e.IsPrimary():
			r.prfOrder = append(r.prfOrder, e.KeyID())
		case e.KeyStatus() == keyset.Enabled:
			older = append([]uint32{e.KeyID()}, older...)
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("secret: the prf keyset %w", err)
	}
	r.prfOrder = append(r.prfOrder, older...)
	if r.prf, err = prf.NewPRFSet(prfKeys); err != nil {
		return nil, errors.New("secret: the prf keyset cannot be used")
	}
	for _, id := range r.prfOrder {
		f, ok := r.prf.PRFs[id]
		if !ok {
			return nil, errors.New("secret: the prf keyset lacks one of its own keys")
		}
		if out, err := f.ComputePRF([]byte("check"), keySize); err != nil || len(out) != keySize {
			return nil, errors.New("secret: a key of the prf keyset cannot be used")
		}
	}
	return &Keyring{r: r}, nil
}

// eachKey calls check with every key of a keyset that has at least one.
func eachKey(h *keyset.Handle, check func(*keyset.Entry) error) error {
	if h.Len() == 0 {
		return errors.New("is empty")
	}
	if _, err := h.Primary(); err != nil {
		return errors.New("has no primary key")
	}
	for i := range h.Len() {
		e, err := h.Entry(i)
		if err != nil {
			return errors.New("holds a key that cannot be read")
		}
		if err := check(e); err != nil {
			return err
		}
	}
	return nil
}
