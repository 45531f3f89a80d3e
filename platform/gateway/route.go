package gateway

import (
	"net/http"
	"strings"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
)

// Procedures is mux for [connecthttp.Mount] without the catch-all that it adds for each service, so that [NotFound] answers
// unknown methods of known services too. Connect's own answer to them is 505 over HTTP/1.1, whatever the client speaks.
func Procedures(mux *http.ServeMux) connecthttp.ServeMux { return procedures{mux} }

type procedures struct{ mux *http.ServeMux }

// Handle implements [connecthttp.ServeMux].
func (p procedures) Handle(pattern string, handler http.Handler) {
	if !strings.HasSuffix(pattern, "/") {
		p.mux.Handle(pattern, handler)
	}
}

// notFound answers what no route does.
type notFound struct {
	mux     *http.ServeMux
	answers answers
}

// NotFound answers what no other route of mux does; mount it at "/". An RPC client hears in its own protocol that there is no such
// procedure, a known path asked with the wrong method is 405 with the right ones, and everything else is 404.
func NotFound(mux *http.ServeMux) http.Handler {
	return notFound{mux: mux, answers: answers{rpc: connecthttp.NewErrorWriter()}}
}

// ServeHTTP implements [http.Handler].
func (h notFound) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.answers.asksRPC(r) {
		err := connect.Errorf(connect.CodeUnimplemented, "there is no procedure %s", r.URL.Path)
		h.answers.write(w, r, err, http.StatusNotFound)
		return
	}
	if allowed := h.allowed(r); len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		writePage(w, r, http.StatusMethodNotAllowed, "this address does not answer "+r.Method)
		return
	}
	writePage(w, r, http.StatusNotFound, "there is nothing here")
}

// allowed are the methods with which another route would answer. A catch-all hides from the mux that it would have said so itself.
func (h notFound) allowed(r *http.Request) []string {
	var methods []string
	for _, method := range [...]string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other := &http.Request{Method: method, Host: r.Host, URL: r.URL}
		if _, pattern := h.mux.Handler(other); pattern != "" && pattern != "/" {
			methods = append(methods, method)
		}
	}
	return methods
}
