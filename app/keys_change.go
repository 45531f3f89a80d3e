package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/mindspace-app/mindspace/jobs"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/queue"
	"github.com/mindspace-app/mindspace/platform/reseal"
	"github.com/mindspace-app/mindspace/platform/secret"
)

const (
	// minNotice is the shortest time between a key that is in the file and one that encrypts: every process has looked twice by then.
	minNotice = 2*secret.PollInterval + time.Second
	// keptAnswers is how long an answer is kept for its idempotency key.
	keptAnswers = 24 * time.Hour
)

// RotateOptions say how a key is exchanged.
type RotateOptions struct {
	// ActivateIn is how long the new key is only read before everything is encrypted under it.
	ActivateIn time.Duration
	// DespiteMissing goes on although values are stored under keys that the file lacks.
	DespiteMissing bool
}

// RotateKeys writes a keyring with a new key to the file and queues the job that encrypts everything stored under it. The processes take the new
// keyring by themselves; none is restarted, and no call fails.
func RotateKeys(ctx context.Context, o KeysOptions, r RotateOptions, out io.Writer) error {
	if r.ActivateIn < minNotice {
		return fmt.Errorf("--activate-in must be %s at least: until then a process may not have seen the new key", minNotice)
	}
	change, err := openKeyChange(ctx, o)
	if err != nil {
		return err
	}
	defer change.pool.Close()
	counts, err := reseal.Remaining(ctx, change.pool, sealedColumns())
	if err != nil {
		return err
	}
	var made secret.Rotation
	saved := false
	err = change.locked(ctx, func(tx pgx.Tx, keys *secret.Keyring) error {
		if unknown := missingKeys(keys, counts); len(unknown) > 0 && !r.DespiteMissing {
			return fmt.Errorf("this file is perhaps not the newest one, or a key is lost:\n%s\nbring the newest file here, or say --despite-missing", describe(unknown))
		}
		next, rotation, err := keys.RotateAEAD(time.Now().Add(r.ActivateIn).Truncate(time.Second))
		if err != nil {
			return err
		}
		if err := change.queue(ctx, tx, rotation.New, rotation.From.Add(jobs.ResealDelay)); err != nil {
			return err
		}
		made = rotation
		err = next.Save(change.file)
		saved = err == nil
		return err
	})
	switch {
	case err != nil && saved:
		return fmt.Errorf("the new key %d is in %s, but the job is not queued: run `mindspace keys reseal` after %s (%w)", made.New, change.file, clock(made.From), err)
	case err != nil:
		return err
	}
	fmt.Fprintf(out, `new key      %d, in %s
until %s
             it is only read, and everything is still encrypted under %d.
             If processes run on other machines, copy the file to all of them before that.
then         everything new is encrypted under %d, and a job (keys_reseal) encrypts what is stored; a process with the role worker does it.
afterwards   "mindspace keys list" shows how much is left under %d, and a day later "mindspace keys prune" removes it.
             Keep a copy of the keyring as it was for as long as you keep backups of the database.
`, made.New, change.file, clock(made.From), made.Old, made.New, made.Old)
	return nil
}

// ResealKeys queues the job that encrypts what is stored under the primary key, for when it was not queued or has failed.
func ResealKeys(ctx context.Context, o KeysOptions, out io.Writer) error {
	keys, pool, err := openKeys(ctx, o)
	if err != nil {
		return err
	}
	defer pool.Close()
	change := keyChange{pool: pool}
	id := keys.PrimaryID()
	if err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return change.queue(ctx, tx, id, time.Now()) }); err != nil {
		return err
	}
	fmt.Fprintf(out, "a job encrypts what is not under the key %d yet\n", id)
	return nil
}

// PruneKeys removes the keys under which nothing is stored any more and that were replaced more than a day ago. It fails when it removes none
// while there are keys that were replaced.
func PruneKeys(ctx context.Context, o KeysOptions, out io.Writer) error {
	change, err := openKeyChange(ctx, o)
	if err != nil {
		return err
	}
	defer change.pool.Close()
	// Before the lock, which an idle transaction would not hold for as long as counting may take.
	counts, err := reseal.Remaining(ctx, change.pool, sealedColumns())
	if err != nil {
		return err
	}
	return change.locked(ctx, func(_ pgx.Tx, keys *secret.Keyring) error {
		remove, keep := prunable(keys.Keys(), counts, time.Now())
		for _, reason := range keep {
			fmt.Fprintln(out, reason)
		}
		if len(remove) == 0 {
			if len(keep) > 0 {
				return errors.New("no key was removed")
			}
			fmt.Fprintln(out, "there is no key that another one has replaced")
			return nil
		}
		next, err := keys.Prune(remove...)
		if err != nil {
			return err
		}
		if err := next.Save(change.file); err != nil {
			return err
		}
		fmt.Fprintf(out, "removed from %s: %s\nwhat only backups hold under these keys needs a copy of the keyring as it was\n", change.file, strings.Trim(fmt.Sprint(remove), "[]"))
		return nil
	})
}

