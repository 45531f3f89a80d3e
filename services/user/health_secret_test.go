package user_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	healthv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/health/v1"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/platform/secret"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
)

// secrets are words and numbers of everything() that must be found nowhere.
var secrets = []string{"thrombosis", "Sintrom", "milk", "hot climate", "ferritin", "MK-7", "bone health", "63.25"}

func TestHealthProfileIsSealed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana, mila := r.Register("ana@example.org"), r.Register("mila@example.org")
	r.agrees(ana)
	r.agrees(mila)
	r.tells(ana, everything(), &healthv1.Term{Text: "bone health"})
	r.health(ana)
	inRedis := r.cachesUntil(ana, "ana@example.org")
	var row []byte
	if err := r.Pool.QueryRow(t.Context(), "SELECT sealed FROM users.health_profiles WHERE user_id = $1", ana.ID).Scan(&row); err != nil {
		t.Fatal(err)
	}
	found := map[string][]byte{"the row": row, "the log": []byte(r.Log.String()), "Redis": inRedis}
	for where, text := range found {
		for _, secret := range secrets {
			if bytes.Contains(bytes.ToLower(text), []byte(strings.ToLower(secret))) {
				t.Errorf("%s holds %q", where, secret)
			}
		}
	}
	// Somebody else's row does not open as one's own.
	if _, err := r.Pool.Exec(t.Context(), "INSERT INTO users.health_profiles SELECT $2, sealed, revision, updated_at FROM users.health_profiles WHERE user_id = $1", ana.ID, mila.ID); err != nil {
		t.Fatal(err)
	}
	for what, call := range map[string]func() error{
		"reading": func() error {
			_, err := r.as(mila).GetHealthProfile(t.Context(), &userv1.GetHealthProfileRequest{})
			return err
		},
		"writing": func() error {
			_, err := r.as(mila).UpdateHealthProfile(t.Context(), &userv1.UpdateHealthProfileRequest{Profile: everything()})
			return err
		},
	} {
		if err := call(); connect.CodeOf(err) != connect.CodeInternal {
			t.Errorf("%s a row of somebody else's: %v", what, err)
		}
	}
	if !strings.Contains(r.Log.String(), "open the health profile of "+mila.ID.String()) {
		t.Errorf("the log does not say which profile does not open: %s", r.Log)
	}
	// The way out: what cannot be opened can be withdrawn.
	r.answers(mila, false)
	if n := r.healthRows(); n != 1 {
		t.Errorf("%d rows", n)
	}
}

// A key that is not here any more is named. What is stored stays as it is, until the key is back or the person withdraws.
func TestHealthProfileWithoutItsKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.org")
	r.agrees(ana)
	r.tells(ana, everything())
	keys := r.service.Keys
	other, err := secret.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	var row []byte
	if err := r.Pool.QueryRow(t.Context(), "SELECT sealed FROM users.health_profiles").Scan(&row); err != nil {
		t.Fatal(err)
	}
	id, _ := secret.KeyOf(row)
	r.service.Keys = other
	_, err = r.as(ana).GetHealthProfile(t.Context(), &userv1.GetHealthProfileRequest{})
	refused(t, "reading", err, connect.CodeUnavailable, secret.ReasonKeyMissing)
	if err == nil || !strings.Contains(err.Error(), strconv.Itoa(int(id))) {
		t.Errorf("%v does not name key %d", err, id)
	}
	_, err = r.as(ana).UpdateHealthProfile(t.Context(), &userv1.UpdateHealthProfileRequest{Profile: &healthv1.Profile{}})
	refused(t, "writing", err, connect.CodeUnavailable, secret.ReasonKeyMissing)
	r.service.Keys = keys
	if got := r.health(ana); got.GetRevision() != 1 || !proto.Equal(got.GetProfile(), everything()) {
		t.Errorf("with the key again: %v", got)
	}
}

// cachesUntil has a person's profile cached until Redis is seen to hold a text of it, and gives all that it holds then: a machine in trouble may be too
// slow for the cache, which then goes on without Redis.
func (r *rig) cachesUntil(p *authtest.Person, text string) []byte {
	r.t.Helper()
	for range 100 {
		if _, err := r.as(p).UpdateMe(r.t.Context(), &userv1.UpdateMeRequest{User: &userv1.User{DisplayName: "Ana"}}); err != nil { // drops what is cached
			r.t.Fatal(err)
		}
		if _, err := r.as(p).GetMe(r.t.Context(), &userv1.GetMeRequest{}); err != nil {
			r.t.Fatal(err)
		}
		if all := r.redisText(); bytes.Contains(all, []byte(text)) {
			return all
		}
		<-time.After(50 * time.Millisecond)
	}
	r.t.Fatal("the test does not see what Redis holds")
	return nil
}

