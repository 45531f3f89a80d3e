package auth

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/limit"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/secret"
)

// Wrong guesses cost time: from a threshold on each doubles the delay before the next guess is looked at, up to a longest one.
// A guess within the delay is answered at once, is not looked at and does not count, so that it cannot prolong the delay.
// What was aimed at is counted in PostgreSQL, not in Redis: neither a restart nor an emptied Redis gives new guesses.
//
// An account has one guard for each device that the owner has used, one for each network that the owner was on, and one for everybody
// else. So a stranger who keeps guessing delays strangers, and not the owner.

// guard is what guesses are counted against.
type guard struct {
	key  []byte
	rule guardRule
}

// guardRule says how wrong guesses delay the next.
type guardRule struct {
	// threshold is the number of wrong guesses that begins the delays.
	threshold float64
	// longest is the longest delay.
	longest time.Duration
	// leak is the time in which one wrong guess is forgotten.
	leak time.Duration
}

var (
	// accountRule is for guesses at one secret of one account.
	accountRule = guardRule{threshold: 5, longest: 15 * time.Minute, leak: 2 * time.Hour}
	// networkRule is for guesses from one address at whatever accounts: a household or an office may share it.
	networkRule = guardRule{threshold: 50, longest: 5 * time.Minute, leak: 30 * time.Second}
)

// firstDelay is the first delay; each further one is twice as long.
const firstDelay = 2 * time.Second

// wrong gives what another wrong guess leads to.
func (r guardRule) wrong(level float64, idle time.Duration) (newLevel float64, delay time.Duration) {
	// Beyond the longest delay a level says nothing more, and would only take longer to leak away.
	highest := r.threshold + math.Ceil(math.Log2(float64(r.longest)/float64(firstDelay)))
	level = min(max(0, level-float64(max(0, idle))/float64(r.leak))+1, highest)
	// What leaked away between two guesses in a row counts for nothing.
	doublings := math.Round(level - r.threshold)
	if doublings < 0 {
		return level, 0
	}
	seconds := math.Min(firstDelay.Seconds()*math.Pow(2, doublings), r.longest.Seconds())
	return level, time.Duration(seconds * float64(time.Second))
}

// guards counts wrong guesses.
type guards struct {
	pool *pgxpool.Pool
	key  secret.Key
	now  func() time.Time
}

func newGuards(pool *pgxpool.Pool, k *secret.Keyring, now func() time.Time) *guards {
	key, _ := k.Derive("guard")
	return &guards{pool: pool, key: key, now: now}
}

// of names a guard without saying whose it is.
func (g *guards) of(rule guardRule, parts ...string) guard {
	mac := hmac.New(sha256.New, g.key[:])
	for _, part := range parts {
		mac.Write([]byte{byte(len(part) >> 8), byte(len(part))}) //nolint:gosec // an address or a few words
		mac.Write([]byte(part))
	}
	return guard{key: mac.Sum(nil)[:16], rule: rule}
}

// factor is the guard of one secret of an account besides its password at sign-in: its owner has signed in with another one already.
func (g *guards) factor(account uuid.UUID, what string) guard {
	return g.of(accountRule, "factor", account.String(), what)
}

// password gives the guards of a sign-in by password. device is the session that the caller has shown to have had, or uuid.Nil.
func (g *guards) password(ctx context.Context, email string, device uuid.UUID) ([]guard, error) {
	if device != uuid.Nil {
		return []guard{g.of(accountRule, "device", email, device.String())}, nil
	}
	request := identity.RequestFrom(ctx)
	network := request.Network()
	if network == nil {
		return []guard{g.of(accountRule, "strangers", email)}, nil
	}
	known, err := authdb.New(g.pool).IsKnownNetwork(ctx, authdb.IsKnownNetworkParams{Email: email, Network: *network})
	if err != nil {
		return nil, err
	}
	if known {
		// Here the owner was before: who shares the network with a guesser at other accounts is not held up for that.
		return []guard{g.of(accountRule, "network", email, network.String())}, nil
	}
	return []guard{g.of(accountRule, "strangers", email), g.of(networkRule, "address", limit.AddressKey(request.Address))}, nil
}

// check refuses a guess that comes within a delay.
func (g *guards) check(ctx context.Context, q *authdb.Queries, all []guard) error {
	_, err := g.checked(ctx, q, all)
	return err
}

