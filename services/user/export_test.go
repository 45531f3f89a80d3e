package user_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/gen/db/userdb"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1/userv1connect"
	"github.com/mindspace-app/mindspace/platform/personal"
)

func TestExport(t *testing.T) {
	t.Parallel()
	r := newExportRig(t)
	ana, support := r.Register("ana@example.org"), uuid.New()
	r.consent(ana.ID, 3)
	r.consent(uuid.New(), 2)
	r.exec(`INSERT INTO users.profiles VALUES ($1, 4, 'metric', 'RS', now())`, ana.ID)
	r.exec(`INSERT INTO users.notes VALUES ($1, gen_random_uuid(), $2, '=called us', now())`, ana.ID, support)
	id := r.request(ana)
	if jobs := r.exportJobs(); len(jobs) != 1 || !has(jobs[0], `"user_id"`, ana.ID.String(), `"export_id"`, id.String()) {
		t.Errorf("jobs: %v", jobs)
	}
	if e := r.get(ana, id); e.GetState() != statePending || e.GetDownloadUrl() != "" || e.GetExpiresAt() != nil || e.GetSizeBytes() != 0 {
		t.Errorf("pending: %v", e)
	}
	if again := r.request(ana); again != id {
		t.Errorf("asked again: %v instead of %v", again, id)
	}
	if err := r.exports.Build(t.Context(), ana.ID, id); err != nil {
		t.Fatal(err)
	}
	e := r.get(ana, id)
	if e.GetState() != stateReady || e.GetDownloadUrl() != "http://localhost:8080/media/exports/"+id.String() || e.GetSizeBytes() < 1000 ||
		!e.GetExpiresAt().AsTime().Equal(r.Clock.Now().Add(7*24*time.Hour)) {
		t.Errorf("ready: %v", e)
	}
	got := r.download(ana, id)
	if got.status != 200 || got.err != nil || int64(len(got.body)) != e.GetSizeBytes() {
		t.Fatalf("download: %d, %d bytes, %v", got.status, len(got.body), got.err)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/zip", "Content-Disposition": `attachment; filename="mindspace-export.zip"`, "Cache-Control": "no-store",
		"X-Content-Type-Options": "nosniff", "Content-Encoding": "",
	} {
		if got.header.Get(name) != want {
			t.Errorf("%s is %q", name, got.header.Get(name))
		}
	}
	files := unzipped(t, got.body)
	if consents := objects(t, files["user/consents.json"]); len(consents) != 3 || consents[0]["user_id"] != ana.ID.String() {
		t.Errorf("consents: %v", consents)
	}
	if notes := objects(t, files["user/notes.json"]); len(notes) != 1 || notes[0]["text"] != "=called us" || notes[0]["author_id"] != nil {
		t.Errorf("notes: %v", notes)
	}
	if !has(files["user/notes.csv"], "'=called us") || !has(files["user/profiles.csv"], "RS") {
		t.Errorf("tables: %v", files)
	}
	if exports := objects(t, files["user/exports.json"]); len(exports) != 1 || exports[0]["by_support"] != false || exports[0]["id"] != id.String() {
		t.Errorf("exports: %v", exports)
	}
	for name, text := range files {
		if has(text, support.String()) || has(text, "sealed_key") || has(text, "blob_key") {
			t.Errorf("%s says too much", name)
		}
	}
	// The next one is another one, and both are listed.
	r.Clock.Advance(time.Second)
	second := r.request(ana)
	list, err := r.as(ana).ListExports(t.Context(), &userv1.ListExportsRequest{})
	if err != nil || len(list.GetExports()) != 2 || list.GetExports()[0].GetId() != second.String() || list.GetExports()[1].GetState() != stateReady || second == id {
		t.Errorf("list: %v, %v", list, err)
	}
}

func TestExportRefuses(t *testing.T) {
	t.Parallel()
	r := newExportRig(t)
	ana, iva, nobody := r.Register("ana@example.org"), r.Register("iva@example.org"), userv1connect.NewUserServiceClient(r.Client(""))
	id := r.made(ana)
	_, requested := nobody.RequestExport(t.Context(), &userv1.RequestExportRequest{})
	_, got := nobody.GetExport(t.Context(), &userv1.GetExportRequest{ExportId: id.String()})
	_, listed := nobody.ListExports(t.Context(), &userv1.ListExportsRequest{})
	for name, err := range map[string]error{"RequestExport": requested, "GetExport": got, "ListExports": listed} {
		if connect.CodeOf(err) != connect.CodeUnauthenticated {
			t.Errorf("%s of nobody: %v", name, err)
		}
	}
	for _, other := range []uuid.UUID{id, uuid.New(), uuid.Nil} {
		_, err := r.as(iva).GetExport(t.Context(), &userv1.GetExportRequest{ExportId: other.String()})
		refused(t, "another's", err, connect.CodeNotFound, "")
	}
	for _, text := range []string{"", "1", "../" + id.String(), id.String() + "'"} {
		_, err := r.as(ana).GetExport(t.Context(), &userv1.GetExportRequest{ExportId: text})
		if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != "exportId" {
			t.Errorf("%q: %v", text, err)
		}
	}
	if list, err := r.as(iva).ListExports(t.Context(), &userv1.ListExportsRequest{}); err != nil || len(list.GetExports()) != 0 {
		t.Errorf("another's list: %v, %v", list, err)
	}
}

