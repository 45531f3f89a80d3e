package e2e

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
)

// caller calls methods as plain JSON, as any client can.
type caller struct {
	t     *testing.T
	p     *program
	token string
}

// call gives the answer, or the code of the refusal in "code".
func (c caller) call(method, body string) map[string]any {
	c.t.Helper()
	header := http.Header{"Content-Type": {"application/json"}}
	if c.token != "" {
		header.Set("Authorization", "Bearer "+c.token)
	}
	_, text := request(c.t, http.MethodPost, c.p.url+"/mindspace."+method, header, body)
	var answer map[string]any
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		c.t.Fatalf("%s: %s", method, text)
	}
	return answer
}

// at finds a value within an answer, by the names on the way to it.
func at(answer map[string]any, names ...string) any {
	var value any = answer
	for _, name := range names {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}

func (p *program) person(t *testing.T, email string) caller {
	t.Helper()
	nobody := caller{t: t, p: p}
	answer := nobody.call("auth.v1.AuthService/Register", fmt.Sprintf(`{"email":%q,"password":"correct horse battery","displayName":"Ana","locale":"sr","timeZone":"Europe/Belgrade"}`, email))
	token, _ := at(answer, "tokens", "accessToken").(string)
	if token == "" {
		t.Fatalf("register: %v", answer)
	}
	return caller{t: t, p: p, token: token}
}

// A person's own data, from consent to the end, as an app sees it.
func TestPersonsOwnData(t *testing.T) {
	t.Parallel()
	p := up(t, folder(t))
	ana := p.person(t, "ana.novak@example.org")

	t.Run("profile", func(t *testing.T) {
		answer := ana.call("user.v1.UserService/UpdateMe", `{"user":{"displayName":"Ana N.","dayStartHour":4},"updateMask":"displayName,dayStartHour"}`)
		if at(answer, "user", "displayName") != "Ana N." || at(answer, "user", "dayStartHour") != 4.0 {
			t.Errorf("%v", answer)
		}
		me := ana.call("user.v1.UserService/GetMe", `{}`)
		if at(me, "user", "email") != "ana.novak@example.org" || at(me, "user", "timeZone") != "Europe/Belgrade" || at(me, "user", "displayName") != "Ana N." {
			t.Errorf("%v", me)
		}
	})
	t.Run("health needs consent, and no field is dropped", func(t *testing.T) {
		const profile = `{"profile":{"sex":"SEX_FEMALE","birthDate":"1995-02-28","weightKg":63,"medications":[{"text":"Sintrom 4 mg"}]},"goals":[{"text":"sleep"}]}`
		if answer := ana.call("user.v1.UserService/UpdateHealthProfile", profile); answer["code"] != "failed_precondition" || !strings.Contains(fmt.Sprint(answer), "CONSENT_PURPOSE_HEALTH_DATA") {
			t.Errorf("without consent: %v", answer)
		}
		ana.call("user.v1.UserService/SetConsent", `{"purpose":"CONSENT_PURPOSE_HEALTH_DATA","granted":true,"policyVersion":"2026-11"}`)
		if answer := ana.call("user.v1.UserService/UpdateHealthProfile", strings.Replace(profile, "medications", "medication", 1)); answer["code"] != "invalid_argument" || !strings.Contains(fmt.Sprint(answer), "medication") {
			t.Errorf("mistyped: %v", answer)
		}
		ana.call("user.v1.UserService/UpdateHealthProfile", profile)
		if answer := ana.call("user.v1.UserService/GetHealthProfile", `{}`); at(answer, "profile", "weightKg") != 63.0 || !strings.Contains(fmt.Sprint(answer), "Sintrom 4 mg") {
			t.Errorf("%v", answer)
		}
	})
	t.Run("export", func(t *testing.T) {
		id, _ := ana.call("user.v1.UserService/RequestExport", `{}`)["exportId"].(string)
		var ready map[string]any
		await(t, p, "the export", func() bool {
			ready = ana.call("user.v1.UserService/GetExport", fmt.Sprintf(`{"exportId":%q}`, id))
			return ready["state"] == "EXPORT_STATE_READY"
		})
		path := "/media/exports/" + id
		if url, _ := ready["downloadUrl"].(string); !strings.HasSuffix(url, path) || ready["expiresAt"] == nil {
			t.Errorf("%v", ready)
		}
		other := p.person(t, "other@example.org")
		for who, want := range map[string]int{"": http.StatusUnauthorized, "Bearer nonsense": http.StatusUnauthorized, "Bearer " + other.token: http.StatusNotFound} {
			header := http.Header{}
			if who != "" {
				header.Set("Authorization", who)
			}
			if status, _ := request(t, http.MethodGet, p.url+path, header, ""); status != want {
				t.Errorf("fetched by another: status %d, want %d", status, want)
			}
		}
		status, body := request(t, http.MethodGet, p.url+path, http.Header{"Authorization": {"Bearer " + ana.token}}, "")
		archive, err := zip.NewReader(strings.NewReader(body), int64(len(body)))
		if err != nil {
			t.Fatalf("status %d: %v", status, err)
		}
		var all strings.Builder
		for _, file := range archive.File {
			in, err := file.Open()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(&all, in); err != nil {
				t.Fatal(err)
			}
			_ = in.Close()
		}
		for _, told := range []string{"ana.novak@example.org", "Sintrom 4 mg", "2026-11"} {
			if !strings.Contains(all.String(), told) {
				t.Errorf("the export lacks %q", told)
			}
		}
	})
	t.Run("erasure is called off by signing in", func(t *testing.T) {
		if answer := ana.call("user.v1.UserService/DeleteMe", `{"password":"wrong horse battery"}`); answer["code"] != "unauthenticated" {
			t.Errorf("with a wrong password: %v", answer)
		}
		answer := ana.call("user.v1.UserService/DeleteMe", `{"password":"correct horse battery"}`)
		receipt, _ := answer["erasureId"].(string)
		if answer["eraseAfter"] == nil || receipt == "" {
			t.Fatalf("%v", answer)
		}
		await(t, p, "the session to end", func() bool {
			return ana.call("user.v1.UserService/GetMe", `{}`)["code"] == "unauthenticated"
		})
		nobody := caller{t: t, p: p}
		erasure := func() any {
			return at(nobody.call("auth.v1.AccountService/GetErasure", fmt.Sprintf(`{"erasureId":%q}`, receipt)), "erasure", "state")
		}
		if erasure() != "ERASURE_STATE_SCHEDULED" {
			t.Errorf("%v", erasure())
		}
		login := nobody.call("auth.v1.AuthService/Login", `{"email":"ana.novak@example.org","password":"correct horse battery","device":"phone"}`)
		token, _ := at(login, "tokens", "accessToken").(string)
		if erasure() != "ERASURE_STATE_CANCELLED" {
			t.Errorf("after signing in: %v", erasure())
		}
		if me := (caller{t: t, p: p, token: token}).call("user.v1.UserService/GetMe", `{}`); at(me, "user", "displayName") != "Ana N." {
			t.Errorf("after signing in: %v", me)
		}
	})
	t.Run("what services ask each other has no address", func(t *testing.T) {
		if answer := ana.call("auth.v1.AccountService/GetAccount", `{}`); answer["code"] != "unimplemented" {
			t.Errorf("%v", answer)
		}
	})
}

// What is kept for how long can be looked up, and so can what is held.
func TestDoctorTellsOfPersonalData(t *testing.T) {
	t.Parallel()
	data := folder(t)
	keyring := data + "/keyring.json"
	env := append(environment(), "DATABASE_URL="+pgtest.Empty(t), "REDIS_URL=redis://127.0.0.1:1", "BLOB_URL=mem://", "KEYRING_FILE="+keyring,
		"PUBLIC_URL=https://api.example.org", "MAIL_URL=file://"+data, "MAIL_FROM=hello@example.org", "LOG_LEVEL=error")
	mindspace := func(args ...string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), binary, args...)
		command.Env = env
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	mindspace("keys", "create", keyring)
	mindspace("migrate", "up")
	if out := mindspace("doctor", "retention"); !strings.Contains(out, "auth.sessions") || !strings.Contains(out, "30 days") || !strings.Contains(out, "users.exports") {
		t.Errorf("retention:\n%s", out)
	}
	if out := mindspace("doctor", "data-map"); !strings.Contains(out, "| `users.health_profiles` |") || !strings.Contains(out, "`sealed`") {
		t.Errorf("data map:\n%s", out)
	}
}
