package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"gocloud.dev/blob"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	"github.com/mindspace-app/mindspace/platform/personal"
	"github.com/mindspace-app/mindspace/platform/postgres"
)

const (
	// settle is how long after an erasure nothing that was under way then can still write: longer than an access token lives, and a request runs.
	settle = 20 * time.Minute
	// erasureBatch is how many are listed at a time.
	erasureBatch = 100
	// lastLetter is how long the last letter may take: the next one waits for it.
	lastLetter = 10 * time.Second
)

// Erasures carries out the erasures whose time has come.
type Erasures struct {
	Options
	registry *personal.Registry
	blobs    *blob.Bucket
	rdb      redis.UniversalClient
	postman  *Postman
}

// NewErasures returns what erases persons from every domain of the registry.
func NewErasures(s *Service, registry *personal.Registry, blobs *blob.Bucket, rdb redis.UniversalClient, postman *Postman) *Erasures {
	return &Erasures{Options: s.Options, registry: registry, blobs: blobs, rdb: rdb, postman: postman}
}

// Sweep erases everybody whose time has come, and sweeps up after those who were erased a while ago. It may run at any time, and in several processes
// at once. Whoever cannot be erased just now, as a job about them runs, is left for the next time; nobody waits for another. Errors name nobody.
func (e *Erasures) Sweep(ctx context.Context) error {
	return errors.Join(e.completeSettled(ctx), e.eraseDue(ctx))
}

// departed is somebody who was erased, as the last letter needs them. It is in memory only.
type departed struct {
	account      account
	erasure      uuid.UUID
	backupsUntil time.Time
}

func (e *Erasures) eraseDue(ctx context.Context) error {
	var problems []error
	page := authdb.ListDueErasuresParams{Now: e.now(), Batch: erasureBatch}
	for {
		due, err := authdb.New(e.Pool).ListDueErasures(ctx, page)
		if err != nil {
			return errors.Join(append(problems, fmt.Errorf("list due erasures: %w", err))...)
		}
		for _, one := range due {
			who, err := e.erase(ctx, one.ID, one.ErasureID)
			if who != nil {
				e.takeLeave(ctx, who)
			}
			if err != nil && !errors.Is(err, personal.ErrBusy) {
				problems = append(problems, fmt.Errorf("erase a person: %w", err))
			}
			page.After, page.AfterID = one.EraseAfter, one.ID
		}
		if len(due) < erasureBatch {
			return errors.Join(problems...)
		}
	}
}

// erase erases one person, unless they have signed in meanwhile: whoever holds the account's row first wins. It gives whom it has erased, also where an
// error followed.
func (e *Erasures) erase(ctx context.Context, person, erasure uuid.UUID) (*departed, error) {
	var who *departed
	err := postgres.InTx(ctx, e.Pool, func(tx pgx.Tx) error {
		who = nil
		q, now := authdb.New(tx), e.now()
		row, err := q.LockDueErasure(ctx, authdb.LockDueErasureParams{ID: person, ErasureID: erasure, Now: now})
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("lock account: %w", err)
		}
		touched, err := e.registry.Erase(ctx, tx, e.blobs, person)
		if err != nil {
			return err
		}
		items, err := json.Marshal(touched)
		if err != nil {
			return fmt.Errorf("write receipt: %w", err)
		}
		who = &departed{account: account{AuthAccount: row}, erasure: erasure, backupsUntil: now.Add(e.BackupHorizon)}
		return q.RecordErasure(ctx, authdb.RecordErasureParams{ID: erasure, ErasedAt: now, Items: items, BackupsUntil: who.backupsUntil})
	})
	if err != nil || who == nil {
		return nil, err
	}
	return who, e.forget(ctx, person, erasure)
}

