package content_test

import (
	"io/fs"
	"log/slog"
	"testing"
	"testing/fstest"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
)

// What is seeded is published as a revision of its own, once; what another seed replaces is archived.
func TestSeededTextsAreRevisions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	count := func(where string) (n int) {
		t.Helper()
		if err := r.Pool.QueryRow(t.Context(), "SELECT count(*) FROM content.revisions WHERE "+where).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	var texts int
	if err := r.Pool.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM content.meditation_texts) + (SELECT count(*) FROM content.course_texts)").Scan(&texts); err != nil {
		t.Fatal(err)
	}
	if n := count("state = 'published' AND number = 1 AND seeded AND author_id IS NULL"); n != texts || texts < 100 || n != count("true") {
		t.Fatalf("%d texts, %d published of %d revisions", texts, n, count("true"))
	}
	reseed := func() {
		t.Helper()
		r.exec(t, "UPDATE content.seeds SET digest = 'another' WHERE name = 'demo'")
		sounds.Lock()
		defer sounds.Unlock()
		if changed, err := r.seeder.Demo(t.Context()); err != nil || !changed {
			t.Fatalf("seed: changed %v, %v", changed, err)
		}
	}
	reseed()
	if n := count("true"); n != texts {
		t.Errorf("the same seed again: %d revisions of %d texts", n, texts)
	}
	r.exec(t, "UPDATE content.revisions SET title = 'Of an older seed' WHERE id = (SELECT min(id::text)::uuid FROM content.revisions WHERE kind = 'meditation')")
	reseed()
	if n := count("state = 'archived' AND title = 'Of an older seed'"); n != 1 || count("number = 2 AND state = 'published'") != 1 || count("true") != texts+1 {
		t.Errorf("%d archived, %d revisions of %d texts", n, count("true"), texts)
	}
}

// before gives the migrations before one.
func before(t *testing.T, name string) fs.FS {
	t.Helper()
	files, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	older := fstest.MapFS{}
	for _, file := range files {
		if file >= name {
			continue
		}
		text, err := fs.ReadFile(migrations.FS, file)
		if err != nil {
			t.Fatal(err)
		}
		older[file] = &fstest.MapFile{Data: text}
	}
	return older
}

// Texts from before there were revisions become published ones, and ids that say when.
func TestTextsBecomeRevisions(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t, before(t, "00010"))
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	meditation, course := uuid.New(), uuid.New()
	for _, statement := range []string{
		"INSERT INTO content.voices VALUES ('bells', 'Bells', 'Колокольчики', 'Zvona')",
		"INSERT INTO content.courses (id, slug, position, created_at, published_at) VALUES ($2, 'nights', 1, '2026-01-01', '2026-01-02 03:04:05.678Z')",
		`INSERT INTO content.meditations (id, slug, position, level, duration_seconds, voice, tags, created_at, published_at)
			VALUES ($1, 'rest', 1, 'beginner', 60, 'bells', '{}', '2026-01-01', '2026-02-03 04:05:06.789Z')`,
		"INSERT INTO content.course_texts (course_id, locale, title, description) VALUES ($2, 'en', 'Nights', 'Quiet.')",
		"INSERT INTO content.meditation_texts (meditation_id, locale, title, description, words) VALUES ($1, 'en', 'Rest', 'Lie down.', ''), ($1, 'ru', 'Отдых', 'Лягте.', '')",
	} {
		if _, err := pool.Exec(t.Context(), "WITH ids AS (SELECT $1::uuid, $2::uuid) "+statement, meditation, course); err != nil {
			t.Fatal(err)
		}
	}
	if err := postgres.Migrate(t.Context(), url, migrations.FS, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	var n int
	err = pool.QueryRow(t.Context(), `SELECT count(*) FROM content.revisions r LEFT JOIN content.meditation_texts t ON t.meditation_id = r.item_id AND t.locale = r.locale
		WHERE r.state = 'published' AND r.number = 1 AND r.version = 1 AND r.published_at IS NOT NULL AND r.seeded AND r.author_id IS NULL AND (r.kind = 'course' AND r.course_id = $1 AND r.title = 'Nights'
			OR r.kind = 'meditation' AND r.meditation_id = $2 AND (r.title, r.description) = (t.title, t.description))`, course, meditation).Scan(&n)
	if err != nil || n != 3 {
		t.Errorf("%d revisions, %v", n, err)
	}
	var ids []uuid.UUID
	if err := pool.QueryRow(t.Context(), "SELECT array_agg(id ORDER BY id) FROM content.revisions").Scan(&ids); err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		sec, nsec := id.Time().UnixTime()
		if want := map[bool]int64{true: 1767323045, false: 1770091506}[i == 0]; id.Version() != 7 || id.Variant() != uuid.RFC4122 || sec != want || nsec/1e6 == 0 {
			t.Errorf("%s: version %d, variant %v, of %d.%d", id, id.Version(), id.Variant(), sec, nsec)
		}
	}
}
