package personal

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"strings"
	"unicode/utf8"
)

// encoder writes rows in one format.
type encoder interface {
	write(columns []string, row Row) error
	end() error
}

// jsonEncoder writes an array of objects, a row a line, with the columns in the table's order.
type jsonEncoder struct {
	to    io.Writer
	line  bytes.Buffer
	begun bool
}

func newJSON(to io.Writer) encoder { return &jsonEncoder{to: to} }

func (e *jsonEncoder) write(columns []string, row Row) error {
	e.line.Reset()
	if e.begun {
		e.line.WriteString(",\n{")
	} else {
		e.line.WriteString("[\n{")
		e.begun = true
	}
	for i, column := range columns {
		name, err := encode(column)
		if err != nil {
			return err
		}
		value, err := encode(row[column])
		if err != nil {
			return err
		}
		if i > 0 {
			e.line.WriteByte(',')
		}
		e.line.Write(name)
		e.line.WriteByte(':')
		e.line.Write(value)
	}
	e.line.WriteByte('}')
	_, err := e.to.Write(e.line.Bytes())
	return err
}

func (e *jsonEncoder) end() error {
	_, err := io.WriteString(e.to, "\n]\n")
	return err
}

// csvEncoder writes a line of names, then a line a row (RFC 4180, but for the line ends). The first row says which columns there are.
type csvEncoder struct {
	to      *csv.Writer
	columns []string
}

func newCSV(to io.Writer) encoder { return &csvEncoder{to: csv.NewWriter(to)} }

func (e *csvEncoder) write(columns []string, row Row) error {
	if e.columns == nil {
		e.columns = columns
		if err := e.to.Write(columns); err != nil {
			return err
		}
	}
	fields := make([]string, 0, len(e.columns))
	for _, column := range e.columns {
		field, err := cell(row[column])
		if err != nil {
			return err
		}
		fields = append(fields, field)
	}
	return e.to.Write(fields)
}

func (e *csvEncoder) end() error {
	e.to.Flush()
	return e.to.Error()
}

// formulaStarts are what a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection").
const formulaStarts = "=+-@\t\r\n＝＋－＠"

// cell gives a value as one field of a CSV file: text as it is, nothing for null, anything else as in JSON. Text that a spreadsheet would take for a
// formula gets an apostrophe in front: it may be a stranger's. Numbers are none.
func cell(value any) (string, error) {
	if value == nil {
		return "", nil
	}
	encoded, err := encode(value)
	if err != nil || encoded[0] != '"' {
		return strings.TrimPrefix(string(encoded), "null"), err
	}
	var text string
	if err := json.Unmarshal(encoded, &text); err != nil {
		return "", err
	}
	if first, _ := utf8.DecodeRuneInString(text); text != "" && strings.ContainsRune(formulaStarts, first) {
		return "'" + text, nil
	}
	return text, nil
}
