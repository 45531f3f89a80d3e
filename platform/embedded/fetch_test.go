package embedded

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// repository serves one archive under every name, as a Maven repository would. The archive holds programs that only tell their version.
func repository(t *testing.T, checksum func(jar []byte) string) (url string, downloads *atomic.Int32) {
	t.Helper()
	programs, err := os.ReadFile("testdata/programs.txz")
	if err != nil {
		t.Fatal(err)
	}
	var jar bytes.Buffer
	archive := zip.NewWriter(&jar)
	file, err := archive.Create("postgres-linux-x86_64.txz")
	if err == nil {
		_, err = file.Write(programs)
	}
	if err := errors.Join(err, archive.Close()); err != nil {
		t.Fatal(err)
	}
	downloads = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, ".jar.sha256"):
			_, _ = w.Write([]byte(checksum(jar.Bytes())))
		case strings.HasPrefix(r.URL.Path, "/maven/io/zonky/test/postgres/embedded-postgres-binaries-"):
			downloads.Add(1)
			_, _ = w.Write(jar.Bytes())
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL + "/maven/", downloads
}

func sum(jar []byte) string {
	digest := sha256.Sum256(jar)
	return hex.EncodeToString(digest[:])
}

func newTestFetcher(t *testing.T, repository string) fetcher {
	t.Helper()
	return fetcher{cache: filepath.Join(enterable(t), "cache"), repository: repository, logger: orDiscard(nil)}
}

func TestFetchOnce(t *testing.T) {
	t.Parallel()
	url, downloads := repository(t, sum)
	f := newTestFetcher(t, url)
	wanted, err := f.find(0)
	if err != nil || wanted.Source != SourceFetch || wanted.Dir != "" || wanted.Major != 18 {
		t.Fatalf("an empty cache gives %+v (%v)", wanted, err)
	}
	if err := os.MkdirAll(filepath.Join(f.cache, unfinishedPrefix+"old"), 0o755); err != nil {
		t.Fatal(err)
	}

	// Four programs start at once.
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			got, err := f.fetch(t.Context(), wanted)
			if err != nil || got.Version != "18.3" || got.Source != SourceCache {
				t.Errorf("fetched %+v (%v)", got, err)
			}
		})
	}
	group.Wait()
	if got := downloads.Load(); got != 1 {
		t.Errorf("%d downloads, want 1", got)
	}
	found, err := f.find(18)
	if err != nil || found.Source != SourceCache {
		t.Errorf("the cache gives %+v (%v)", found, err)
	}
	entries, err := os.ReadDir(f.cache)
	if err != nil || len(entries) != 1 {
		t.Errorf("the cache holds %v, want the programs only (%v)", entries, err)
	}
	// The archive's modes are for its owner only; the server runs as another user.
	us := ordinaryAccount(t)
	if err := found.usable(us); err != nil {
		t.Error(err)
	}
	if !us.may("-r", filepath.Join(filepath.Dir(found.Dir), "share", "readme")) {
		t.Error("another user may not read the files")
	}
}

func TestFetchFails(t *testing.T) {
	t.Parallel()
	missing := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(missing.Close)
	forged, _ := repository(t, func([]byte) string { return strings.Repeat("0", 64) })
	for name, url := range map[string]string{
		"nothing there": missing.URL, "nobody answers": "http://127.0.0.1:1", "wrong checksum": forged,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFetcher(t, url)
			_, err := f.fetch(t.Context(), Binaries{Version: "18.3.0", Source: SourceFetch})
			if err == nil || !strings.Contains(err.Error(), "apt install postgresql") {
				t.Errorf("got %v, want advice", err)
			}
			if entries, err := os.ReadDir(f.cache); err != nil || len(entries) != 0 {
				t.Errorf("the cache holds %v (%v)", entries, err)
			}
		})
	}
	t.Run("no answer in time", func(t *testing.T) {
		t.Parallel()
		release := make(chan struct{})
		stalled := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
		// In this subtest, as the library fetches one archive at a time in a process.
		t.Cleanup(func() { close(release); stalled.Close() })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		f := newTestFetcher(t, stalled.URL)
		if _, err := f.fetch(ctx, Binaries{Version: "18.3.0"}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestFind(t *testing.T) {
	t.Parallel()
	f := newTestFetcher(t, "")
	if _, err := f.find(9); err == nil || !strings.Contains(err.Error(), "install PostgreSQL 9") {
		t.Errorf("a version that nobody has: %v", err)
	}
	if got, err := f.find(16); err != nil || got.Major != 16 {
		t.Errorf("data of an older version: %+v (%v)", got, err)
	}
	if got, err := findPostgres(0, f, true); err != nil || (got.Source != SourceFetch && got.Source != SourceEnvironment) {
		t.Errorf("passing the system by: %+v (%v)", got, err)
	}
	for path, want := range map[string]int{"/usr/lib/postgresql/17/bin": 17, "/opt/homebrew/opt/postgresql@9/bin": 9, "/opt/x/bin": 0} {
		if got := majorInPath(path); got != want {
			t.Errorf("%s is version %d, want %d", path, got, want)
		}
	}
}

// The way of a machine without PostgreSQL, for real: from the library's own repository, or the one that MINDSPACE_POSTGRES_REPOSITORY names.
// It needs the network, so it runs only where nothing may be skipped.
func TestFetchForReal(t *testing.T) {
	t.Parallel()
	if os.Getenv(strictVariable) != "1" {
		t.Skipf("fetches some 30 MB; set %s=1", strictVariable)
	}
	p, err := StartPostgres(t.Context(), PostgresConfig{FetchedOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer stopPostgres(t, p)
	if got := p.Binaries().Source; got != SourceCache && got != SourceEnvironment {
		t.Errorf("it runs PostgreSQL from %s", got)
	}
	if got := ask[string](t, connect(t, p.URL()), "SELECT lower('Ж')"); got != "ж" {
		t.Errorf("lower gives %q", got)
	}
}