// checked is check, and tells whether anything is counted at all.
func (g *guards) checked(ctx context.Context, q *authdb.Queries, all []guard) (counted bool, err error) {
	keys := make([][]byte, len(all))
	for i, one := range all {
		keys[i] = one.key
	}
	rows, err := q.ListGuards(ctx, keys)
	if err != nil {
		return false, fmt.Errorf("list guards: %w", err)
	}
	var wait time.Duration
	for _, row := range rows {
		wait = max(wait, row.LockedUntil.Sub(g.now()))
	}
	if wait > 0 {
		return true, delayed(wait)
	}
	return len(rows) > 0, nil
}

// wrong counts a wrong guess. Of many that were looked at side by side only so many count as wrong as there would have been one after the
// other: the others hear that they came within a delay, and so learn nothing. failure is the answer to a guess that counted.
func (g *guards) wrong(ctx context.Context, all []guard, failure error) error {
	// In one order, or two of them could wait for each other.
	all = slices.SortedFunc(slices.Values(all), func(a, b guard) int { return bytes.Compare(a.key, b.key) })
	answer := failure
	ctx = context.WithoutCancel(ctx) // the caller may have gone away to avoid being counted
	err := postgres.InTx(ctx, g.pool, func(tx pgx.Tx) error {
		answer = failure
		q, now := authdb.New(tx), stored(g.now())
		rows := make([]authdb.AuthGuard, len(all))
		for i, one := range all {
			var err error
			if rows[i], err = q.LockGuard(ctx, authdb.LockGuardParams{Key: one.key, Now: now}); err != nil {
				return err
			}
			if wait := rows[i].LockedUntil.Sub(now); wait > 0 {
				answer = delayed(wait)
				return nil
			}
		}
		for i, one := range all {
			if err := one.count(ctx, q, rows[i], now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return answer
}

// attempt looks at a guess that costs nothing to look at: under the lock of what it is counted against, so that guesses side by side take turns
// and each knows of the one before. look answers [errCodeWrong] to a wrong guess, and has then changed nothing that is not to stay: that
// refusal is settled. The account is held or locked before, as everywhere.
func (g *guards) attempt(ctx context.Context, tx pgx.Tx, one guard, look func() error) error {
	q, now := authdb.New(tx), stored(g.now())
	row, err := q.LockGuard(ctx, authdb.LockGuardParams{Key: one.key, Now: now})
	if err != nil {
		return fmt.Errorf("lock guard: %w", err)
	}
	if wait := row.LockedUntil.Sub(now); wait > 0 {
		return delayed(wait)
	}
	err = look()
	if err == nil {
		return q.DeleteGuards(ctx, [][]byte{one.key})
	}
	if !errors.Is(err, errCodeWrong) {
		return err
	}
	if err := one.count(ctx, q, row, now); err != nil {
		return err
	}
	return settledError{err}
}

// count adds a wrong guess to a guard whose row is locked.
func (one guard) count(ctx context.Context, q *authdb.Queries, row authdb.AuthGuard, now time.Time) error {
	level, delay := one.rule.wrong(row.Level, now.Sub(row.UpdatedAt))
	err := q.SetGuard(ctx, authdb.SetGuardParams{Key: one.key, Level: level, Now: now, LockedUntil: now.Add(delay)})
	if err != nil {
		return fmt.Errorf("count a wrong guess: %w", err)
	}
	return nil
}

// right forgets the wrong guesses at an account, in the transaction that the right one leads to; it refuses a right guess that came while
// wrong ones beside it began a delay. What was counted against an address stays: whoever guesses may have an account too.
func (g *guards) right(ctx context.Context, tx pgx.Tx, all []guard) error {
	q := authdb.New(tx)
	counted, err := g.checked(ctx, q, all)
	if err != nil || !counted {
		return err
	}
	return q.DeleteGuards(ctx, [][]byte{all[0].key})
}

// forget forgets the wrong guesses at the password of an address by strangers, and by whoever is on the network of the request: that
// password is gone. What was counted against addresses stays.
func (g *guards) forget(ctx context.Context, q *authdb.Queries, email string) error {
	keys := [][]byte{g.of(accountRule, "strangers", email).key}
	if network := identity.RequestFrom(ctx).Network(); network != nil {
		keys = append(keys, g.of(accountRule, "network", email, network.String()).key)
	}
	return q.DeleteGuards(ctx, keys)
}

func delayed(wait time.Duration) error {
	return fault.Exhausted("too many wrong guesses: try again in %s", wait.Round(time.Second)+time.Second).
		WithReason("GUESSES_DELAYED").WithRetryAfter(wait)
}
