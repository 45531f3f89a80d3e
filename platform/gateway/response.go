package gateway

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// response remembers whether an answer was begun. It can do what the server's own writer can.
type response struct {
	http.ResponseWriter
	begun   bool
	request *http.Request // as the routes see it; nil until it was named
}

// WriteHeader implements [http.ResponseWriter].
func (w *response) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		w.begun = true
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *response) Write(p []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(p)
}

// WriteString implements [io.StringWriter].
func (w *response) WriteString(s string) (int, error) {
	w.begun = true
	return io.WriteString(w.ResponseWriter, s)
}

// ReadFrom implements [io.ReaderFrom], so that the kernel can send files.
func (w *response) ReadFrom(src io.Reader) (int64, error) {
	w.begun = true
	if inner, ok := w.ResponseWriter.(io.ReaderFrom); ok {
		return inner.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{w.ResponseWriter}, src)
}

// Flush implements [http.Flusher], which Connect asks for before it streams.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError is what [http.ResponseController] calls.
func (w *response) FlushError() error {
	w.begun = true
	switch inner := w.ResponseWriter.(type) {
	case interface{ FlushError() error }:
		return inner.FlushError()
	case http.Flusher:
		inner.Flush()
		return nil
	}
	return http.ErrNotSupported
}

// Hijack implements [http.Hijacker]; it fails where the protocol has no connection to give away.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.begun = true
	}
	return conn, buffered, err
}

// Unwrap is for [http.ResponseController].
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// innermost is the server's own writer below whatever wraps it.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = wrapper.Unwrap()
	}
}
