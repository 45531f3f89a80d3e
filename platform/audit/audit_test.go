package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/protobuf/types/known/structpb"

	policyv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/policy/v1"
	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
	"github.com/mindspace-app/mindspace/platform/secret"
)

func newKeyring(tb testing.TB) *secret.Keyring {
	tb.Helper()
	k, err := secret.Generate(false)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// fixture is a database and a log that writes to it.
type fixture struct {
	pool *pgxpool.Pool
	ring *secret.Keyring
	log  *audit.Log
}

func newFixture(tb testing.TB) *fixture {
	tb.Helper()
	ring := newKeyring(tb)
	return &fixture{pool: pgtest.New(tb, migrations.FS), ring: ring, log: audit.New(ring)}
}

// published is an entry without personal values.
func published(id string) audit.Entry {
	return audit.Entry{
		Action: "content.meditation.publish", SubjectType: "meditation", SubjectID: id,
		Before: map[string]any{"state": "draft"}, After: map[string]any{"state": "published"},
	}
}

// record commits an entry and gives the record's id.
func (f *fixture) record(ctx context.Context, tb testing.TB, e audit.Entry) uuid.UUID {
	tb.Helper()
	var id uuid.UUID
	err := postgres.InTx(ctx, f.pool, func(tx pgx.Tx) error {
		if err := f.log.Record(ctx, tx, e); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT id FROM audit.records ORDER BY recorded_at DESC, id DESC LIMIT 1`).Scan(&id)
	})
	if err != nil {
		tb.Fatalf("record: %v", err)
	}
	return id
}

func (f *fixture) exec(tb testing.TB, sql string, args ...any) {
	tb.Helper()
	if _, err := f.pool.Exec(context.Background(), sql, args...); err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
}

func (f *fixture) count(tb testing.TB, sql string, args ...any) int {
	tb.Helper()
	var n int
	if err := f.pool.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
	return n
}

func TestRecordTakesActorAndRequestFromTheContext(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	person := uuid.Must(uuid.NewV7())
	base := context.Background()
	request := identity.Request{ID: "req-1", Address: netip.MustParseAddr("198.51.100.77")}
	staff := identity.Caller{UserID: person, Roles: []policyv1.Role{policyv1.Role_ROLE_EDITOR, policyv1.Role_ROLE_ADMIN}}
	from := func(address string) identity.Request { return identity.Request{Address: netip.MustParseAddr(address)} }
	cases := map[string]struct {
		caller  identity.Caller
		request identity.Request
		kind    string
		id      string
		roles   []string
		prefix  string
	}{
		"job":                  {identity.Caller{}, identity.Request{}, "system", "", nil, ""},
		"nobody in a request":  {identity.Caller{}, request, "anonymous", "", nil, "198.51.100.0/24"},
		"user":                 {identity.Caller{UserID: person}, request, "user", person.String(), nil, "198.51.100.0/24"},
		"staff":                {staff, identity.Request{}, "staff", person.String(), []string{"editor", "admin"}, ""},
		"partner":              {identity.Caller{Partner: "acme"}, identity.Request{}, "partner", "acme", nil, ""},
		"service":              {identity.Caller{Service: "recommendation"}, identity.Request{}, "service", "recommendation", nil, ""},
		"service for a person": {identity.Caller{Service: "recommendation", UserID: person}, identity.Request{}, "user", person.String(), nil, ""},
		"IPv6":                 {identity.Caller{}, from("2001:db8:1:2:3:4:5:6"), "anonymous", "", nil, "2001:db8:1::/48"},
		"IPv6 with a zone":     {identity.Caller{}, from("fe80::1%eth0"), "anonymous", "", nil, "fe80::/48"},
		"IPv4 in IPv6":         {identity.Caller{}, from("::ffff:203.0.113.9"), "anonymous", "", nil, "203.0.113.0/24"},
	}
	for name, c := range cases {
		id := f.record(identity.WithCaller(identity.WithRequest(base, c.request), c.caller), t, published(name))
		var kind, actor, requestID string
		var roles []string
		var prefix *netip.Prefix
		err := f.pool.QueryRow(base, `SELECT actor_kind, actor_id, actor_roles, request_id, address_prefix FROM audit.records WHERE id = $1`, id).
			Scan(&kind, &actor, &roles, &requestID, &prefix)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if prefix != nil {
			got = prefix.String()
		}
		if kind != c.kind || actor != c.id || !slices.Equal(roles, c.roles) || got != c.prefix {
			t.Errorf("%s: got %s %q %v %s; want %s %q %v %s", name, kind, actor, roles, got, c.kind, c.id, c.roles, c.prefix)
		}
		if want := c.request.ID; requestID != want {
			t.Errorf("%s: request %q, want %q", name, requestID, want)
		}
	}
}

func TestRecordStoresValuesOfNobodyInClear(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	message, err := structpb.NewStruct(map[string]any{"title": "Ночь"})
	if err != nil {
		t.Fatal(err)
	}
	var typedNil *structpb.Struct
	cases := map[string]struct {
		before, after any
		want          [2]string
	}{
		"nothing":   {nil, nil, [2]string{"", ""}},
		"typed nil": {typedNil, (*int)(nil), [2]string{"", ""}},
		"null":      {json.RawMessage("null"), 0, [2]string{"", "0"}},
		"a struct":  {struct{ A int }{1}, []string{"x", "\x00"}, [2]string{`{"A":1}`, `["x","\u0000"]`}},
		"a message": {message, message, [2]string{`{"title":"Ночь"}`, `{"title":"Ночь"}`}},
	}
	for name, c := range cases {
		e := published(name)
		e.Before, e.After = c.before, c.after
		id := f.record(context.Background(), t, e)
		before, after, err := f.log.Reveal(context.Background(), f.pool, id)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if string(before) != c.want[0] || string(after) != c.want[1] {
			t.Errorf("%s: got %s and %s, want %v", name, before, after, c.want)
		}
	}
	if n := f.count(t, `SELECT count(*) FROM audit.person_keys`); n != 0 {
		t.Errorf("%d keys were made for nobody", n)
	}
}

func TestRecordRefusesWhatIsNotAnEntry(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	change := func(edit func(*audit.Entry)) audit.Entry {
		e := published("m1")
		edit(&e)
		return e
	}
	cases := map[string]audit.Entry{
		"no action":           change(func(e *audit.Entry) { e.Action = "" }),
		"action of one word":  change(func(e *audit.Entry) { e.Action = "publish" }),
		"action in camel":     change(func(e *audit.Entry) { e.Action = "content.publishMeditation" }),
		"action with a line":  change(func(e *audit.Entry) { e.Action = "content.publish\n" }),
		"action too long":     change(func(e *audit.Entry) { e.Action = "a." + strings.Repeat("b", 100) }),
		"no subject type":     change(func(e *audit.Entry) { e.SubjectType = "" }),
		"subject type dotted": change(func(e *audit.Entry) { e.SubjectType = "content.meditation" }),
		"no subject id":       change(func(e *audit.Entry) { e.SubjectID = "" }),
		"subject id too long": change(func(e *audit.Entry) { e.SubjectID = strings.Repeat("x", 201) }),
		"subject id with NUL": change(func(e *audit.Entry) { e.SubjectID = "a\x00b" }),
		"subject id not text": change(func(e *audit.Entry) { e.SubjectID = "a\xff" }),
		"before not JSON":     change(func(e *audit.Entry) { e.Before = make(chan int) }),
		"after not JSON":      change(func(e *audit.Entry) { e.After = json.RawMessage("{") }),
		"after too long":      change(func(e *audit.Entry) { e.After = strings.Repeat("x", audit.MaxValueSize) }),
	}
	for name, e := range cases {
		ctx, recorded := audit.Watch(context.Background())
		err := postgres.InTx(ctx, f.pool, func(tx pgx.Tx) error { return f.log.Record(ctx, tx, e) })
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
		if _, ok := fault.As(err); ok {
			t.Errorf("%s: %v is a fault, but the caller of the method is not to blame", name, err)
		}
		if recorded() {
			t.Errorf("%s: the watch says that it was recorded", name)
		}
	}
	if n := f.count(t, `SELECT count(*) FROM audit.records`); n != 0 {
		t.Errorf("%d records were made", n)
	}
}

func TestRequestIDFromOutsideIsMadeFit(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := identity.WithRequest(context.Background(), identity.Request{ID: "a\x00b\r\n\xff" + strings.Repeat("я", 100)})
	id := f.record(ctx, t, published("m1"))
	var got string
	if err := f.pool.QueryRow(ctx, `SELECT request_id FROM audit.records WHERE id = $1`, id).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if want := "ab" + strings.Repeat("я", 63); got != want {
		t.Errorf("request id %q, want %q", got, want)
	}
}

func TestRollbackLeavesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	undo := errors.New("undo")
	e := published("m1")
	e.Person = uuid.Must(uuid.NewV7())
	err := postgres.InTx(context.Background(), f.pool, func(tx pgx.Tx) error {
		if err := f.log.Record(context.Background(), tx, e); err != nil {
			return err
		}
		return undo
	})
	if !errors.Is(err, undo) {
		t.Fatal(err)
	}
	for _, table := range []string{"records", "unsealed", "person_keys", "links"} {
		if n := f.count(t, `SELECT count(*) FROM audit.`+table); n != 0 {
			t.Errorf("audit.%s has %d rows after the rollback", table, n)
		}
	}
}

func TestRecordsAndLinksAreAppendOnly(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.record(context.Background(), t, published("m1"))
	if _, err := audit.Seal(context.Background(), f.pool, 10); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`UPDATE audit.records SET action = 'a.b'`, `UPDATE audit.records SET before = NULL WHERE false`,
		`DELETE FROM audit.records`, `TRUNCATE audit.records`,
		`UPDATE audit.links SET seq = 2`, `DELETE FROM audit.links`, `TRUNCATE audit.links`,
		`INSERT INTO audit.links (seq, record_id, hash) SELECT seq, record_id, hash FROM audit.links ON CONFLICT (seq) DO UPDATE SET hash = excluded.hash`,
	} {
		for _, role := range []string{"origin", "replica"} {
			err := postgres.InTx(context.Background(), f.pool, func(tx pgx.Tx) error {
				if _, err := tx.Exec(context.Background(), `SET LOCAL session_replication_role = `+role); err != nil {
					t.Fatal(err)
				}
				_, err := tx.Exec(context.Background(), statement)
				return err
			})
			var refused *pgconn.PgError
			if !errors.As(err, &refused) || refused.Code != "55000" || !strings.Contains(refused.Message, "append only") {
				t.Errorf("%s as %s: got %v, want a refusal", statement, role, err)
			}
		}
	}
	if n := f.count(t, `SELECT count(*) FROM audit.records r JOIN audit.links l ON l.record_id = r.id AND l.seq = 1`); n != 1 {
		t.Errorf("%d sealed records, want 1", n)
	}
}

// The table itself refuses what Record would never write.
func TestTableRefusesPersonalValuesInClear(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const insert = `INSERT INTO audit.records (id, actor_kind, actor_id, actor_roles, action, subject_type, subject_id, request_id, person_id, key_id, before, address_prefix)
		VALUES (gen_random_uuid(), 'system', '', '{}', 'a.b', 'thing', '1', '', $1, $2, $3, $4)`
	person, key := uuid.New(), uuid.New()
	for constraint, args := range map[string][]any{
		"":                       {person, key, []byte("sealed"), "192.0.2.0/24"},
		"records_person_values":  {person, nil, []byte("clear"), nil},
		"records_person_values ": {nil, key, []byte("sealed by nobody"), nil},
		"records_address_prefix": {nil, nil, nil, "192.0.2.1/32"},
	} {
		_, err := f.pool.Exec(context.Background(), insert, args...)
		if got := postgres.Constraint(err); got != strings.TrimSpace(constraint) || (err == nil) != (constraint == "") {
			t.Errorf("want a violation of %q, got %v", constraint, err)
		}
	}
}

func TestWatchSeesOnlyItsOwn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	outer, outerRecorded := audit.Watch(context.Background())
	inner, innerRecorded := audit.Watch(outer)
	if outerRecorded() || innerRecorded() {
		t.Fatal("a fresh watch says that something was recorded")
	}
	f.record(context.Background(), t, published("elsewhere"))
	if outerRecorded() || innerRecorded() {
		t.Fatal("a watch saw a record of another context")
	}
	f.record(inner, t, published("m1"))
	if !innerRecorded() || outerRecorded() {
		t.Fatalf("inner %v, outer %v: want only the inner one to notice", innerRecorded(), outerRecorded())
	}
	derived, cancel := context.WithCancel(outer)
	defer cancel()
	f.record(derived, t, published("m2"))
	if !outerRecorded() {
		t.Fatal("a derived context lost its watch")
	}
}
