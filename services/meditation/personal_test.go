package meditation_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"gocloud.dev/blob/memblob"
	"google.golang.org/protobuf/types/known/timestamppb"

	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/platform/personal"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/reseal"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
	"github.com/mindspace-app/mindspace/services/meditation"
)

// Every column of the domain's tables with a person's id, and every one with health data, is declared.
func TestPersonalIsComplete(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var found string
	if err := personal.NewRegistry(r.service.Personal()).Check(t.Context(), r.Pool); err != nil {
		found = err.Error()
	}
	for _, line := range strings.FieldsFunc(found, func(c rune) bool { return c == '\n' || c == ',' }) {
		if strings.Contains(line, "meditation") {
			t.Error(line) // other domains' are not ours to declare
		}
	}
	ruled := map[string]bool{}
	for _, rule := range r.service.Personal().Rules {
		ruled[rule.Table] = true
	}
	for _, table := range r.service.Personal().Tables {
		if !ruled[table.Name] {
			t.Errorf("no rule says how long %s is kept", table.Name)
		}
	}
}

// live gives a person a row in every table of the domain, and one session more.
func (r *rig) live(p *authtest.Person) *meditationv1.Session {
	r.t.Helper()
	phone, start := r.phone(p), r.Clock.Now().Add(-time.Hour)
	s := phone.practise(r.catalogue.lessons[0].String(), start, 10)
	if _, err := phone.UpdateSession(r.t.Context(), &meditationv1.UpdateSessionRequest{SessionId: s.GetId(), MoodAfter: 5, Note: "тихая мысль <&>"}); err != nil {
		r.t.Fatal(err)
	}
	phone.begin("", start)
	phone.save(position(r.catalogue.alone, 7, start))
	for _, statement := range []string{
		"INSERT INTO meditation.milestones VALUES ($1, 'sessions', 1, now())",
		"INSERT INTO meditation.course_completions VALUES ($1, gen_random_uuid(), now())",
		"INSERT INTO meditation.streak_records VALUES ($1, 1, 1)",
	} {
		if _, err := r.Pool.Exec(r.t.Context(), statement, p.ID); err != nil {
			r.t.Fatal(err)
		}
	}
	return s
}

// exported are the files of a person's export, by name.
func (r *rig) exported(p *authtest.Person) (map[string]string, error) {
	r.t.Helper()
	var out bytes.Buffer
	if err := personal.NewRegistry(r.service.Personal()).Export(r.t.Context(), r.Pool, p.ID, r.Clock.Now(), &out); err != nil {
		return nil, err
	}
	archive, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		r.t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range archive.File {
		content, err := f.Open()
		if err != nil {
			r.t.Fatal(err)
		}
		text, err := io.ReadAll(content)
		if err != nil {
			r.t.Fatal(err)
		}
		files[f.Name] = string(text)
	}
	return files, nil
}

func TestExport(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana, iva := r.Register("ana@example.test"), r.Register("iva@example.test")
	s, other := r.live(ana), r.live(iva)
	files, err := r.exported(ana)
	if err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string]int{
		"sessions": 2, "days": 1, "people": 1, "notes": 1, "positions": 1, "milestones": 1, "course_completions": 1, "streak_records": 1,
	} {
		var rows []map[string]any
		if err := json.Unmarshal([]byte(files["meditation/"+table+".json"]), &rows); err != nil || len(rows) != want || files["meditation/"+table+".csv"] == "" {
			t.Errorf("%s: %d rows, %v", table, len(rows), err)
		}
	}
	var notes []map[string]any
	if err := json.Unmarshal([]byte(files["meditation/notes.json"]), &notes); err != nil || notes[0]["note"] != "тихая мысль <&>" || notes[0]["sealed"] != nil || notes[0]["client_id"] != s.GetClientId() {
		t.Errorf("notes: %v, %v", notes, err)
	}
	for name, text := range files {
		if strings.Contains(text, iva.ID.String()) || strings.Contains(text, other.GetId()) {
			t.Errorf("%s is about another person", name)
		}
	}
	// What does not open is no export, rather than one without it: here, another person's ciphertext.
	if _, err := r.Pool.Exec(t.Context(), "UPDATE meditation.notes SET sealed = (SELECT sealed FROM meditation.notes WHERE user_id = $1) WHERE user_id = $2", iva.ID, ana.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := r.exported(ana); err == nil || strings.Contains(err.Error(), "мысль") {
		t.Errorf("another's ciphertext: %v", err)
	}
	if _, err := r.as(ana).GetSession(t.Context(), &meditationv1.GetSessionRequest{SessionId: s.GetId()}); err == nil {
		t.Error("another's note is shown")
	}
}

