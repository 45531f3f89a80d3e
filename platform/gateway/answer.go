package gateway

import (
	"html"
	"io"
	"net/http"
	"strings"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
)

// answers writes what the edge itself has to say: to an RPC client in its own protocol, to everyone else as a plain page or text.
type answers struct {
	rpc *connecthttp.ErrorWriter
}

// write answers with err; status is for callers that do not speak RPC.
// Nothing may have been written yet; headers that described another answer are dropped.
func (a answers) write(w http.ResponseWriter, r *http.Request, err *connect.Error, status int) {
	header := w.Header()
	for _, name := range [...]string{"Content-Length", "Content-Encoding", "Etag", "Last-Modified", "Content-Disposition", "Set-Cookie"} {
		header.Del(name)
	}
	header.Set("Cache-Control", "no-store")
	if a.asksRPC(r) {
		_ = a.rpc.Write(w, r, err) // the caller went away
		return
	}
	writePage(w, r, status, err.Message())
}

// asksRPC tells whether the request can be answered in an RPC protocol.
func (a answers) asksRPC(r *http.Request) bool {
	if !isProcedure(r.URL.Path) || !a.rpc.IsSupported(r) {
		return false
	}
	// Connect's GET looks like any other but for its query.
	return r.Method == http.MethodPost || strings.Contains(r.URL.RawQuery, "encoding=") && strings.Contains(r.URL.RawQuery, "message=")
}

// writePage answers with a page for browsers, and with text for others.
func writePage(w http.ResponseWriter, r *http.Request, status int, message string) {
	header := w.Header()
	id := header.Get(requestIDHeader)
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		header.Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>"+http.StatusText(status)+"</title><h1>"+
			html.EscapeString(sentence(message))+"</h1><p>Request <code>"+html.EscapeString(id)+"</code></p></html>\n")
		return
	}
	header.Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, sentence(message)+"\nrequest "+id+"\n") //nolint:gosec // plain text, and nosniff is set
}

// sentence begins the message as a sentence does.
func sentence(message string) string {
	if message == "" {
		return message
	}
	return strings.ToUpper(message[:1]) + message[1:]
}

// isProcedure tells whether path has the shape of an RPC: "/package.Service/Method".
func isProcedure(path string) bool {
	if len(path) < len("/p.S/M") || path[0] != '/' || path[1] == '.' {
		return false
	}
	dotted := false
	for i := 1; i < len(path); i++ {
		switch c := path[i]; {
		case c == '.':
			dotted = true
		case c == '/':
			return dotted && isMethod(path[i+1:])
		case !isWord(c):
			return false
		}
	}
	return false
}

func isMethod(name string) bool {
	for i := range len(name) {
		if !isWord(name[i]) {
			return false
		}
	}
	return name != ""
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}