// Of many that ask at once, one begins an export, and all hear of the same.
func TestExportIsRequestedOnce(t *testing.T) {
	t.Parallel()
	r := newExportRig(t)
	ana := r.Register("ana@example.org")
	var asking sync.WaitGroup
	ids := make([]string, 8)
	for i := range ids {
		asking.Go(func() {
			res, err := r.as(ana).RequestExport(t.Context(), &userv1.RequestExportRequest{})
			if err != nil {
				t.Error(err)
			}
			ids[i] = res.GetExportId()
		})
	}
	asking.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("ids: %v", ids)
		}
	}
	if jobs := r.exportJobs(); len(jobs) != 1 {
		t.Errorf("jobs: %v", jobs)
	}
}

func TestExportIsMadeTwice(t *testing.T) {
	t.Parallel()
	r := newExportRig(t)
	ana := r.Register("ana@example.org")
	r.consent(ana.ID, 100)
	id := r.request(ana)
	// Twice at once: both succeed, one file stays, and opens.
	var building sync.WaitGroup
	for range 4 {
		building.Go(func() {
			if err := r.exports.Build(t.Context(), ana.ID, id); err != nil {
				t.Error(err)
			}
		})
	}
	building.Wait()
	keys := r.blobKeys()
	if len(keys) != 1 {
		t.Errorf("files: %v", keys)
	}
	first := r.download(ana, id)
	// And again: nothing changes.
	if err := r.exports.Build(t.Context(), ana.ID, id); err != nil {
		t.Fatal(err)
	}
	if again := r.blobKeys(); len(again) != 1 || again[0] != keys[0] {
		t.Errorf("files: %v, before %v", again, keys)
	}
	if second := r.download(ana, id); first.status != 200 || string(second.body) != string(first.body) {
		t.Errorf("downloads: %d and %d", first.status, second.status)
	}
	// What failed cannot be failed any more.
	if err := r.exports.Fail(t.Context(), ana.ID, id); err != nil || r.get(ana, id).GetState() != stateReady || len(r.blobKeys()) != 1 {
		t.Errorf("failed afterwards: %v, %v", err, r.get(ana, id))
	}
}

// trap is a domain whose table calls back while its row is exported.
func trap(during func() error) personal.Domain {
	return personal.Domain{Name: "trap", Tables: []personal.Table{{
		Name: "users.profiles", What: "x", Owner: "user_id", Open: func(context.Context, personal.Row) error { return during() },
	}}}
}

func TestExportLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	var during func() error
	r := newExportRig(t, trap(func() error { return during() }))
	ana := r.Register("ana@example.org")
	r.exec(`INSERT INTO users.profiles VALUES ($1, 4, 'metric', 'RS', now())`, ana.ID)

	// It breaks off: no half file, the state stays, the last attempt fails it.
	broken := errors.New("key lost")
	during = func() error { return broken }
	id := r.request(ana)
	if err := r.exports.Build(t.Context(), ana.ID, id); !errors.Is(err, broken) || len(r.blobKeys()) != 0 || r.get(ana, id).GetState() != statePending {
		t.Errorf("broken off: %v, files %v", err, r.blobKeys())
	}
	if got := r.download(ana, id); got.status != 409 || got.header.Get("Retry-After") == "" {
		t.Errorf("pending: %d", got.status)
	}
	// A file that an attempt left whose process died goes with it.
	orphan := "exports/" + ana.ID.String() + "." + id.String() + ".orphan"
	if err := r.blobs.WriteAll(t.Context(), orphan, []byte("x"), nil); err != nil {
		t.Fatal(err)
	}
	if err := r.exports.Fail(t.Context(), ana.ID, id); err != nil || r.get(ana, id).GetState() != stateFailed || len(r.blobKeys()) != 0 {
		t.Errorf("failed: %v, files %v", err, r.blobKeys())
	}
	if got := r.download(ana, id); got.status != 404 {
		t.Errorf("failed: %d", got.status)
	}

	// The person is erased meanwhile.
	during = func() error {
		_, err := r.Pool.Exec(t.Context(), "DELETE FROM users.exports WHERE user_id = $1", ana.ID)
		return err
	}
	id = r.request(ana)
	if err := r.exports.Build(t.Context(), ana.ID, id); err != nil || len(r.blobKeys()) != 0 {
		t.Errorf("erased meanwhile: %v, files %v", err, r.blobKeys())
	}
	// It was erased before, or is another's.
	for _, person := range []uuid.UUID{ana.ID, uuid.New()} {
		if err := r.exports.Build(t.Context(), person, id); err != nil || len(r.blobKeys()) != 0 {
			t.Errorf("erased before: %v, files %v", err, r.blobKeys())
		}
	}
	during = func() error { return nil }
	id = r.request(ana)
	if err := errors.Join(r.blobs.WriteAll(t.Context(), "exports/"+ana.ID.String()+"."+id.String()+".orphan", []byte("x"), nil), r.exports.Build(t.Context(), ana.ID, id)); err != nil {
		t.Fatal(err)
	}
	if files := r.blobKeys(); len(files) != 1 || r.download(ana, id).status != 200 {
		t.Errorf("an orphan stayed: %v", files)
	}
}

