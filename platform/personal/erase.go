package personal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// Touched is one line of a receipt.
type Touched struct {
	// Kind is "table", "queue", "cache" or "files".
	Kind string `json:"kind"`
	// Name of the place.
	Name string `json:"name"`
	// Action is "deleted", "cleared" (the rows stay without the person) or "kept".
	Action string `json:"action"`
	// Count of rows, jobs, keys or files.
	Count int64 `json:"count"`
	// Reason for what is kept.
	Reason string `json:"reason,omitempty"`
}

// ErrBusy is what [Registry.Erase] answers while a job about the person runs: try again when it has ended.
var ErrBusy = errors.New("personal: a job about the person is running")

// Erase deletes what every domain holds about a person in tables, queue and blob store, within the transaction that has made sure that nothing new
// comes in. It may run again. Call [Registry.Forget] after the commit. Files go before the commit: when that fails, they are gone already, and the
// rest goes next time.
func (r *Registry) Erase(ctx context.Context, tx pgx.Tx, blobs *blob.Bucket, person uuid.UUID) ([]Touched, error) {
	queued, err := eraseJobs(ctx, tx, person)
	if err != nil {
		return nil, err
	}
	touched := []Touched{queued}
	err = r.tables(func(_ Domain, t Table) error {
		lines, err := t.erase(ctx, tx, person)
		touched = append(touched, lines...)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, d := range r.domains {
		if d.Files == nil {
			continue
		}
		n, err := deleteFiles(ctx, blobs, d.Files(person), person)
		if err != nil {
			return nil, fmt.Errorf("erase files of %s: %w", d.Name, err)
		}
		touched = append(touched, Touched{Kind: "files", Name: d.Name, Action: "deleted", Count: n})
	}
	return touched, nil
}

// erase deletes the person's rows, or says why they stay, and clears where other rows name the person.
func (t Table) erase(ctx context.Context, tx pgx.Tx, person uuid.UUID) ([]Touched, error) {
	var touched []Touched
	table := identifier(t.Name)
	if t.Owner != "" {
		owner := identifier(t.Owner)
		line, err := touch(ctx, tx, person, table, owner, t.Kept, "DELETE FROM "+table+" WHERE "+owner+" = $1")
		if err != nil {
			return nil, fmt.Errorf("erase %s: %w", t.Name, err)
		}
		line.Name = t.Name
		if t.Kept == "" {
			line.Action = "deleted"
		}
		touched = append(touched, line)
	}
	for _, m := range t.Mentions {
		column := identifier(m.Column)
		line, err := touch(ctx, tx, person, table, column, m.Kept, "UPDATE "+table+" SET "+column+" = NULL WHERE "+column+" = $1")
		if err != nil {
			return nil, fmt.Errorf("erase %s.%s: %w", t.Name, m.Column, err)
		}
		line.Name = t.Name + "." + m.Column
		touched = append(touched, line)
	}
	return touched, nil
}

// touch changes the rows in which a column names a person, or only counts them where there is a reason to keep them.
func touch(ctx context.Context, tx pgx.Tx, person uuid.UUID, table, column, kept, change string) (Touched, error) {
	id := person.String() // as text: it may stand in a column of any ids
	if kept != "" {
		line := Touched{Kind: "table", Action: "kept", Reason: kept}
		err := tx.QueryRow(ctx, "SELECT count(*) FROM "+table+" WHERE "+column+" = $1", id).Scan(&line.Count)
		return line, err
	}
	tag, err := tx.Exec(ctx, change, id)
	return Touched{Kind: "table", Action: "cleared", Count: tag.RowsAffected()}, err
}

// eraseJobs deletes jobs about the person, whatever state they are in. [ErrBusy] while one runs: it could go on writing. Nobody can take one up before
// the transaction ends, as its row is locked.
func eraseJobs(ctx context.Context, tx pgx.Tx, person uuid.UUID) (Touched, error) {
	line := Touched{Kind: "queue", Name: "river.river_job", Action: "deleted"}
	rows, err := tx.Query(ctx, "SELECT id, state::text FROM river.river_job WHERE strpos(args::text, $1) > 0 ORDER BY id FOR UPDATE", person.String())
	if err != nil {
		return line, fmt.Errorf("list jobs about a person: %w", err)
	}
	type job struct {
		ID    int64
		State string
	}
	jobs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[job])
	if err != nil {
		return line, fmt.Errorf("list jobs about a person: %w", err)
	}
	ids := make([]int64, 0, len(jobs))
	for _, j := range jobs {
		if j.State == "running" {
			return line, ErrBusy
		}
		ids = append(ids, j.ID)
	}
	tag, err := tx.Exec(ctx, "DELETE FROM river.river_job WHERE id = ANY($1)", ids)
	if err != nil {
		return line, fmt.Errorf("delete jobs about a person: %w", err)
	}
	line.Count = tag.RowsAffected()
	return line, nil
}

// deleteFiles deletes what begins with the prefix. One that does not name the person whole could be the beginning of others' too.
func deleteFiles(ctx context.Context, blobs *blob.Bucket, prefix string, person uuid.UUID) (n int64, err error) {
	if _, rest, found := strings.Cut(prefix, person.String()); !found || rest == "" {
		return 0, fmt.Errorf("personal: %q is no prefix of one person's files", prefix)
	}
	list := blobs.List(&blob.ListOptions{Prefix: prefix})
	for {
		object, err := list.Next(ctx)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return n, err
		}
		err = blobs.Delete(ctx, object.Key)
		switch {
		case gcerrors.Code(err) == gcerrors.NotFound: // somebody was faster
		case err != nil:
			return n, fmt.Errorf("delete a file: %s", gcerrors.Code(err)) // what the store says names the file, and that the person
		default:
			n++
		}
	}
}

// identifier quotes a name with or without its schema.
func identifier(name string) string { return pgx.Identifier(strings.Split(name, ".")).Sanitize() }
