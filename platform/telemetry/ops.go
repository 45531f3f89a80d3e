package telemetry

import (
	"net/http"
	"net/http/pprof"
)

// OpsHandler serves the operations port: /metrics and /debug/pprof. It is for operators: never put it on a public port.
// The routes are its own, not those of http.DefaultServeMux, which any library may add to.
func OpsHandler(metrics *Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.Handler())
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol) // go tool pprof sends many addresses at once
	return mux
}