func TestExportExpires(t *testing.T) {
	t.Parallel()
	r := newExportRig(t)
	registry := personal.NewRegistry(r.service.Personal())
	ana, iva := r.Register("ana@example.org"), r.Register("iva@example.org")
	id, stuck := r.made(ana), r.request(iva)
	retain := func() map[string]int64 {
		t.Helper()
		n, err := registry.Retain(t.Context(), r.Pool, r.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := retain(); len(n) != 0 || r.download(ana, id).status != 200 {
		t.Errorf("too early: %v", n)
	}
	// Its job was lost.
	r.Clock.Advance(25 * time.Hour)
	iva = r.Login(iva)
	if n := retain(); n["users.exports"] != 1 || r.get(iva, stuck).GetState() != stateFailed {
		t.Errorf("stuck: %v, %v", n, r.get(iva, stuck))
	}
	r.Clock.Advance(6 * 24 * time.Hour)
	ana = r.Login(ana)
	// It has expired, though nothing has cleaned up yet.
	if e, got := r.get(ana, id), r.download(ana, id); e.GetState() != stateExpired || e.GetDownloadUrl() != "" || got.status != 410 {
		t.Errorf("expired by time: %v, %d", e, got.status)
	}
	if n := retain(); n["users.exports and the blob store"] != 1 || len(r.blobKeys()) != 0 {
		t.Errorf("expired: %v, files %v", n, r.blobKeys())
	}
	if e, got := r.get(ana, id), r.download(ana, id); e.GetState() != stateExpired || got.status != 410 {
		t.Errorf("expired: %v, %d", e, got.status)
	}
	r.Clock.Advance(360 * 24 * time.Hour)
	if n := retain(); n["users.exports"] != 2 {
		t.Errorf("forgotten: %v", n)
	}
}

// A person with 10,000 rows.
func TestExportOfMuch(t *testing.T) {
	t.Parallel()
	r := newExportRig(t)
	ana := r.Register("ana@example.org")
	r.consent(ana.ID, 10_000)
	id := r.request(ana)
	began := time.Now()
	if err := r.exports.Build(t.Context(), ana.ID, id); err != nil {
		t.Fatal(err)
	}
	made := time.Since(began)
	began = time.Now()
	got := r.download(ana, id)
	t.Logf("made in %v, fetched in %v, %d bytes", made, time.Since(began), len(got.body))
	if consents := objects(t, unzipped(t, got.body)["user/consents.json"]); len(consents) != 10_000 {
		t.Errorf("%d consents", len(consents))
	}
}

// Who withdraws the consent for health data has no copy of it lying about, and none that is still being made.
func TestWithdrawalEndsExports(t *testing.T) {
	t.Parallel()
	r := newExportRig(t)
	ana := r.Register("ana@example.org")
	r.tellHealth(ana)
	made := r.made(ana)
	pending := r.request(ana)
	_, err := r.as(ana).SetConsent(t.Context(), &userv1.SetConsentRequest{Purpose: userv1.ConsentPurpose_CONSENT_PURPOSE_HEALTH_DATA, Granted: false, PolicyVersion: "1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.exports.Build(t.Context(), ana.ID, pending); err != nil { // its job comes too late
		t.Fatal(err)
	}
	for id, want := range map[uuid.UUID]userv1.ExportState{made: userv1.ExportState_EXPORT_STATE_EXPIRED, pending: userv1.ExportState_EXPORT_STATE_FAILED} {
		res, err := r.as(ana).GetExport(t.Context(), &userv1.GetExportRequest{ExportId: id.String()})
		if err != nil || res.GetState() != want || res.GetDownloadUrl() != "" {
			t.Errorf("%v, %v; want %v", res, err, want)
		}
	}
	if files := r.blobKeys(); len(files) != 0 {
		t.Errorf("files: %v", files)
	}
}

// An export that is asked for while a withdrawal is under way begins after it, and has nothing of what was withdrawn.
func TestExportWaitsForWithdrawal(t *testing.T) {
	t.Parallel()
	r := newExportRig(t)
	ana := r.Register("ana@example.org")
	r.tellHealth(ana)
	tx, err := r.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	q := userdb.New(tx)
	if err := q.LockPerson(t.Context(), ana.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := q.DeleteHealthProfile(t.Context(), ana.ID); err != nil {
		t.Fatal(err)
	}
	made := make(chan uuid.UUID, 1)
	go func() {
		res, err := r.as(ana).RequestExport(t.Context(), &userv1.RequestExportRequest{})
		if err != nil {
			t.Error(err)
		}
		id, _ := uuid.Parse(res.GetExportId())
		made <- id
	}()
	select {
	case <-made:
		t.Fatal("it did not wait")
	case <-time.After(200 * time.Millisecond):
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if id := <-made; id == uuid.Nil {
		t.Error("no export")
	}
}
