package personal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// Row is one row of a table, by column, in values that JSON has: nil, bool, string, [json.Number], and [json.RawMessage] for lists and objects.
// PostgreSQL itself makes them, so every type of column has one: ids, times (ISO 8601, UTC), intervals, networks and a number that is none ("NaN") are
// strings. Only a column of bytes is a []byte. [Table.Open] may put in whatever encodes as JSON.
type Row map[string]any

// UUID reads a column that holds an id.
func (row Row) UUID(column string) (uuid.UUID, error) {
	text, _ := row[column].(string)
	id, err := uuid.Parse(text)
	if err != nil {
		return uuid.Nil, fmt.Errorf("column %s holds no id", column)
	}
	return id, nil
}

// order gives the columns that the row has: the given ones in their order, then the others by name.
func (row Row) order(columns []string) []string {
	var ordered, added []string
	for _, column := range columns {
		if _, there := row[column]; there {
			ordered = append(ordered, column)
		}
	}
	for column := range row {
		if !slices.Contains(columns, column) {
			added = append(added, column)
		}
	}
	slices.Sort(added)
	return append(ordered, added...)
}

// read calls each with the person's rows, with what is secret left out and what is encrypted opened, and tells how many there were.
// A row is forgotten before the next one is read.
func (t Table) read(ctx context.Context, tx pgx.Tx, person uuid.UUID, each func(columns []string, row Row) error) (n int, err error) {
	columns, selected, err := t.columns(ctx, tx)
	if err != nil {
		return 0, err
	}
	statement := "SELECT " + selected + " FROM " + identifier(t.Name) + " WHERE " + identifier(t.Owner) + " = $1"
	if t.Order != "" {
		statement += " ORDER BY " + t.Order
	}
	rows, err := tx.Query(ctx, statement, person.String())
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return n, err
		}
		row := make(Row, len(columns))
		for i, column := range columns {
			row[column] = ofJSON(values[i])
		}
		if t.Open != nil {
			if err := t.Open(ctx, row); err != nil {
				return n, fmt.Errorf("open: %w", err)
			}
		}
		for _, secret := range t.Secret {
			delete(row, secret)
		}
		if err := each(row.order(columns), row); err != nil {
			return n, err
		}
		n++
	}
	return n, rows.Err()
}

// columns gives the columns of the table, and what to select for them: the JSON of each, as text, but bytes as they are.
func (t Table) columns(ctx context.Context, tx pgx.Tx) (names []string, selected string, err error) {
	rows, err := tx.Query(ctx, "SELECT * FROM "+identifier(t.Name)+" LIMIT 0")
	if err != nil {
		return nil, "", err
	}
	defer rows.Close()
	expressions := make([]string, 0, len(rows.FieldDescriptions()))
	for _, field := range rows.FieldDescriptions() {
		names = append(names, field.Name)
		if field.DataTypeOID == pgtype.ByteaOID {
			expressions = append(expressions, identifier(field.Name))
		} else {
			expressions = append(expressions, "to_json("+identifier(field.Name)+")::text")
		}
	}
	rows.Close()
	return names, strings.Join(expressions, ", "), rows.Err()
}

// ofJSON gives the value that a text of JSON stands for; bytes and null as they are.
func ofJSON(value any) any {
	text, ok := value.(string)
	if !ok || text == "" {
		return value
	}
	switch c := text[0]; {
	case c == '"':
		var s string
		if err := json.Unmarshal([]byte(text), &s); err == nil {
			return s
		}
	case text == "true", text == "false":
		return text == "true"
	case c == '-' || '0' <= c && c <= '9':
		return json.Number(text)
	}
	return json.RawMessage(text)
}

// encode gives the JSON of a value; bytes are in base64.
func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
