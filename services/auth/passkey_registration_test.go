package auth_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/secret"
	"github.com/mindspace-app/mindspace/services/auth"
)

func TestPasskeyRegistration(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	registered := r.register("ana@example.com").GetTokens()
	d := newDevice(t)
	d.key.Counter = 7
	passkey, err := r.addPasskey(registered, d, "  Ana's\nphone ")
	if err != nil {
		t.Fatal(err)
	}
	id := base64.RawURLEncoding.EncodeToString(d.key.ID)
	if passkey.GetId() != id || passkey.GetName() != "Ana's phone" || !passkey.GetCreatedAt().AsTime().Equal(r.clock.Now()) || passkey.GetLastUsedAt() != nil {
		t.Errorf("passkey: %v", passkey)
	}
	methods, err := r.as(registered).GetSignInMethods(t.Context(), &authv1.GetSignInMethodsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got := methods.GetPasskeys(); len(got) != 1 || got[0].GetId() != id {
		t.Errorf("passkeys: %v", got)
	}
	if got := r.events(registered); !strings.HasPrefix(got, "passkey_added") {
		t.Errorf("events: %s", got)
	}
	sessions, err := r.as(registered).ListSessions(t.Context(), &authv1.ListSessionsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got := sessions.GetSessions(); len(got) != 1 || !got[0].GetSecondFactor() {
		t.Errorf("the session does not count as signed in with a second factor: %v", got)
	}
	var record string
	if err := r.pool.QueryRow(t.Context(), "SELECT convert_from(credential, 'UTF8') FROM auth.passkeys").Scan(&record); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(record, `"signCount":7`) || strings.Contains(record, "clientDataJSON") {
		t.Errorf("record: %s", record)
	}
}

// The options are what PublicKeyCredential.parseCreationOptionsFromJSON takes: no object around them.
func TestPasskeyRegistrationOptions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens, d := r.owner("ana@example.com")
	var options struct {
		RP        struct{ ID, Name string }
		User      struct{ ID, Name, DisplayName string }
		Challenge string
		Selection struct {
			ResidentKey        string `json:"residentKey"`
			RequireResidentKey bool   `json:"requireResidentKey"`
			UserVerification   string `json:"userVerification"`
		} `json:"authenticatorSelection"`
		Attestation        string
		ExcludeCredentials []struct{ ID string }
		PubKeyCredParams   []struct{ Alg int }
		Timeout            int
	}
	text := r.beginRegistration(tokens).GetOptionsJson()
	if err := json.Unmarshal([]byte(text), &options); err != nil {
		t.Fatal(err)
	}
	person := uuid.MustParse(r.personOf(tokens).GetUserId())
	got := fmt.Sprintln(options.RP, options.User, options.Selection, options.Attestation, options.ExcludeCredentials, options.PubKeyCredParams, options.Timeout)
	want := fmt.Sprintf("{localhost Mind Space} {%s ana@example.com Ana} {required true required} none [{%s}] [{-8} {-7} {-257}] 300000\n",
		base64.RawURLEncoding.EncodeToString(person[:]), base64.RawURLEncoding.EncodeToString(d.key.ID))
	if got != want || len(options.Challenge) < 22 {
		t.Errorf("options: %s\ngot  %s\nwant %s", text, got, want)
	}
}

func TestPasskeyRegistrationRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.register("ana@example.com").GetTokens()
	for name, spoil := range map[string]func(d *device){
		"another origin":            func(d *device) { d.party.Origin = "https://evil.example" },
		"another relying party":     func(d *device) { d.party.ID = "evil.example" },
		"its owner was not checked": func(d *device) { d.authority.Options.UserNotVerified = true },
		"nobody was there":          func(d *device) { d.authority.Options.UserNotPresent = true },
	} {
		d := newDevice(t)
		spoil(d)
		_, err := r.addPasskey(tokens, d, "")
		if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != "credentialJson" {
			t.Errorf("%s: got %v", name, err)
		}
	}

	begun := r.beginRegistration(tokens)
	finish := func(tokens *authv1.Tokens, credential string) error {
		return r.finishRegistration(tokens, begun.GetChallengeId(), credential)
	}
	for _, garbage := range []string{"x", "{}", "null", `{"id":"AA","rawId":"AA","type":"public-key","response":{}}`} {
		if err := finish(tokens, garbage); connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != "credentialJson" {
			t.Errorf("%s: got %v", garbage, err)
		}
	}
	answer := newDevice(t).create(begun.GetOptionsJson())
	refused(t, "another person's challenge", finish(r.register("eve@example.com").GetTokens(), answer), connect.CodeUnauthenticated, "CHALLENGE_GONE")
	begun = r.beginRegistration(tokens)
	if err := finish(tokens, newDevice(t).create(begun.GetOptionsJson())); err != nil {
		t.Fatal(err)
	}
	refused(t, "the challenge again", finish(tokens, newDevice(t).create(begun.GetOptionsJson())), connect.CodeUnauthenticated, "CHALLENGE_GONE")
	begun = r.beginRegistration(tokens)
	r.clock.advance(5*time.Minute + time.Second)
	refused(t, "late", finish(tokens, newDevice(t).create(begun.GetOptionsJson())), connect.CodeUnauthenticated, "CHALLENGE_GONE")
}

