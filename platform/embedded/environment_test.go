package embedded

import (
	"strings"
	"testing"
)

// These tests change the environment, so they run alone.

func TestChosenPostgres(t *testing.T) {
	f := newTestFetcher(t, "")
	t.Setenv("PG_BIN", t.TempDir())
	if _, err := findPostgres(0, f, false); err == nil || !strings.Contains(err.Error(), "PG_BIN") {
		t.Errorf("a folder without programs: %v", err)
	}
	url, _ := repository(t, sum)
	f = newTestFetcher(t, url)
	fake, err := f.fetch(t.Context(), Binaries{Version: "18.3.0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PG_BIN", fake.Dir)
	if got, err := findPostgres(0, f, false); err != nil || got.Source != SourceEnvironment || got.Dir != fake.Dir {
		t.Errorf("chosen programs: %+v (%v)", got, err)
	}
	if _, err := findPostgres(15, f, false); err == nil || !strings.Contains(err.Error(), "set PG_BIN to programs of that version") {
		t.Errorf("data of another version: %v", err)
	}
}

func TestFindPostgresFetchesNothing(t *testing.T) {
	t.Setenv(repositoryVariable, "http://127.0.0.1:1")
	if got, err := FindPostgres(); err != nil || got.Version == "" {
		t.Errorf("%+v (%v)", got, err)
	}
}

func TestChosenRedis(t *testing.T) {
	t.Setenv("REDIS_BIN", t.TempDir())
	if _, _, _, err := FindRedis(); err == nil || !strings.Contains(err.Error(), "REDIS_BIN") {
		t.Errorf("a folder without redis-server: %v", err)
	}
	if _, err := StartRedis(t.Context(), RedisConfig{}); err == nil {
		t.Error("another server was started than the one that was chosen")
	}
}

func TestCacheFolderWithoutHome(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("TMPDIR", t.TempDir())
	dir, err := cacheFolder()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := cacheFolder(); err != nil || again != dir {
		t.Errorf("the second time %q (%v), the first %q", again, err, dir)
	}
}
