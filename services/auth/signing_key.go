package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/secret"
	"github.com/mindspace-app/mindspace/platform/token"
)

const (
	// keyAge is how long a key signs before another takes its place.
	keyAge = 30 * 24 * time.Hour
	// keyNotice is how long a new key is published before it signs, so that every verifier has seen it.
	keyNotice = 2 * time.Minute
	// keysFresh is how long this process signs by what it has read.
	keysFresh = time.Minute
	// keysServed is how old the key set may be that others fetch: anyone may fetch it as often as they like.
	keysServed = 10 * time.Second
	// keysPatience is how long reading them may take.
	keysPatience = 3 * time.Second
)

// SigningKeys are the keys that sign access tokens, kept in the database: the public half in clear, the private half encrypted.
// They are the [token.KeySource] of every process that owns the database.
type SigningKeys struct {
	pool   *pgxpool.Pool
	aead   tink.AEAD
	now    func() time.Time
	logger *slog.Logger

	mu      sync.Mutex
	rows    []authdb.AuthSigningKey // newest first
	readAt  time.Time
	triedAt time.Time                    // when it was last tried to read them
	private map[string]*ecdsa.PrivateKey // nil where it does not open with this keyring
	told    map[string]bool              // of which ones the log has said so
}

var _ token.KeySource = (*SigningKeys)(nil)

// NewSigningKeys reads nothing yet.
func NewSigningKeys(pool *pgxpool.Pool, k *secret.Keyring, now func() time.Time, logger *slog.Logger) *SigningKeys {
	return &SigningKeys{pool: pool, aead: k.AEAD(), now: now, logger: logger, private: map[string]*ecdsa.PrivateKey{}, told: map[string]bool{}}
}

// SigningKey gives the newest key whose time has come, and makes one where there is none. A database that is away hurts only a process that
// has read none before.
func (k *SigningKeys) SigningKey(ctx context.Context) (token.SigningKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := k.now(); now.Sub(k.readAt) >= keysFresh && (len(k.rows) == 0 || now.Sub(k.triedAt) >= keysServed) {
		if err := k.read(ctx); err != nil && len(k.rows) == 0 {
			return token.SigningKey{}, err
		}
	}
	if key, ok := k.signing(); ok {
		return key, nil
	}
	if err := k.makeFirst(ctx); err != nil {
		return token.SigningKey{}, err
	}
	if key, ok := k.signing(); ok {
		return key, nil
	}
	return token.SigningKey{}, errors.New("auth: no key signs access tokens")
}

// signing finds the newest key whose time has come and that opens; k.mu is held.
func (k *SigningKeys) signing() (token.SigningKey, bool) {
	now := k.now()
	for _, row := range k.rows {
		if row.SignsFrom.After(now) {
			continue
		}
		if key := k.open(row); key != nil {
			return token.SigningKey{ID: row.ID, Key: key}, true
		}
	}
	return token.SigningKey{}, false
}

// open decrypts a private key once; nil for one that another keyring has encrypted. That is no key of ours: it may be a demo's, whose secrets
// others know. Processes that share a database share a keyring, and the log says so where they do not.
func (k *SigningKeys) open(row authdb.AuthSigningKey) *ecdsa.PrivateKey {
	if key, seen := k.private[row.ID]; seen {
		return key
	}
	key, err := decodePrivate(k.aead, row)
	if err != nil && !k.told[row.ID] {
		k.told[row.ID] = true
		k.logger.Warn("a signing key of the database does not open with this keyring: processes on one database need the same keyring", "key_id", row.ID, "error", err)
	}
	if missing := new(secret.MissingKeyError); errors.As(err, &missing) {
		return nil // the keyring may still come
	}
	k.private[row.ID] = key
	return key
}

func decodePrivate(aead tink.AEAD, row authdb.AuthSigningKey) (*ecdsa.PrivateKey, error) {
	der, err := aead.Decrypt(row.PrivateKey, keyPlace(row.ID))
	if err != nil {
		return nil, err
	}
	decoded, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	key, ok := decoded.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("is no ECDSA key")
	}
	return key, nil
}

// keyPlace binds an encrypted key to its row.
func keyPlace(id string) []byte { return []byte("auth.signing_keys\x00" + id) }

// PublicKeys gives the keys whose tokens are good, those that will sign next among them.
func (k *SigningKeys) PublicKeys(ctx context.Context) ([]token.PublicKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.read(ctx); err != nil {
		return nil, err
	}
	return k.public()
}

// published is the key set as others fetch it: at most so old, and while the database is away the one from before.
func (k *SigningKeys) published(ctx context.Context) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.rows) == 0 || k.now().Sub(k.triedAt) >= keysServed {
		if err := k.read(ctx); err != nil && len(k.rows) == 0 {
			return nil, err
		}
	}
	keys, err := k.public()
	if err != nil {
		return nil, err
	}
	return token.JWKS(keys)
}

