package content_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gocloud.dev/blob/memblob"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/services/content"
)

// sound gives the URL of a sound and its bytes.
func (r *rig) sound(t *testing.T) (link string, whole []byte) {
	t.Helper()
	id := ids(all(t, r, &contentv1.ListMeditationsRequest{PageSize: 1}))[0]
	link = r.play(t, r.Register("ana@example.org"), id, "").GetUrl()
	got := r.fetch(t, http.MethodGet, link)
	if got.status != http.StatusOK || len(got.body) < 10_000 {
		t.Fatalf("%d, %d bytes", got.status, len(got.body))
	}
	return link, got.body
}

func TestAudioHeaders(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	link, whole := r.sound(t)
	head, get := r.fetch(t, http.MethodHead, link), r.fetch(t, http.MethodGet, link)
	if head.status != http.StatusOK || len(head.body) != 0 {
		t.Errorf("HEAD: %d, %d bytes", head.status, len(head.body))
	}
	for name, want := range map[string]string{
		"Content-Type": "audio/flac", "Content-Length": fmt.Sprint(len(whole)), "Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff", "Content-Encoding": "",
		"Last-Modified": "", "Set-Cookie": "", "Cross-Origin-Resource-Policy": "cross-origin",
	} {
		if head.header.Get(name) != want || get.header.Get(name) != want {
			t.Errorf("%s is %q and %q, want %q", name, head.header.Get(name), get.header.Get(name), want)
		}
	}
	if fresh := get.header.Get("Cache-Control"); !strings.HasPrefix(fresh, "public, max-age=2") || !strings.HasSuffix(fresh, ", immutable") { // six to seven hours
		t.Errorf("Cache-Control: %s", fresh)
	}
	tag := get.header.Get("ETag")
	if len(tag) != 66 || head.header.Get("ETag") != tag {
		t.Errorf("ETag: %s", tag)
	}
	if got := r.fetch(t, http.MethodGet, link, "If-None-Match", tag); got.status != http.StatusNotModified || len(got.body) != 0 || got.header.Get("ETag") != tag {
		t.Errorf("unchanged: %d %v", got.status, got.header)
	}
	if got := r.fetch(t, http.MethodGet, link, "If-None-Match", `"other"`); got.status != http.StatusOK {
		t.Errorf("changed: %d", got.status)
	}
	if got := r.fetch(t, http.MethodPost, link); got.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", got.status)
	}
}

func TestAudioRanges(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	link, whole := r.sound(t)
	size := len(whole)
	for header, want := range map[string][2]int{
		"bytes=0-0": {0, 1}, "bytes=0-99": {0, 100}, "bytes=100-": {100, size}, "bytes=-100": {size - 100, size}, "bytes=5000-5999": {5000, 6000},
		"bytes=0-999999999": {0, size}, fmt.Sprintf("bytes=%d-%d", size-1, size-1): {size - 1, size},
	} {
		got := r.fetch(t, http.MethodGet, link, "Range", header)
		place := fmt.Sprintf("bytes %d-%d/%d", want[0], want[1]-1, size)
		if got.status != http.StatusPartialContent || got.header.Get("Content-Range") != place || !bytes.Equal(got.body, whole[want[0]:want[1]]) {
			t.Errorf("%s: %d, %s, %d bytes; want %s", header, got.status, got.header.Get("Content-Range"), len(got.body), place)
		}
	}
	for _, header := range []string{fmt.Sprintf("bytes=%d-", size), "bytes=5-2", "bytes=a-b", "bytes=--1"} {
		got := r.fetch(t, http.MethodGet, link, "Range", header)
		if got.status != http.StatusRequestedRangeNotSatisfiable || got.header.Get("Cache-Control") != "" {
			t.Errorf("%s: %d %v", header, got.status, got.header)
		}
	}
	// What was begun of another file is sent whole.
	tag := r.fetch(t, http.MethodHead, link).header.Get("ETag")
	if got := r.fetch(t, http.MethodGet, link, "Range", "bytes=100-", "If-Range", tag); got.status != http.StatusPartialContent {
		t.Errorf("the same file: %d", got.status)
	}
	if got := r.fetch(t, http.MethodGet, link, "Range", "bytes=100-", "If-Range", `"other"`); got.status != http.StatusOK || len(got.body) != size {
		t.Errorf("another file: %d, %d bytes", got.status, len(got.body))
	}
}

func TestAudioSeveralRanges(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	link, whole := r.sound(t)
	got := r.fetch(t, http.MethodGet, link, "Range", "bytes=0-9,5000-5009,-10")
	kind, params, err := mime.ParseMediaType(got.header.Get("Content-Type"))
	if got.status != http.StatusPartialContent || kind != "multipart/byteranges" || err != nil {
		t.Fatalf("%d, %s, %v", got.status, kind, err)
	}
	parts := multipart.NewReader(bytes.NewReader(got.body), params["boundary"])
	for _, want := range [][]byte{whole[:10], whole[5000:5010], whole[len(whole)-10:]} {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(part); err != nil || !bytes.Equal(body, want) || part.Header.Get("Content-Type") != "audio/flac" {
			t.Errorf("%s: %v", part.Header.Get("Content-Range"), err)
		}
	}
}

