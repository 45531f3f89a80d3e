package personal_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/platform/personal"
)

func TestExportOfEveryType(t *testing.T) {
	t.Parallel()
	pool, registry, person, friend := newPool(t), personal.NewRegistry(facts()), uuid.New(), uuid.New()
	exec1 := func(statement string, args ...any) { t.Helper(); execute(t, pool, statement, args...) }
	exec1(`INSERT INTO facts.everything VALUES ($1, 1, 9007199254740993, -7, true, '=HYPERLINK("http://x")', '2026-01-02 03:04:05.678901+02', '2026-01-02 03:04:05', '2026-01-02', '23:59:59',
		'1 day 02:03:04', '192.0.2.0/24', '2001:db8::1', '{a,NULL,"b, c","„д“"}', $2, '{"n": 9007199254740993, "list": [null, 1.50]}', '[1, 2]', 12345678901234567890.123456789,
		'NaN', 1.5, '\x00ff', 'calm', '[2026-01-01,2026-02-01)', 'hidden')`, person, []uuid.UUID{friend})
	exec1(`INSERT INTO facts.everything (user_id, n, made, day, exact, ratio, text_, words, raw) VALUES ($1, 2, 'infinity', '-infinity', 'NaN', '-Infinity', '', '{}', '')`, person)
	exec1(`INSERT INTO facts.everything (user_id, n, small, text_, doc) VALUES ($1, 3, -5, '<b>&</b> "quoted", line' || chr(10) || 'two  Ж 🙂', '"a text"')`, person)
	exec1(`INSERT INTO facts.everything (user_id, n, text_) VALUES ($1, 4, 'a stranger''s')`, friend)
	files := exported(t, registry, pool, person)
	rows := objects(t, files["facts/everything.json"])
	if len(rows) != 3 {
		t.Fatalf("%d rows: %v", len(rows), rows)
	}
	for column, want := range map[string]string{
		"user_id": `"` + person.String() + `"`, "n": "1", "big": "9007199254740993", "small": "-7", "flag": "true", "text_": `"=HYPERLINK(\"http://x\")"`,
		"made": `"2026-01-02T01:04:05.678901+00:00"`, "local": `"2026-01-02T03:04:05"`, "day": `"2026-01-02"`, "at": `"23:59:59"`, "span": `"P1DT2H3M4S"`,
		"net": `"192.0.2.0/24"`, "address": `"2001:db8::1"`, "words": `["a",null,"b, c","„д“"]`, "friends": `["` + friend.String() + `"]`,
		"doc": `{"n":9007199254740993,"list":[null,1.50]}`, "doc_text": `[1,2]`, "exact": "12345678901234567890.123456789", "ratio": `"NaN"`, "single": "1.5",
		"raw": `"AP8="`, "mood": `"calm"`, "days": `"[2026-01-01,2026-02-01)"`,
	} {
		var got []map[string]json.RawMessage
		if err := json.Unmarshal([]byte(files["facts/everything.json"]), &got); err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(strings.Fields(string(got[0][column])), " "); text != want && strings.ReplaceAll(text, " ", "") != want {
			t.Errorf("%s is %s, want %s", column, text, want)
		}
	}
	if rows[1]["made"] != "infinity" || rows[1]["exact"] != "NaN" || rows[1]["ratio"] != "-Infinity" || rows[1]["text_"] != "" || rows[1]["mood"] != nil || rows[1]["raw"] != "" {
		t.Errorf("odd values: %v", rows[1])
	}
	if rows[2]["text_"] != "<b>&</b> \"quoted\", line\ntwo  Ж 🙂" || rows[2]["doc"] != "a text" {
		t.Errorf("a text: %v", rows[2])
	}
	table := lines(t, files["facts/everything.csv"])
	if len(table) != 3 || table[0]["text_"] != `'=HYPERLINK("http://x")` || table[0]["words"] != `["a",null,"b, c","„д“"]` || table[0]["small"] != "-7" || table[1]["ratio"] != "'-Infinity" ||
		table[2]["small"] != "-5" || table[2]["text_"] != rows[2]["text_"] || table[2]["big"] != "" || table[0]["raw"] != "AP8=" || table[0]["flag"] != "true" || table[1]["words"] != "[]" {
		t.Errorf("the table: %q", table)
	}
	for name, text := range files {
		if strings.Contains(text, "hidden") || strings.Contains(text, "stranger") && name != "README.txt" {
			t.Errorf("%s has what it should not", name)
		}
	}
}

