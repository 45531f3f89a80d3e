package console

import (
	"net/http"
	"net/url"

	"github.com/a-h/templ"

	"github.com/mindspace-app/mindspace/platform/fault"
)

// maxForm is how many bytes a form may have: more than any field of ours takes.
const maxForm = 64 << 10

// place is a page that can be asked for again: in another language, or after a failure.
type place struct {
	path string
	// keep are the parameters that belong to its address.
	keep []string
}

var atStart = place{path: "/", keep: []string{"q"}}

// url is the address of the place in a language, with what the request says of the parameters that belong to it.
func (p place) url(r *http.Request, language string) string {
	query := url.Values{"lang": {language}}
	for _, name := range p.keep {
		if value := r.FormValue(name); value != "" {
			query.Set(name, value)
		}
	}
	return p.path + "?" + query.Encode()
}

// answer is what a page function answers with: a page, or where the browser goes on.
type answer struct {
	page   templ.Component
	status int // of the page; 0 means 200
	// after is the value of Retry-After; may be empty.
	after string
	// see is the address that the browser fetches next, in place of a page.
	see string
}

// page turns a page function into a handler: it renders the view, or the failure as a page that tells no more than a call would.
func (c *Console) page(at place, show func(*http.Request) (answer, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, err := show(r)
		if err != nil {
			a = c.failure(r, at, err)
		}
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		// Addresses may hold the token of a mail, so that they are told to nobody, ourselves included. Not "no-referrer": browsers then
		// hide the Origin of our own forms too, which looks like a form of another site where there is no Sec-Fetch-Site.
		header.Set("Referrer-Policy", "strict-origin")
		if a.after != "" {
			header.Set("Retry-After", a.after)
		}
		if a.see != "" {
			http.Redirect(w, r, a.see, http.StatusSeeOther)
			return
		}
		templ.Handler(a.page, templ.WithStatus(a.status), templ.WithErrorHandler(c.renderFailed)).ServeHTTP(w, r)
	})
}

// form is page for what a form sends. It takes none that another site sent: such a form would act with what the browser knows.
func (c *Console) form(at place, send func(*http.Request) (answer, error)) http.Handler {
	ours := http.NewCrossOriginProtection()
	ours.SetDenyHandler(c.page(at, func(r *http.Request) (answer, error) { return c.foreign(r, at), nil }))
	return ours.Handler(c.page(at, func(r *http.Request) (answer, error) {
		r.Body = http.MaxBytesReader(nil, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			return answer{}, fault.Invalid("the form cannot be read").WithCause(err)
		}
		return send(r)
	}))
}

func (c *Console) renderFailed(r *http.Request, err error) http.Handler {
	if r.Context().Err() == nil { // else nobody is there to see it
		c.logger.ErrorContext(r.Context(), "page not rendered", "path", r.URL.Path, "error", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "Something went wrong on our side.", http.StatusInternalServerError)
	})
}