// Whoever has no good URL learns nothing, not even whether there is such a sound.
func TestAudioRefusesForgedURLs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	link, _ := r.sound(t)
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	expires, signature := u.Query().Get("expires"), u.Query().Get("signature")
	id := strings.TrimPrefix(u.Path, content.AudioPath)
	var other string
	if err := r.pool.QueryRow(t.Context(), "SELECT id::text FROM content.media WHERE id <> $1 LIMIT 1", id).Scan(&other); err != nil {
		t.Fatal(err)
	}
	unknown := r.fetch(t, http.MethodGet, content.AudioPath+uuid.NewString())
	if unknown.status != http.StatusForbidden || !strings.HasPrefix(unknown.header.Get("Content-Type"), "text/plain") {
		t.Errorf("unknown, unsigned: %d %v", unknown.status, unknown.header)
	}
	query := "?" + u.RawQuery
	for name, forged := range map[string]string{
		"unsigned":                 id,
		"without expiry":           id + "?signature=" + signature,
		"without signature":        id + "?expires=" + expires,
		"empty signature":          id + "?expires=" + expires + "&signature=",
		"later":                    id + "?expires=9" + expires + "&signature=" + signature,
		"expiry written otherwise": id + "?expires=%2B" + expires + "&signature=" + signature,
		"expiry with a zero":       id + "?expires=0" + expires + "&signature=" + signature,
		"with another parameter":   id + query + "&cb=1",
		"after another parameter":  id + "?cb=1&" + u.RawQuery,
		"in another order":         id + "?signature=" + signature + "&expires=" + expires,
		"with an end":              id + query + "&",
		"escaped":                  id + "?expires=%" + fmt.Sprintf("%02X", expires[0]) + expires[1:] + "&signature=" + signature,
		"twice":                    id + query + "&signature=" + signature,
		"a changed signature":      id + "?expires=" + expires + "&signature=" + flip(signature),
		"half a signature":         id + "?expires=" + expires + "&signature=" + signature[:20],
		"no base64":                id + "?expires=" + expires + "&signature=%00%ff",
		"another sound":            other + query,
		"an unknown sound":         uuid.NewString() + query,
		"no id":                    "x" + query,
		"in capitals":              strings.ToUpper(id) + query,
		"as a URN":                 "urn:uuid:" + id + query,
		"a way out":                "..%2f..%2fetc%2fpasswd" + query,
	} {
		got := r.fetch(t, http.MethodGet, content.AudioPath+forged)
		if got.status != http.StatusForbidden || !bytes.Equal(got.body, unknown.body) || got.header.Get("Cache-Control") != "no-store" || got.header.Get("ETag") != "" {
			t.Errorf("%s: %d %q %v", name, got.status, got.body, got.header)
		}
	}
	// Another installation's keys are not ours.
	if got := newEmptyRig(t, r.blobs).fetch(t, http.MethodGet, link); got.status != http.StatusForbidden {
		t.Errorf("elsewhere: %d", got.status)
	}
	if log := r.Log.String(); strings.Contains(log, signature) {
		t.Error("a signature is in the log")
	}
}

func TestAudioThatIsGone(t *testing.T) {
	t.Parallel()
	r := newEmptyRig(t, memblob.OpenBucket(nil))
	if _, err := r.seeder.Demo(t.Context()); err != nil {
		t.Fatal(err)
	}
	link, whole := r.sound(t)
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	id := strings.TrimPrefix(u.Path, content.AudioPath)
	var key string
	if err := r.pool.QueryRow(t.Context(), "SELECT blob_key FROM content.media WHERE id = $1", id).Scan(&key); err != nil {
		t.Fatal(err)
	}
	// A torn file would be kept by caches for hours.
	if err := r.blobs.WriteAll(t.Context(), key, whole[:100], nil); err != nil {
		t.Fatal(err)
	}
	if got := r.fetch(t, http.MethodGet, link); got.status != http.StatusInternalServerError || got.header.Get("Cache-Control") != "no-store" || !strings.Contains(r.Log.String(), id) {
		t.Errorf("torn: %d %v", got.status, got.header)
	}
	if err := r.blobs.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"bytes=0-", "bytes=100-199"} {
		got := r.fetch(t, http.MethodGet, link, "Range", part)
		if got.status != http.StatusNotFound || got.header.Get("Cache-Control") != "no-store" || got.header.Get("ETag") != "" || got.header.Get("Content-Range") != "" {
			t.Errorf("without its file, %s: %d %v", part, got.status, got.header)
		}
	}
}

