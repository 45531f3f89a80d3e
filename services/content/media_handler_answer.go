package content

import (
	"net/http"
	"time"
)

// audioPatience is how long whoever fetches sound may take for a piece of it, 32 KiB, before the connection, or the stream of HTTP/2, is cut off. A paused
// player fetches the rest later.
const audioPatience = time.Minute

// audioAnswer is an answer that begins with its first byte, and may become another one until then; whoever takes it has [audioPatience] for each piece.
// It has no ReadFrom on purpose, so that it sees every piece.
type audioAnswer struct {
	http.ResponseWriter
	status int
	begun  bool
}

// WriteHeader implements [http.ResponseWriter]. The status that was given last counts.
func (a *audioAnswer) WriteHeader(status int) { a.status = status }

// Write implements [http.ResponseWriter].
func (a *audioAnswer) Write(p []byte) (int, error) {
	if a.begun {
		a.renew()
	}
	a.begin()
	return a.ResponseWriter.Write(p)
}

// begin sends the status, once.
func (a *audioAnswer) begin() {
	if !a.begun {
		a.begun = true
		a.renew()
		a.ResponseWriter.WriteHeader(a.status)
	}
}

// renew gives the reader its time anew. net/http forgets the deadline at the end of the answer. A writer that knows none, as in tests, is never slow.
func (a *audioAnswer) renew() {
	_ = http.NewResponseController(a.ResponseWriter).SetWriteDeadline(time.Now().Add(audioPatience))
}
