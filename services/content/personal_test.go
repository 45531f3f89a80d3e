package content_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/platform/personal"
	"github.com/mindspace-app/mindspace/platform/postgres"
)

// Every column of the domain's tables with a person's id is declared.
func TestPersonalIsComplete(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	err := personal.NewRegistry(r.service.Personal()).Check(t.Context(), r.pool)
	for _, line := range strings.FieldsFunc(errors.Join(err).Error(), func(c rune) bool { return c == '\n' || c == ',' }) {
		if strings.Contains(line, "content.") {
			t.Error(line) // other domains' are not ours to declare
		}
	}
}

// Favourites are exported with their owner, and erased with nobody else.
func TestFavouritesAreTheirOwners(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana, iva := r.Register("ana@example.org"), r.Register("iva@example.org")
	some := ids(all(t, r, &contentv1.ListMeditationsRequest{PageSize: 3}))
	r.like(t, ana, some[0], true)
	r.like(t, ana, some[1], true)
	r.like(t, iva, some[2], true)
	registry := personal.NewRegistry(r.service.Personal())

	var packed bytes.Buffer
	if err := registry.Export(t.Context(), r.pool, ana.ID, r.Clock.Now(), &packed); err != nil {
		t.Fatal(err)
	}
	opened, err := zip.NewReader(bytes.NewReader(packed.Bytes()), int64(packed.Len()))
	if err != nil {
		t.Fatal(err)
	}
	file, err := opened.Open("content/favourites.json")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(file)
	if err != nil || !bytes.Contains(text, []byte(some[0])) || !bytes.Contains(text, []byte(some[1])) || bytes.Contains(text, []byte(some[2])) {
		t.Errorf("exported: %s, %v", text, err)
	}

	var touched []personal.Touched
	err = postgres.InTx(t.Context(), r.pool, func(tx pgx.Tx) (err error) {
		touched, err = registry.Erase(t.Context(), tx, r.blobs, ana.ID)
		return err
	})
	at := slices.IndexFunc(touched, func(one personal.Touched) bool { return one.Name == "content.favourites" })
	if err != nil || at < 0 || touched[at].Count != 2 {
		t.Errorf("erased: %+v, %v", touched, err)
	}
	if left := r.likes(t, ana, 0); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if left := r.likes(t, iva, 0); len(left) != 1 {
		t.Errorf("another's: %v", left)
	}
}