// What sends no bytes needs no file; the store is not asked at all.
func TestAudioWithoutBytesOpensNothing(t *testing.T) {
	t.Parallel()
	r, link := newGoneRig(t)
	head := r.fetch(t, http.MethodHead, link)
	tag := head.header.Get("ETag")
	if head.status != http.StatusOK || head.header.Get("Content-Length") == "" || tag == "" {
		t.Errorf("HEAD: %d %v", head.status, head.header)
	}
	if got := r.fetch(t, http.MethodHead, link, "Range", "bytes=0-9"); got.status != http.StatusPartialContent || got.header.Get("Content-Length") != "10" {
		t.Errorf("HEAD of a part: %d %v", got.status, got.header)
	}
	if got := r.fetch(t, http.MethodGet, link, "If-None-Match", tag); got.status != http.StatusNotModified || got.header.Get("ETag") != tag {
		t.Errorf("unchanged: %d %v", got.status, got.header)
	}
	if got := r.fetch(t, http.MethodGet, link, "Range", "bytes=999999999-"); got.status != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("beyond its end: %d %v", got.status, got.header)
	}
}

// An answer that was begun and cannot be ended is cut off, and logged once. The first bytes of several ranges are not of the file.
func TestAudioThatEndsInTheMiddle(t *testing.T) {
	t.Parallel()
	r, link := newGoneRig(t)
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	req.Header.Set("Range", "bytes=0-9,5000-5009")
	func() {
		defer func() {
			if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
				t.Errorf("half an answer passes for a whole one: %v", err)
			}
		}()
		r.edge(t).ServeHTTP(httptest.NewRecorder(), req)
	}()
	if log := r.Log.String(); strings.Count(log, "sound cannot be served") != 1 || !strings.Contains(log, strings.TrimPrefix(u.Path, content.AudioPath)) {
		t.Errorf("the log is %s", log)
	}
}

// newGoneRig gives the URL of a sound whose file is gone.
func newGoneRig(t *testing.T) (r *rig, link string) {
	t.Helper()
	r = newEmptyRig(t, memblob.OpenBucket(nil))
	if _, err := r.seeder.Demo(t.Context()); err != nil {
		t.Fatal(err)
	}
	link, _ = r.sound(t)
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	var key string
	err = r.pool.QueryRow(t.Context(), "SELECT blob_key FROM content.media WHERE id = $1", strings.TrimPrefix(u.Path, content.AudioPath)).Scan(&key)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.blobs.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	return r, link
}

// Pages of every origin may play and read sound, also by a copy of a CDN that was made for another one, whatever origins the edge allows elsewhere.
func TestAudioIsOpenToEveryOrigin(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	link, _ := r.sound(t)
	for name, edge := range map[string]http.Handler{"closed": r.edge(t), "open to one": r.edge(t, "https://app.example.org")} {
		for _, headers := range [][]string{nil, {"Origin", "https://app.example.org"}, {"Origin", "https://other.example.org"}, {"Origin", "null"}} {
			for what, got := range map[string]fetched{
				"whole":   fetch(t, edge, http.MethodGet, link, headers...),
				"part":    fetch(t, edge, http.MethodGet, link, append([]string{"Range", "bytes=0-9"}, headers...)...),
				"head":    fetch(t, edge, http.MethodHead, link, headers...),
				"refused": fetch(t, edge, http.MethodGet, link+"x", headers...),
			} {
				exposed := strings.Join(got.header["Access-Control-Expose-Headers"], ";")
				if !slices.Equal(got.header["Access-Control-Allow-Origin"], []string{"*"}) || got.header.Get("Access-Control-Allow-Credentials") != "" || got.header["Vary"] != nil {
					t.Errorf("%s, %s, %v: %v", name, what, headers, got.header)
				}
				for _, one := range []string{"Accept-Ranges", "Content-Length", "Content-Range", "ETag"} {
					if !strings.Contains(exposed, one) {
						t.Errorf("%s, %s, %v: scripts cannot read %s", name, what, headers, one)
					}
				}
			}
		}
	}
}

// Each piece of sound renews the time that its reader has; see TestStalledReaderIsCutOff for what becomes of it.
func TestAudioRenewsItsDeadline(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	link, whole := r.sound(t)
	w := &deadlines{ResponseRecorder: httptest.NewRecorder(), t: t}
	r.edge(t).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, link, nil))
	if !bytes.Equal(w.Body.Bytes(), whole) || w.pieces < 2 {
		t.Errorf("%d of %d bytes in %d pieces", w.Body.Len(), len(whole), w.pieces)
	}
}

// deadlines is a writer that takes nothing without a deadline that was set for it.
type deadlines struct {
	*httptest.ResponseRecorder
	t      *testing.T
	until  time.Time
	pieces int
}

func (d *deadlines) SetWriteDeadline(until time.Time) error {
	d.until = until
	return nil
}

func (d *deadlines) Write(p []byte) (int, error) {
	if !d.until.After(time.Now()) {
		d.t.Error("a piece without a deadline")
	}
	d.until = time.Time{}
	d.pieces++
	return d.ResponseRecorder.Write(p)
}
