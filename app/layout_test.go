package app

import (
	"os"
	"strings"
	"testing"
)

// The table of rooms is enforced by depguard, which knows only what its configuration names: a new domain needs its own rule.
func TestEveryDomainHasAnImportRule(t *testing.T) {
	t.Parallel()
	rules, err := os.ReadFile("../.golangci.yaml")
	if err != nil {
		t.Fatal(err)
	}
	domains, err := os.ReadDir("../services")
	if err != nil || len(domains) == 0 {
		t.Fatalf("no services: %v", err)
	}
	for _, domain := range domains {
		if !strings.Contains(string(rules), `"**/services/`+domain.Name()+`/**.go"`) {
			t.Errorf(".golangci.yaml has no depguard rule for services/%s", domain.Name())
		}
	}
}
