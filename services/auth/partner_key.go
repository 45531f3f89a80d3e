package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	"github.com/mindspace-app/mindspace/platform/cache"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/secret"
	"github.com/mindspace-app/mindspace/platform/token"
	"github.com/mindspace-app/mindspace/platform/uid"
)

const (
	// partnerPrefix begins every partner key, for people and secret scanners.
	partnerPrefix = "msp_"
	// partnerFresh is how long a process goes by what it knows of a key; a revocation is heard at once all the same.
	partnerFresh = time.Minute
	// partnerUse is how exactly it is known when a key was last used.
	partnerUse = time.Hour
)

var (
	errPartnerKey = fault.Unauthenticated("this partner key is not valid").WithReason("PARTNER_KEY_INVALID")
	// errNoPartnerKey keeps keys that do not exist out of the cache: there are as many as one can make up.
	errNoPartnerKey = errors.New("auth: no such partner key")
)

// PartnerKeys tells who presents a partner key.
type PartnerKeys struct {
	pool        *pgxpool.Pool
	tags        []secret.Key
	logger      *slog.Logger
	revocations *token.Revocations
	now         func() time.Time
	known       *cache.Cache[authdb.AuthPartnerKey]
}

// NewPartnerKeys reads nothing yet.
func NewPartnerKeys(pool *pgxpool.Pool, k *secret.Keyring, store *cache.Store, revocations *token.Revocations, now func() time.Time, logger *slog.Logger) *PartnerKeys {
	return &PartnerKeys{
		pool: pool, tags: partnerTags(k), logger: logger, revocations: revocations, now: now,
		known: cache.New(store, cache.Options[authdb.AuthPartnerKey]{Name: "auth_partner_keys", MaxEntries: 1000, TTL: partnerFresh, Private: true}),
	}
}

// IsPartnerKey tells whether a credential means to be one.
func IsPartnerKey(credential string) bool { return strings.HasPrefix(credential, partnerPrefix) }

// Authenticate tells who presents the key. Fault: Unauthenticated.
func (p *PartnerKeys) Authenticate(ctx context.Context, credential string) (identity.Caller, error) {
	if !madeHere(p.tags, credential) {
		return identity.Caller{}, errPartnerKey
	}
	hash := hashSecret(credential)
	key, err := p.known.Get(ctx, string(hash), func(ctx context.Context) (authdb.AuthPartnerKey, error) { return p.load(ctx, hash) })
	if errors.Is(err, errNoPartnerKey) {
		return identity.Caller{}, errPartnerKey
	}
	if err != nil {
		return identity.Caller{}, err
	}
	expired := key.ExpiresAt != nil && !p.now().Before(*key.ExpiresAt)
	if key.RevokedAt != nil || expired || p.revocations.SessionEnded(ctx, key.ID) {
		return identity.Caller{}, errPartnerKey
	}
	return identity.Caller{Partner: key.ID.String(), Scopes: key.Scopes}, nil
}

// load reads a key, and notes now and then that it is used.
func (p *PartnerKeys) load(ctx context.Context, hash []byte) (authdb.AuthPartnerKey, error) {
	q, now := authdb.New(p.pool), stored(p.now())
	key, err := q.GetPartnerKeyByHash(ctx, hash)
	if errors.Is(err, pgx.ErrNoRows) {
		return key, errNoPartnerKey
	}
	if err != nil {
		return key, fmt.Errorf("get partner key: %w", err)
	}
	key.CreatedBy = nil // caches have no use for it, and would outlive the person
	if key.RevokedAt == nil && (key.LastUsedAt == nil || now.Sub(*key.LastUsedAt) >= partnerUse) {
		if err := q.TouchPartnerKey(ctx, authdb.TouchPartnerKeyParams{ID: key.ID, Now: now}); err != nil {
			p.logger.WarnContext(ctx, "use of a partner key not noted", "id", key.ID, "error", err) // the key is good all the same
		}
	}
	return key, nil
}

// partnerTags are the keys of the server that mark a partner key as ours, the newest first: what we never made costs no query.
func partnerTags(k *secret.Keyring) []secret.Key {
	_, all := k.Derive("partner key")
	return all
}

// newPartnerKey makes a key and what is kept of it.
func newPartnerKey(tags []secret.Key) (id uuid.UUID, text string, hash []byte, err error) {
	if id, err = uid.New(); err != nil {
		return uuid.Nil, "", nil, err
	}
	random, _ := newSecret()
	text = partnerPrefix + random + "." + partnerTag(tags[0], random)
	return id, text, hashSecret(text), nil
}

// madeHere tells whether a partner key has our tag.
func madeHere(tags []secret.Key, credential string) bool {
	random, tag, found := strings.Cut(strings.TrimPrefix(credential, partnerPrefix), ".")
	if !found || len(credential) > 128 {
		return false
	}
	for _, key := range tags {
		if hmac.Equal([]byte(tag), []byte(partnerTag(key, random))) {
			return true
		}
	}
	return false
}

func partnerTag(key secret.Key, random string) string {
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(random))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}