func TestErase(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	blobs := memblob.OpenBucket(nil)
	t.Cleanup(func() { _ = blobs.Close() })
	ana, iva := r.Register("ana@example.test"), r.Register("iva@example.test")
	r.live(ana)
	kept := r.live(iva)
	registry := personal.NewRegistry(r.service.Personal())
	before := len(r.practised(ana))
	var touched []personal.Touched
	err := postgres.InTx(t.Context(), r.Pool, func(tx pgx.Tx) (err error) {
		touched, err = registry.Erase(t.Context(), tx, blobs, ana.ID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Forget(t.Context(), r.Redis, ana.ID); err != nil {
		t.Fatal(err)
	}
	// The queue has two sessions that started, one that was recorded, and a letter of sign-in's.
	want := map[string]int64{
		"river.river_job": 4, "meditation.sessions": 2, "meditation.days": 1, "meditation.people": 1, "meditation.notes": 1, "meditation.positions": 1,
		"meditation.milestones": 1, "meditation.course_completions": 1, "meditation.streak_records": 1,
	}
	for _, line := range touched {
		if line.Count != want[line.Name] || line.Action != "deleted" {
			t.Errorf("%+v, want %d", line, want[line.Name])
		}
		delete(want, line.Name)
	}
	if len(want) != 0 || before != 1 || len(r.practised(ana)) != 0 {
		t.Errorf("not erased: %v; practised on %d days before, %d after", want, before, len(r.practised(ana)))
	}
	if files, err := r.exported(iva); err != nil || !strings.Contains(files["meditation/notes.json"], "мысль") || r.phone(iva).get(kept).GetNote() == "" {
		t.Errorf("another person has lost something: %v", err)
	}
	for _, table := range r.service.Personal().Tables {
		if n := r.count("SELECT count(*) FROM "+table.Name+" WHERE user_id = $1", ana.ID); n != 0 {
			t.Errorf("%d rows of %s are left", n, table.Name)
		}
	}
	// A worker that comes late finds nothing, and leaves nothing.
	if _, err := r.worker().EndAbandoned(t.Context(), meditation.SessionStarted{UserID: ana.ID, SessionID: uuid.New()}); err != nil || r.count("SELECT count(*) FROM meditation.people WHERE user_id = $1", ana.ID) != 0 {
		t.Errorf("a late worker: %v", err)
	}
}

// Whoever comes first, the worker that ends a session or the erasure, nothing of the practice is left.
func TestEraseAndAbandonAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	blobs := memblob.OpenBucket(nil)
	t.Cleanup(func() { _ = blobs.Close() })
	ana := r.Register("ana@example.test")
	p, worker, registry := r.phone(ana), r.worker(), personal.NewRegistry(r.service.Personal())
	for range rounds {
		s := p.begin("", r.Clock.Now().Add(-time.Hour))
		p.beat(&meditationv1.HeartbeatRequest{SessionId: s.GetId(), At: timestamppb.New(r.Clock.Now().Add(-minutes(40)))})
		id := idOf(t, s)
		atOnce(func() {
			if again, err := worker.EndAbandoned(t.Context(), meditation.SessionStarted{UserID: ana.ID, SessionID: id}); again != 0 || err != nil {
				t.Errorf("again in %s, %v", again, err)
			}
		}, func() {
			err := postgres.InTx(t.Context(), r.Pool, func(tx pgx.Tx) error {
				_, err := registry.Erase(t.Context(), tx, blobs, ana.ID)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
		for _, table := range []string{"people", "sessions", "days"} {
			if n := r.count("SELECT count(*) FROM meditation." + table); n != 0 {
				t.Fatalf("%d rows of %s are left", n, table)
			}
		}
	}
}

// practised are the points of the calendar with practice.
func (r *rig) practised(p *authtest.Person) (points []*meditationv1.CalendarPoint) {
	r.t.Helper()
	res, err := r.as(p).GetCalendar(r.t.Context(), &meditationv1.GetCalendarRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, point := range res.GetPoints() {
		if point.GetSessions() > 0 {
			points = append(points, point)
		}
	}
	return points
}

// Notes move to a new key where they are, and open still.
func TestNotesAreSealedAnew(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.live(r.Register("ana@example.test"))
	person := r.personOf(s)
	rotated, _, err := r.Keys.RotateAEAD(time.Now().Add(-time.Second))
	if err != nil {
		t.Fatal(err)
	}
	report, err := reseal.Run(t.Context(), r.Pool, rotated, meditation.Sealed(), reseal.Batch)
	if err != nil || report.Done != 1 || len(report.Failed) != 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	options := r.service.Options
	options.Keys = rotated
	again := *r.service
	again.Options = options
	var out bytes.Buffer
	if err := personal.NewRegistry(again.Personal()).Export(t.Context(), r.Pool, person, r.Clock.Now(), &out); err != nil {
		t.Error(err)
	}
}