// prunable gives the keys that may go, and says of the other replaced ones why they stay.
func prunable(keys []secret.KeyInfo, counts []reseal.Count, now time.Time) (remove []uint32, keep []string) {
	for _, key := range keys {
		if key.Until.IsZero() || key.Until.After(now) {
			continue
		}
		var left []reseal.Count
		for _, c := range counts {
			if c.KeyID == key.ID {
				left = append(left, c)
			}
		}
		switch may := key.Until.Add(keptAnswers); {
		case len(left) > 0:
			keep = append(keep, "kept: values are stored under it\n"+describe(left))
		case may.After(now):
			keep = append(keep, fmt.Sprintf("kept: %d was replaced less than a day ago; it can go after %s", key.ID, clock(may)))
		default:
			remove = append(remove, key.ID)
		}
	}
	return remove, keep
}

// keyChange is a change of a keyring's file.
type keyChange struct {
	file string
	pool *pgxpool.Pool
}

func openKeyChange(ctx context.Context, o KeysOptions) (*keyChange, error) {
	file, err := o.file()
	if err != nil {
		return nil, err
	}
	keys, pool, err := openKeys(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := refuseShared(ctx, pool, keys); err != nil {
		pool.Close()
		return nil, err
	}
	return &keyChange{file: file, pool: pool}, nil
}

// openKeys reads the keyring and opens the database.
func openKeys(ctx context.Context, o KeysOptions) (*secret.Keyring, *pgxpool.Pool, error) {
	keys, err := secret.Load(o.Keys, o.KeysFile)
	if err != nil {
		return nil, nil, err
	}
	url, err := o.URL()
	if err != nil {
		return nil, nil, err
	}
	pool, err := postgres.Open(ctx, postgres.Config{URL: url, MaxConns: 2, ApplicationName: "mindspace keys", StatementTimeout: -1})
	if err != nil {
		return nil, nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	return keys, pool, nil
}

// refuseShared refuses a keyring that demos share through their database: they read it at their start, and look at no file.
func refuseShared(ctx context.Context, pool *pgxpool.Pool, keys *secret.Keyring) error {
	var exists bool
	if err := pool.QueryRow(ctx, "SELECT to_regclass('public.mindspace_demo_keyring') IS NOT NULL").Scan(&exists); err != nil || !exists {
		return err
	}
	var shared string
	err := pool.QueryRow(ctx, "SELECT keyring FROM public.mindspace_demo_keyring").Scan(&shared)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if other, err := secret.Parse([]byte(shared)); err == nil && other.SameAs(keys) {
		return errors.New("this keyring is the one that `mindspace up` shares through the database, and processes that run on that would not see a change of the file: " +
			"start each `mindspace up` with --keyring-file, drop the table public.mindspace_demo_keyring, and try again")
	}
	return nil
}

// locked reads the keyring and changes it, one command at a time on a database. What work did to the file stays when the commit fails.
func (c *keyChange) locked(ctx context.Context, work func(pgx.Tx, *secret.Keyring) error) error {
	return pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('mindspace.keys', 0))"); err != nil {
			return fmt.Errorf("wait for other changes of the keyring: %w", err)
		}
		keys, err := secret.Load("", c.file)
		if err != nil {
			return err
		}
		return work(tx, keys)
	})
}

func (c *keyChange) queue(ctx context.Context, tx pgx.Tx, key uint32, at time.Time) error {
	client, err := queue.NewInserter(c.pool, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	if _, err := client.InsertTx(ctx, tx, jobs.ResealArgs{KeyID: key}, &river.InsertOpts{ScheduledAt: at}); err != nil {
		return fmt.Errorf("queue the job: %w", err)
	}
	return nil
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