// forget drops what caches and counters know, and notes how much it was. Where it fails, it is done again when the erasure is completed.
func (e *Erasures) forget(ctx context.Context, person, erasure uuid.UUID) error {
	forgotten, err := e.registry.Forget(ctx, e.rdb, person)
	if err != nil {
		return err
	}
	items, err := json.Marshal([]personal.Touched{forgotten})
	if err != nil {
		return fmt.Errorf("write receipt: %w", err)
	}
	if err := authdb.New(e.Pool).AddErasureItems(ctx, authdb.AddErasureItemsParams{ID: erasure, Items: items}); err != nil {
		return fmt.Errorf("keep receipt: %w", err)
	}
	return nil
}

func (e *Erasures) completeSettled(ctx context.Context) error {
	var problems []error
	page := authdb.ListUnsweptErasuresParams{Until: e.now().Add(-settle), Batch: erasureBatch}
	for {
		settled, err := authdb.New(e.Pool).ListUnsweptErasures(ctx, page)
		if err != nil {
			return errors.Join(append(problems, fmt.Errorf("list erasures to complete: %w", err))...)
		}
		for _, one := range settled {
			if err := e.complete(ctx, one.AccountID, one.ID); err != nil && !errors.Is(err, personal.ErrBusy) {
				problems = append(problems, fmt.Errorf("complete an erasure: %w", err))
			}
			page.After, page.AfterID = one.ErasedAt, one.ID
		}
		if len(settled) < erasureBatch {
			return errors.Join(problems...)
		}
	}
}

// complete erases once more what requests under way had written after the erasure, in whatever domain, and makes the receipt nobody's.
func (e *Erasures) complete(ctx context.Context, person, erasure uuid.UUID) error {
	// Before the commit, after which nobody knows whose it was.
	forgotten, err := e.registry.Forget(ctx, e.rdb, person)
	if err != nil {
		return err
	}
	return postgres.InTx(ctx, e.Pool, func(tx pgx.Tx) error {
		q := authdb.New(tx)
		before, err := q.LockUnsweptErasure(ctx, erasure)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("lock erasure: %w", err)
		}
		touched, err := e.registry.Erase(ctx, tx, e.blobs, person)
		if err != nil {
			return err
		}
		items, err := addToReceipt(before, append(touched, forgotten))
		if err != nil {
			return err
		}
		if err := q.CompleteErasure(ctx, authdb.CompleteErasureParams{ID: erasure, CompletedAt: e.now(), Items: items}); err != nil {
			return fmt.Errorf("complete receipt: %w", err)
		}
		if err := q.ForgetErasures(ctx, person); err != nil {
			return fmt.Errorf("forget whose erasures they were: %w", err)
		}
		return nil
	})
}

// addToReceipt adds what was found later to what is on a receipt. What is kept was counted again, not found.
func addToReceipt(receipt []byte, found []personal.Touched) ([]byte, error) {
	var items []personal.Touched
	if err := json.Unmarshal(receipt, &items); err != nil {
		return nil, fmt.Errorf("read receipt: %w", err)
	}
	type place struct{ kind, name, action string }
	at := map[place]int{}
	for i, item := range items {
		at[place{item.Kind, item.Name, item.Action}] = i
	}
	for _, line := range found {
		i, known := at[place{line.Kind, line.Name, line.Action}]
		switch {
		case !known:
			items = append(items, line)
		case line.Reason != "":
			items[i].Count = max(items[i].Count, line.Count)
		default:
			items[i].Count += line.Count
		}
	}
	encoded, err := json.Marshal(items)
	if err != nil {
		return nil, fmt.Errorf("write receipt: %w", err)
	}
	return encoded, nil
}

// takeLeave sends the last letter, if it can: at once, as nothing is kept to send it later with, and also when the process is about to stop. Nothing of it is logged but that it was not sent: the log must not know the address.
func (e *Erasures) takeLeave(ctx context.Context, who *departed) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLetter)
	defer cancel()
	if err := e.postman.sendErased(ctx, &who.account, who.erasure, who.backupsUntil); err != nil {
		e.Logger.WarnContext(ctx, "the last letter to somebody who was erased could not be sent")
	}
}
