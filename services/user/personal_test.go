package user_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"gocloud.dev/blob/fileblob"

	healthv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/health/v1"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/platform/personal"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
	"github.com/mindspace-app/mindspace/services/user"
)

// Every column of the domain's tables with a person's id, and every one with health data, is declared.
func TestPersonalIsComplete(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	err := personal.NewRegistry(r.service.Personal()).Check(t.Context(), r.Pool)
	for _, line := range strings.FieldsFunc(errors.Join(err).Error(), func(c rune) bool { return c == '\n' || c == ',' }) {
		if strings.Contains(line, "users.") {
			t.Error(line) // other domains' are not ours to declare
		}
	}
}

// tellHealth gives consent and stores a health profile.
func (r *rig) tellHealth(p *authtest.Person) {
	r.t.Helper()
	_, err := r.as(p).SetConsent(r.t.Context(), &userv1.SetConsentRequest{Purpose: userv1.ConsentPurpose_CONSENT_PURPOSE_HEALTH_DATA, Granted: true, PolicyVersion: "1"})
	if err != nil {
		r.t.Fatal(err)
	}
	_, err = r.as(p).UpdateHealthProfile(r.t.Context(), &userv1.UpdateHealthProfileRequest{
		Profile: &healthv1.Profile{BirthDate: "1984-05-06", Allergies: []*healthv1.Term{{Text: "грейпфрут <&>"}}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestExportOpensHealthProfile(t *testing.T) {
	t.Parallel()
	r := newExportRig(t)
	ana, iva := r.Register("ana@example.org"), r.Register("iva@example.org")
	r.tellHealth(ana)
	files := unzipped(t, r.download(ana, r.made(ana)).body)
	rows := objects(t, files["user/health_profiles.json"])
	if len(rows) != 1 || rows[0]["sealed"] != nil || rows[0]["revision"] != 1.0 {
		t.Fatalf("rows: %v", rows)
	}
	record, _ := rows[0]["record"].(map[string]any)
	profile, _ := record["profile"].(map[string]any)
	if profile["birthDate"] != "1984-05-06" || !has(files["user/health_profiles.json"], "грейпфрут <&>") || !has(files["user/health_profiles.csv"], "1984-05-06") {
		t.Errorf("record: %v", record)
	}
	// What does not open is no export, rather than one without it.
	r.exec(`INSERT INTO users.health_profiles SELECT $1, sealed, 1, now() FROM users.health_profiles WHERE user_id = $2`, iva.ID, ana.ID)
	id := r.request(iva)
	if err := r.exports.Build(t.Context(), iva.ID, id); err == nil || strings.Contains(err.Error(), "1984") || r.get(iva, id).GetState() != statePending || len(r.blobKeys()) != 1 {
		t.Errorf("another's ciphertext: %v", err)
	}
}

func TestErase(t *testing.T) {
	t.Parallel()
	r := newExportRig(t)
	ana, iva, support := r.Register("ana@example.org"), r.Register("iva@example.org"), uuid.New()
	for _, p := range []*authtest.Person{ana, iva} {
		r.tellHealth(p)
		r.exec(`INSERT INTO users.profiles VALUES ($1, 4, 'metric', 'RS', now())`, p.ID)
		r.exec(`INSERT INTO users.notes VALUES ($1, gen_random_uuid(), $2, 'called', now())`, p.ID, support)
		r.made(p)
		r.request(p)
	}
	r.exec(`UPDATE users.exports SET requested_by = $1`, support)
	registry := personal.NewRegistry(r.service.Personal())
	erase := func(person uuid.UUID) map[string]personal.Touched {
		t.Helper()
		var touched []personal.Touched
		err := postgres.InTx(t.Context(), r.Pool, func(tx pgx.Tx) (err error) {
			touched, err = registry.Erase(t.Context(), tx, r.blobs, person)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		byName := map[string]personal.Touched{}
		for _, line := range touched {
			byName[line.Name] = line
		}
		return byName
	}
	touched := erase(ana.ID)
	for name, count := range map[string]int64{
		"users.health_profiles": 1, "users.consents": 1, "users.profiles": 1, "users.notes": 1, "users.exports": 2, "user": 1, "users.notes.author_id": 0,
	} {
		if touched[name].Count != count {
			t.Errorf("%s: %+v", name, touched[name])
		}
	}
	if files := r.blobKeys(); len(files) != 1 || !has(files[0], iva.ID.String()) || len(r.exportJobs()) != 2 {
		t.Errorf("files %v, jobs %v", files, r.exportJobs())
	}
	// Support leaves: what is said of others stays, without them.
	touched = erase(support)
	if touched["users.notes.author_id"].Count != 1 || touched["users.exports.requested_by"].Count != 2 || touched["users.notes"].Count != 0 {
		t.Errorf("of support: %+v", touched)
	}
}

// A profile that the cache knows is forgotten.
func TestForget(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.org")
	for _, hour := range []int32{0, 7} {
		if res, err := r.as(ana).GetMe(t.Context(), &userv1.GetMeRequest{}); err != nil || res.GetUser().GetDayStartHour() != hour {
			t.Errorf("hour %d: %v, %v", hour, res, err)
		}
		r.exec(`INSERT INTO users.profiles VALUES ($1, 7, 'metric', 'RS', now()) ON CONFLICT DO NOTHING`, ana.ID)
		if _, err := personal.NewRegistry(r.service.Personal()).Forget(t.Context(), r.Redis, ana.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// A blob store on disk keeps no part of a file that broke off, and nothing with the person's id in its name.
func TestExportOnDisk(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	bucket, err := fileblob.OpenBucket(folder, &fileblob.Options{NoTempDir: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bucket.Close() })
	during := errors.New("broken")
	r := newRig(t, func(o *user.Options) { o.Blobs = bucket })
	ana := r.Register("ana@example.org")
	r.consent(ana.ID, 5000)
	r.exec(`INSERT INTO users.profiles VALUES ($1, 4, 'metric', 'RS', now())`, ana.ID)
	registry := personal.NewRegistry(r.service.Personal(), trap(func() error { return during }))
	x := &exportRig{rig: r, exports: user.NewExports(r.service, registry)}
	id := x.request(ana)
	if err := x.exports.Build(t.Context(), ana.ID, id); !errors.Is(err, during) || len(names(t, folder)) != 0 {
		t.Errorf("broken off: %v, %v", err, names(t, folder))
	}
	during = nil
	if err := x.exports.Build(t.Context(), ana.ID, id); err != nil || len(names(t, folder)) == 0 {
		t.Errorf("made: %v, %v", err, names(t, folder))
	}
	err = postgres.InTx(t.Context(), r.Pool, func(tx pgx.Tx) error {
		_, err := personal.NewRegistry(r.service.Personal()).Erase(t.Context(), tx, bucket, ana.ID)
		return err
	})
	if err != nil || len(names(t, folder)) != 0 {
		t.Errorf("erased: %v, %v", err, names(t, folder))
	}
}

// names are the names of everything in a folder, but for the one that all exports share.
func names(t *testing.T, folder string) (found []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(folder), ".", func(path string, _ fs.DirEntry, err error) error {
		if path != "." && path != "exports" {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
