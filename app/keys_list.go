package app

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mindspace-app/mindspace/platform/reseal"
	"github.com/mindspace-app/mindspace/platform/secret"
)

// ListKeys prints the keys that encrypt: their public numbers, which of them is primary, and how many values are stored under each. It prints no key.
func ListKeys(ctx context.Context, o KeysOptions, out io.Writer) error {
	keys, pool, err := openKeys(ctx, o)
	if err != nil {
		return err
	}
	defer pool.Close()
	counts, err := reseal.Remaining(ctx, pool, sealedColumns())
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tSTATE\tVALUES\tWHERE")
	now := time.Now()
	for _, key := range keys.Keys() {
		total, where := under(key.ID, counts)
		fmt.Fprintf(w, "%d\t%s\t%d\t%s\n", key.ID, keyState(key, now), total, where)
	}
	told := map[uint32]bool{}
	for _, c := range missingKeys(keys, counts) {
		if told[c.KeyID] {
			continue
		}
		told[c.KeyID] = true
		name := fmt.Sprint(c.KeyID)
		if c.KeyID == 0 {
			name = "none"
		}
		total, where := under(c.KeyID, counts)
		fmt.Fprintf(w, "%s\tNOT IN THIS KEYRING: these values cannot be read\t%d\t%s\n", name, total, where)
	}
	return w.Flush()
}

func keyState(key secret.KeyInfo, now time.Time) string {
	switch {
	case key.Primary(now) && key.Until.IsZero():
		return "primary since " + clock(key.From)
	case key.Primary(now):
		return "primary until " + clock(key.Until)
	case key.From.After(now):
		return "primary from " + clock(key.From)
	default:
		return "replaced " + clock(key.Until)
	}
}

// under counts the values under a key, and says in which columns they are.
func under(key uint32, counts []reseal.Count) (total int64, where string) {
	var columns []string
	for _, c := range counts {
		if c.KeyID == key {
			total += c.Rows
			columns = append(columns, fmt.Sprintf("%s.%s %d", c.Table, c.Column, c.Rows))
		}
	}
	return total, strings.Join(columns, ", ")
}

// missingKeys gives the counts of values that nobody can open with this keyring.
func missingKeys(keys *secret.Keyring, counts []reseal.Count) []reseal.Count {
	var missing []reseal.Count
	for _, c := range counts {
		if c.KeyID == 0 || !keys.Has(c.KeyID) {
			missing = append(missing, c)
		}
	}
	return missing
}

func describe(counts []reseal.Count) string {
	lines := make([]string, len(counts))
	for i, c := range counts {
		lines[i] = fmt.Sprintf("  key %d: %d in %s.%s", c.KeyID, c.Rows, c.Table, c.Column)
	}
	return strings.Join(lines, "\n")
}
