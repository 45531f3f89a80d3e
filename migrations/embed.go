// Package migrations holds the database schema as goose files, one Postgres schema a domain, in the order of their numbers.
// River's own tables are not here: they come from River, in the schema "river".
package migrations

import "embed"

// FS holds the goose files.
//
//go:embed *.sql
var FS embed.FS