// redisText is every key and value of the test's Redis.
func (r *rig) redisText() []byte {
	r.t.Helper()
	var all bytes.Buffer
	keys := r.Redis.Scan(r.t.Context(), 0, "*", 1000).Iterator()
	for keys.Next(r.t.Context()) {
		dump, err := r.Redis.Get(r.t.Context(), keys.Val()).Bytes()
		if err != nil {
			other, _ := r.Redis.Dump(r.t.Context(), keys.Val()).Result()
			dump = []byte(other)
		}
		all.WriteString(keys.Val() + "\n")
		all.Write(dump)
	}
	if err := keys.Err(); err != nil {
		r.t.Fatal(err)
	}
	return all.Bytes()
}

// post sends JSON over HTTP, as an app does.
func (r *rig) post(p *authtest.Person, method, body string) (status int, answer string) {
	r.t.Helper()
	mux := http.NewServeMux()
	if err := r.Server.MountPublic(mux); err != nil {
		r.t.Fatal(err)
	}
	web := httptest.NewServer(mux)
	defer web.Close()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, web.URL+"/mindspace.user.v1.UserService/"+method, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+p.Tokens.GetAccessToken())
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	all, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, string(all)
}

func TestHealthProfileJSON(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ana := r.Register("ana@example.org")
	r.agrees(ana)
	for _, bad := range []struct{ body, reason, field string }{
		{`{"profile":{"medication":[{"text":"Sintrom 4 mg"}]}}`, "FIELD_UNKNOWN", "medication"},
		{`{"profile":{"sex":"SEX_FEMALE","lifestyle":{"smokes":true}}}`, "FIELD_UNKNOWN", "smokes"},
		{`{"profile":{"medications":[{"name":"Sintrom"}]}}`, "FIELD_UNKNOWN", "name"},
		{`{"profile":{},"goal":[{"text":"sleep"}]}`, "FIELD_UNKNOWN", "goal"},
		{`{"profile":{"ageYears":31,"weightKg":900}}`, "REQUEST_INVALID", "profile.weightKg"},
		{`{"profile":{"weightKg":"NaN"}}`, "REQUEST_INVALID", "profile.weightKg"},
		{`{"profile":{"sex":"SEX_MALE","pregnancy":{"status":"PREGNANCY_STATUS_PREGNANT"}}}`, "REQUEST_INVALID", "profile.pregnancy.status"},
		{`{"profile":{"medications":["Sintrom"]}}`, "BODY_MALFORMED", ""},
		{`{"profile":{"sex":"FEMALE"}}`, "BODY_MALFORMED", ""},
	} {
		status, answer := r.post(ana, "UpdateHealthProfile", bad.body)
		var told struct {
			Code    string
			Details []struct {
				Debug struct {
					Reason          string
					FieldViolations []struct{ Field string }
				}
			}
		}
		if err := json.Unmarshal([]byte(answer), &told); err != nil || status != http.StatusBadRequest || told.Code != "invalid_argument" {
			t.Errorf("%s: %d %s", bad.body, status, answer)
			continue
		}
		var reason, field string
		for _, d := range told.Details {
			reason += d.Debug.Reason
			for _, v := range d.Debug.FieldViolations {
				field += v.Field
			}
		}
		if reason != bad.reason || field != bad.field {
			t.Errorf("%s: reason %q, field %q: %s", bad.body, reason, field, answer)
		}
	}
	if n := r.healthRows(); n != 0 {
		t.Errorf("%d rows of what was refused", n)
	}
	status, answer := r.post(ana, "UpdateHealthProfile", `{"profile":{"ageYears":31,"lifestyle":{"caffeineMgPerDay":0}},"goals":[{"text":"bone health"}]}`)
	if status != http.StatusOK || !strings.Contains(strings.ReplaceAll(answer, " ", ""), `"caffeineMgPerDay":0`) {
		t.Errorf("a zero: %d %s", status, answer)
	}
	status, answer = r.post(ana, "GetHealthProfile", `{}`)
	if status != http.StatusOK || !strings.Contains(strings.ReplaceAll(answer, " ", ""), `"caffeineMgPerDay":0`) || strings.Contains(answer, "fish") || !strings.Contains(answer, "bone health") {
		t.Errorf("read again: %d %s", status, answer)
	}
}
