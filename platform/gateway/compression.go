package gateway

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzhttp"
)

// compressFrom is the length from which an answer is worth compressing: about one packet.
const compressFrom = 1024

// paddingBytes is how many bytes at most are added to a compressed page, by its content, so that its length does not tell
// a secret in it apart from a guess beside it (BREACH). The page is held back up to paddingOver bytes for that.
const (
	paddingBytes = 32
	paddingOver  = 64 << 10
)

// compression compresses pages and files by what the caller accepts, zstd before gzip. It leaves alone what Connect compresses
// itself, parts of files, and connections that become something else.
type compression struct {
	compressed http.Handler
	next       http.Handler
}

func newCompression() (func(http.Handler) http.Handler, error) {
	wrap, err := gzhttp.NewWrapper(
		gzhttp.MinSize(compressFrom),
		gzhttp.ContentTypeFilter(isCompressible),
		gzhttp.RandomJitter(paddingBytes, paddingOver, false),
	)
	if err != nil {
		return nil, fmt.Errorf("compression: %w", err)
	}
	return func(next http.Handler) http.Handler {
		return &compression{compressed: wrap(next), next: next}
	}, nil
}

// ServeHTTP implements [http.Handler].
func (h *compression) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isProcedure(r.URL.Path) || len(r.Header["Range"]) > 0 || len(r.Header["Upgrade"]) > 0 {
		h.next.ServeHTTP(w, r)
		return
	}
	h.compressed.ServeHTTP(w, r)
}

// isCompressible tells whether the type is text of some kind. Event streams are not held back.
func isCompressible(contentType string) bool {
	name, _, _ := strings.Cut(contentType, ";")
	name = strings.ToLower(strings.TrimSpace(name))
	switch name {
	case "text/event-stream":
		return false
	case "application/json", "application/javascript", "application/xml", "application/wasm", "application/manifest+json",
		"application/jwk-set+json", "application/openapi+json", "application/yaml", "image/svg+xml":
		return true
	}
	return strings.HasPrefix(name, "text/")
}
