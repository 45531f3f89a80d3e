package auth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/limit"
	"github.com/mindspace-app/mindspace/platform/mail"
	"github.com/mindspace-app/mindspace/platform/personal"
	"github.com/mindspace-app/mindspace/platform/rpc"
	"github.com/mindspace-app/mindspace/services/auth"
)

// sweeper carries out erasures in a test.
type sweeper struct {
	*auth.Erasures
	blobs *blob.Bucket
}

// folder is where the test's files of a person are.
func folder(person uuid.UUID) string { return "test/" + person.String() + "/" }

func (r *rig) sweeper(sender mail.Sender) sweeper {
	r.t.Helper()
	s := sweeper{blobs: memblob.OpenBucket(nil)}
	r.t.Cleanup(func() { _ = s.blobs.Close() })
	registry := personal.NewRegistry(personal.Domain{Name: "test", Files: folder}, rpc.Personal(), audit.Personal(), auth.Personal())
	postman := auth.NewPostman(r.pool, sender, publicURL, limit.NewShared(nil, slog.New(slog.DiscardHandler)), r.clock.Now)
	s.Erasures = auth.NewErasures(r.service, registry, s.blobs, r.rdb, postman)
	return s
}

// sweep runs it once.
func (s sweeper) sweep(t *testing.T) {
	t.Helper()
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// traces are the tables that say something of a person, or of one of their words.
func (r *rig) traces(words ...string) (found []string) {
	r.t.Helper()
	rows, err := r.pool.Query(r.t.Context(), `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`)
	if err != nil {
		r.t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		r.t.Fatal(err)
	}
	for _, table := range tables {
		for _, word := range words {
			var n int
			if err := r.pool.QueryRow(r.t.Context(), "SELECT count(*) FROM "+table+" x WHERE strpos(x::text, $1) > 0", word).Scan(&n); err != nil {
				r.t.Fatal(err)
			}
			if n > 0 {
				found = append(found, table)
				break
			}
		}
	}
	return found
}

// everything is written about a person in every table of sign-in.
func (r *rig) everything(person string) {
	r.t.Helper()
	for _, p := range perished {
		if p.table != "erasures" {
			r.exec(p.insert, person, uuid.New(), r.clock.Now().Add(time.Hour))
		}
	}
	r.exec("INSERT INTO auth.identities (account_id, provider, subject, email, created_at) VALUES ($1, 'x', 'y', 'ana@example.org', now())", person)
	r.exec("INSERT INTO rpc.idempotency_keys (person_id, procedure, key, request_hash, claimed_at, expires_at) VALUES ($1, 'x', 'y', '', now(), now())", person)
	r.exec("INSERT INTO auth.staff_roles (account_id, role, granted_at) VALUES ($1, 'editor', now())", person)
	r.exec("INSERT INTO auth.partner_keys (id, name, hash, scopes, created_by, created_at) VALUES ($1, 'x', '', '{}', $2, now())", uuid.New(), person)
}

func TestErasure(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	support := r.staff("admin@example.org", "admin")
	tokens, _ := r.owner("ana@example.org")
	r.withTotp(tokens)
	person := r.personOf(tokens).GetUserId()
	if err := supportCalls["EndAccountSessions"](t.Context(), r.supportAs(support), person, reason); err != nil {
		t.Fatal(err)
	}
	r.exec("UPDATE auth.accounts SET email_verified_at = now(), locale = 'sr' WHERE id = $1", person)
	r.exec("UPDATE auth.staff_roles SET granted_by = $1", person)
	r.everything(person)
	s := r.sweeper(r.post)
	for _, name := range []string{folder(uuid.MustParse(person)) + "a.zip", "test/other/b.zip"} {
		if err := s.blobs.WriteAll(t.Context(), name, []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.rdb.Set(t.Context(), "letter:x:"+person, 1, time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	res, err := r.supportAs(support).RequestAccountErasure(t.Context(), &authv1.RequestAccountErasureRequest{UserId: person, Reason: reason})
	if err != nil {
		t.Fatal(err)
	}
	r.clock.advance(coolingOff - time.Second)
	s.sweep(t)
	if got := r.receipt(res.GetErasureId()); got.GetState() != authv1.ErasureState_ERASURE_STATE_SCHEDULED {
		t.Fatalf("before its time: %v", got)
	}
	r.clock.advance(time.Second)
	s.sweep(t)
	r.isErased(s, person, res.GetErasureId())
	letters := r.deliver("ana@example.org")
	if len(letters) != 1 || letters[0].Subject != "Svi podaci o vama su obrisani" || !strings.Contains(letters[0].Text, res.GetErasureId()) ||
		!strings.Contains(letters[0].Text, r.clock.Now().Add(30*day).Format("2006-01-02")) {
		t.Errorf("letters: %v", letters)
	}
	// What a request under way has written meanwhile goes too.
	r.exec("INSERT INTO rpc.idempotency_keys (person_id, procedure, key, request_hash, claimed_at, expires_at) VALUES ($1, 'x', 'late', '', now(), now())", person)
	r.clock.advance(20*time.Minute - time.Second)
	s.sweep(t)
	if got := r.receipt(res.GetErasureId()); got.GetState() != authv1.ErasureState_ERASURE_STATE_ERASED {
		t.Errorf("before it has settled: %v", got)
	}
	r.clock.advance(time.Second)
	for range 2 {
		s.sweep(t)
	}
	r.isComplete(person, res.GetErasureId())
	if log := r.log.String(); strings.Contains(log, person) || strings.Contains(log, "ana@") || strings.Contains(log, res.GetErasureId()) {
		t.Errorf("the log: %s", log)
	}
}

// isErased checks what is left right after an erasure.
func (r *rig) isErased(s sweeper, person, erasure string) {
	r.t.Helper()
	got := r.receipt(erasure)
	if got.GetState() != authv1.ErasureState_ERASURE_STATE_ERASED || !got.GetErasedAt().AsTime().Equal(r.clock.Now()) ||
		!got.GetBackupsUntil().AsTime().Equal(r.clock.Now().Add(30*day)) {
		r.t.Errorf("the receipt: %v", got)
	}
	counts := map[string]int64{}
	for _, item := range got.GetItems() {
		counts[strings.Join([]string{item.GetKind(), item.GetName(), item.GetAction()}, " ")] = item.GetCount()
		if (item.GetAction() == "kept") != (item.GetReason() != "") {
			r.t.Errorf("%v", item)
		}
	}
	for place, want := range map[string]int64{
		"table auth.accounts deleted": 1, "table auth.identities deleted": 1, "table auth.totps deleted": 1, "table auth.passkeys deleted": 1,
		"table rpc.idempotency_keys deleted": 1, "table audit.person_keys deleted": 1, "table audit.records kept": 2, "table auth.erasures kept": 1,
		"table auth.staff_roles.granted_by cleared": 1, "table auth.partner_keys.created_by cleared": 1, "files test deleted": 1, "cache redis deleted": 1,
	} {
		if n, there := counts[place]; !there || n != want {
			r.t.Errorf("%s: %d on the receipt, want %d", place, n, want)
		}
	}
	if text := got.String(); strings.Contains(text, person) || strings.Contains(text, "ana@") {
		r.t.Errorf("the receipt names somebody: %s", text)
	}
	for _, table := range r.traces(person, "ana@example.org") {
		if table != "audit.records" && table != "auth.erasures" {
			r.t.Errorf("%s knows the person still", table)
		}
	}
	for _, one := range r.records() {
		if one.person == nil || one.person.String() != person {
			continue
		}
		if _, _, err := audit.New(r.keys).Reveal(r.t.Context(), r.pool, one.id); !errors.Is(err, audit.ErrErased) {
			r.t.Errorf("%s can be read still: %v", one.action, err)
		}
	}
	if here, err := s.blobs.Exists(r.t.Context(), folder(uuid.MustParse(person))+"a.zip"); here || err != nil {
		r.t.Errorf("the file is there: %t, %v", here, err)
	}
	if there, err := s.blobs.Exists(r.t.Context(), "test/other/b.zip"); !there || err != nil {
		r.t.Errorf("another person's file: %t, %v", there, err)
	}
	if n := r.rdb.Exists(r.t.Context(), "letter:x:"+person).Val(); n != 0 {
		r.t.Error("Redis has a key with the person's id")
	}
}

// isComplete checks a receipt that is nobody's any more.
func (r *rig) isComplete(person, erasure string) {
	r.t.Helper()
	got := r.receipt(erasure)
	if got.GetState() != authv1.ErasureState_ERASURE_STATE_COMPLETE {
		r.t.Errorf("the receipt: %v", got)
	}
	for _, item := range got.GetItems() {
		switch item.GetName() {
		case "rpc.idempotency_keys": // one more was found
			if item.GetCount() != 2 {
				r.t.Errorf("%v", item)
			}
		case "audit.records", "auth.accounts": // none was
			if want := map[string]int64{"audit.records": 2, "auth.accounts": 1}[item.GetName()]; item.GetCount() != want {
				r.t.Errorf("%v", item)
			}
		}
	}
	if found := r.traces(person, "ana@example.org"); len(found) != 1 || found[0] != "audit.records" {
		r.t.Errorf("known to %v", found)
	}
}

// The last moment: whichever comes first, the other finds it done.
func TestSignInAndErasureAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.sweeper(r.post)
	won := map[bool]int{}
	for round := range 20 {
		email := fmt.Sprintf("ana%d@example.org", round)
		asked := r.requestErasure(r.register(email).GetTokens())
		r.exec("DELETE FROM river.river_job")
		r.clock.advance(coolingOff)
		var tokens *authv1.Tokens
		var all sync.WaitGroup
		all.Go(func() {
			res, err := r.client.Login(r.from("192.0.2.1"), &authv1.LoginRequest{Email: email, Password: goodPassword})
			if tokens = res.GetTokens(); err != nil {
				refused(t, "after the erasure", err, connect.CodeUnauthenticated, "CREDENTIALS_WRONG")
			}
		})
		all.Go(func() { s.sweep(t) })
		all.Wait()
		state := r.receipt(asked.GetErasureId()).GetState()
		switch signedIn := tokens != nil; {
		case signedIn && state == authv1.ErasureState_ERASURE_STATE_CANCELLED:
			if err := r.callerOf(tokens); err != nil || r.receiptState(email) != "" {
				t.Errorf("signed in: %v", err)
			}
			won[true]++
		case !signedIn && state == authv1.ErasureState_ERASURE_STATE_ERASED:
			if found := r.traces(email); len(found) != 0 {
				t.Errorf("known to %v", found)
			}
			won[false]++
		default:
			t.Errorf("signed in %t, the erasure is %v", signedIn, state)
		}
	}
	t.Logf("the sign-in won %d times of 20", won[true])
}

// Late is not too late, while nobody has swept.
func TestErasureCancelledAtTheLastMoment(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.sweeper(r.post)
	asked := r.requestErasure(r.register("ana@example.org").GetTokens())
	r.exec("DELETE FROM river.river_job")
	r.clock.advance(coolingOff + time.Minute)
	r.login("ana@example.org")
	s.sweep(t)
	if got := r.receipt(asked.GetErasureId()); got.GetState() != authv1.ErasureState_ERASURE_STATE_CANCELLED {
		t.Errorf("the erasure: %v", got)
	}
	r.login("ana@example.org")
}

// While a job about a person runs, nothing of theirs is touched; others do not wait for that.
func TestErasureWaitsForJobs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.sweeper(r.post)
	busy, other := r.register("busy@example.org"), r.register("other@example.org")
	ids := []string{r.requestErasure(busy.GetTokens()).GetErasureId(), r.requestErasure(other.GetTokens()).GetErasureId()}
	r.exec("UPDATE river.river_job SET state = 'running', attempted_at = now() WHERE args::text LIKE '%' || $1 || '%'", busy.GetUserId())
	r.clock.advance(coolingOff)
	s.sweep(t)
	for i, want := range []authv1.ErasureState{authv1.ErasureState_ERASURE_STATE_SCHEDULED, authv1.ErasureState_ERASURE_STATE_ERASED} {
		if got := r.receipt(ids[i]); got.GetState() != want {
			t.Errorf("%d: %v", i, got)
		}
	}
	if found := r.traces("other@example.org", other.GetUserId()); len(found) != 1 || found[0] != "auth.erasures" {
		t.Errorf("known to %v", found)
	}
	r.exec("UPDATE river.river_job SET state = 'completed', finalized_at = now()")
	s.sweep(t)
	if got := r.receipt(ids[0]); got.GetState() != authv1.ErasureState_ERASURE_STATE_ERASED {
		t.Errorf("after the job: %v", got)
	}
}

// deaf is a mail server that is away.
type deaf struct{}

func (deaf) Send(context.Context, mail.Message) error {
	return errors.New("ana@example.org: no answer")
}

// Somebody who cannot be erased holds up nobody, and is tried again; a mail server that is away holds up nothing.
func TestErasureThatFails(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.sweeper(deaf{})
	stuck, other := r.register("stuck@example.org"), r.register("other@example.org")
	ids := []string{r.requestErasure(stuck.GetTokens()).GetErasureId(), r.requestErasure(other.GetTokens()).GetErasureId()}
	r.exec("CREATE FUNCTION auth.stick() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'stuck'; END $$")
	r.exec("CREATE TRIGGER stick BEFORE DELETE ON auth.accounts FOR EACH ROW WHEN (OLD.email = 'stuck@example.org') EXECUTE FUNCTION auth.stick()")
	r.clock.advance(coolingOff)
	err := s.Sweep(t.Context())
	if err == nil || strings.Contains(err.Error(), stuck.GetUserId()) || strings.Contains(err.Error(), ids[0]) {
		t.Errorf("got %v", err)
	}
	if got := r.receipt(ids[1]); got.GetState() != authv1.ErasureState_ERASURE_STATE_ERASED {
		t.Errorf("the other one: %v", got)
	}
	if got := r.login("stuck@example.org"); got.GetTokens() == nil {
		t.Error("what was not erased is there")
	}
	if log := r.log.String(); strings.Contains(log, "other@") || strings.Contains(log, "ana@") || !strings.Contains(log, "the last letter") {
		t.Errorf("the log: %s", log)
	}
}

// Several processes sweep at once: each person is erased once, and gets one letter.
func TestSweepsAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.sweeper(r.post)
	const people = 8
	for i := range people {
		r.requestErasure(r.register(fmt.Sprintf("ana%d@example.org", i)).GetTokens())
	}
	r.exec("DELETE FROM river.river_job")
	for _, wait := range []time.Duration{coolingOff, 20 * time.Minute} {
		r.clock.advance(wait)
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() { s.sweep(t) })
		}
		all.Wait()
	}
	s.sweep(t) // what one left to another that had not committed
	var complete int
	err := r.pool.QueryRow(t.Context(), `SELECT count(*) FROM auth.erasures WHERE completed_at IS NOT NULL AND account_id IS NULL
		AND items @> '[{"name": "auth.accounts", "count": 1}]'`).Scan(&complete)
	if err != nil || complete != people || len(r.post.sent) != people {
		t.Errorf("%d complete, %d letters, %v", complete, len(r.post.sent), err)
	}
}

