// Package refresh is the shape of refresh tokens and how one gives the next: pure rules, without a database and without a clock.
//
// A token names its session and its generation and holds a secret. The secret of the next generation is derived from that of the
// one before under a key of the server, so that a token which is presented again gives the same next one, though only a hash of the
// newest secret is stored. A tag shows that we made the token: what we never made costs no look into the database, and what we made
// and is older than it may be was used before, by its owner or by a thief.
package refresh

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math"
	"strings"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/platform/secret"
)

const (
	// prefix tells people and secret scanners what it is.
	prefix = "msr_"
	// version is the first byte.
	version byte = 1

	secretSize = 32
	tagSize    = 16
	bodySize   = 1 + 16 + 4 + secretSize
	rawSize    = bodySize + tagSize
)

// encodedSize is the length of every token, in characters.
var encodedSize = len(prefix) + base64.RawURLEncoding.EncodedLen(rawSize)

// encoding also refuses a last character whose unused bits are set: a token has one writing.
var encoding = base64.RawURLEncoding.Strict()

// Token is a refresh token that we made.
type Token struct {
	// Session is the family that it belongs to.
	Session uuid.UUID
	// Generation counts from 0; each exchange gives the next.
	Generation int32

	secret [secretSize]byte
}

// Hash is what is stored of the token: SHA-256 of its secret, which is random or as good as.
func (t Token) Hash() []byte {
	sum := sha256.Sum256(t.secret[:])
	return sum[:]
}

// Matches tells whether hash is that of the token.
func (t Token) Matches(hash []byte) bool { return hmac.Equal(t.Hash(), hash) }

// Codec makes and reads tokens. It is safe for use by several goroutines.
type Codec struct {
	// keys are the server's, the newest first.
	keys []secret.Key
}

// New gives a codec with the keys of the keyring: it signs with the newest one and accepts each.
func New(k *secret.Keyring) *Codec {
	_, keys := k.Derive("refresh token")
	return &Codec{keys: keys}
}

// First makes the first token of a session.
func (c *Codec) First(session uuid.UUID) Token {
	t := Token{Session: session}
	_, _ = rand.Read(t.secret[:]) // never fails: it ends the program instead
	return t
}

// Children gives what may be the next token: under the newest key first, which is the one to store, then under the older keys, one of
// which the next token was made with when it was made before the keys were rotated.
func (c *Codec) Children(parent Token) []Token {
	if parent.Generation == math.MaxInt32 {
		return nil
	}
	children := make([]Token, len(c.keys))
	for i, key := range c.keys {
		children[i] = Token{Session: parent.Session, Generation: parent.Generation + 1}
		mac := hmac.New(sha256.New, key[:])
		mac.Write([]byte("next"))
		mac.Write(body(parent))
		mac.Sum(children[i].secret[:0])
	}
	return children
}

// Encode writes the token as its owner gets it.
func (c *Codec) Encode(t Token) string {
	raw := body(t)
	raw = append(raw, tag(c.keys[0], raw)...)
	return prefix + encoding.EncodeToString(raw)
}

// Decode reads a token; false for what we did not make.
func (c *Codec) Decode(text string) (Token, bool) {
	encoded, found := strings.CutPrefix(text, prefix)
	if !found || len(text) != encodedSize || strings.ContainsAny(encoded, "\r\n") { // the decoder skips line ends
		return Token{}, false
	}
	raw, err := encoding.DecodeString(encoded)
	if err != nil || len(raw) != rawSize || raw[0] != version || !c.made(raw) {
		return Token{}, false
	}
	t := Token{Session: uuid.UUID(raw[1:17])}
	generation := binary.BigEndian.Uint32(raw[17:21])
	if generation > math.MaxInt32 {
		return Token{}, false
	}
	t.Generation = int32(generation)
	copy(t.secret[:], raw[21:bodySize])
	return t, true
}

func (c *Codec) made(raw []byte) bool {
	for _, key := range c.keys {
		if hmac.Equal(raw[bodySize:], tag(key, raw[:bodySize])) {
			return true
		}
	}
	return false
}

// body is everything but the tag.
func body(t Token) []byte {
	raw := make([]byte, 0, rawSize)
	raw = append(raw, version)
	raw = append(raw, t.Session[:]...)
	raw = binary.BigEndian.AppendUint32(raw, uint32(t.Generation)) //nolint:gosec // never negative
	return append(raw, t.secret[:]...)
}

func tag(key secret.Key, body []byte) []byte {
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte("tag"))
	mac.Write(body)
	return mac.Sum(nil)[:tagSize]
}
