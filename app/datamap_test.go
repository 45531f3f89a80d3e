package app

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the data map into docs/privacy.md")

const (
	privacyFile = "../docs/privacy.md"
	mapBegin    = "<!-- data map: generated, see app/datamap_test.go -->\n"
	mapEnd      = "<!-- end of the data map -->\n"
)

// The data map in the documentation is what the program holds: go test ./app -run TestDataMap -update brings it up to date.
func TestDataMapIsTrue(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	var is bytes.Buffer
	if err := a.dataMap(t.Context(), &is); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(privacyFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), mapBegin)
	said, after, ended := strings.Cut(rest, mapEnd)
	if !found || !ended {
		t.Fatal("the documentation has no place for the data map")
	}
	if *update {
		if err := os.WriteFile(privacyFile, []byte(before+mapBegin+is.String()+mapEnd+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if said != is.String() {
		t.Errorf("the data map is out of date; it would be:\n%s", is.String())
	}
}
