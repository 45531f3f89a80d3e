package uid_test

import (
	"bytes"
	"slices"
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

func TestTextAndSet(t *testing.T) {
	t.Parallel()
	first, second := uuid.MustParse("019b8cbd-b6d0-7e75-a467-126b36715e1a"), uuid.MustParse("019b8cbd-b6d0-7e75-a467-126b36715e1b")
	if uid.Text(nil) != "" || uid.Text(&first) != first.String() {
		t.Errorf("%q, %q", uid.Text(nil), uid.Text(&first))
	}
	given := []uuid.UUID{second, first, second}
	if got := uid.Set(given); !slices.Equal(got, []uuid.UUID{first, second}) || given[0] != second {
		t.Errorf("%v of %v", got, given)
	}
}
