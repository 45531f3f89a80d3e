package token

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"time"
	"unsafe"

	"github.com/go-jose/go-jose/v4"
	"github.com/maypok86/otter/v2"

	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
)

const (
	// maxLength is how many bytes a token may have. Ours have about 600.
	maxLength = 4 << 10
	// memorySize is how many verified tokens are remembered, at about 0.4 KB each.
	memorySize = 100_000
	// unavailableRetry is when to try again while keys cannot be had.
	unavailableRetry = 2 * time.Second
)

// What a caller may be told. Whatever is wrong with a token that is none of ours, the answer is the same.
var (
	errInvalid = fault.Unauthenticated("the access token is not valid").WithReason("TOKEN_INVALID")
	errExpired = fault.Unauthenticated("the access token has expired: refresh it").WithReason("TOKEN_EXPIRED")
	errRevoked = fault.Unauthenticated("the access token was revoked: refresh it or sign in again").WithReason("TOKEN_REVOKED")
	errAway    = fault.Unavailable("access tokens cannot be verified at the moment").WithReason("KEYS_UNAVAILABLE").WithRetryAfter(unavailableRetry)
)

// algorithms are those that a token may be signed with.
var algorithms = []jose.SignatureAlgorithm{jose.ES256}

// VerifierConfig sets up a verifier.
type VerifierConfig struct {
	// Issuer is the address of this installation, as in [NewSigner].
	Issuer string
	// Keys has the public keys.
	Keys KeySource
	// Revocations are asked about each token; nil when none is ever revoked.
	Revocations *Revocations
	// Logger is told when keys cannot be loaded; nil for none.
	Logger *slog.Logger
	// Now is the time by which tokens age; nil for the clock. It is for tests.
	Now func() time.Time
}

// Verifier tells who presents a token. It is safe for use by several goroutines.
type Verifier struct {
	issuer      string
	keys        *keyring
	revocations *Revocations
	now         func() time.Time
	// memory has what was verified, by the SHA-256 of the token, so that no token is kept.
	memory *otter.Cache[[sha256.Size]byte, *verified]
}

// NewVerifier makes a verifier.
func NewVerifier(cfg VerifierConfig) *Verifier {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	now := cfg.Now
	return &Verifier{
		issuer:      cfg.Issuer,
		keys:        &keyring{source: cfg.Keys, logger: cfg.Logger},
		revocations: cfg.Revocations,
		now:         now,
		memory: otter.Must(&otter.Options[[sha256.Size]byte, *verified]{
			MaximumSize: memorySize,
			ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[[sha256.Size]byte, *verified]) time.Duration {
				return max(e.Value.expires.Sub(now()), 1)
			}),
		}),
	}
}

// Authenticate gives the caller whom the token is about: a person, their session, roles and how they proved who they are.
// The caller's Roles are a copy. It answers with fault.Unauthenticated of reason TOKEN_INVALID for what is not a token of
// ours, TOKEN_EXPIRED when it has to be refreshed, and TOKEN_REVOKED when it has to be refreshed or the session has ended;
// with fault.Unavailable of reason KEYS_UNAVAILABLE when it cannot be told, as the keys cannot be loaded.
func (v *Verifier) Authenticate(ctx context.Context, credential string) (identity.Caller, error) {
	if len(credential) > maxLength {
		return identity.Caller{}, errInvalid
	}
	now := v.now()
	id := digest(credential)
	t, remembered := v.memory.GetIfPresent(id)
	if !remembered {
		var err error
		if t, err = v.verify(ctx, credential, now); err != nil {
			return identity.Caller{}, err
		}
	}
	if !now.Before(t.expires) {
		return identity.Caller{}, errExpired
	}
	switch {
	case !remembered:
		v.memory.Set(id, t)
	case !v.keys.known(now, t.key): // taken away since
		return identity.Caller{}, errInvalid
	}
	if v.revocations != nil && v.revocations.refuse(ctx, t) {
		return identity.Caller{}, errRevoked
	}
	caller := t.caller
	caller.Roles = slices.Clone(caller.Roles)
	return caller, nil
}

// digest is the SHA-256 of a token. It reads the text where it is: a copy would be all that a remembered token allocates.
func digest(credential string) [sha256.Size]byte {
	return sha256.Sum256(unsafe.Slice(unsafe.StringData(credential), len(credential))) //nolint:gosec // it is only read
}

// verify checks all of a token that does not change: form, signature, meaning. It does not refuse an expired one.
func (v *Verifier) verify(ctx context.Context, credential string, now time.Time) (*verified, error) {
	signed, err := jose.ParseSignedCompact(credential, algorithms)
	if err != nil || len(signed.Signatures) != 1 {
		return nil, refused("not a token, or not of this algorithm")
	}
	header := signed.Signatures[0].Protected
	if header.ExtraHeaders[jose.HeaderType] != tokenType {
		return nil, refused("not an access token")
	}
	key, err := v.keys.find(ctx, now, header.KeyID)
	switch {
	case errors.Is(err, errUnknownKey):
		return nil, errInvalid.WithCause(err)
	case errors.Is(err, errNoKeys):
		return nil, errAway.WithCause(err)
	case err != nil:
		return nil, err // the caller went away
	}
	// The key decides what is verified, nothing that the token carries: an embedded key is not looked at.
	text, err := signed.Verify(key)
	if err != nil {
		return nil, refused("the signature does not fit")
	}
	var p payload
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, refused("no claims")
	}
	t, err := p.verify(v.issuer, header.KeyID, now)
	if err != nil {
		return nil, errInvalid.WithCause(err)
	}
	return t, nil
}

// refused keeps the cause for the log, in words of ours and never in those of the token.
func refused(why string) error { return errInvalid.WithCause(errors.New(why)) }
