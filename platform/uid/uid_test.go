package uid_test

import (
	"bytes"
	"testing"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/uid"
)

func TestIDs(t *testing.T) {
	t.Parallel()
	first, err := uid.New()
	if err != nil {
		t.Fatal(err)
	}
	second, err := uid.New()
	if err != nil || bytes.Compare(first[:], second[:]) >= 0 || second.Version() != 7 {
		t.Errorf("%s, then %s, %v", first, second, err)
	}
	if got, err := uid.Parse("userId", first.String()); err != nil || got != first {
		t.Errorf("%s, %v", got, err)
	}
	got, err := uid.Parse("userId", "me")
	e, ok := fault.As(err)
	if got != uuid.Nil || !ok || e.Kind() != fault.KindInvalid || len(e.Fields()) != 1 || e.Fields()[0].Path != "userId" {
		t.Errorf("no id: %s, %v", got, err)
	}
}
