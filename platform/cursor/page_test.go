package cursor_test

import (
	"slices"
	"testing"

	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/secret"
)

func TestPages(t *testing.T) {
	t.Parallel()
	keys, err := secret.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	c, all := cursor.New(keys), []int{1, 2, 3, 4, 5}
	// list is a query: so many after a position.
	list := func(token string, size int32) (page []int, next string) {
		t.Helper()
		after := 0
		if err := c.Resume("list", token, &after); err != nil {
			t.Fatal(err)
		}
		page, next, err := cursor.Cut(c, "list", all[after:min(after+int(size)+1, len(all))], size, func(last int) any { return last })
		if err != nil {
			t.Fatal(err)
		}
		return page, next
	}
	for size, want := range map[int32]int{1: 5, 2: 3, 4: 2, 5: 1, 20: 1} {
		var got []int
		pages := 0
		for token := ""; pages == 0 || token != ""; pages++ {
			var page []int
			page, token = list(token, size)
			got = append(got, page...)
		}
		if !slices.Equal(got, all) || pages != want {
			t.Errorf("by %d: %v in %d pages, want %d", size, got, pages, want)
		}
	}
	if err := c.Resume("list", "forged", new(int)); fault.KindOf(err) != fault.KindInvalid {
		t.Errorf("a forged token: %v", err)
	}
	if cursor.PageSize(0) != cursor.DefaultPageSize || cursor.PageSize(7) != 7 {
		t.Error("page sizes")
	}
}