// An erasure that was called off years before names nobody either, once the person is erased.
func TestEarlierErasuresForgetThePerson(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.sweeper(r.post)
	first := r.requestErasure(r.register("ana@example.org").GetTokens())
	second := r.requestErasure(r.login("ana@example.org").GetTokens())
	r.exec("DELETE FROM river.river_job")
	for _, wait := range []time.Duration{coolingOff, 20 * time.Minute} {
		r.clock.advance(wait)
		s.sweep(t)
	}
	var named int
	if err := r.pool.QueryRow(t.Context(), "SELECT count(account_id) FROM auth.erasures").Scan(&named); err != nil || named != 0 {
		t.Errorf("%d erasures name somebody, %v", named, err)
	}
	if a, b := r.receipt(first.GetErasureId()).GetState(), r.receipt(second.GetErasureId()).GetState(); a != authv1.ErasureState_ERASURE_STATE_CANCELLED || b != authv1.ErasureState_ERASURE_STATE_COMPLETE {
		t.Errorf("the erasures are %v and %v", a, b)
	}
}

// Whatever has the comment person in these schemas is declared.
func TestEveryPersonalColumnIsDeclared(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	registry := personal.NewRegistry(rpc.Personal(), audit.Personal(), auth.Personal())
	if err := registry.Check(t.Context(), r.pool); err != nil {
		for _, schema := range []string{"auth.", "rpc.", "audit."} {
			if strings.Contains(err.Error(), schema) {
				t.Errorf("%v", err)
			}
		}
	}
}

