package user_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/services/user"
)

func TestDownloadRefuses(t *testing.T) {
	t.Parallel()
	r := newExportRig(t)
	ana, iva := r.Register("ana@example.org"), r.Register("iva@example.org")
	id := r.made(ana)
	path, token := user.ExportPath+id.String(), ana.Tokens.GetAccessToken()
	for name, authorization := range map[string]string{
		"none": "", "a bare token": token, "another scheme": "Basic " + token, "no token": "Bearer ", "a changed token": "Bearer " + token + "x", "a wrong token": "Bearer x.y.z",
		"the refresh token": "Bearer " + ana.Tokens.GetRefreshToken(),
	} {
		got := r.fetch(http.MethodGet, path, authorization)
		if got.status != http.StatusUnauthorized || got.header.Get("WWW-Authenticate") != "Bearer" || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", name, got.status, got.header)
		}
	}
	// Neither the query nor a cookie is a credential, so a link alone gives nothing away.
	if got := r.fetch(http.MethodGet, path+"?access_token="+token, ""); got.status != http.StatusUnauthorized {
		t.Errorf("in the query: %d", got.status)
	}
	// Another's, an unknown and a hostile one look the same.
	unknown := r.fetch(http.MethodGet, user.ExportPath+uuid.NewString(), "Bearer "+iva.Tokens.GetAccessToken())
	for _, other := range []string{
		id.String(), uuid.Nil.String(), "x", "%2e%2e%2f" + id.String(), "urn:uuid:" + id.String(), "{" + id.String() + "}", strings.ReplaceAll(id.String(), "-", ""),
		id.String() + "%00", "'%20OR%201=1", strings.Repeat("a", 2000), "%D0%96",
	} {
		got := r.fetch(http.MethodGet, user.ExportPath+other, "Bearer "+iva.Tokens.GetAccessToken())
		if got.status != http.StatusNotFound || string(got.body) != string(unknown.body) {
			t.Errorf("%s: %d %q", other, got.status, got.body)
		}
	}
	if got := r.fetch(http.MethodGet, user.ExportPath+"urn:uuid:"+id.String(), "Bearer "+token); got.status != http.StatusNotFound {
		t.Errorf("another way to write it: %d", got.status)
	}
	if got := r.fetch(http.MethodPost, path, "Bearer "+token); got.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", got.status)
	}
	if got := r.fetch(http.MethodHead, path, "bearer "+token); got.status != http.StatusOK || got.header.Get("Content-Length") == "" || len(got.body) != 0 {
		t.Errorf("HEAD: %d %v", got.status, got.header)
	}
	if log := r.Log.String(); strings.Contains(log, token) || strings.Contains(log, `"level":"ERROR"`) {
		t.Errorf("the log: %s", log)
	}
}

// What was changed in the blob store never passes for the real thing.
func TestDownloadOfChangedFile(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func([]byte) []byte{
		"a bit at the end":       func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"a bit in the middle":    func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"cut by a byte":          func(b []byte) []byte { return b[:len(b)-1] },
		"cut at a segment":       func(b []byte) []byte { return b[:2*(64<<10)] },
		"longer":                 func(b []byte) []byte { return append(b, 0) },
		"segments swapped":       func(b []byte) []byte { return swapped(b) },
		"a bit in the beginning": func(b []byte) []byte { b[0] ^= 1; return b },
		"a bit in the first":     func(b []byte) []byte { b[1000] ^= 1; return b },
		"empty":                  func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newExportRig(t)
			ana := r.Register("ana@example.org")
			r.consent(ana.ID, 10_000)
			id := r.made(ana)
			size := r.get(ana, id).GetSizeBytes()
			r.replaceBlob(change)
			got := r.download(ana, id)
			if got.status == http.StatusOK && got.err == nil || int64(len(got.body)) >= size {
				t.Errorf("status %d, %d of %d bytes, %v", got.status, len(got.body), size, got.err)
			}
			if log := r.Log.String(); !strings.Contains(log, `"level":"ERROR"`) || strings.Contains(log, "panicked") {
				t.Errorf("the log: %s", log)
			}
		})
	}
}

// swapped exchanges the second and the third segment.
func swapped(b []byte) []byte {
	const segment = 64 << 10
	second := append([]byte(nil), b[segment:2*segment]...)
	copy(b[segment:], b[2*segment:3*segment])
	copy(b[2*segment:], second)
	return b
}

// The file of one export is not taken for that of another, with the other's key or not.
func TestDownloadOfAnothersFile(t *testing.T) {
	t.Parallel()
	r := newExportRig(t)
	ana, iva := r.Register("ana@example.org"), r.Register("iva@example.org")
	hers, mine := r.made(iva), r.made(ana)
	r.exec(`UPDATE users.exports SET blob_key = (SELECT blob_key FROM users.exports WHERE id = $1) WHERE id = $2`, hers, mine)
	if got := r.download(ana, mine); got.status != http.StatusInternalServerError {
		t.Errorf("her file: %d", got.status)
	}
	r.exec(`UPDATE users.exports SET sealed_key = (SELECT sealed_key FROM users.exports WHERE id = $1) WHERE id = $2`, hers, mine)
	if got := r.download(ana, mine); got.status != http.StatusInternalServerError {
		t.Errorf("her file and key: %d", got.status)
	}
}
