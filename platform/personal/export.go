package personal

import (
	"archive/zip"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// readme explains the files to a person. It is in English only: whoever writes to support is answered in their language.
//
//go:embed README.txt
var readme string

// exportSettings hold within the transaction of an export. A statement lasts as long as whoever takes its rows, so ctx alone bounds it.
const exportSettings = "SELECT set_config('TimeZone', 'UTC', true), set_config('IntervalStyle', 'iso_8601', true), set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true)"

// Export writes a ZIP file of everything that is held about a person: of each table that has rows of theirs a JSON and a CSV file in the folder of
// its domain, a manifest that lists them, and a text that explains them. All of it is of one moment. Rows are streamed, so a long history takes no
// memory. Columns have the names that they have in the database.
func (r *Registry) Export(ctx context.Context, pool *pgxpool.Pool, person uuid.UUID, now time.Time, w io.Writer) error {
	tx, err := pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := tx.Exec(ctx, exportSettings); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	archive := zip.NewWriter(w)
	if err := writeFile(archive, "README.txt", now, []byte(readme)); err != nil {
		return err
	}
	contents := manifest{PersonID: person, MadeAt: now.UTC().Truncate(time.Second), Files: []manifestFile{}, LeftOut: []manifestOmission{}}
	err = r.tables(func(d Domain, t Table) error {
		if t.Owner == "" {
			return nil
		}
		if t.NotExported != "" {
			contents.LeftOut = append(contents.LeftOut, manifestOmission{Table: t.Name, What: t.What, Why: t.NotExported})
			return nil
		}
		return t.export(ctx, tx, archive, d.Name, person, now, &contents)
	})
	if err != nil {
		return err
	}
	listed, err := json.MarshalIndent(contents, "", "  ")
	if err != nil {
		return fmt.Errorf("export: manifest: %w", err)
	}
	if err := writeFile(archive, "manifest.json", now, append(listed, '\n')); err != nil {
		return err
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

// manifest tells what is in an export.
type manifest struct {
	PersonID uuid.UUID          `json:"personId"`
	MadeAt   time.Time          `json:"madeAt"`
	Files    []manifestFile     `json:"files"`
	LeftOut  []manifestOmission `json:"leftOut"`
}

type manifestFile struct {
	Name string `json:"name"`
	What string `json:"what"`
	Rows int    `json:"rows"`
}

type manifestOmission struct {
	Table string `json:"table"`
	What  string `json:"what"`
	Why   string `json:"why"`
}

func newFile(archive *zip.Writer, name string, now time.Time) (io.Writer, error) {
	file, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: now.UTC()})
	if err != nil {
		return nil, fmt.Errorf("export: %s: %w", name, err)
	}
	return file, nil
}

func writeFile(archive *zip.Writer, name string, now time.Time, content []byte) error {
	file, err := newFile(archive, name, now)
	if err != nil {
		return err
	}
	if _, err := file.Write(content); err != nil {
		return fmt.Errorf("export: %s: %w", name, err)
	}
	return nil
}

// export writes both files of a table, unless there is nothing in it. Two readings of one snapshot are the same, so neither has to be held in memory.
func (t Table) export(ctx context.Context, tx pgx.Tx, archive *zip.Writer, folder string, person uuid.UUID, now time.Time, contents *manifest) error {
	for _, format := range []struct {
		extension string
		open      func(io.Writer) encoder
	}{{".json", newJSON}, {".csv", newCSV}} {
		name := folder + "/" + shortName(t.Name) + format.extension
		var to encoder
		n, err := t.read(ctx, tx, person, func(columns []string, row Row) error {
			if to == nil {
				file, err := newFile(archive, name, now)
				if err != nil {
					return err
				}
				to = format.open(file)
			}
			return to.write(columns, row)
		})
		if err == nil && to != nil {
			err = to.end()
		}
		if err != nil {
			return fmt.Errorf("export: %s: %w", name, err)
		}
		if to != nil {
			contents.Files = append(contents.Files, manifestFile{Name: name, What: t.What, Rows: n})
		}
	}
	return nil
}

// shortName is a table's name without its schema.
func shortName(table string) string {
	_, name, found := strings.Cut(table, ".")
	if !found {
		return table
	}
	return name
}
