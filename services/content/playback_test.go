package content_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"
	"gocloud.dev/blob/fileblob"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/platform/gateway"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
	"github.com/mindspace-app/mindspace/services/content"
)

// play asks for the sound of a meditation.
func (r *rig) play(t *testing.T, p *authtest.Person, id, locale string) *contentv1.GetPlaybackResponse {
	t.Helper()
	res, err := r.as(p).GetPlayback(t.Context(), &contentv1.GetPlaybackRequest{MeditationId: id, Locale: locale})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// fetched is an answer of the media handler.
type fetched struct {
	status int
	header http.Header
	body   []byte
}

// edge is the media handler behind the edge, as in the program.
func (r *rig) edge(t *testing.T, origins ...string) http.Handler {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("GET "+content.AudioPath+"{id}", r.service.Handler())
	edge, err := gateway.New(gateway.Config{Logger: r.Logger, AllowedOrigins: origins}, mux)
	if err != nil {
		t.Fatal(err)
	}
	return edge
}

// fetch asks the media handler. Headers are pairs.
func (r *rig) fetch(t *testing.T, method, link string, headers ...string) fetched {
	t.Helper()
	return fetch(t, r.edge(t), method, link, headers...)
}

func fetch(t *testing.T, edge http.Handler, method, link string, headers ...string) fetched {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(edge)
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), method, server.URL+u.RequestURI(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "gzip, zstd") // and what comes is shown as it comes
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fetched{status: res.StatusCode, header: res.Header, body: body}
}

func TestGetPlayback(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana, iva := r.Register("ana@example.org"), r.Register("iva@example.org")
	for _, m := range all(t, r, &contentv1.ListMeditationsRequest{PageSize: 100})[:8] {
		res := r.play(t, ana, m.GetId(), "sr")
		file := r.fetch(t, http.MethodGet, res.GetUrl())
		sum := sha256.Sum256(file.body)
		if file.status != http.StatusOK || int64(len(file.body)) != res.GetSizeBytes() || hex.EncodeToString(sum[:]) != res.GetSha256() {
			t.Errorf("%s: %d, %d bytes; want %d bytes of %s", m.GetTitle(), file.status, len(file.body), res.GetSizeBytes(), res.GetSha256())
		}
		if res.GetDurationSeconds() != m.GetDurationSeconds() || res.GetContentType() != "audio/flac" || file.header.Get("Content-Type") != "audio/flac" ||
			res.GetFileDurationSeconds() <= 0 || res.GetFileDurationSeconds() > float64(m.GetDurationSeconds()) {
			t.Errorf("%s: %v", m.GetTitle(), res)
		}
		if !strings.HasPrefix(res.GetUrl(), authtest.PublicURL+content.AudioPath) {
			t.Errorf("the URL is %s", res.GetUrl())
		}
		if other := r.play(t, iva, m.GetId(), ""); other.GetUrl() != res.GetUrl() {
			t.Errorf("another within the hour gets %s, not %s", other.GetUrl(), res.GetUrl())
		}
	}
	_, err := r.client.GetPlayback(t.Context(), &contentv1.GetPlaybackRequest{MeditationId: uuid.NewString()})
	refused(t, "nobody", err, connect.CodeUnauthenticated, "CREDENTIAL_MISSING")
	for field, req := range map[string]*contentv1.GetPlaybackRequest{"meditationId": {MeditationId: "1"}, "locale": {MeditationId: uuid.NewString(), Locale: "<>"}} {
		if _, err := r.as(ana).GetPlayback(t.Context(), req); wrongField(t, err) != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestGetPlaybackOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.org")
	some := ids(all(t, r, &contentv1.ListMeditationsRequest{PageSize: 3}))
	r.exec(t, "UPDATE content.meditations SET published_at = NULL WHERE id = $1", some[0])
	r.exec(t, "UPDATE content.meditations SET media_id = NULL WHERE id = $1", some[1])
	for name, tt := range map[string]struct{ id, reason string }{
		"unknown":     {uuid.NewString(), "MEDITATION_NOT_FOUND"},
		"unpublished": {some[0], "MEDITATION_NOT_FOUND"},
		"silent":      {some[1], "SOUND_NOT_FOUND"},
	} {
		_, err := r.as(ana).GetPlayback(t.Context(), &contentv1.GetPlaybackRequest{MeditationId: tt.id})
		refused(t, name, err, connect.CodeNotFound, tt.reason)
	}
}

// Where a text has a sound of its own, that is what plays in its language, and in those that it stands in for.
func TestPlaybackIsOfTheTextThatIsShown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.org")
	some := all(t, r, &contentv1.ListMeditationsRequest{PageSize: 100})
	id := some[0].GetId()
	common := r.play(t, ana, id, "en").GetSha256()
	var other string
	for _, m := range some[1:] {
		if other = r.play(t, ana, m.GetId(), "en").GetSha256(); other != common {
			r.exec(t, `UPDATE content.meditation_texts SET media_id = (SELECT media_id FROM content.meditations WHERE id = $1)
				WHERE meditation_id = $2 AND locale = 'ru'`, m.GetId(), id)
			break
		}
	}
	for locale, want := range map[string]string{"en": common, "ru": other, "sr": common} {
		if got := r.play(t, ana, id, locale).GetSha256(); got != want {
			t.Errorf("%s: plays %s, want %s", locale, got, want)
		}
	}
	r.exec(t, "DELETE FROM content.meditation_texts WHERE meditation_id = $1 AND locale IN ('en', 'sr')", id)
	if got := r.play(t, ana, id, "sr").GetSha256(); got != other {
		t.Errorf("shown in Russian: plays %s, want %s", got, other)
	}
}