// public decodes the public halves of the keys that are ours; k.mu is held.
func (k *SigningKeys) public() ([]token.PublicKey, error) {
	keys := make([]token.PublicKey, 0, len(k.rows))
	for _, row := range k.rows {
		if k.open(row) == nil {
			continue
		}
		decoded, err := x509.ParsePKIXPublicKey(row.PublicKey)
		key, ok := decoded.(*ecdsa.PublicKey)
		if err != nil || !ok {
			return nil, fmt.Errorf("auth: signing key %s cannot be read: %v", row.ID, err) //nolint:errorlint // err may be nil
		}
		keys = append(keys, token.PublicKey{ID: row.ID, Key: key})
	}
	return keys, nil
}

// read looks what keys there are; k.mu is held.
func (k *SigningKeys) read(ctx context.Context) error {
	k.triedAt = k.now()
	// Others wait for the lock, and go by what is found: no caller's haste may end it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysPatience)
	defer cancel()
	rows, err := authdb.New(k.pool).ListSigningKeys(ctx)
	if err != nil {
		return fmt.Errorf("list signing keys: %w", err)
	}
	k.rows, k.readAt = rows, k.now()
	return nil
}

// makeFirst makes the key of a new installation; of processes that start at once one makes it. k.mu is held.
func (k *SigningKeys) makeFirst(ctx context.Context) error {
	err := postgres.InTx(ctx, k.pool, func(tx pgx.Tx) error {
		q := authdb.New(tx)
		if err := q.LockSigningKeys(ctx); err != nil {
			return err
		}
		rows, err := q.ListSigningKeys(ctx)
		if err != nil {
			return err
		}
		k.rows = rows
		if _, ok := k.signing(); ok {
			return nil
		}
		_, err = k.insert(ctx, q, k.now())
		return err
	})
	if err != nil {
		return fmt.Errorf("make signing key: %w", err)
	}
	return k.read(ctx)
}

// Rotate makes a key that signs after a short notice, in the transaction, and gives its id. Tokens of the keys before it stay good.
func (k *SigningKeys) Rotate(ctx context.Context, tx pgx.Tx) (string, error) {
	return k.insert(ctx, authdb.New(tx), k.now().Add(keyNotice))
}

// Maintain makes the next key when the newest is old, and removes those whose last token has expired.
func (k *SigningKeys) Maintain(ctx context.Context) error {
	k.mu.Lock() // before the lock in the database, as in makeFirst
	defer k.mu.Unlock()
	return postgres.InTx(ctx, k.pool, func(tx pgx.Tx) error {
		q, now := authdb.New(tx), k.now()
		if err := q.LockSigningKeys(ctx); err != nil {
			return err
		}
		rows, err := q.ListSigningKeys(ctx)
		if err != nil {
			return err
		}
		if len(rows) > 0 && now.Sub(rows[0].SignsFrom) > keyAge {
			if _, err := k.Rotate(ctx, tx); err != nil {
				return err
			}
		}
		return k.purge(ctx, q, rows)
	})
}

// purge removes the keys whose last token has expired: a newer one has signed for long. Only of those that open here it is known what signs.
// k.mu is held.
func (k *SigningKeys) purge(ctx context.Context, q *authdb.Queries, rows []authdb.AuthSigningKey) error {
	// Twice what is needed: whoever verifies elsewhere may remember keys for a while.
	before := k.now().Add(-2 * (token.Lifetime + token.Leeway))
	var old []string
	superseded := false
	for _, row := range rows {
		if !row.SignsFrom.Before(before) || k.open(row) == nil {
			continue
		}
		if superseded {
			old = append(old, row.ID)
		}
		superseded = true
	}
	if err := q.DeleteSigningKeys(ctx, old); err != nil {
		return fmt.Errorf("delete signing keys: %w", err)
	}
	return nil
}

func (k *SigningKeys) insert(ctx context.Context, q *authdb.Queries, from time.Time) (string, error) {
	key, err := token.NewSigningKey()
	if err != nil {
		return "", err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.Key.PublicKey)
	if err != nil {
		return "", fmt.Errorf("encode public key: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key.Key)
	if err != nil {
		return "", fmt.Errorf("encode private key: %w", err)
	}
	sealed, err := k.aead.Encrypt(private, keyPlace(key.ID))
	if err != nil {
		return "", fmt.Errorf("encrypt private key: %w", err)
	}
	err = q.InsertSigningKey(ctx, authdb.InsertSigningKeyParams{
		ID: key.ID, PublicKey: public, PrivateKey: sealed, CreatedAt: stored(k.now()), SignsFrom: stored(from),
	})
	if err != nil {
		return "", fmt.Errorf("insert signing key: %w", err)
	}
	return key.ID, nil
}

// Handler serves the public keys as a JSON Web Key Set (RFC 7517).
func (k *SigningKeys) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		set, err := k.published(r.Context())
		if err != nil {
			k.logger.WarnContext(r.Context(), "the keys of access tokens cannot be served", "error", err)
			w.Header().Set("Retry-After", "2")
			http.Error(w, "the keys cannot be read at the moment", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Header().Set("Cache-Control", "public, max-age=60")
		_, _ = w.Write(set)
	})
}
