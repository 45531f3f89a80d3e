package personal_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mindspace-app/mindspace/platform/personal"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	execute(t, pool, "CREATE TABLE facts.months (made_at timestamptz) PARTITION BY RANGE (made_at)")
	if err := personal.NewRegistry(facts()).Check(t.Context(), pool); err != nil {
		t.Fatalf("what is right: %v", err)
	}
	for name, test := range map[string]struct {
		change func(d *personal.Domain)
		says   string
	}{
		"a table is not declared":   {func(d *personal.Domain) { d.Tables = d.Tables[1:] }, "no domain declares: facts.parts.author_id, facts.parts.user_id"},
		"a mention is not declared": {func(d *personal.Domain) { d.Tables[0].Mentions = nil }, "no domain declares: facts.parts.author_id"},
		"declared twice":            {func(d *personal.Domain) { d.Tables = append(d.Tables, d.Tables[1]) }, "facts.visits.user_id has the comment person, or it is declared twice"},
		"a column is missing":       {func(d *personal.Domain) { d.Tables[1].Owner = "account_id" }, "no column facts.visits.account_id"},
		"a table is missing":        {func(d *personal.Domain) { d.Tables[1].Name = "facts.visit" }, "no column facts.visit.user_id"},
		"without what":              {func(d *personal.Domain) { d.Tables[1].What = "" }, "without what it is"},
		"without a column":          {func(d *personal.Domain) { d.Tables[1].Owner = "" }, "without a column of a person's id"},
		"a mention that stays": {func(d *personal.Domain) {
			d.Tables[0].Owner, d.Tables[0].Mentions = "author_id", []personal.Mention{{Column: "user_id"}}
		}, "facts.parts.user_id is to be cleared, and may not be null"},
		"a secret is misspelt":      {func(d *personal.Domain) { d.Tables[2].Secret = []string{"secrets"} }, "no column facts.everything.secrets to be left out"},
		"health data in ciphertext": {func(d *personal.Domain) { d.Tables[3].Open = nil }, "facts.sealed.sealed"},
		"a rule of no table":        {func(d *personal.Domain) { d.Rules[0].Table = "facts.visit" }, "deletes from facts.visit, which is not there"},
		"a rule of partitions":      {func(d *personal.Domain) { d.Rules[0].Table = "facts.months" }, "deletes from facts.months, which is not there or is partitioned"},
		"a rule without its reason": {func(d *personal.Domain) { d.Rules[0].Why = "" }, "lacks what, where or why"},
	} {
		d := facts()
		test.change(&d)
		if err := personal.NewRegistry(d).Check(t.Context(), pool); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	d := facts()
	d.Tables[3].Open, d.Tables[3].Secret = nil, []string{"sealed"}
	if err := personal.NewRegistry(d).Check(t.Context(), pool); err != nil {
		t.Errorf("health data that is left out: %v", err)
	}
	columns, err := personal.Columns(t.Context(), pool)
	if err != nil || !slices.Contains(columns, personal.Column{Table: "facts.sealed", Column: "sealed", Says: "health"}) || len(columns) != 8 {
		t.Errorf("columns: %v, %v", columns, err)
	}
}
