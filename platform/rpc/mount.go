package rpc

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/mindspace-app/mindspace/platform/gateway"
)

const (
	// maxMessageBytes bounds one message of a request: as much as the edge lets through. A phone that was offline may bring that much.
	maxMessageBytes = 4 << 20
	// compressMinBytes is the size from which compressing an answer is worth its CPU.
	compressMinBytes = 1 << 10
)

// MountPublic installs the server's methods on the public port: Connect, gRPC and gRPC-Web.
// Methods that only services may call get no route there: a caller cannot tell them from methods that do not exist.
// What has no route is left to the mux. The compressors stand in order of preference.
func (s *Server) MountPublic(mux *http.ServeMux, compressors ...connect.Compressor) error {
	if err := s.Check(); err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	hidden := map[string]bool{}
	for spec := range s.Specs() {
		if r, err := s.policies.of(spec); err == nil && r.onlyServices() {
			hidden[spec.Procedure] = true
		}
	}
	connecthttp.Mount(publicMux{mux: gateway.Procedures(mux), hidden: hidden, errors: connecthttp.NewErrorWriter()}, s.Server,
		connecthttp.WithCodecs(codecs(s.encodings)...),
		connecthttp.WithCompressors(compressors...),
		connecthttp.WithCompressMinBytes(compressMinBytes),
		connecthttp.WithReadMaxBytes(maxMessageBytes),
	)
	return nil
}

// publicMux leaves out the hidden procedures.
type publicMux struct {
	mux    connecthttp.ServeMux
	hidden map[string]bool
	errors *connecthttp.ErrorWriter
}

// Handle registers the handler of a procedure that is not hidden.
func (m publicMux) Handle(pattern string, handler http.Handler) {
	if !m.hidden[pattern] {
		m.mux.Handle(pattern, mediaTypes{writer: m.errors, next: handler})
	}
}

// mediaTypes says in words what Connect itself says with a bare status: that it does not speak the content type of a request.
type mediaTypes struct {
	writer *connecthttp.ErrorWriter
	next   http.Handler
}

const acceptPost = "application/json, application/proto, application/connect+json, application/connect+proto, " +
	"application/grpc, application/grpc+json, application/grpc+proto, application/grpc-web, application/grpc-web+json, application/grpc-web+proto"

// ServeHTTP implements [http.Handler].
func (m mediaTypes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || m.writer.IsSupported(r) {
		m.next.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Accept-Post", acceptPost)
	w.WriteHeader(http.StatusUnsupportedMediaType)
	_, _ = io.WriteString(w, `{"code":"invalid_argument","message":"this content type is not spoken here: send application/json or application/proto"}`)
}

// serviceOf is "mindspace.content.v1.ContentService" of "/mindspace.content.v1.ContentService/ListMeditations".
func serviceOf(procedure string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(procedure, "/"), "/")
	return name
}
