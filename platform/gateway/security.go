package gateway

import "net/http"

// contentSecurityPolicy lets a page load what we serve ourselves, and nothing that is written into the page: no inline script, no inline style.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; " +
	"font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// permissionsPolicy takes from pages what none of them needs.
const permissionsPolicy = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), " +
	"magnetometer=(), microphone=(), payment=(), usb=()"

// strictTransport is a year, without subdomains, which may not be ours.
const strictTransport = "max-age=31536000"

// field is a header with its value made once. The slice is shared by all answers: it is full, so that adding to it copies it.
type field struct {
	name  string
	value []string
}

// security sets the headers that tell browsers what an answer may do. A handler that needs another value sets it itself.
type security struct {
	proxies   proxies
	pages     []field
	rpc       []field
	transport []string
	next      http.Handler
}

func newSecurity(trusted proxies, next http.Handler) http.Handler {
	return &security{
		proxies: trusted,
		pages: []field{
			{"Content-Security-Policy", []string{contentSecurityPolicy}},
			{"Cross-Origin-Opener-Policy", []string{"same-origin"}},
			{"Cross-Origin-Resource-Policy", []string{"same-origin"}},
			{"Permissions-Policy", []string{permissionsPolicy}},
			{"Referrer-Policy", []string{"same-origin"}},
			{"X-Content-Type-Options", []string{"nosniff"}},
		},
		rpc: []field{
			{"Content-Security-Policy", []string{"default-src 'none'; frame-ancestors 'none'"}},
			{"X-Content-Type-Options", []string{"nosniff"}},
		},
		transport: []string{strictTransport},
		next:      next,
	}
}

// ServeHTTP implements [http.Handler].
func (h *security) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fields := h.pages
	if isProcedure(r.URL.Path) {
		fields = h.rpc
	}
	header := w.Header()
	for i := range fields {
		header[fields[i].name] = fields[i].value
	}
	if h.proxies.secure(r) {
		header["Strict-Transport-Security"] = h.transport
	}
	h.next.ServeHTTP(w, r)
}
