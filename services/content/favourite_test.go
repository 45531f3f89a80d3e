package content_test

import (
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
)

// like makes a meditation a favourite, or takes one off.
func (r *rig) like(t *testing.T, p *authtest.Person, id string, favourite bool) {
	t.Helper()
	if _, err := r.as(p).SetFavourite(t.Context(), &contentv1.SetFavouriteRequest{MeditationId: id, Favourite: favourite}); err != nil {
		t.Fatal(err)
	}
}

// likes pages through somebody's favourites.
func (r *rig) likes(t *testing.T, p *authtest.Person, size int32) []string {
	t.Helper()
	var found []string
	req := &contentv1.ListFavouritesRequest{PageSize: size, Locale: "ru"}
	for range 100 {
		res, err := r.as(p).ListFavourites(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, ids(res.GetMeditations())...)
		if req.PageToken = res.GetNextPageToken(); req.GetPageToken() == "" {
			return found
		}
	}
	t.Fatal("the pages do not end")
	return nil
}

func TestFavourites(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana, iva := r.Register("ana@example.org"), r.Register("iva@example.org")
	some := ids(all(t, r, &contentv1.ListMeditationsRequest{PageSize: 100}))[:7]
	// Several of one moment, and then one a minute.
	for n, id := range some {
		r.like(t, ana, id, true)
		if n >= 3 {
			r.Clock.Advance(time.Minute)
		}
	}
	want := []string{some[6], some[5], some[4]}
	together := slices.Sorted(slices.Values(some[:4]))
	want = append(want, together...)
	for _, size := range []int32{0, 1, 2, 3, 7} {
		if got := r.likes(t, ana, size); !slices.Equal(got, want) {
			t.Errorf("pages of %d: %v, want %v", size, got, want)
		}
	}
	if got := r.likes(t, iva, 0); len(got) != 0 {
		t.Errorf("another's: %v", got)
	}
	// Again changes nothing; off and on again is new.
	r.like(t, ana, some[5], true)
	r.like(t, ana, some[4], false)
	r.like(t, ana, some[4], false)
	r.like(t, ana, some[4], true)
	if got := r.likes(t, ana, 0)[:3]; !slices.Equal(got, []string{some[4], some[6], some[5]}) {
		t.Errorf("after changes: %v", got)
	}
}

func TestGetMeditationTellsFavourite(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana, iva := r.Register("ana@example.org"), r.Register("iva@example.org")
	id := ids(all(t, r, &contentv1.ListMeditationsRequest{PageSize: 1}))[0]
	r.like(t, ana, id, true)
	for name, tt := range map[string]struct {
		person *authtest.Person
		want   bool
	}{"ana": {ana, true}, "iva": {iva, false}} {
		res, err := r.as(tt.person).GetMeditation(t.Context(), &contentv1.GetMeditationRequest{Id: id})
		if err != nil || res.GetFavourite() != tt.want {
			t.Errorf("%s: %v, %v", name, res, err)
		}
	}
	if res, err := r.client.GetMeditation(t.Context(), &contentv1.GetMeditationRequest{Id: id}); err != nil || res.GetFavourite() {
		t.Errorf("nobody: %v, %v", res, err)
	}
}

func TestFavouriteOfWhatIsNotPublished(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.org")
	some := ids(all(t, r, &contentv1.ListMeditationsRequest{PageSize: 3}))
	gone := some[1]
	r.like(t, ana, some[0], true)
	r.like(t, ana, gone, true)
	r.exec(t, "UPDATE content.meditations SET published_at = NULL WHERE id = ANY($1)", []string{gone, some[2]})
	if got := r.likes(t, ana, 0); !slices.Equal(got, some[:1]) {
		t.Errorf("favourites %v, want the published one only", got)
	}
	for name, id := range map[string]string{"unpublished": some[2], "unpublished since": gone, "unknown": uuid.NewString()} {
		_, err := r.as(ana).SetFavourite(t.Context(), &contentv1.SetFavouriteRequest{MeditationId: id, Favourite: true})
		refused(t, name, err, connect.CodeNotFound, "MEDITATION_NOT_FOUND")
	}
	r.exec(t, "UPDATE content.meditations SET published_at = now() WHERE id = $1", gone)
	if got := r.likes(t, ana, 0); len(got) != 2 {
		t.Errorf("published again: %v", got)
	}
	r.exec(t, "UPDATE content.meditations SET published_at = NULL WHERE id = $1", gone)
	r.like(t, ana, gone, false)
	r.like(t, ana, uuid.NewString(), false)
}

func TestFavouritesRefuse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana, iva := r.Register("ana@example.org"), r.Register("iva@example.org")
	some := ids(all(t, r, &contentv1.ListMeditationsRequest{PageSize: 3}))
	_, err := r.client.SetFavourite(t.Context(), &contentv1.SetFavouriteRequest{MeditationId: some[0], Favourite: true})
	refused(t, "set by nobody", err, connect.CodeUnauthenticated, "CREDENTIAL_MISSING")
	_, err = r.client.ListFavourites(t.Context(), &contentv1.ListFavouritesRequest{})
	refused(t, "listed for nobody", err, connect.CodeUnauthenticated, "CREDENTIAL_MISSING")
	for _, id := range []string{"", "1", "' OR 1=1"} {
		if _, err := r.as(ana).SetFavourite(t.Context(), &contentv1.SetFavouriteRequest{MeditationId: id, Favourite: true}); wrongField(t, err) != "meditationId" {
			t.Errorf("id %q: %v", id, err)
		}
	}
	r.like(t, ana, some[0], true)
	r.like(t, ana, some[1], true)
	page, err := r.as(ana).ListFavourites(t.Context(), &contentv1.ListFavouritesRequest{PageSize: 1})
	if err != nil || page.GetNextPageToken() == "" {
		t.Fatalf("%v, %v", page, err)
	}
	if _, err := r.as(iva).ListFavourites(t.Context(), &contentv1.ListFavouritesRequest{PageToken: page.GetNextPageToken()}); wrongField(t, err) != "pageToken" {
		t.Errorf("another's token: %v", err)
	}
	for field, req := range map[string]*contentv1.ListFavouritesRequest{"pageSize": {PageSize: 101}, "pageToken": {PageToken: "x"}, "locale": {Locale: "<>"}} {
		if _, err := r.as(ana).ListFavourites(t.Context(), req); wrongField(t, err) != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}