func TestExportOpensListsAndOrders(t *testing.T) {
	t.Parallel()
	pool, registry, person := newPool(t), personal.NewRegistry(facts(), personal.Domain{Name: "nothing"}), uuid.New()
	execute(t, pool, `INSERT INTO facts.sealed VALUES ($1, '{"weightKg": 70}', 3)`, person)
	execute(t, pool, `INSERT INTO facts.visits SELECT $1, n, 'visit' FROM generate_series(20, 1, -1) n`, person)
	execute(t, pool, `INSERT INTO facts.records VALUES ($1)`, person)
	files := exported(t, registry, pool, person)
	names := slices.Sorted(maps.Keys(files))
	if want := []string{"README.txt", "facts/sealed.csv", "facts/sealed.json", "facts/visits.csv", "facts/visits.json", "manifest.json"}; !slices.Equal(names, want) {
		t.Fatalf("files: %v", names)
	}
	if got := objects(t, files["facts/sealed.json"]); len(got) != 1 || got[0]["sealed"] != nil || got[0]["profile"].(map[string]any)["weightKg"] != 70.0 {
		t.Errorf("opened: %v", got)
	}
	if got := lines(t, files["facts/sealed.csv"]); got[0]["profile"] != `{"weightKg":70}` || got[0]["revision"] != "3" {
		t.Errorf("opened, as a table: %v", got)
	}
	for i, row := range objects(t, files["facts/visits.json"]) {
		if row["id"] != float64(i+1) {
			t.Fatalf("row %d is %v", i, row)
		}
	}
	var manifest struct {
		PersonID string
		MadeAt   string
		Files    []struct {
			Name, What string
			Rows       int
		}
		LeftOut []struct{ Table, What, Why string }
	}
	if err := json.Unmarshal([]byte(files["manifest.json"]), &manifest); err != nil {
		t.Fatal(err)
	}
	if manifest.PersonID != person.String() || manifest.MadeAt != "2026-05-04T03:02:01Z" || len(manifest.Files) != 4 || manifest.Files[0].Name != "facts/visits.json" ||
		manifest.Files[0].Rows != 20 || manifest.Files[1].Rows != 20 || manifest.Files[0].What != "visits" || len(manifest.LeftOut) != 1 || manifest.LeftOut[0].Why != "they are about others" {
		t.Errorf("manifest: %+v", manifest)
	}
}

func TestExportIsReadByOthers(t *testing.T) {
	t.Parallel()
	pool, registry, person := newPool(t), personal.NewRegistry(facts()), uuid.New()
	execute(t, pool, `INSERT INTO facts.visits SELECT $1, n, repeat('Ж', 100) FROM generate_series(1, 2000) n`, person)
	path := filepath.Join(t.TempDir(), "export.zip")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(registry.Export(t.Context(), pool, person, madeAt, file), file.Close()); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{
		{"unzip", "-tq", path},
		{"python3", "-c", `import csv, io, json, sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
assert len(json.load(z.open("facts/visits.json"))) == 2000
assert len(list(csv.DictReader(io.TextIOWrapper(z.open("facts/visits.csv"), "utf-8", newline="")))) == 2000`, path},
	} {
		if _, err := exec.LookPath(command[0]); err != nil {
			t.Logf("no %s here", command[0])
			continue
		}
		if out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", command[0], err, out)
		}
	}
}

// Rows that change while an export is written are in it as they were when it began.
func TestExportIsOfOneMoment(t *testing.T) {
	t.Parallel()
	pool, person := newPool(t), uuid.New()
	execute(t, pool, `INSERT INTO facts.sealed VALUES ($1, '{}', 3)`, person)
	execute(t, pool, `INSERT INTO facts.visits VALUES ($1, 1, 'before')`, person)
	d := facts()
	opened := 0
	d.Tables = []personal.Table{d.Tables[3], d.Tables[1]} // sealed, then visits
	d.Tables[0].Open = func(_ context.Context, row personal.Row) error {
		if opened++; opened == 1 {
			execute(t, pool, `UPDATE facts.visits SET note = 'after'`)
			execute(t, pool, `INSERT INTO facts.visits VALUES ($1, 2, 'after')`, person)
		}
		id, err := row.UUID("user_id")
		if err != nil || id != person {
			t.Errorf("whose row: %v, %v", id, err)
		}
		return nil
	}
	files := exported(t, personal.NewRegistry(d), pool, person)
	if visits := objects(t, files["facts/visits.json"]); len(visits) != 1 || visits[0]["note"] != "before" {
		t.Errorf("visits: %v", visits)
	}
}

func TestExportFails(t *testing.T) {
	t.Parallel()
	pool, person := newPool(t), uuid.New()
	execute(t, pool, `INSERT INTO facts.sealed VALUES ($1, 'not json', 3)`, person)
	if err := personal.NewRegistry(facts()).Export(t.Context(), pool, person, madeAt, io.Discard); err == nil {
		t.Error("what Open put in is no JSON, and was exported")
	}
	d, lost := facts(), errors.New("key lost")
	d.Tables[3].Open = func(context.Context, personal.Row) error { return lost }
	if err := personal.NewRegistry(d).Export(t.Context(), pool, person, madeAt, io.Discard); !errors.Is(err, lost) {
		t.Errorf("a lost key: %v", err)
	}
	d.Tables = []personal.Table{{Name: "facts.gone", What: "x", Owner: "user_id"}}
	if err := personal.NewRegistry(d).Export(t.Context(), pool, person, madeAt, io.Discard); err == nil {
		t.Error("a table that is not there was exported")
	}
}

// heap notes the most memory that is in use while something is written.
type heap struct {
	n    int
	most uint64
}

func (h *heap) Write(p []byte) (int, error) {
	if h.n++; h.n%200 == 0 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		h.most = max(h.most, m.HeapAlloc)
	}
	return len(p), nil
}

// 16 MB of rows pass through without being held. It runs alone, as it measures the whole process.
func TestExportTakesNoMemory(t *testing.T) { //nolint:paralleltest // it measures the whole process
	pool, person := newPool(t), uuid.New()
	execute(t, pool, `INSERT INTO facts.visits SELECT $1, n, (SELECT string_agg(md5(n::text || i::text), '') FROM generate_series(1, 63) i) FROM generate_series(1, 8000) n`, person)
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	h := &heap{}
	if err := personal.NewRegistry(facts()).Export(t.Context(), pool, person, madeAt, h); err != nil {
		t.Fatal(err)
	}
	if grown := int64(h.most) - int64(before.HeapAlloc); h.n < 2000 || grown > 6<<20 {
		t.Errorf("%d kB more in use during %d writes", grown>>10, h.n)
	}
}
