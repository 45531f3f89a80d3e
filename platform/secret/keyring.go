// Package secret holds the keys of this installation: one keyring, loaded once at start and handed to whoever needs it.
// A keyring has two Tink keysets, one that encrypts (AES-256-GCM) and one from which named subkeys are derived
// (HKDF-SHA-256), so that a new purpose never needs a new secret to be distributed.
//
// It never reads the environment, never stores keys in the database, and never prints them: every way of formatting
// a keyring or a subkey gives a placeholder, and no error carries a part of what was parsed.
package secret

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/prf/hkdfprf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// keySize is the length of an AES-256 key, of an HKDF input key and of a derived subkey, in bytes.
const keySize = 32

// Keyring is the set of keys of an installation. It does not change: [Keyring.Rotate] makes another one.
// It is safe for use by several goroutines.
type Keyring struct {
	demo    bool
	created time.Time

	aeadKeys *keyset.Handle
	prfKeys  *keyset.Handle

	aead tink.AEAD
	prf  *prf.Set
	// prfOrder are the ids of the PRF keys: the primary first, then the others from the newest to the oldest.
	prfOrder []uint32
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
	return assemble(demo, time.Now().UTC().Truncate(time.Second), aeadKeys, prfKeys)
}

// Rotate gives a keyring with a new primary key in both keysets. The keys of k stay in it: what they encrypted or
// signed can still be opened. Nothing is encrypted anew.
//
// Processes that still run on k cannot open what the new keyring makes. Where several processes run, replace the
// keyring of all of them in one go.
func (k *Keyring) Rotate() (*Keyring, error) {
	aeadKeys, err := addPrimary(k.aeadKeys, aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("secret: rotate the AEAD keys: %w", err)
	}
	prfKeys, err := addPrimary(k.prfKeys, prf.HKDFSHA256PRFKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("secret: rotate the PRF keys: %w", err)
	}
	return assemble(k.demo, k.created, aeadKeys, prfKeys)
}

// Demo tells whether the keyring was made for a demonstration and must not protect anyone's real data.
func (k *Keyring) Demo() bool { return k.demo }

// Created is when the keyring was first generated. Rotation does not change it.
func (k *Keyring) Created() time.Time { return k.created }

// AEAD encrypts under the primary key and decrypts under every key. Give associated data that names the row and the
// column, so that a ciphertext that was moved elsewhere does not open.
func (k *Keyring) AEAD() tink.AEAD { return k.aead }

// Derive gives the subkeys for a purpose, for example "cursor": the primary one, with which to sign or encrypt, and
// all of them, the primary first, with which to verify or open. The same keyring and purpose give the same subkeys in
// every process; different purposes give unrelated ones.
func (k *Keyring) Derive(purpose string) (primary Key, all []Key) {
	input := []byte("mindspace subkey v1\x00" + purpose)
	all = make([]Key, 0, len(k.prfOrder))
	for _, id := range k.prfOrder {
		out, err := k.prf.PRFs[id].ComputePRF(input, keySize)
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
func assemble(demo bool, created time.Time, aeadKeys, prfKeys *keyset.Handle) (*Keyring, error) {
	k := &Keyring{demo: demo, created: created, aeadKeys: aeadKeys, prfKeys: prfKeys}
	if err := eachKey(aeadKeys, func(e *keyset.Entry) error {
		p, ok := e.Key().Parameters().(*aesgcm.Parameters)
		if !ok || p.KeySizeInBytes() != keySize {
			return errors.New("holds a key that is not AES-256-GCM")
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("secret: the aead keyset %w", err)
	}
	var older []uint32
	if err := eachKey(prfKeys, func(e *keyset.Entry) error {
		p, ok := e.Key().Parameters().(*hkdfprf.Parameters)
		if !ok || p.KeySizeInBytes() < keySize || p.HashType() != hkdfprf.SHA256 {
			return errors.New("holds a key that is not HKDF-SHA-256 of 32 bytes or more")
		}
		switch {
		case e.IsPrimary():
			k.prfOrder = append(k.prfOrder, e.KeyID())
		case e.KeyStatus() == keyset.Enabled:
			older = append([]uint32{e.KeyID()}, older...)
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("secret: the prf keyset %w", err)
	}
	k.prfOrder = append(k.prfOrder, older...)

	var err error
	if k.aead, err = aead.New(aeadKeys); err != nil {
		return nil, errors.New("secret: the aead keyset cannot be used")
	}
	if k.prf, err = prf.NewPRFSet(prfKeys); err != nil {
		return nil, errors.New("secret: the prf keyset cannot be used")
	}
	for _, id := range k.prfOrder {
		f, ok := k.prf.PRFs[id]
		if !ok {
			return nil, errors.New("secret: the prf keyset lacks one of its own keys")
		}
		if out, err := f.ComputePRF([]byte("check"), keySize); err != nil || len(out) != keySize {
			return nil, errors.New("secret: a key of the prf keyset cannot be used")
		}
	}
	return k, nil
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

// addPrimary gives a copy of a keyset with a fresh primary key.
func addPrimary(h *keyset.Handle, template *tinkpb.KeyTemplate) (*keyset.Handle, error) {
	m := keyset.NewManagerFromHandle(h)
	id, err := m.Add(template)
	if err != nil {
		return nil, err
	}
	if err := m.SetPrimary(id); err != nil {
		return nil, err
	}
	return m.Handle()
}
