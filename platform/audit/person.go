package audit

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/auditdb"
	"github.com/mindspace-app/mindspace/platform/fault"
)

// ErrErased is what [Log.Reveal] answers when the person's key was destroyed.
var ErrErased = errors.New("audit: the person was erased, and with them what the record says")

const (
	personKeySize = 32
	// keyAttempts bounds the search for a person's key while others create and destroy it.
	keyAttempts = 5

	fieldBefore = "before"
	fieldAfter  = "after"
)

// personKey seals and opens the values of one person.
type personKey struct {
	id  uuid.UUID
	gcm cipher.AEAD
}

// Reveal gives what a record says, as JSON; nil where it says nothing. After the person's erasure it is [ErrErased];
// an id of no record gives a fault of kind NotFound. db is a pool, a connection or a transaction.
func (l *Log) Reveal(ctx context.Context, db auditdb.DBTX, record uuid.UUID) (before, after json.RawMessage, err error) {
	q := auditdb.New(db)
	r, err := q.GetRecord(ctx, record)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil, fault.NotFound("audit record %s", record)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("audit: get record %s: %w", record, err)
	}
	if r.KeyID == nil || r.PersonID == nil {
		return r.Before, r.After, nil
	}
	key, err := q.GetPersonKey(ctx, *r.PersonID)
	// A person who came back after an erasure has another key, which does not open what was written before.
	if errors.Is(err, pgx.ErrNoRows) || err == nil && key.ID != *r.KeyID {
		return nil, nil, ErrErased
	}
	if err != nil {
		return nil, nil, fmt.Errorf("audit: get the key for record %s: %w", record, err)
	}
	opener, err := l.unwrap(*r.PersonID, key)
	if err != nil {
		return nil, nil, fmt.Errorf("audit: record %s: %w", record, err)
	}
	if before, err = opener.open(r.Before, record, fieldBefore); err != nil {
		return nil, nil, fmt.Errorf("audit: record %s: %w", record, err)
	}
	if after, err = opener.open(r.After, record, fieldAfter); err != nil {
		return nil, nil, fmt.Errorf("audit: record %s: %w", record, err)
	}
	return before, after, nil
}

// personKey gives the person's key and makes it on first use.
func (l *Log) personKey(ctx context.Context, q *auditdb.Queries, person uuid.UUID) (personKey, error) {
	for range keyAttempts {
		stored, err := q.GetPersonKey(ctx, person)
		if err == nil {
			return l.unwrap(person, stored)
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return personKey{}, fmt.Errorf("get the person's key: %w", err)
		}
		id, err := uuid.NewRandom()
		if err != nil {
			return personKey{}, fmt.Errorf("make a key id: %w", err)
		}
		fresh := make([]byte, personKeySize)
		_, _ = rand.Read(fresh) // never fails: it ends the program instead
		wrapped, err := l.aead.Encrypt(fresh, wrapData(person, id))
		if err != nil {
			return personKey{}, fmt.Errorf("wrap the person's key: %w", err)
		}
		inserted, err := q.InsertPersonKey(ctx, auditdb.InsertPersonKeyParams{PersonID: person, ID: id, WrappedKey: wrapped})
		if err != nil {
			return personKey{}, fmt.Errorf("keep the person's key: %w", err)
		}
		if inserted == 1 {
			return newPersonKey(id, fresh)
		}
		// Another transaction was faster and has committed; the next look finds its key.
	}
	return personKey{}, errors.New("the person's key is created and destroyed all the time")
}

func (l *Log) unwrap(person uuid.UUID, stored auditdb.GetPersonKeyRow) (personKey, error) {
	key, err := l.aead.Decrypt(stored.WrappedKey, wrapData(person, stored.ID))
	if err != nil {
		return personKey{}, fmt.Errorf("the person's key does not open with this keyring: %w", err)
	}
	return newPersonKey(stored.ID, key)
}

// wrapData binds a wrapped key to its row.
func wrapData(person, key uuid.UUID) []byte {
	data := append([]byte("audit.person_keys\x00"), person[:]...)
	return append(data, key[:]...)
}

func newPersonKey(id uuid.UUID, key []byte) (personKey, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return personKey{}, fmt.Errorf("use the person's key: %w", err)
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return personKey{}, fmt.Errorf("use the person's key: %w", err)
	}
	return personKey{id: id, gcm: gcm}, nil
}

// seal encrypts a value for one field of one record; nil stays nil.
func (k personKey) seal(value []byte, record uuid.UUID, field string) []byte {
	if value == nil {
		return nil
	}
	return k.gcm.Seal(nil, nil, value, valueData(record, field)) //nolint:gosec // G407: this mode makes its own random nonce
}

// open reverses seal.
func (k personKey) open(sealed []byte, record uuid.UUID, field string) (json.RawMessage, error) {
	if sealed == nil {
		return nil, nil
	}
	value, err := k.gcm.Open(nil, nil, sealed, valueData(record, field))
	if err != nil {
		return nil, fmt.Errorf("%s was changed since it was recorded", field)
	}
	return value, nil
}

// valueData binds a value to its record and field.
func valueData(record uuid.UUID, field string) []byte { return append(record[:], field...) }
