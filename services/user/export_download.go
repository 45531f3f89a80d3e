package user

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/google/uuid"
	"gocloud.dev/blob"

	"github.com/mindspace-app/mindspace/gen/db/userdb"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/rpc"
)

// Handler hands exports to their owners; mount it at "GET "+[ExportPath]+"{id}". authenticate tells who presents a bearer token.
//
// It answers 401 without a good token; 404, with one text, for exports that are another's, that failed or never were; 409 while one is being made;
// 410 when it has had its time. A file that cannot be opened to its end ends the connection: what was received is then shorter than Content-Length.
func (e *Exports) Handler(authenticate func(ctx context.Context, credential string) (identity.Caller, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		row, err := e.asked(r, authenticate)
		if err == nil {
			err = e.download(w, r, row)
		}
		if err != nil {
			e.refuse(w, r, err)
		}
	})
}

// asked gives the export that is asked for, when it can be handed out. Faults: Unauthenticated, NotFound, Conflict while it is being made,
// Precondition when it has had its time.
func (e *Exports) asked(r *http.Request, authenticate func(context.Context, string) (identity.Caller, error)) (userdb.UsersExport, error) {
	var none userdb.UsersExport
	credential, ok := rpc.Bearer(r.Header.Get("Authorization"))
	if !ok {
		return none, fault.Unauthenticated("sign in: this address takes the bearer token of the owner")
	}
	caller, err := authenticate(r.Context(), credential)
	if err != nil {
		return none, err
	}
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil || len(r.PathValue("id")) != len(uuid.Nil.String()) {
		id = uuid.Nil // which none has
	}
	row, err := getExport(r.Context(), userdb.New(e.Pool), caller.UserID, id)
	switch {
	case err != nil:
		return none, err
	case exportOver(row, e.now()):
		return none, fault.Precondition("this export is not kept any more: ask for another")
	case row.State == "pending":
		return none, fault.Conflict("this export is still being made: try again in a moment")
	case row.State != "ready":
		return none, fault.NotFound("this export could not be made")
	}
	return row, nil
}

// refuse answers a failure that came before anything was sent.
func (e *Exports) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusInternalServerError, "Something went wrong on our side. Try again in a moment."
	switch fault.KindOf(err) {
	case fault.KindUnauthenticated:
		w.Header().Set("WWW-Authenticate", "Bearer")
		status, text = http.StatusUnauthorized, "Sign in: this address takes the bearer token of the owner."
	case fault.KindNotFound:
		status, text = http.StatusNotFound, "There is no such export."
	case fault.KindConflict:
		w.Header().Set("Retry-After", "5")
		status, text = http.StatusConflict, "This export is still being made. Try again in a moment."
	case fault.KindPrecondition:
		status, text = http.StatusGone, "This export is not kept any more. Ask for another."
	case fault.KindUnavailable:
		w.Header().Set("Retry-After", "2")
		status = http.StatusServiceUnavailable
	default:
		if r.Context().Err() == nil {
			e.Logger.ErrorContext(r.Context(), "export cannot be handed out", "error", err)
		}
	}
	http.Error(w, text, status)
}

// download sends the file. It gives an error while nothing was sent; afterwards it ends the connection.
func (e *Exports) download(w http.ResponseWriter, r *http.Request, row userdb.UsersExport) error {
	file, opened, err := e.open(r.Context(), row)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	header := w.Header()
	header.Set("Content-Type", "application/zip")
	header.Set("Content-Disposition", `attachment; filename="mindspace-export.zip"`)
	header.Set("Content-Length", strconv.FormatInt(*row.SizeBytes, 10))
	header.Set("Accept-Ranges", "none")
	if r.Method == http.MethodHead {
		return nil
	}
	n, err := io.Copy(w, opened)
	if err == nil && n == *row.SizeBytes {
		return nil
	}
	if r.Context().Err() == nil {
		e.Logger.ErrorContext(r.Context(), "export broke off", "export_id", row.ID, "sent", n, "size", *row.SizeBytes, "error", err)
	}
	panic(http.ErrAbortHandler)
}

// open opens the file of an export, and makes sure that it can be decrypted at least at its beginning.
func (e *Exports) open(ctx context.Context, row userdb.UsersExport) (*blob.Reader, io.Reader, error) {
	key, err := e.Keys.Open(row.SealedKey, exportKeyBound(row.UserID, row.ID))
	if err != nil {
		return nil, nil, fmt.Errorf("open the key of export %s: %w", row.ID, err)
	}
	cipher, err := exportCipher(key)
	if err != nil {
		return nil, nil, err
	}
	file, err := e.Blobs.NewReader(ctx, *row.BlobKey, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("open export %s: %w", row.ID, err)
	}
	decrypted, err := cipher.NewDecryptingReader(file, row.ID[:])
	if err == nil {
		buffered := bufio.NewReaderSize(decrypted, exportSegment)
		if _, err = buffered.Peek(1); err == nil {
			return file, buffered, nil
		}
	}
	_ = file.Close()
	return nil, nil, fmt.Errorf("decrypt export %s: %w", row.ID, err)
}
