package app

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
)

// grant is what a database role may do in one schema.
type grant struct {
	schema string
	// tables are the privileges on tables, by table; "*" stands for every table of the schema.
	tables map[string]string
}

const (
	read      = "SELECT"
	write     = "SELECT, INSERT, UPDATE, DELETE"
	insertJob = "SELECT, INSERT, UPDATE"
)

// databaseRoles is the table of who may touch what. Each is a group without a login and without a password:
// an operator makes the login of a service a member of its group. Schema changes stay with the owner of the database.
var databaseRoles = []struct {
	name   string
	grants []grant
}{
	{"mindspace_auth", []grant{
		{"auth", map[string]string{"*": write}},
		{"rpc", map[string]string{"idempotency_keys": write}},
		{"audit", map[string]string{"records": "SELECT, INSERT", "unsealed": "INSERT", "person_keys": "SELECT, INSERT"}},
		{"river", map[string]string{"river_job": insertJob, "river_migration": read}},
		{"public", map[string]string{"goose_db_version": read}},
	}},
	{"mindspace_user", []grant{
		{"users", map[string]string{"*": write}},
		{"rpc", map[string]string{"idempotency_keys": write}},
		{"audit", map[string]string{"records": "SELECT, INSERT", "unsealed": "INSERT", "person_keys": "SELECT, INSERT"}},
		{"river", map[string]string{"river_job": insertJob, "river_migration": read}},
		{"public", map[string]string{"goose_db_version": read}},
	}},
	{"mindspace_meditation", []grant{
		{"content", map[string]string{"*": write}},
		{"meditation", map[string]string{"*": write}},
		{"rpc", map[string]string{"idempotency_keys": write}},
		{"audit", map[string]string{"records": "SELECT, INSERT", "unsealed": "INSERT", "person_keys": "SELECT, INSERT"}},
		{"river", map[string]string{"river_job": insertJob, "river_migration": read}},
		{"public", map[string]string{"goose_db_version": read}},
	}},
	{"mindspace_worker", []grant{
		{"auth", map[string]string{"*": write}},
		{"content", map[string]string{"*": write}},
		{"meditation", map[string]string{"*": write}},
		{"rpc", map[string]string{"*": write}},
		// Erasure destroys persons' keys, and a rotation of the keyring wraps them anew.
		{"audit", map[string]string{"*": "SELECT, INSERT", "unsealed": write, "person_keys": write}},
		{"users", map[string]string{"*": write}},
		{"river", map[string]string{"*": write}},
		{"public", map[string]string{"goose_db_version": read}},
	}},
}

// DatabaseRoles makes the least-privilege roles, or brings them up to date: what a role holds and the table above does not grant, it loses.
func DatabaseRoles(ctx context.Context, databaseURL string, out io.Writer) error {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, role := range databaseRoles {
		statements := roleStatements(role.name, role.grants)
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			for _, statement := range statements {
				if _, err := tx.Exec(ctx, statement); err != nil {
					return fmt.Errorf("%s: %w", statement, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: ready; give it to a login with: GRANT %s TO <login>;\n", role.name, role.name)
	}
	return nil
}

// roleStatements makes the role, takes away what it has in our schemas, and grants what the table says.
// Names are ours and need no quoting beyond what pgx does.
func roleStatements(name string, grants []grant) []string {
	role := pgx.Identifier{name}.Sanitize()
	statements := []string{
		// One advisory lock: roles are cluster-wide, and two processes making one at once would collide.
		"SELECT pg_advisory_xact_lock(hashtext('mindspace roles'))",
		fmt.Sprintf("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '%s') THEN CREATE ROLE %s NOLOGIN; END IF; END $$", name, role),
	}
	for _, schema := range []string{"audit", "auth", "content", "meditation", "public", "river", "rpc", "users"} {
		for _, what := range []string{"ALL TABLES IN SCHEMA", "ALL SEQUENCES IN SCHEMA", "SCHEMA"} {
			statements = append(statements, fmt.Sprintf("REVOKE ALL ON %s %s FROM %s", what, pgx.Identifier{schema}.Sanitize(), role))
		}
	}
	for _, g := range grants {
		schema := pgx.Identifier{g.schema}.Sanitize()
		statements = append(statements,
			fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s", schema, role),
			fmt.Sprintf("GRANT USAGE ON ALL SEQUENCES IN SCHEMA %s TO %s", schema, role))
		for table, privileges := range g.tables {
			target := "ALL TABLES IN SCHEMA " + schema
			if table != "*" {
				target = strings.Join([]string{"TABLE", pgx.Identifier{g.schema, table}.Sanitize()}, " ")
			}
			statements = append(statements, fmt.Sprintf("GRANT %s ON %s TO %s", privileges, target, role))
		}
	}
	return statements
}
