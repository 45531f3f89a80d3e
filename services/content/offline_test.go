package content_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1/contentv1connect"
)

func manifest(t *testing.T, client contentv1connect.ContentServiceClient, req *contentv1.GetOfflineManifestRequest) *contentv1.GetOfflineManifestResponse {
	t.Helper()
	res, err := client.GetOfflineManifest(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// items gives the ids of what is to be downloaded.
func items(m *contentv1.GetOfflineManifestResponse) []string {
	var list []string
	for _, item := range m.GetItems() {
		list = append(list, item.GetMeditation().GetId())
	}
	return list
}

func TestOfflineManifest(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.org")
	whole := ids(all(t, r, &contentv1.ListMeditationsRequest{PageSize: 100}))
	gone := uuid.NewString()
	r.exec(t, "UPDATE content.meditations SET published_at = NULL WHERE id = $1", whole[3])
	res := manifest(t, r.as(ana), &contentv1.GetOfflineManifestRequest{MeditationIds: append([]string{gone, whole[20], whole[20]}, whole[:20]...), Locale: "sr"})
	want := slices.Delete(slices.Clone(whole[:21]), 3, 4)
	if got := items(res); !slices.Equal(got, want) || res.GetCourse() != nil {
		t.Errorf("items %v, want %v", got, want)
	}
	missing := slices.Sorted(slices.Values([]string{gone, whole[3]}))
	if !slices.Equal(res.GetMissingMeditationIds(), missing) {
		t.Errorf("missing %v, want %v", res.GetMissingMeditationIds(), missing)
	}
	if len(res.GetFiles()) >= len(res.GetItems()) || !res.GetExpiresAt().AsTime().After(r.Clock.Now().Add(6*time.Hour-time.Second)) {
		t.Errorf("%d files of %d items until %v", len(res.GetFiles()), len(res.GetItems()), res.GetExpiresAt().AsTime())
	}
	var total int64
	files := map[string]*contentv1.OfflineFile{}
	for _, file := range res.GetFiles() {
		files[file.GetMediaId()] = file
		total += file.GetSizeBytes()
	}
	if len(files) != len(res.GetFiles()) || total != res.GetTotalBytes() {
		t.Errorf("%d of %d files, %d of %d bytes", len(files), len(res.GetFiles()), total, res.GetTotalBytes())
	}
	for _, item := range res.GetItems() {
		playback, file := r.play(t, ana, item.GetMeditation().GetId(), "sr"), files[item.GetMediaId()]
		if file.GetUrl() != playback.GetUrl() || file.GetSha256() != playback.GetSha256() || file.GetSizeBytes() != playback.GetSizeBytes() ||
			file.GetLoops() != playback.GetLoops() || file.GetDurationSeconds() != playback.GetFileDurationSeconds() || item.GetMeditation().GetLocale() != "sr" {
			t.Errorf("%v is not %v", file, playback)
		}
	}
	if got := r.fetch(t, http.MethodHead, res.GetFiles()[0].GetUrl()); got.status != http.StatusOK {
		t.Errorf("the first file: %d", got.status)
	}
}

func TestOfflineManifestOfCourse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.org")
	course := allCourses(t, r.client, &contentv1.ListCoursesRequest{Locale: "ru"})[2]
	// Another order than that of the catalogue.
	r.exec(t, "UPDATE content.meditations SET course_position = 10 - course_position WHERE course_id = $1", course.GetId())
	r.service.CatalogueChanged(t.Context())
	res := manifest(t, r.as(ana), &contentv1.GetOfflineManifestRequest{CourseId: course.GetId(), Locale: "ru"})
	backwards := slices.Clone(course.GetMeditationIds())
	slices.Reverse(backwards)
	if !slices.Equal(items(res), backwards) || res.GetCourse().GetTitle() != course.GetTitle() || res.GetCourse().GetProgress() != nil || len(res.GetMissingMeditationIds()) != 0 {
		t.Errorf("got %v of %v, want %v", items(res), res.GetCourse(), backwards)
	}
	if len(r.practice.asked()) != 0 {
		t.Error("a download is the same for everybody")
	}
}

// The revision tells whether a download is current: it changes with anything but time.
func TestOfflineRevision(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana, iva := r.Register("ana@example.org"), r.Register("iva@example.org")
	some := ids(all(t, r, &contentv1.ListMeditationsRequest{PageSize: 3}))
	req := &contentv1.GetOfflineManifestRequest{MeditationIds: some}
	first := manifest(t, r.as(ana), req)
	r.Clock.Advance(2 * time.Hour)
	ana, iva = r.Login(ana), r.Login(iva)
	later := manifest(t, r.as(iva), req)
	if first.GetRevision() == "" || later.GetRevision() != first.GetRevision() || later.GetFiles()[0].GetUrl() == first.GetFiles()[0].GetUrl() {
		t.Errorf("two hours later: %v, then %v", first, later)
	}
	seen := map[string]string{first.GetRevision(): "nothing"}
	for _, change := range []struct{ what, sql string }{ // one after the other
		{"a title", "UPDATE content.meditation_texts SET title = 'Other' WHERE meditation_id = $1"},
		{"a length", "UPDATE content.meditations SET duration_seconds = 77 WHERE id = $1"},
		{"a file", "UPDATE content.media SET sha256 = decode(repeat('ab', 32), 'hex') WHERE id = (SELECT media_id FROM content.meditations WHERE id = $1)"},
		{"another sound", "UPDATE content.meditations SET media_id = (SELECT min(id::text)::uuid FROM content.media x WHERE x.id <> media_id) WHERE id = $1"},
		{"no sound", "UPDATE content.meditations SET media_id = NULL WHERE id = $1"},
		{"withdrawal", "UPDATE content.meditations SET published_at = NULL WHERE id = $1"},
		{"another order", "UPDATE content.meditations SET published_at = now(), position = 9999 WHERE id = $1"},
	} {
		r.exec(t, change.sql, some[0])
		r.service.CatalogueChanged(t.Context())
		revision := manifest(t, r.as(ana), req).GetRevision()
		if same, ok := seen[revision]; ok {
			t.Errorf("after %s it is the same as after %s", change.what, same)
		}
		seen[revision] = change.what
	}
}

func TestOfflineManifestRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.org")
	many := make([]string, 101)
	for i := range many {
		many[i] = uuid.NewString()
	}
	id := uuid.NewString()
	_, err := r.client.GetOfflineManifest(t.Context(), &contentv1.GetOfflineManifestRequest{MeditationIds: []string{id}})
	refused(t, "nobody", err, connect.CodeUnauthenticated, "CREDENTIAL_MISSING")
	_, err = r.as(ana).GetOfflineManifest(t.Context(), &contentv1.GetOfflineManifestRequest{CourseId: id})
	refused(t, "an unknown course", err, connect.CodeNotFound, "COURSE_NOT_FOUND")
	for name, tt := range map[string]struct {
		req   *contentv1.GetOfflineManifestRequest
		field string
	}{
		"nothing": {&contentv1.GetOfflineManifestRequest{}, "meditationIds"},
		"both":    {&contentv1.GetOfflineManifestRequest{MeditationIds: []string{id}, CourseId: id}, "meditationIds"},
		"101":     {&contentv1.GetOfflineManifestRequest{MeditationIds: many}, "meditationIds"},
		"no id":   {&contentv1.GetOfflineManifestRequest{MeditationIds: []string{id, "1"}}, "meditationIds[1]"},
		"course":  {&contentv1.GetOfflineManifestRequest{CourseId: "1"}, "courseId"},
		"locale":  {&contentv1.GetOfflineManifestRequest{MeditationIds: []string{id}, Locale: "<>"}, "locale"},
	} {
		if _, err := r.as(ana).GetOfflineManifest(t.Context(), tt.req); wrongField(t, err) != tt.field {
			t.Errorf("%s: %v, want %s", name, err, tt.field)
		}
	}
	if res := manifest(t, r.as(ana), &contentv1.GetOfflineManifestRequest{MeditationIds: many[:100]}); len(res.GetItems()) != 0 || len(res.GetMissingMeditationIds()) != 100 || res.GetTotalBytes() != 0 {
		t.Errorf("a hundred that are not there: %v", res)
	}
}