// A credential id is one account's, and once: a device that ignores what to leave out, or somebody who has seen the id of another's.
func TestPasskeyRegistrationExists(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens, d := r.owner("ana@example.com")
	_, err := r.addPasskey(tokens, d, "")
	refused(t, "the same again", err, connect.CodeAlreadyExists, "PASSKEY_EXISTS")
	thief := newDevice(t)
	thief.key.ID = d.key.ID
	_, err = r.addPasskey(r.register("eve@example.com").GetTokens(), thief, "")
	refused(t, "another's", err, connect.CodeAlreadyExists, "PASSKEY_EXISTS")
	if _, err := r.passkeyLogin(r.from("192.0.2.1"), d, ""); err != nil {
		t.Errorf("the owner: %v", err)
	}
}

func TestPasskeyRegistrationNeedsProof(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.register("ana@example.com").GetTokens()
	begin := func(password string) error {
		_, err := r.as(tokens).BeginPasskeyRegistration(t.Context(), &authv1.BeginPasskeyRegistrationRequest{Password: password})
		return err
	}
	refused(t, "wrong password", begin("wrong"), connect.CodeUnauthenticated, "CREDENTIALS_WRONG")
	r.clock.advance(5*time.Minute + time.Second)
	refused(t, "too long ago", begin(""), connect.CodeFailedPrecondition, "SIGN_IN_AGAIN")
	if err := begin(goodPassword); err != nil {
		t.Error(err)
	}
	_, err := r.client.BeginPasskeyRegistration(t.Context(), &authv1.BeginPasskeyRegistrationRequest{Password: goodPassword})
	refused(t, "nobody", err, connect.CodeUnauthenticated, "CREDENTIAL_MISSING")
}

func TestPasskeyLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.register("ana@example.com").GetTokens()
	r.exec(`INSERT INTO auth.passkeys (account_id, credential_id, credential, name, created_at)
		SELECT $1, int4send(n), convert_to('{"id":"AAAA"}', 'UTF8'), 'key', now() FROM generate_series(1, 19) n`, r.personOf(tokens).GetUserId())
	both := []*authv1.BeginPasskeyRegistrationResponse{r.beginRegistration(tokens), r.beginRegistration(tokens)}
	finish := func(begun *authv1.BeginPasskeyRegistrationResponse) error {
		return r.finishRegistration(tokens, begun.GetChallengeId(), newDevice(t).create(begun.GetOptionsJson()))
	}
	if err := finish(both[0]); err != nil {
		t.Fatal(err)
	}
	refused(t, "one more that was begun before", finish(both[1]), connect.CodeFailedPrecondition, "TOO_MANY_PASSKEYS")
	_, err := r.as(tokens).BeginPasskeyRegistration(t.Context(), &authv1.BeginPasskeyRegistrationRequest{})
	refused(t, "one more", err, connect.CodeFailedPrecondition, "TOO_MANY_PASSKEYS")
}

func TestPasskeyOrigins(t *testing.T) {
	t.Parallel()
	keys, err := secret.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	const sha256 = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
	for _, c := range []struct {
		publicURL string
		origins   []string
		wrong     string
	}{
		{publicURL: "http://localhost:8080"},
		{publicURL: "https://mindspace.example/app", origins: []string{"https://app.mindspace.example", "https://mindspace.example:8443", "android:apk-key-hash:" + sha256}},
		{publicURL: "https://192.0.2.1", wrong: "IP address"},
		{publicURL: "https://[2001:db8::1]:8443", wrong: "IP address"},
		{publicURL: "mindspace.example", wrong: "public URL"},
		{publicURL: "ftp://mindspace.example", wrong: "must be scheme://host"},
		{publicURL: "", wrong: "public URL"},
		{publicURL: "https://mindspace.example", origins: []string{""}, wrong: "must be scheme://host"},
		{publicURL: "https://mindspace.example", origins: []string{"https://evil.example"}, wrong: "must be on mindspace.example"},
		{publicURL: "https://mindspace.example", origins: []string{"https://evilmindspace.example"}, wrong: "must be on mindspace.example"},
		{publicURL: "https://mindspace.example", origins: []string{"https://mindspace.example/"}, wrong: "must be scheme://host"},
		{publicURL: "https://mindspace.example", origins: []string{"*"}, wrong: "must be scheme://host"},
		{publicURL: "https://mindspace.example", origins: []string{"android:apk-key-hash:" + sha256 + "="}, wrong: "SHA-256"},
		{publicURL: "https://mindspace.example", origins: []string{"android:apk-key-hash:"}, wrong: "SHA-256"},
		{publicURL: "https://mindspace.example", origins: []string{"ios:bundle-id:example"}, wrong: "must be scheme://host"},
	} {
		_, err := auth.New(auth.Options{Keys: keys, Now: time.Now, PublicURL: c.publicURL, Origins: c.origins})
		if c.wrong == "" && err != nil || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%s %v: got %v, want %q", c.publicURL, c.origins, err, c.wrong)
		}
	}
}

// A passkey made in the app is good on the site, and the other way round.
func TestPasskeyOfAnApp(t *testing.T) {
	t.Parallel()
	const app = "android:apk-key-hash:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
	r := newRig(t, func(o *auth.Options) { o.Origins = []string{app} })
	tokens, d := r.register("ana@example.com").GetTokens(), newDevice(t)
	d.party.Origin = app
	if _, err := r.addPasskey(tokens, d, ""); err != nil {
		t.Fatal(err)
	}
	for _, origin := range []string{app, publicURL} {
		d.party.Origin = origin
		if _, err := r.passkeyLogin(r.from("192.0.2.1"), d, ""); err != nil {
			t.Errorf("%s: %v", origin, err)
		}
	}
	d.party.Origin = strings.Replace(app, "47DE", "47DF", 1)
	_, err := r.passkeyLogin(r.from("192.0.2.1"), d, "")
	refused(t, "another app", err, connect.CodeUnauthenticated, "PASSKEY_REFUSED")
}
