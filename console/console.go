// Package console renders pages on the server. It is a client of the same contract as any app: it asks generated clients only,
// and never a service or a database.
package console

import (
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"

	"github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1/authv1connect"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1/contentv1connect"
	"github.com/mindspace-app/mindspace/platform/rpc"
)

//go:embed static
var static embed.FS

// Console serves the pages.
type Console struct {
	logger      *slog.Logger
	version     string
	meditations contentv1connect.ContentServiceClient
	accounts    authv1connect.AuthServiceClient
}

// New returns the pages as a client of the services in the directory. The version is part of the addresses of static files.
func New(directory *rpc.Directory, version string, logger *slog.Logger) *Console {
	return &Console{
		logger:      logger,
		version:     version,
		meditations: contentv1connect.NewContentServiceClient(directory.Client(contentv1connect.ContentServiceName)),
		accounts:    authv1connect.NewAuthServiceClient(directory.Client(authv1connect.AuthServiceName)),
	}
}

// Mount is the route table.
func (c *Console) Mount(mux *http.ServeMux) error {
	files, err := fs.Sub(static, "static")
	if err != nil {
		return fmt.Errorf("static files: %w", err)
	}
	mux.Handle("GET /{$}", c.page(atStart, c.welcomeShow))
	mux.Handle("GET /auth/verify", c.page(atVerify, c.verifyShow))
	mux.Handle("POST /auth/verify", c.form(atVerify, c.verifySend))
	mux.Handle("GET /auth/verify/done", c.page(atVerifyDone, c.noticeShow))
	mux.Handle("GET /auth/verify/again", c.page(atVerifyAgain, c.verifyAgainShow))
	mux.Handle("POST /auth/verify/again", c.form(atVerifyAgain, c.verifyAgainSend))
	mux.Handle("GET /auth/verify/sent", c.page(atVerifySent, c.noticeShow))
	mux.Handle("GET /auth/reset", c.page(atReset, c.resetShow))
	mux.Handle("POST /auth/reset", c.form(atReset, c.resetSend))
	mux.Handle("GET /auth/reset/done", c.page(atResetDone, c.noticeShow))
	mux.Handle("GET /auth/reset/request", c.page(atResetRequest, c.resetRequestShow))
	mux.Handle("POST /auth/reset/request", c.form(atResetRequest, c.resetRequestSend))
	mux.Handle("GET /auth/reset/sent", c.page(atResetSent, c.noticeShow))
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
