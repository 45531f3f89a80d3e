// Package personal knows, table by table, what is held about a person, how the person gets a copy of it, how it disappears, and how long
// it is kept otherwise. Each domain declares its tables beside its code; this package does the rest with what they declare, so that a new
// table is one entry and not three pieces of code. [Registry.Check] finds columns with a person's id (the comment "person") that nobody declared.
//
// It knows no domain, and holds nothing itself.
package personal

import (
	"context"

	"github.com/google/uuid"
)

// Domain is what one domain holds about persons.
type Domain struct {
	// Name is the domain's, and the folder in an export.
	Name string
	// Tables are all its tables with a column that holds a person's id. They are erased in this order: what refers to a row stands before it.
	Tables []Table
	// Files are its files in the blob store that are about one person: a prefix with the person's id and something after it; nil for none.
	// A folder for each person would stay on disk when it is empty, and its name with it: put the id into the names of files.
	Files func(person uuid.UUID) (prefix string)
	// Forget drops what caches know of a person, after the erasure; nil for none.
	Forget func(ctx context.Context, person uuid.UUID)
	// Rules say for how long what is kept, persons' or not.
	Rules []Rule
}

// Table is what one table holds about a person.
type Table struct {
	// Name with its schema, as "auth.sessions".
	Name string
	// What tells a person what it is, in plain words; it stands in the export.
	What string
	// Owner is the column with the id of the person whom a row is about: those rows are exported to and erased with that person.
	// Empty for a table whose rows only mention persons.
	Owner string
	// Order are the columns that an export is ordered by, as "created_at, id"; empty for one row a person.
	Order string
	// Secret are columns that are not exported: they prove something, or say nothing.
	Secret []string
	// Open turns a row as it is stored into what the person gets: it opens what is encrypted, and may put a json.RawMessage in its place.
	// Nil leaves it as it is.
	Open func(ctx context.Context, row Row) error
	// Kept says why erasure leaves the rows, which must then say nothing of the person any more; empty when it deletes them.
	Kept string
	// NotExported says why the rows are not exported; empty when they are.
	NotExported string
	// Mentions are columns that name a person in a row that is about something or somebody else.
	Mentions []Mention
}

// Mention is a column that names a person in a row about something or somebody else.
type Mention struct {
	Column string
	// Kept says why erasure leaves the id there; empty when it becomes null.
	Kept string
}

// Registry is every domain's part.
type Registry struct {
	domains []Domain
}

// NewRegistry puts the parts together. They are erased in this order, so the domain that others' rows refer to comes last.
func NewRegistry(domains ...Domain) *Registry { return &Registry{domains: domains} }

// Domains are the parts, in order.
func (r *Registry) Domains() []Domain { return r.domains }

// tables calls do with each table of each domain, in order.
func (r *Registry) tables(do func(d Domain, t Table) error) error {
	for _, d := range r.domains {
		for _, t := range d.Tables {
			if err := do(d, t); err != nil {
				return err
			}
		}
	}
	return nil
}
