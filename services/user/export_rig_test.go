package user_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"gocloud.dev/blob"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1/authv1connect"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/gateway"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/personal"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
	"github.com/mindspace-app/mindspace/services/user"
)

const (
	statePending = userv1.ExportState_EXPORT_STATE_PENDING
	stateReady   = userv1.ExportState_EXPORT_STATE_READY
	stateFailed  = userv1.ExportState_EXPORT_STATE_FAILED
	stateExpired = userv1.ExportState_EXPORT_STATE_EXPIRED
)

// exportRig has exports beside the rest: who makes them, and a server that hands them out behind the real edge.
type exportRig struct {
	*rig
	exports *user.Exports
	server  *httptest.Server
}

// newExportRig makes exports of the domain's own tables, and of others that a test adds.
func newExportRig(t *testing.T, others ...personal.Domain) *exportRig {
	t.Helper()
	r := &exportRig{rig: newRig(t)}
	r.exports = user.NewExports(r.service, personal.NewRegistry(append(others, r.service.Personal())...))
	mux := http.NewServeMux()
	mux.Handle("GET "+user.ExportPath+"{id}", r.exports.Handler(r.authenticate))
	mux.Handle("/", gateway.NotFound(mux))
	edge, err := gateway.New(gateway.Config{Logger: r.Logger}, mux)
	if err != nil {
		t.Fatal(err)
	}
	r.server = httptest.NewServer(edge)
	t.Cleanup(r.server.Close)
	return r
}

// authenticate asks sign-in who presents a token.
func (r *exportRig) authenticate(ctx context.Context, credential string) (identity.Caller, error) {
	res, err := authv1connect.NewAccountServiceClient(r.Client(credential)).GetAccount(ctx, &authv1.GetAccountRequest{})
	if err != nil {
		return identity.Caller{}, fault.FromClient(err)
	}
	return identity.Caller{UserID: uuid.MustParse(res.GetAccount().GetId())}, nil
}

// request begins an export of somebody.
func (r *exportRig) request(p *authtest.Person) uuid.UUID {
	r.t.Helper()
	res, err := r.as(p).RequestExport(r.t.Context(), &userv1.RequestExportRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	return uuid.MustParse(res.GetExportId())
}

// made requests an export and makes it.
func (r *exportRig) made(p *authtest.Person) uuid.UUID {
	r.t.Helper()
	id := r.request(p)
	if err := r.exports.Build(r.t.Context(), p.ID, id); err != nil {
		r.t.Fatal(err)
	}
	return id
}

// get tells how an export stands.
func (r *exportRig) get(p *authtest.Person, id uuid.UUID) *userv1.GetExportResponse {
	r.t.Helper()
	res, err := r.as(p).GetExport(r.t.Context(), &userv1.GetExportRequest{ExportId: id.String()})
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// fetched is an answer to the request for a file.
type fetched struct {
	status int
	header http.Header
	body   []byte
	// err is how the body ended.
	err error
}

// fetch asks the server for a path with an authorization header, none when it is empty.
func (r *exportRig) fetch(method, path, authorization string) fetched {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.server.URL+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	res, err := r.server.Client().Do(req)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return fetched{status: res.StatusCode, header: res.Header, body: body, err: err}
}

// download fetches an export with somebody's token.
func (r *exportRig) download(p *authtest.Person, id uuid.UUID) fetched {
	r.t.Helper()
	return r.fetch(http.MethodGet, user.ExportPath+id.String(), "Bearer "+p.Tokens.GetAccessToken())
}

// unzipped gives the files of a ZIP.
func unzipped(t *testing.T, content []byte) map[string]string {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, file := range archive.File {
		r, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[file.Name] = string(text)
	}
	return files
}

// objects reads a list of an export.
func objects(t *testing.T, text string) []map[string]any {
	t.Helper()
	var list []map[string]any
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return list
}

// blobKeys are the files in the blob store.
func (r *exportRig) blobKeys() []string {
	r.t.Helper()
	var keys []string
	list := r.blobs.List(nil)
	for {
		object, err := list.Next(r.t.Context())
		if err == io.EOF { //nolint:errorlint // as it is documented
			slices.Sort(keys)
			return keys
		}
		if err != nil {
			r.t.Fatal(err)
		}
		keys = append(keys, object.Key)
	}
}

// replaceBlob changes the one file that there is.
func (r *exportRig) replaceBlob(change func([]byte) []byte) {
	r.t.Helper()
	keys := r.blobKeys()
	if len(keys) != 1 {
		r.t.Fatalf("files: %v", keys)
	}
	content, err := r.blobs.ReadAll(r.t.Context(), keys[0])
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.blobs.WriteAll(r.t.Context(), keys[0], change(content), &blob.WriterOptions{}); err != nil {
		r.t.Fatal(err)
	}
}

// exec changes the database.
func (r *rig) exec(statement string, args ...any) {
	r.t.Helper()
	if _, err := r.Pool.Exec(r.t.Context(), statement, args...); err != nil {
		r.t.Fatal(err)
	}
}

// exportJobs are the arguments of the jobs that make exports.
func (r *rig) exportJobs() []string {
	r.t.Helper()
	var list []string
	if err := r.Pool.QueryRow(r.t.Context(), "SELECT coalesce(array_agg(args::text ORDER BY id), '{}') FROM river.river_job WHERE kind = 'user_export_requested'").Scan(&list); err != nil {
		r.t.Fatal(err)
	}
	return list
}

// consent records many answers of somebody.
func (r *rig) consent(person uuid.UUID, n int) {
	r.t.Helper()
	r.exec(`INSERT INTO users.consents SELECT $1, gen_random_uuid(), 'marketing', i % 2 = 0, 'text ' || i, now() FROM generate_series(1, $2::int) i`, person, n)
}

func has(text string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
}
