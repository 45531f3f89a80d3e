package app

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/mindspace-app/mindspace/platform/personal"
)

// DataMap prints, as Markdown, what is held about persons: every column that the database says holds a person's id or health data, what becomes of it
// in an export and an erasure, and how long everything is kept. It fails when the database holds something that no domain has declared.
func DataMap(ctx context.Context, config Config, out io.Writer) error {
	a, err := New(ctx, config, texts(everyRole()))
	if err != nil {
		return err
	}
	defer a.Close()
	return a.dataMap(ctx, out)
}

func (a *App) dataMap(ctx context.Context, out io.Writer) error {
	registry := a.people.registry
	if err := registry.Check(ctx, a.pool); err != nil {
		return err
	}
	columns, err := personal.Columns(ctx, a.pool)
	if err != nil {
		return err
	}
	health := map[string][]string{}
	for _, c := range columns {
		if c.Says == "health" {
			health[c.Table] = append(health[c.Table], c.Column)
		}
	}
	fmt.Fprint(out, "| table | what it holds | health data | in an export | in an erasure |\n| --- | --- | --- | --- | --- |\n")
	for _, d := range registry.Domains() {
		for _, t := range d.Tables {
			fmt.Fprintf(out, "| `%s` | %s | %s | %s | %s |\n", t.Name, t.What, quoted(health[t.Name]), exported(t), erased(t))
		}
	}
	fmt.Fprint(out, "\n| what is kept | where | how long | why |\n| --- | --- | --- | --- |\n")
	for _, rule := range registry.Rules() {
		fmt.Fprintf(out, "| %s | `%s` | %s | %s |\n", rule.What, rule.Table, kept(rule), rule.Why)
	}
	return nil
}

func exported(t personal.Table) string {
	switch {
	case t.Owner == "":
		return "no: it only names people"
	case t.NotExported != "":
		return "no: " + t.NotExported
	case len(t.Secret) > 0:
		return "yes, without " + quoted(t.Secret)
	default:
		return "yes"
	}
}

func erased(t personal.Table) string {
	var parts []string
	switch {
	case t.Owner != "" && t.Kept != "":
		parts = append(parts, "kept: "+t.Kept)
	case t.Owner != "":
		parts = append(parts, "deleted, by `"+t.Owner+"`")
	}
	for _, m := range t.Mentions {
		if m.Kept != "" {
			parts = append(parts, "`"+m.Column+"` kept: "+m.Kept)
		} else {
			parts = append(parts, "`"+m.Column+"` cleared")
		}
	}
	return strings.Join(parts, "; ")
}

func quoted(columns []string) string {
	if len(columns) == 0 {
		return ""
	}
	return "`" + strings.Join(columns, "`, `") + "`"
}