// A suspended person cannot call their erasure off, so it waits, and afterwards they have the whole time again.
func TestErasureWaitsForTheSuspended(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	s := r.sweeper(r.post)
	support := r.supportAs(r.staff("support@example.org", "support"))
	tokens := r.register("ana@example.org").GetTokens()
	person := r.personOf(tokens).GetUserId()
	erasure := r.requestErasure(tokens).GetErasureId()
	if _, err := support.SuspendAccount(t.Context(), &authv1.SuspendAccountRequest{UserId: person, Reason: "a test"}); err != nil {
		t.Fatal(err)
	}
	r.clock.advance(30 * 24 * time.Hour)
	support = r.supportAs(r.login("support@example.org").GetTokens())
	s.sweep(t)
	if state := r.receipt(erasure).GetState(); state != authv1.ErasureState_ERASURE_STATE_SCHEDULED {
		t.Fatalf("suspended, the erasure is %v", state)
	}
	_, err := support.RequestAccountErasure(t.Context(), &authv1.RequestAccountErasureRequest{UserId: person, Reason: "a test"})
	refused(t, "support asks for one", err, connect.CodeFailedPrecondition, "ACCOUNT_SUSPENDED")
	if _, err := support.ResumeAccount(t.Context(), &authv1.ResumeAccountRequest{UserId: person, Reason: "a test"}); err != nil {
		t.Fatal(err)
	}
	s.sweep(t)
	got := r.receipt(erasure)
	if due := got.GetEraseAfter().AsTime(); got.GetState() != authv1.ErasureState_ERASURE_STATE_SCHEDULED || due.Before(r.clock.Now().Add(6*24*time.Hour)) {
		t.Errorf("resumed, the erasure is %v, due at %s", got.GetState(), due)
	}
	r.clock.advance(8 * 24 * time.Hour)
	s.sweep(t)
	if state := r.receipt(erasure).GetState(); state != authv1.ErasureState_ERASURE_STATE_ERASED {
		t.Errorf("then it is %v", state)
	}
}
