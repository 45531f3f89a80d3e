// Package cursor makes page tokens: where a list goes on, signed and bound to the query that the list came from.
// A token is opaque to clients and cannot be made or changed by them, so a position that was read back may be trusted
// as far as the query that encoded it.
//
// It never encrypts: whoever holds a token can read the position, so put only sort keys and ids into it. It never
// knows which page comes next; that is the query's business.
package cursor

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash"
	"strings"
	"sync"

	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/secret"
)

const (
	// MaxTokenSize is the length of the longest token, in bytes.
	MaxTokenSize = 512
	// Reason is the reason code of the fault that a token which cannot be used gives.
	Reason = "PAGE_TOKEN_INVALID"

	macSize = 16
	// maxRawSize is what MaxTokenSize characters of base64 hold.
	maxRawSize = MaxTokenSize / 4 * 3
	// MaxPositionSize is how long the JSON of a position may be, in bytes.
	MaxPositionSize = maxRawSize - 1 - macSize
)

// version is the first byte of a token. A token is base64url, without padding, of
// version, JSON of the position, first 16 bytes of HMAC-SHA-256(version, length of scope, scope, JSON).
const version byte = 1

// errInvalid is the one answer to every token that is not ours, is of another query, or was changed: which of these
// it is helps only those who try tokens out.
var errInvalid = fault.Invalid("this page token cannot be used here").
	WithReason(Reason).
	WithFields(fault.Field{
		Path:        "pageToken",
		Description: "must be a nextPageToken of the same method with the same filters; leave it out for the first page",
		Reason:      Reason,
	})

// Codec encodes and decodes page tokens. It is safe for use by several goroutines.
type Codec struct {
	signers []*signer
}

// New gives a codec that signs with the primary key of the keyring and accepts what any of its keys signed.
func New(k *secret.Keyring) *Codec {
	_, keys := k.Derive("cursor")
	c := &Codec{}
	for _, key := range keys {
		c.signers = append(c.signers, newSigner(key))
	}
	return c
}

// Encode gives the token for a position: a small value that encodes as JSON, best a struct with short field names.
// The scope names the query: the method and every filter and order that the position depends on.
// It fails when the position does not encode, or encodes to more than [MaxPositionSize] bytes.
func (c *Codec) Encode(scope string, position any) (string, error) {
	body, err := json.Marshal(position)
	if err != nil {
		return "", fmt.Errorf("cursor: encode the position: %w", err)
	}
	if len(body) > MaxPositionSize {
		return "", fmt.Errorf("cursor: the position takes %d bytes, and at most %d fit into a token", len(body), MaxPositionSize)
	}
	s := c.signers[0].take()
	defer c.signers[0].give(s)

	raw := append(s.raw[:0], version)
	raw = append(raw, body...)
	raw = append(raw, s.sign(scope, body)...)
	text := base64.RawURLEncoding.AppendEncode(s.text[:0], raw)
	return string(text), nil
}

// Decode reads the position from a token that [Codec.Encode] made for the same scope. Any other token, the empty one
// too, gives a fault of kind Invalid that names the field pageToken, and position is then not to be used.
// position is a pointer, as for json.Unmarshal.
func (c *Codec) Decode(scope, token string, position any) error {
	// The base64 decoder skips line ends; one position must have one token only.
	if len(token) > MaxTokenSize || strings.ContainsAny(token, "\r\n") {
		return errInvalid
	}
	primary := c.signers[0].take()
	defer c.signers[0].give(primary)

	text := append(primary.text[:0], token...)
	raw, err := strictEncoding.AppendDecode(primary.raw[:0], text)
	if err != nil || len(raw) < 1+macSize || raw[0] != version {
		return errInvalid
	}
	body, mac := raw[1:len(raw)-macSize], raw[len(raw)-macSize:]
	if !hmac.Equal(mac, primary.sign(scope, body)) && !c.signedByOlder(scope, body, mac) {
		return errInvalid
	}
	// What is signed is what Encode wrote, so this fails only when the caller's type changed since.
	if err := json.Unmarshal(body, position); err != nil {
		return errInvalid
	}
	return nil
}

func (c *Codec) signedByOlder(scope string, body, mac []byte) bool {
	for _, older := range c.signers[1:] {
		s := older.take()
		ok := hmac.Equal(mac, s.sign(scope, body))
		older.give(s)
		if ok {
			return true
		}
	}
	return false
}

// strictEncoding also refuses a last character whose unused bits are set.
var strictEncoding = base64.RawURLEncoding.Strict()

// signer keeps HMAC states of one key for reuse: making one costs more than the signature.
type signer struct {
	pool sync.Pool
}

// state is one HMAC state with the buffers that go with it.
type state struct {
	mac   hash.Hash
	scope []byte
	raw   [maxRawSize]byte
	text  [MaxTokenSize]byte
	sum   [sha256.Size]byte
}

func newSigner(key secret.Key) *signer {
	return &signer{pool: sync.Pool{New: func() any {
		return &state{mac: hmac.New(sha256.New, key[:])}
	}}}
}

func (s *signer) take() *state { return s.pool.Get().(*state) }

func (s *signer) give(st *state) {
	// A scope may hold a long search text; don't keep its buffer for ever.
	if cap(st.scope) > 4096 {
		st.scope = nil
	}
	s.pool.Put(st)
}

// sign gives the signature; it is valid until the next call.
func (st *state) sign(scope string, body []byte) []byte {
	st.mac.Reset()
	head := append(st.scope[:0], version)
	head = binary.BigEndian.AppendUint64(head, uint64(len(scope)))
	head = append(head, scope...)
	st.scope = head
	st.mac.Write(head)
	st.mac.Write(body)
	return st.mac.Sum(st.sum[:0])[:macSize]
}
