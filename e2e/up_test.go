package e2e

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/grpcreflect/v2"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
)

const listPath = "/mindspace.content.v1.ContentService/ListMeditations"

var jsonBody = http.Header{"Content-Type": {"application/json"}}

// One program for all that can be seen of a running one; then it is stopped and started again.
func TestUp(t *testing.T) {
	t.Parallel()
	data := folder(t)
	p := up(t, data)

	t.Run("curl lists meditations", func(t *testing.T) {
		status, body := request(t, http.MethodPost, p.url+listPath, jsonBody, `{}`)
		if status != http.StatusOK || !strings.Contains(body, `"durationSeconds"`) || !strings.Contains(body, `"nextPageToken"`) {
			t.Errorf("status %d: %.300s", status, body)
		}
	})
	t.Run("each protocol lists the same", func(t *testing.T) {
		var first string
		for name, options := range map[string][]connecthttp.Option{
			"connect": nil, "json": {connecthttp.WithProtoJSON()}, "grpc": {connecthttp.WithGRPC()}, "grpc-web": {connecthttp.WithGRPCWeb()},
			"get": {connecthttp.WithHTTPGet()}, "gzip": {connecthttp.WithSendGzip()},
		} {
			res, err := p.content(options...).ListMeditations(t.Context(), &contentv1.ListMeditationsRequest{Locale: "sr", PageSize: 50})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if len(res.GetMeditations()) < 40 {
				t.Errorf("%s: %d meditations", name, len(res.GetMeditations()))
			}
			if first == "" {
				first = res.String()
			}
			if res.String() != first {
				t.Errorf("%s lists something else", name)
			}
		}
	})
	t.Run("search and get", func(t *testing.T) {
		found, err := p.content().SearchMeditations(t.Context(), &contentv1.SearchMeditationsRequest{Query: "дисање", Locale: "sr"})
		if err != nil || len(found.GetMeditations()) == 0 {
			t.Fatalf("%v, %v", found, err)
		}
		got, err := p.content().GetMeditation(t.Context(), &contentv1.GetMeditationRequest{Id: found.GetMeditations()[0].GetId(), Locale: "ru"})
		if err != nil || got.GetMeditation().GetLocale() != "ru" {
			t.Errorf("%v, %v", got, err)
		}
	})
	t.Run("page", func(t *testing.T) {
		for _, language := range []string{"en", "ru", "sr"} {
			status, body := get(t, p.url+"/?lang="+language)
			if status != http.StatusOK || !strings.Contains(body, `<html lang="`+language+`"`) || strings.Count(body, `class="card"`) < 40 {
				t.Errorf("%s: status %d, %d cards", language, status, strings.Count(body, `class="card"`))
			}
		}
		if status, body := get(t, p.url+"/?q=<script>alert(1)</script>"); status != http.StatusOK || strings.Contains(body, "<script>alert") {
			t.Errorf("status %d, or the search text is not escaped", status)
		}
		if status, _ := get(t, p.url+"/static/page.css"); status != http.StatusOK {
			t.Errorf("style sheet: status %d", status)
		}
		if status, _ := get(t, p.url+"/?page=forged"); status != http.StatusBadRequest {
			t.Errorf("forged page token: status %d", status)
		}
		if status, _ := get(t, p.url+"/nowhere"); status != http.StatusNotFound {
			t.Errorf("unknown page: status %d", status)
		}
	})
	t.Run("health, metrics, reflection", func(t *testing.T) {
		for _, path := range []string{"/healthz", "/readyz"} {
			if status, body := get(t, p.url+path); status != http.StatusOK {
				t.Errorf("%s: %d %s", path, status, body)
			}
		}
		status, body := get(t, p.opsURL+"/metrics")
		if status != http.StatusOK || !strings.Contains(body, "mindspace_rpc_duration_seconds") {
			t.Errorf("metrics: status %d", status)
		}
		if status, _ := get(t, p.url+"/metrics"); status != http.StatusNotFound {
			t.Errorf("metrics on the public port: status %d", status)
		}
		names := reflected(t, p)
		if !strings.Contains(names, "mindspace.content.v1.ContentService") {
			t.Errorf("reflection lists %s", names)
		}
	})
	t.Run("a second one on the same folder is refused", func(t *testing.T) {
		second := run(t, nil, "up", "--addr=127.0.0.1:0", "--ops-addr=", "--data="+data)
		if code := second.wait(t); code != 1 || !strings.Contains(second.out.String(), "already running") {
			t.Errorf("exit code %d:\n%s", code, second.out)
		}
	})
	t.Run("a second one on the same port is refused", func(t *testing.T) {
		second := run(t, nil, "up", "--addr="+strings.TrimPrefix(p.url, "http://"), "--ops-addr=", "--data="+folder(t))
		if code := second.wait(t); code != 1 || !strings.Contains(second.out.String(), "--addr") {
			t.Errorf("exit code %d:\n%s", code, second.out)
		}
	})

	if code := p.stop(t); code != 0 {
		t.Fatalf("stopped with code %d:\n%s", code, p.out)
	}
	keys, err := os.ReadFile(filepath.Join(data, "keyring.json"))
	if err != nil {
		t.Fatal(err)
	}
	again := up(t, data)
	if after, err := os.ReadFile(filepath.Join(data, "keyring.json")); err != nil || string(after) != string(keys) {
		t.Errorf("the second start has other keys (%v)", err)
	}
	if res, err := again.content().ListMeditations(t.Context(), &contentv1.ListMeditationsRequest{PageSize: 100}); err != nil || len(res.GetMeditations()) < 40 {
		t.Errorf("the second start found %d meditations, %v", len(res.GetMeditations()), err)
	}
}

