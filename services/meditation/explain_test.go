package meditation_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/gen/db/meditationdb"
	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
	"github.com/mindspace-app/mindspace/platform/uid"
	"github.com/mindspace-app/mindspace/services/meditation"
)

var update = flag.Bool("update", false, "write the golden plans anew")

// goldenMajor is the version of PostgreSQL whose plans are golden. Others word them otherwise; the rules hold for all.
const goldenMajor = "15"

// No query of the request path or of the worker touches more than one partition, and each is served by an index: however many persons there are, a
// query costs what its person's rows cost. Pages come in the order of an index. Plans that the golden files do not have are to be looked at.
func TestPlans(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t, migrations.FS)
	me := practised(t, pool)
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Release)
	p := planner{t: t, conn: conn.Conn()}
	p.exec("SET jit = off")
	golden := strings.HasPrefix(p.one("SHOW server_version_num"), goldenMajor)
	for _, q := range hotQueries(me) {
		var r recorder
		if err := q.send(meditationdb.New(&r)); !errors.Is(err, errTakenDown) {
			t.Fatalf("%s: %v", q.name, err)
		}
		custom, generic := p.plans(r.statement)
		q.check(t, "with its arguments", custom)
		q.check(t, "for any arguments", generic)
		if golden {
			compare(t, q.name, impersonal("With its arguments:\n"+custom+"\nFor any arguments:\n"+generic))
		}
	}
}

// check holds a plan to the rules.
func (q hotQuery) check(t *testing.T, when, plan string) {
	t.Helper()
	scanned := map[string]map[string]bool{}
	for _, m := range scan.FindAllStringSubmatch(plan, -1) {
		if scanned[m[2]] == nil {
			scanned[m[2]] = map[string]bool{}
		}
		scanned[m[2]][m[3]] = true
	}
	for table, partitions := range scanned {
		if len(partitions) > 1 {
			t.Errorf("%s, %s: %d partitions of %s:\n%s", q.name, when, len(partitions), table, plan)
		}
	}
	if strings.Contains(plan, "Seq Scan") {
		t.Errorf("%s, %s: no index serves it:\n%s", q.name, when, plan)
	}
	if q.page && sorted.MatchString(plan) {
		t.Errorf("%s, %s: no index gives its order:\n%s", q.name, when, plan)
	}
}

var (
	// scan is a scan of a table, or of a partition: 2 is the table, 3 the partition.
	scan   = regexp.MustCompile(`(Seq|Index|Index Only|Bitmap Heap) Scan (?:Backward )?(?:using \S+ )?on (\w+?)(_p\d\d)?( |\n|$)`)
	sorted = regexp.MustCompile(`(?m)^\s*(->  )?(Incremental )?Sort$`)
	// partition and literal are what differs with the person, and opened a partition that a change could be of: the plan for any arguments names them all.
	partition = regexp.MustCompile(`_p\d\d\b|_p\d\d_`)
	literal   = regexp.MustCompile(`'[^']*'`)
	opened    = regexp.MustCompile(`((?:^|\n)  (?:Update|Delete) on \w+_p\d\d \w+){2,}`)
)

// impersonal is a plan without what differs with the person and their arguments.
func impersonal(plan string) string {
	plan = opened.ReplaceAllStringFunc(plan, func(lines string) string {
		return fmt.Sprintf("\n  (of %d partitions)", strings.Count(lines, "\n"))
	})
	plan = partition.ReplaceAllStringFunc(plan, func(name string) string { return "_p**" + name[4:] })
	return literal.ReplaceAllString(plan, "'…'")
}

// practised fills a database as one has it after some years, and gives the person who has practised most.
func practised(t *testing.T, pool *pgxpool.Pool) uuid.UUID {
	t.Helper()
	s := &meditation.Scale{Seed: 7, Until: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Zones: zones(t)}
	for i := range uint64(30) {
		s.Meditations = append(s.Meditations, meditation.ScaleMeditation{ID: madeUp(100 + i), CourseID: madeUp(i / 6), Seconds: 600})
	}
	all := persons(s, 1000)
	for i := range all {
		all[i].Expected = 100
	}
	fill(t, pool, s, all)
	for _, statement := range []string{
		`INSERT INTO meditation.notes SELECT user_id, client_id, '\x00' FROM meditation.sessions WHERE change % 5 = 0`,
		"INSERT INTO meditation.positions SELECT user_id, meditation_id, 60, max(started_at) FROM meditation.sessions WHERE meditation_id IS NOT NULL GROUP BY 1, 2",
		"INSERT INTO meditation.course_completions SELECT user_id, course_id, max(started_at) FROM meditation.sessions WHERE course_id IS NOT NULL GROUP BY 1, 2",
		"VACUUM (ANALYZE)",
	} {
		if _, err := pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	var me uuid.UUID
	if err := pool.QueryRow(t.Context(), "SELECT user_id FROM meditation.people ORDER BY change DESC, user_id LIMIT 1").Scan(&me); err != nil {
		t.Fatal(err)
	}
	return me
}

// madeUp is the same id each time.
func madeUp(n uint64) uuid.UUID { return uid.At(time.Unix(1_700_000_000, 0), n, n) }

// compare holds a plan against its golden file.
func compare(t *testing.T, name, plan string) {
	t.Helper()
	file := filepath.Join("testdata", "explain", strings.NewReplacer(" ", "_", ",", "").Replace(name)+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(plan), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	golden, err := os.ReadFile(file)
	if err != nil || string(golden) != plan {
		t.Errorf("%s is planned otherwise than in %s (%v); with -update it is golden:\n%s", name, file, err, plan)
	}
}
