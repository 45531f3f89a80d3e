package password

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/alexedwards/argon2id"
	"golang.org/x/crypto/argon2"

	"github.com/mindspace-app/mindspace/platform/fault"
)

// Parameters are those that passwords are hashed with: Argon2id with 19 MiB, two passes and one lane, the least that OWASP's
// Password Storage Cheat Sheet names. A hash carries its own parameters, so raising these locks nobody out: [Hasher.Verify] says
// that a hash is outdated. Memory is in KiB, lengths in bytes.
func Parameters() argon2id.Params {
	return argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
}

// Bounds of what is computed at all. A stored hash beyond them was not made here or by a system that one moves from.
const (
	maxMemory      = 256 << 10 // KiB
	maxIterations  = 16
	maxParallelism = 16
	minSaltLength  = 8
	minKeyLength   = 16
	maxLength      = 64 // of salt and key, bytes
)

// maxWaiting is how many calls may wait for their turn: with the usual parameters the last of them waits for a second or two.
const maxWaiting = 128

// busyFor is what a caller is told to wait when too many are waiting already.
const busyFor = time.Second

// Hasher hashes passwords and compares them with hashes, a few at once, so that a rush of logins takes neither all memory nor
// all time: each takes a core and Parameters().Memory for some tens of milliseconds. It is safe for use by several goroutines.
//
// Passwords are normalised here; callers pass them as they were typed. All methods answer Unavailable with the reason BUSY when
// too many calls wait already, and the error of ctx when it ends before their turn comes.
type Hasher struct {
	params  argon2id.Params
	dummy   string
	turns   chan struct{}
	waiting atomic.Int64
}

// New makes a hasher of so many hashes at once; 0 means one for each core that Go uses.
func New(params argon2id.Params, concurrency int) (*Hasher, error) {
	if err := check(params); err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	if concurrency <= 0 {
		concurrency = runtime.GOMAXPROCS(0)
	}
	return &Hasher{params: params, dummy: unmatched(params), turns: make(chan struct{}, concurrency)}, nil
}

// unmatched writes a hash that no password has: its key is random, so nothing has to be hashed for it.
func unmatched(p argon2id.Params) string {
	random := make([]byte, p.SaltLength+p.KeyLength)
	_, _ = rand.Read(random) // never fails: it ends the program instead
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.Memory, p.Iterations, p.Parallelism,
		base64.RawStdEncoding.EncodeToString(random[:p.SaltLength]), base64.RawStdEncoding.EncodeToString(random[p.SaltLength:]))
}

// Hash gives the hash to store, in the PHC string format with its parameters and a salt of its own.
func (h *Hasher) Hash(ctx context.Context, password string) (hash string, err error) {
	err = h.inTurn(ctx, func() error {
		hash, err = argon2id.CreateHash(Normalise(password), &h.params)
		return err
	})
	return hash, err
}

// Verify tells whether the password is that of the hash, and, if so, whether the hash is outdated: it was made with other
// parameters than today's, and a new one should be stored while the password is at hand. A hash that cannot be read, or whose
// parameters are absurd, is an error that is not a fault, as no caller can help it.
func (h *Hasher) Verify(ctx context.Context, password, hash string) (ok, outdated bool, err error) {
	params, err := decode(hash)
	if err != nil {
		return false, false, fmt.Errorf("password: stored hash: %w", err)
	}
	err = h.inTurn(ctx, func() error {
		ok, err = argon2id.ComparePasswordAndHash(Normalise(password), hash)
		return err
	})
	return ok, ok && params != h.params, err
}

// Dummy does the work of [Hasher.Verify] for an account that does not exist or has no password, so that its answer takes as long.
// No password is ever right there. It takes as long as a hash of today's parameters; an account whose owner has not signed in
// since they changed differs until then.
func (h *Hasher) Dummy(ctx context.Context, password string) error {
	_, _, err := h.Verify(ctx, password, h.dummy)
	return err
}

// inTurn runs work when one of the turns is free.
func (h *Hasher) inTurn(ctx context.Context, work func() error) error {
	if err := h.await(ctx); err != nil {
		return err
	}
	defer func() { <-h.turns }()
	return work()
}

func (h *Hasher) await(ctx context.Context) error {
	if ctx.Err() != nil { // a free turn would be wasted on a caller who is gone
		return fmt.Errorf("password: wait for a turn: %w", ctx.Err())
	}
	select {
	case h.turns <- struct{}{}:
		return nil
	default:
	}
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > maxWaiting {
		return fault.Unavailable("too many people sign in at this moment: try again in a second").WithReason("BUSY").WithRetryAfter(busyFor)
	}
	select {
	case h.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("password: wait for a turn: %w", ctx.Err())
	}
}

// decode reads the parameters of a hash and refuses absurd ones.
func decode(hash string) (argon2id.Params, error) {
	params, _, _, err := argon2id.DecodeHash(hash)
	if err != nil {
		return argon2id.Params{}, err
	}
	return *params, check(*params)
}

func check(p argon2id.Params) error {
	switch {
	case p.Parallelism < 1 || p.Parallelism > maxParallelism,
		p.Iterations < 1 || p.Iterations > maxIterations,
		p.Memory < 8*uint32(p.Parallelism) || p.Memory > maxMemory,
		p.SaltLength < minSaltLength || p.SaltLength > maxLength,
		p.KeyLength < minKeyLength || p.KeyLength > maxLength:
		return fmt.Errorf("absurd parameters: memory %d KiB, %d iterations, parallelism %d, salt %d and key %d bytes",
			p.Memory, p.Iterations, p.Parallelism, p.SaltLength, p.KeyLength)
	}
	return nil
}