func TestPlaybackURLExpires(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.org")
	id := ids(all(t, r, &contentv1.ListMeditationsRequest{PageSize: 1}))[0]
	// To just after a full hour, in small steps, as the access token lives for minutes.
	start := r.Clock.Now()
	r.Clock.Advance(start.Truncate(time.Hour).Add(time.Hour).Sub(start))
	ana = r.Login(ana)
	first := r.play(t, ana, id, "")
	if life := first.GetExpiresAt().AsTime().Sub(r.Clock.Now()); life != 6*time.Hour {
		t.Errorf("on the hour it lives for %s", life)
	}
	r.Clock.Advance(time.Second)
	second := r.play(t, ana, id, "")
	if life := second.GetExpiresAt().AsTime().Sub(r.Clock.Now()); life != 7*time.Hour-time.Second {
		t.Errorf("a second later it lives for %s", life)
	}
	r.Clock.Advance(6*time.Hour - 2*time.Second)
	if got := r.fetch(t, http.MethodGet, first.GetUrl()); got.status != http.StatusOK || got.header.Get("Cache-Control") != "public, max-age=1, immutable" {
		t.Errorf("a second before its end: %d %v", got.status, got.header)
	}
	r.Clock.Advance(time.Second)
	if got := r.fetch(t, http.MethodGet, first.GetUrl()); got.status != http.StatusForbidden {
		t.Errorf("at its end: %d", got.status)
	}
	if got := r.fetch(t, http.MethodGet, second.GetUrl()); got.status != http.StatusOK {
		t.Errorf("the later one: %d", got.status)
	}
}

// In front of the program there may be a CDN; a blob store signs URLs itself only when it is told to.
func TestPlaybackURLsElsewhere(t *testing.T) {
	t.Parallel()
	signed, err := url.Parse("https://store.test/sounds")
	if err != nil {
		t.Fatal(err)
	}
	store, err := fileblob.OpenBucket(t.TempDir(), &fileblob.Options{URLSigner: fileblob.NewURLSignerHMAC(signed, []byte("a key"))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	for name, tt := range map[string]struct {
		change func(*content.Options)
		prefix string
	}{
		"the store":              {func(o *content.Options) { o.MediaURL, o.Blobs = content.MediaFromStore, store }, "https://store.test/sounds?"},
		"a store that signs":     {func(o *content.Options) { o.Blobs = store }, authtest.PublicURL + content.AudioPath},
		"a CDN":                  {func(o *content.Options) { o.MediaURL = "https://cdn.test" }, "https://cdn.test" + content.AudioPath},
		"a CDN before the store": {func(o *content.Options) { o.MediaURL, o.Blobs = "https://cdn.test/a", store }, "https://cdn.test/a" + content.AudioPath},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, tt.change)
			id := ids(all(t, r, &contentv1.ListMeditationsRequest{PageSize: 1}))[0]
			if res := r.play(t, r.Register("ana@example.org"), id, ""); !strings.HasPrefix(res.GetUrl(), tt.prefix) {
				t.Errorf("the URL is %s, want %s…", res.GetUrl(), tt.prefix)
			}
		})
	}
}

// A store that cannot sign is not replaced by something else in silence.
func TestPlaybackOfAStoreThatCannotSign(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *content.Options) { o.MediaURL = content.MediaFromStore })
	id := ids(all(t, r, &contentv1.ListMeditationsRequest{PageSize: 1}))[0]
	_, err := r.as(r.Register("ana@example.org")).GetPlayback(t.Context(), &contentv1.GetPlaybackRequest{MeditationId: id})
	if connect.CodeOf(err) != connect.CodeInternal {
		t.Errorf("got %v, want internal", err)
	}
}
