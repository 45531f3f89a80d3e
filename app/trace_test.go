package app

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"github.com/google/uuid"
	"gocloud.dev/blob"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1/authv1connect"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1/contentv1connect"
	healthv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/health/v1"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1/userv1connect"
	"github.com/mindspace-app/mindspace/platform/personal"
	"github.com/mindspace-app/mindspace/services/content"
)

// What a person has told, marked so that it can be found wherever it ends.
const (
	markedEmail     = "zlatoust.trace@example.org"
	markedName      = "Zlatoust Tracename"
	markedCondition = "tracecondition of the spleen"
	markedGoal      = "tracegoal to whistle"
	markedNote      = "tracenote: phoned about a whistle"
	markedThought   = "tracethought while breathing"
	markedPassword  = "trace Password whistle 7"
)

// newApp is the whole program on stores of the test's own, not running.
func newApp(t *testing.T, change ...func(*Config)) *App {
	t.Helper()
	config := configured(t)
	for _, one := range change {
		one(&config)
	}
	a, err := New(t.Context(), config, []string{"all"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// running is the whole program, running on a port of its own, with everything that it logs in a file.
type running struct {
	*App
	t   *testing.T
	url string
	log string
}

func run(t *testing.T) *running {
	t.Helper()
	dir := t.TempDir()
	r := &running{t: t, log: filepath.Join(dir, "log.json")}
	r.App = newApp(t, func(c *Config) {
		c.Environment, c.BlobURL, c.LogLevel, c.LogFile, c.LimitScale = Demo, "file://"+dir, "debug", r.log, 0
		c.ErasureCoolingOff = time.Millisecond
	})
	l, err := listen(t.Context(), "127.0.0.1:0", "", false)
	if err != nil {
		t.Fatal(err)
	}
	r.url = "http://" + l.public.Addr().String()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	if !r.awaitReady(t.Context()) {
		t.Fatal("never ready")
	}
	return r
}

// client presents an access token, over the network.
func (r *running) client(token string) *connect.Client {
	return connect.NewClient(connecthttp.NewTransport(http.DefaultClient, r.url), func(next connect.ClientFunc) connect.ClientFunc {
		return func(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
			if info, ok := connect.CallInfoForClientContext(ctx); ok && token != "" {
				info.RequestHeader().Set("Authorization", "Bearer "+token)
			}
			return next(ctx, spec)
		}
	})
}

// must gives a value, or ends the test.
func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// eventually waits for what a job does.
func (r *running) eventually(what string, come func() bool) {
	r.t.Helper()
	deadline, tick := time.Now().Add(time.Minute), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !come() {
		if time.Now().After(deadline) {
			r.t.Fatalf("waited in vain for %s", what)
		}
		<-tick.C
	}
}

func (r *running) exec(statement string, args ...any) {
	r.t.Helper()
	if _, err := r.pool.Exec(r.t.Context(), statement, args...); err != nil {
		r.t.Fatalf("%s: %v", statement, err)
	}
}

// What is held about a person can be had as a whole, and disappears as a whole: from tables, queue, caches, files and log.
func TestErasureLeavesNoTrace(t *testing.T) {
	t.Parallel()
	r := run(t)
	person, token := r.tellEverything()
	export := r.takeExport(token)
	for _, told := range []string{markedEmail, markedName, markedCondition, markedGoal, markedNote, markedThought, "Europe/Belgrade"} {
		if !strings.Contains(export, told) {
			t.Errorf("the export lacks %q", told)
		}
	}
	for _, secret := range []string{"$argon2id$", "sealed_key", "secret_hash"} {
		if strings.Contains(export, secret) {
			t.Errorf("the export has %q", secret)
		}
	}
	for table, there := range r.rowsOf(person) {
		if !there {
			t.Errorf("%s has no fact about the person: the test would not see whether one is erased", table)
		}
	}

	users := userv1connect.NewUserServiceClient(r.client(token))
	for _, place := range append(r.tracesOf(markedCondition), r.tracesOf(markedGoal)...) {
		t.Errorf("health data is in %s in clear", place)
	}
	if !slices.Contains(r.tracesOf(markedEmail), "Redis mindspace:cache:users:"+person.String()) {
		t.Error("the test does not see what is in Redis")
	}
	deleting := must[*userv1.DeleteMeResponse](t)(users.DeleteMe(t.Context(), &userv1.DeleteMeRequest{Password: markedPassword}))
	accounts := authv1connect.NewAccountServiceClient(r.client(""))
	stands := func() *authv1.Erasure {
		return must[*authv1.GetErasureResponse](t)(accounts.GetErasure(t.Context(), &authv1.GetErasureRequest{ErasureId: deleting.GetErasureId()})).GetErasure()
	}
	r.eventually("the erasure", func() bool { // not while a letter to the person is being written
		if err := r.people.erasures.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		return stands().GetState() == authv1.ErasureState_ERASURE_STATE_ERASED
	})
	// What a request that was under way wrote meanwhile.
	r.exec("INSERT INTO users.consents (user_id, id, purpose, granted, policy_version, recorded_at) VALUES ($1, gen_random_uuid(), 'marketing', true, '1', now())", person)
	r.exec("UPDATE auth.erasures SET erased_at = now() - interval '1 hour' WHERE account_id = $1 AND erased_at IS NOT NULL", person)
	if err := r.people.erasures.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, marker := range []string{person.String(), markedEmail, markedName, markedCondition, markedGoal, markedNote, markedThought} {
		for _, place := range r.tracesOf(marker) {
			t.Errorf("%q is still in %s", marker, place)
		}
	}
	receipt := stands()
	if receipt.GetState() != authv1.ErasureState_ERASURE_STATE_COMPLETE || receipt.GetBackupsUntil() == nil {
		t.Errorf("the receipt: %v", receipt)
	}
	r.checkReceipt(receipt)
}

// checkReceipt looks for every place that is declared.
func (r *running) checkReceipt(receipt *authv1.Erasure) {
	r.t.Helper()
	counts := map[string]int64{}
	for _, item := range receipt.GetItems() {
		counts[item.GetKind()+" "+item.GetName()] += item.GetCount()
		if item.GetAction() == "kept" && item.GetReason() == "" {
			r.t.Errorf("kept without a reason: %v", item)
		}
	}
	for _, d := range r.people.registry.Domains() {
		for _, table := range d.Tables {
			n, there := counts["table "+table.Name]
			if table.Owner != "" && (!there || n == 0 && table.NotExported == "") { // what is half done goes when the erasure is asked for
				r.t.Errorf("the receipt counts nothing of %s", table.Name)
			}
		}
	}
	for _, place := range []string{"files user", "cache redis"} {
		if counts[place] == 0 {
			r.t.Errorf("the receipt counts nothing of %s: %v", place, counts)
		}
	}
	if _, there := counts["queue river.river_job"]; !there {
		r.t.Error("the receipt does not name the queue")
	}
}

// tellEverything makes a person about whom there is a fact in every table.
func (r *running) tellEverything() (person uuid.UUID, token string) {
	t, ctx := r.t, r.t.Context()
	r.t.Helper()
	nobody := authv1connect.NewAuthServiceClient(r.client(""))
	registered := must[*authv1.RegisterResponse](t)(nobody.Register(ctx, &authv1.RegisterRequest{
		Email: markedEmail, Password: markedPassword, DisplayName: markedName, Locale: "sr", TimeZone: "Europe/Belgrade", Device: "phone",
	}))
	person, token = uuid.MustParse(registered.GetUserId()), registered.GetTokens().GetAccessToken()
	auth := authv1connect.NewAuthServiceClient(r.client(token))
	users := userv1connect.NewUserServiceClient(r.client(token))
	must[*authv1.EnrollTotpResponse](t)(auth.EnrollTotp(ctx, &authv1.EnrollTotpRequest{}))
	must[*authv1.BeginPasskeyRegistrationResponse](t)(auth.BeginPasskeyRegistration(ctx, &authv1.BeginPasskeyRegistrationRequest{}))
	must[*authv1.RequestPasswordResetResponse](t)(nobody.RequestPasswordReset(ctx, &authv1.RequestPasswordResetRequest{Email: markedEmail}))
	must[*userv1.UpdateMeResponse](t)(users.UpdateMe(ctx, &userv1.UpdateMeRequest{User: &userv1.User{DayStartHour: 4, CountryCode: "RS"}}))
	must[*userv1.SetConsentResponse](t)(users.SetConsent(ctx, &userv1.SetConsentRequest{Purpose: userv1.ConsentPurpose_CONSENT_PURPOSE_HEALTH_DATA, Granted: true, PolicyVersion: "1"}))
	must[*userv1.UpdateHealthProfileResponse](t)(users.UpdateHealthProfile(ctx, &userv1.UpdateHealthProfileRequest{
		Profile: &healthv1.Profile{BirthDate: "1990-01-02", Conditions: []*healthv1.Term{{Text: markedCondition}}}, Goals: []*healthv1.Term{{Text: markedGoal}},
	}))
	must[*userv1.GetHealthProfileResponse](t)(users.GetHealthProfile(ctx, &userv1.GetHealthProfileRequest{}))
	for range 3 {
		must[*userv1.GetMeResponse](t)(users.GetMe(ctx, &userv1.GetMeRequest{}))
	}
	r.eventually("letters with tokens", func() bool {
		var n int
		err := r.pool.QueryRow(ctx, "SELECT count(*) FROM auth.email_tokens WHERE account_id = $1", person).Scan(&n)
		return err == nil && n > 0
	})
	r.practise(person, token)
	r.supportActs(person)
	// What takes a browser, a provider or a day to come about.
	r.exec("INSERT INTO auth.passkeys (account_id, credential_id, credential, name, created_at) VALUES ($1, 'x', '{}', 'phone', now())", person)
	r.exec("INSERT INTO auth.recovery_codes (account_id, hash, created_at) VALUES ($1, 'x', now())", person)
	r.exec("INSERT INTO auth.identities (account_id, provider, subject, email, created_at) VALUES ($1, 'google', 'x', $2, now())", person, markedEmail)
	r.exec("INSERT INTO auth.oidc_flows (state_hash, provider, return_url, account_id, device, created_at, expires_at) VALUES ('x', 'google', '', $1, '', now(), now() + interval '1 hour')", person)
	r.exec("INSERT INTO auth.security_events (account_id, id, kind, device, created_at) VALUES ($1, gen_random_uuid(), 'new_device', 'phone', now())", person)
	r.exec("INSERT INTO auth.staff_roles (account_id, role, granted_at) VALUES ($1, 'editor', now())", person)
	r.exec("INSERT INTO auth.partner_keys (id, name, hash, scopes, created_by, created_at) VALUES (gen_random_uuid(), 'x', 'x', '{}', $1, now())", person)
	r.exec("INSERT INTO auth.erasures (id, account_id, requested_at, by_staff, erase_after, cancelled_at) VALUES (gen_random_uuid(), $1, now(), false, now(), now())", person)
	r.exec("INSERT INTO rpc.idempotency_keys (person_id, procedure, key, request_hash, claimed_at, expires_at) VALUES ($1, '/x', 'x', 'x', now(), now() + interval '1 day')", person)
	return person, token
}

// practise has the person like a meditation and practise it, with a note, and waits for what follows from that.
func (r *running) practise(person uuid.UUID, token string) {
	t, ctx := r.t, r.t.Context()
	t.Helper()
	must[bool](t)(content.NewSeeder(r.practice.catalogue, r.blobs, time.Now).Demo(ctx))
	catalogue := contentv1connect.NewContentServiceClient(r.client(token))
	one := must[*contentv1.ListMeditationsResponse](t)(catalogue.ListMeditations(ctx, &contentv1.ListMeditationsRequest{PageSize: 1})).GetMeditations()[0].GetId()
	must[*contentv1.SetFavouriteResponse](t)(catalogue.SetFavourite(ctx, &contentv1.SetFavouriteRequest{MeditationId: one, Favourite: true}))
	sessions := meditationv1connect.NewMeditationServiceClient(r.client(token))
	begun := must[*meditationv1.StartSessionResponse](t)(sessions.StartSession(ctx, &meditationv1.StartSessionRequest{
		ClientId: uuid.NewString(), MeditationId: one, StartedAt: timestamppb.New(time.Now().Add(-time.Hour)),
	}))
	id := begun.GetSession().GetId()
	must[*meditationv1.HeartbeatResponse](t)(sessions.Heartbeat(ctx, &meditationv1.HeartbeatRequest{SessionId: id, PositionSeconds: proto.Int32(60)}))
	must[*meditationv1.CompleteSessionResponse](t)(sessions.CompleteSession(ctx, &meditationv1.CompleteSessionRequest{SessionId: id, MoodAfter: 4, Note: markedThought}))
	users := userv1connect.NewUserServiceClient(r.client(token))
	must[*userv1.GetStatsResponse](t)(users.GetStats(ctx, &userv1.GetStatsRequest{}))
	r.eventually("what follows from practice", func() bool {
		var n int
		err := r.pool.QueryRow(ctx, "SELECT count(*) FROM meditation.milestones m JOIN meditation.streak_records s USING (user_id) WHERE user_id = $1", person).Scan(&n)
		return err == nil && n > 0
	})
	r.exec("UPDATE content.revisions SET author_id = $1, reviewer_id = $1, publisher_id = $1 WHERE id = (SELECT id FROM content.revisions LIMIT 1)", person)
	r.exec("INSERT INTO meditation.course_completions (user_id, course_id, completed_at) VALUES ($1, gen_random_uuid(), now())", person)
}

// supportActs has a member of staff look at the person and write about them.
func (r *running) supportActs(person uuid.UUID) {
	t, ctx := r.t, r.t.Context()
	t.Helper()
	nobody := authv1connect.NewAuthServiceClient(r.client(""))
	staff := must[*authv1.RegisterResponse](t)(nobody.Register(ctx, &authv1.RegisterRequest{Email: "support@example.org", Password: markedPassword + "x"}))
	r.exec("INSERT INTO auth.staff_roles (account_id, role, granted_at) VALUES ($1, 'support', now())", staff.GetUserId())
	login := must[*authv1.LoginResponse](t)(nobody.Login(ctx, &authv1.LoginRequest{Email: "support@example.org", Password: markedPassword + "x"}))
	support := userv1connect.NewUserAdminServiceClient(r.client(login.GetTokens().GetAccessToken()))
	must[*userv1.AddNoteResponse](t)(support.AddNote(ctx, &userv1.AddNoteRequest{UserId: person.String(), Text: markedNote}))
	must[*userv1.RevealHealthProfileResponse](t)(support.RevealHealthProfile(ctx, &userv1.RevealHealthProfileRequest{UserId: person.String(), Reason: "asked for " + markedCondition}))
	must[*userv1.GetUserResponse](t)(support.GetUser(ctx, &userv1.GetUserRequest{UserId: person.String()}))
}

// takeExport asks for an export and gives everything in it as one text.
func (r *running) takeExport(token string) string {
	t, ctx := r.t, r.t.Context()
	t.Helper()
	users := userv1connect.NewUserServiceClient(r.client(token))
	export := must[*userv1.RequestExportResponse](t)(users.RequestExport(ctx, &userv1.RequestExportRequest{})).GetExportId()
	var ready *userv1.GetExportResponse
	r.eventually("the export", func() bool {
		ready = must[*userv1.GetExportResponse](t)(users.GetExport(ctx, &userv1.GetExportRequest{ExportId: export}))
		return ready.GetState() != userv1.ExportState_EXPORT_STATE_PENDING
	})
	req := must[*http.Request](t)(http.NewRequestWithContext(ctx, http.MethodGet, r.url+strings.TrimPrefix(ready.GetDownloadUrl(), r.config.PublicURL), nil))
	req.Header.Set("Authorization", "Bearer "+token)
	res := must[*http.Response](t)(http.DefaultClient.Do(req))
	defer res.Body.Close()
	body := must[[]byte](t)(io.ReadAll(res.Body))
	if res.StatusCode != http.StatusOK || int64(len(body)) != ready.GetSizeBytes() {
		t.Fatalf("%s: %d with %d bytes; %v", ready.GetDownloadUrl(), res.StatusCode, len(body), ready)
	}
	archive := must[*zip.Reader](t)(zip.NewReader(bytes.NewReader(body), int64(len(body))))
	var all strings.Builder
	for _, file := range archive.File {
		in := must[io.ReadCloser](t)(file.Open())
		fmt.Fprintf(&all, "=== %s\n%s\n", file.Name, must[[]byte](t)(io.ReadAll(in)))
		_ = in.Close()
	}
	return all.String()
}

// rowsOf tells of each table that is declared to be about persons whether it has a row of this one.
func (r *running) rowsOf(person uuid.UUID) map[string]bool {
	r.t.Helper()
	all := map[string]bool{}
	for _, d := range r.people.registry.Domains() {
		for _, table := range d.Tables {
			columns := []string{}
			if table.Owner != "" {
				columns = append(columns, table.Owner)
			}
			for _, mention := range table.Mentions {
				if mention.Kept == "" && table.Owner == "" {
					columns = append(columns, mention.Column)
				}
			}
			for _, column := range columns {
				var there bool
				if err := r.pool.QueryRow(r.t.Context(), "SELECT EXISTS (SELECT FROM "+table.Name+" WHERE "+column+" = $1)", person.String()).Scan(&there); err != nil {
					r.t.Fatalf("%s: %v", table.Name, err)
				}
				all[table.Name+"."+column] = there
			}
		}
	}
	return all
}

// tracesOf looks for a text in every table, in Redis, in the blob store and in the log, and says where it is.
func (r *running) tracesOf(marker string) []string {
	r.t.Helper()
	ctx := r.t.Context()
	kept := r.mayBeIn(marker)
	var places []string
	rows := must[[]string](r.t)(queryTexts(ctx, r, "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"))
	for _, table := range rows {
		var there bool
		pattern, hexed := "%"+strings.ToLower(marker)+"%", "%"+hex.EncodeToString([]byte(marker))+"%"
		if err := r.pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM "+table+" x WHERE lower(x::text) LIKE $1 OR x::text LIKE $2)", pattern, hexed).Scan(&there); err != nil {
			r.t.Fatalf("%s: %v", table, err)
		}
		if there && !kept[table] {
			places = append(places, "table "+table)
		}
	}
	keys := r.redis.Scan(ctx, 0, "*", 1000).Iterator()
	for keys.Next(ctx) {
		value, err := r.redis.Get(ctx, keys.Val()).Result()
		if err != nil { // no string
			value, _ = r.redis.Dump(ctx, keys.Val()).Result()
		}
		if strings.Contains(keys.Val()+value, marker) {
			places = append(places, "Redis "+keys.Val())
		}
	}
	if err := keys.Err(); err != nil {
		r.t.Fatal(err)
	}
	objects := r.blobs.List(&blob.ListOptions{})
	for {
		object, err := objects.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			r.t.Fatal(err)
		}
		content := must[[]byte](r.t)(r.blobs.ReadAll(ctx, object.Key))
		if strings.Contains(object.Key, marker) || bytes.Contains(content, []byte(marker)) {
			places = append(places, "file "+object.Key)
		}
	}
	if log := must[[]byte](r.t)(os.ReadFile(r.log)); bytes.Contains(log, []byte(marker)) {
		places = append(places, "the log")
	}
	return places
}

// mayBeIn are the tables in which a person's id, which then leads to nobody, is declared to stay.
func (r *running) mayBeIn(marker string) map[string]bool {
	tables := map[string]bool{}
	if _, err := uuid.Parse(marker); err != nil {
		return tables
	}
	for _, d := range r.people.registry.Domains() {
		for _, table := range d.Tables {
			for _, mention := range table.Mentions {
				tables[table.Name] = tables[table.Name] || mention.Kept != ""
			}
			tables[table.Name] = tables[table.Name] || keepsID(table)
		}
	}
	return tables
}

// keepsID tells of a table whose rows stay with the id in them.
func keepsID(t personal.Table) bool { return t.Kept != "" && t.Name != "auth.erasures" }

func queryTexts(ctx context.Context, r *running, statement string) ([]string, error) {
	rows, err := r.pool.Query(ctx, statement)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
