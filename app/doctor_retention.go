package app

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/mindspace-app/mindspace/platform/personal"
)

// DoctorRetention prints what is kept for how long and why, and how much of it has had its time and waits to be deleted. It changes nothing.
func DoctorRetention(ctx context.Context, config Config, out io.Writer) error {
	a, err := New(ctx, config, texts(everyRole()))
	if err != nil {
		return err
	}
	defer a.Close()
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WHAT\tWHERE\tKEPT\tOVERDUE\tWHY")
	now := time.Now()
	for _, rule := range a.people.registry.Rules() {
		overdue := "–"
		if n, counted, err := rule.Overdue(ctx, a.pool, now); err != nil {
			return err
		} else if counted {
			overdue = fmt.Sprint(n)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", rule.What, rule.Table, kept(rule), overdue, rule.Why)
	}
	return table.Flush()
}

// kept is a rule's time as people say it.
func kept(rule personal.Rule) string {
	const day = 24 * time.Hour
	switch {
	case rule.Keep < 0:
		return "see why"
	case rule.Keep == 0:
		return "until its end"
	case rule.Keep%day == 0:
		return fmt.Sprintf("%d days", rule.Keep/day)
	default:
		return rule.Keep.String()
	}
}
