package gateway

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// discard is the cheapest answer there is, so that the edge alone is measured.
type discard struct{ header http.Header }

func (w *discard) Header() http.Header         { return w.header }
func (w *discard) Write(p []byte) (int, error) { return len(p), nil }
func (w *discard) WriteHeader(int)             {}

// BenchmarkEdge is what the whole edge adds to a request, the header map of the answer included.
func BenchmarkEdge(b *testing.B) {
	routes := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	handler, err := New(Config{
		PerSecond:      1e9,
		AllowedOrigins: []string{"https://app.example.org"},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	}, routes)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("rpc", func(b *testing.B) {
		payload := []byte(`{"pageSize":10}`)
		request := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/mindspace.content.v1.ContentService/ListMeditations", nil)
		request.RemoteAddr = "10.1.2.3:4567"
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("X-Forwarded-For", "203.0.113.9")
		request.ContentLength = int64(len(payload))
		source := bytes.NewReader(payload)
		body := io.NopCloser(source)
		b.ReportAllocs()
		for b.Loop() {
			source.Reset(payload)
			request.Body = body
			handler.ServeHTTP(&discard{header: make(http.Header)}, request)
		}
	})
	b.Run("page", func(b *testing.B) {
		request := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/console/plans", nil)
		request.RemoteAddr = "203.0.113.9:4567"
		request.Header.Set("Accept-Encoding", "gzip, zstd")
		b.ReportAllocs()
		for b.Loop() {
			handler.ServeHTTP(&discard{header: make(http.Header)}, request)
		}
	})
	b.Run("bare", func(b *testing.B) {
		request := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/console/plans", nil)
		b.ReportAllocs()
		for b.Loop() {
			routes.ServeHTTP(&discard{header: make(http.Header)}, request)
		}
	})
}
