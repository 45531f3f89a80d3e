package health

import (
	"encoding/json"
	"net/http"
)

// LiveHandler answers /healthz: 200 as long as the process can answer at all. An orchestrator restarts what does not,
// so it asks about nothing that a restart would not mend.
func (c *Checks) LiveHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, []byte(`{"status":"ok"}`))
	})
}

// ReadyHandler answers /readyz: 200 when requests should be sent here, else 503, with every check.
func (c *Checks) ReadyHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		report := c.Report(r.Context())
		status := http.StatusOK
		if !report.Ready() {
			status = http.StatusServiceUnavailable
		}
		body, err := json.Marshal(report)
		if err != nil {
			panic(err) // strings, numbers and booleans
		}
		write(w, status, body)
	})
}

func write(w http.ResponseWriter, status int, body []byte) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a prober that went away asks again
}