func reflected(t *testing.T, p *program) string {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	client := grpcreflect.NewClient(connect.NewClient(connecthttp.NewTransport(&http.Client{Transport: transport}, p.url, connecthttp.WithGRPC())))
	stream := client.NewStream(t.Context())
	defer stream.Close()
	names, err := stream.ListServices()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, name := range names {
		all = append(all, string(name))
	}
	return strings.Join(all, " ")
}

// Nothing is lost and nothing is left behind when the program is killed.
func TestUpSurvivesKill(t *testing.T) {
	t.Parallel()
	data := folder(t)
	p := up(t, data)
	if err := p.command.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.exited
	again := up(t, data) // waits for the old database to end, then starts its own
	if res, err := again.content().ListMeditations(t.Context(), &contentv1.ListMeditationsRequest{PageSize: 100}); err != nil || len(res.GetMeditations()) < 40 {
		t.Errorf("%d meditations, %v", len(res.GetMeditations()), err)
	}
}

// A folder that is not as it should be is told, and left as it is.
func TestUpDestroysNothing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		make func(t *testing.T, data string)
		says string
	}{
		"half-written database": {func(t *testing.T, data string) {
			t.Helper()
			writeFile(t, filepath.Join(data, "postgres", "data", "base", "1", "112"), "half")
			giveAway(t, filepath.Join(data, "postgres"))
		}, "move the folder away"},
		"database of another version": {func(t *testing.T, data string) {
			t.Helper()
			writeFile(t, filepath.Join(data, "postgres", "data", "PG_VERSION"), "13\n")
			writeFile(t, filepath.Join(data, "postgres", "data", "global", "pg_control"), "x")
			writeFile(t, filepath.Join(data, "postgres", "data", "pg_wal", "0"), "x")
			writeFile(t, filepath.Join(data, "postgres", "data", "base", "1", "112"), "x")
			writeFile(t, filepath.Join(data, "postgres", "password"), "x")
			giveAway(t, filepath.Join(data, "postgres"))
		}, "PostgreSQL 13"},
		"a file in place of the folder": {func(t *testing.T, data string) {
			t.Helper()
			writeFile(t, filepath.Join(data, "postgres"), "mine")
		}, "is a file"},
		"keyring cut short": {func(t *testing.T, data string) {
			t.Helper()
			writeFile(t, filepath.Join(data, "keyring.json"), `{"demo":tr`)
		}, "KEYRING_FILE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := folder(t)
			tt.make(t, data)
			before := listing(t, data)
			p := run(t, nil, "up", "--addr=127.0.0.1:0", "--ops-addr=", "--data="+data)
			if code := p.wait(t); code != 1 || !strings.Contains(strings.ToLower(p.out.String()), strings.ToLower(tt.says)) {
				t.Errorf("exit code %d, or it does not speak of %q:\n%s", code, tt.says, p.out)
			}
			for path, content := range before {
				if after := listing(t, data)[path]; after != content {
					t.Errorf("%s was changed or removed", path)
				}
			}
		})
	}
}

// giveAway makes a folder what it is after a run as root: the database's user owns it, and nobody else may look.
func giveAway(t *testing.T, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	const nobody = 65534
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = os.Chmod(path, 0o700)
		}
		return errors.Join(err, os.Chown(path, nobody, nobody))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// listing gives every file of a folder with its content.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		files[path] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
