// Package console renders pages on the server. It is a client of the same contract as any app: it asks generated clients only,
// and never a service or a database.
package console

import (
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"

	"connectrpc.com/connect/v2"
	"github.com/a-h/templ"

	"github.com/mindspace-app/mindspace/console/view"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1/contentv1connect"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/rpc"
)

//go:embed static
var static embed.FS

// Console serves the pages.
type Console struct {
	logger      *slog.Logger
	version     string
	meditations contentv1connect.ContentServiceClient
}

// New returns the pages as a client of the services in the directory. The version is part of the addresses of static files.
func New(directory *rpc.Directory, version string, logger *slog.Logger) *Console {
	return &Console{
		logger:      logger,
		version:     version,
		meditations: contentv1connect.NewContentServiceClient(directory.Client(contentv1connect.ContentServiceName)),
	}
}

// Mount is the route table.
func (c *Console) Mount(mux *http.ServeMux) error {
	files, err := fs.Sub(static, "static")
	if err != nil {
		return fmt.Errorf("static files: %w", err)
	}
	mux.Handle("GET /{$}", c.page(c.welcomeShow))
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return fmt.Errorf("static files: %w", err)
	}
	serve := http.StripPrefix("/static/", cached(http.FileServerFS(files)))
	for _, file := range entries {
		mux.Handle("GET /static/"+file.Name(), serve)
	}
	return nil
}

// cached lets browsers keep static files for good: the pages name the program's version in their addresses.
func cached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		next.ServeHTTP(w, r)
	})
}

// page turns a page function into a handler: it renders the view, or the failure as a page that tells no more than a call would.
func (c *Console) page(show func(*http.Request) (templ.Component, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		component, err := show(r)
		status := http.StatusOK
		if err != nil {
			component, status = c.failure(r, err)
		}
		w.Header().Set("Cache-Control", "no-store")
		templ.Handler(component, templ.WithStatus(status), templ.WithErrorHandler(c.renderFailed)).ServeHTTP(w, r)
	})
}

func (c *Console) renderFailed(r *http.Request, err error) http.Handler {
	if r.Context().Err() == nil { // else nobody is there to see it
		c.logger.ErrorContext(r.Context(), "page not rendered", "path", r.URL.Path, "error", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "Something went wrong on our side.", http.StatusInternalServerError)
	})
}

// statuses is the one table from fault kinds to the status of a page.
var statuses = map[fault.Kind]int{
	fault.KindInternal:        http.StatusInternalServerError,
	fault.KindInvalid:         http.StatusBadRequest,
	fault.KindUnauthenticated: http.StatusUnauthorized,
	fault.KindDenied:          http.StatusForbidden,
	fault.KindNotFound:        http.StatusNotFound,
	fault.KindExists:          http.StatusConflict,
	fault.KindConflict:        http.StatusConflict,
	fault.KindPrecondition:    http.StatusConflict,
	fault.KindExhausted:       http.StatusTooManyRequests,
	fault.KindUnavailable:     http.StatusServiceUnavailable,
}

// failure is the page for an error: in the reader's language, and without the text of the error.
// What a call hid was logged there; what failed here is logged here.
func (c *Console) failure(r *http.Request, err error) (templ.Component, int) {
	err = fault.FromClient(err)
	kind, text := fault.KindOf(err), textsFor(r)
	switch connect.CodeOf(err) {
	case connect.CodeDeadlineExceeded, connect.CodeCanceled: // too slow, or the reader has left and sees none of this
		kind = fault.KindUnavailable
	case connect.CodeInternal: // the call has logged it
	default:
		if kind == fault.KindInternal {
			c.logger.ErrorContext(r.Context(), "page failed", "path", r.URL.Path, "error", err)
		}
	}
	message := map[fault.Kind]string{
		fault.KindInvalid: text.Nowhere, fault.KindNotFound: text.Nowhere, fault.KindExhausted: text.TooMuch, fault.KindUnavailable: text.Away,
	}[kind]
	if message == "" {
		message = text.Broken
	}
	page := c.pageFor(r, text)
	page.Title = text.Failed
	return view.FailurePage(view.Failure{
		Page: page, Title: text.Failed, Message: message, RequestID: identity.RequestFrom(r.Context()).ID, Back: text.Back,
	}), statuses[kind]
}
