package auth_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/mindspace-app/mindspace/platform/secret"
	"github.com/mindspace-app/mindspace/services/auth"
)

func TestParseProviders(t *testing.T) {
	t.Parallel()
	all, err := auth.ParseProviders(`[
		{"id": "google", "name": "Google", "issuer": "https://accounts.google.com", "clientId": "c", "clientSecret": "hush"},
		{"id": "own-2", "name": "Own", "issuer": "http://[::1]:8080/realm", "clientId": "c", "clientSecret": "hush", "scopes": ["email"], "responseMode": "form_post"}
	]`)
	if err != nil || len(all) != 2 || all[1].ID != "own-2" || all[1].ResponseMode != "form_post" || all[0].ClientSecret != "hush" {
		t.Errorf("got %v, %v", all, err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, all); strings.Contains(text, "hush") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
	for _, nothing := range []string{"", "  ", "[]"} {
		if all, err := auth.ParseProviders(nothing); len(all) != 0 || err != nil {
			t.Errorf("%q gives %v, %v", nothing, all, err)
		}
	}
}

func TestParseProvidersNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, field string
		value       any
		want        string
	}{
		{"upper case", "id", "Google", "provider 1: id must"},
		{"no id", "id", "", "provider 1: id must"},
		{"no name", "name", " ", "1 (p): name"},
		{"http", "issuer", "http://issuer.example", "1 (p): issuer"},
		{"no URL", "issuer", "issuer.example", "1 (p): issuer"},
		{"query", "issuer", "https://issuer.example/?", "1 (p): issuer"},
		{"user", "issuer", "https://hush@issuer.example/", "1 (p): issuer"},
		{"no client", "clientId", "", "1 (p): clientId"},
		{"no secret", "clientSecret", "", "1 (p): clientSecret"},
		{"a number", "clientSecret", 4711, "clientSecret is of the wrong type"},
		{"blank scope", "scopes", []string{"a b"}, "1 (p): scopes"},
		{"mode", "responseMode", "fragment", "1 (p): responseMode"},
		{"apple with a secret", "apple", map[string]any{"teamId": "t", "keyId": "k", "privateKey": "hush"}, "1 (p): clientSecret"},
		{"apple without a key", "apple", map[string]any{"teamId": "t", "keyId": "k", "privateKey": "hush"}, "1 (p): apple.privateKey"},
		{"apple without a team", "apple", map[string]any{"keyId": "k", "privateKey": "hush"}, "1 (p): apple.teamId"},
		{"apple's key id", "apple", map[string]any{"keyId": 4711}, "apple.keyId is of the wrong type"},
		{"misspelt", "client_secret", "hush", "field that is not one of"},
	} {
		p := map[string]any{"id": "p", "name": "P", "issuer": "https://issuer.example", "clientId": "c", "clientSecret": "hush"}
		p[c.field] = c.value
		text, _ := json.Marshal([]any{p})
		_, err := auth.ParseProviders(string(text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want something with %q", c.name, err, c.want)
		} else if strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "4711") {
			t.Errorf("%s: the secret is in %v", c.name, err)
		}
	}
	for _, text := range []string{`{}`, `hush`, `["hush"]`, `[4711]`, `[{"id":"p"`} {
		if _, err := auth.ParseProviders(text); err == nil || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "4711") {
			t.Errorf("%s: %v", text, err)
		}
	}
	twice := `{"id": "p", "name": "P", "issuer": "https://issuer.example", "clientId": "c", "clientSecret": "hush"}`
	if _, err := auth.ParseProviders("[" + twice + "," + twice + "]"); err == nil || !strings.Contains(err.Error(), "2 (p): id is taken") {
		t.Errorf("twice: %v", err)
	}
}

func TestNewChecksReturnURLs(t *testing.T) {
	t.Parallel()
	keys, err := secret.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	for address, good := range map[string]bool{
		"https://app.example.org/back?x=1": true, "http://localhost:3000/": true, "org.example.app:/back": true, "app://back": true, "app:back": true,
		"http://app.example.org/": false, "/back": false, "": false, "https://": false, "https:///back": false, "javascript:alert(1)": false,
		"data:text/html,x": false, "https://u@app.example.org/": false, "https://app.example.org/#x": false, "https://app.example.org/?a=%zz": false,
	} {
		_, err := auth.New(auth.Options{Keys: keys, PublicURL: publicURL, ReturnURLs: []string{address}})
		if (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
}
