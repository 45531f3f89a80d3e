package embedded

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// skeleton makes a home that looks complete, as far as it can be told without starting a server.
func skeleton(t *testing.T) (home, data string) {
	t.Helper()
	programs, err := FindPostgres()
	if err != nil {
		t.Fatal(err)
	}
	home = filepath.Join(enterable(t), "home")
	data = filepath.Join(home, clusterFolder)
	for _, dir := range []string{home, data, data + "/base", data + "/global", data + "/pg_wal"} {
		mkdir(t, dir, 0o700)
	}
	for path, text := range map[string]string{
		home + "/password": "secret\n", data + "/PG_VERSION": strconv.Itoa(programs.Major) + "\n",
		data + "/global/pg_control": "cut off", data + "/postgresql.conf": "", data + "/pg_hba.conf": "",
	} {
		write(t, path, text)
	}
	return home, data
}

// Whatever is wrong with the folder: the error says what to do, and nothing is touched.
func TestBadDataIsRefusedAndKept(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(t *testing.T, home, data string)
		want  string
	}{
		"no PG_VERSION":       {func(t *testing.T, _, data string) { t.Helper(); remove(t, data+"/PG_VERSION") }, "move the folder away"},
		"no pg_control":       {func(t *testing.T, _, data string) { t.Helper(); remove(t, data+"/global/pg_control") }, "move the folder away"},
		"no pg_wal":           {func(t *testing.T, _, data string) { t.Helper(); remove(t, data+"/pg_wal") }, "move the folder away"},
		"empty data folder":   {func(t *testing.T, _, data string) { t.Helper(); remove(t, data); mkdir(t, data, 0o700) }, "move the folder away"},
		"garbled PG_VERSION":  {func(t *testing.T, _, data string) { t.Helper(); write(t, data+"/PG_VERSION", "\x00\x00") }, "move the folder away"},
		"an unknown version":  {func(t *testing.T, _, data string) { t.Helper(); write(t, data+"/PG_VERSION", "9\n") }, "choose another data folder"},
		"cut-off pg_control":  {func(*testing.T, string, string) {}, "the end of its log"},
		"data open to others": {func(t *testing.T, _, data string) { t.Helper(); chmod(t, data, 0o755) }, "chmod 700"},
		"a file for data":     {func(t *testing.T, _, data string) { t.Helper(); remove(t, data); write(t, data, "x") }, "is not a folder"},
		"no password":         {func(t *testing.T, home, _ string) { t.Helper(); remove(t, home+"/password") }, "password is missing"},
		"foreign files":       {func(t *testing.T, home, _ string) { t.Helper(); write(t, home+"/thesis.tex", "x") }, "thesis.tex"},
		"location leads nowhere": {func(t *testing.T, home, data string) {
			t.Helper()
			remove(t, data)
			write(t, home+"/location", home+"/elsewhere\n")
		}, "restore them"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home, data := skeleton(t)
			c.spoil(t, home, data)
			before := snapshot(t, home)
			p, err := StartPostgres(t.Context(), PostgresConfig{Dir: home})
			if err == nil {
				stopPostgres(t, p)
				t.Fatal("the server was started")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error does not say %q: %v", c.want, err)
			}
			after := snapshot(t, home)
			// A server that did try to start has said so in these.
			for _, path := range []string{home + "/" + postgresLog, data + "/postmaster.pid", data + "/postmaster.opts"} {
				delete(after, path)
			}
			if !maps.Equal(before, after) {
				t.Errorf("the folder was changed:\n%v\n%v", before, after)
			}
		})
	}
}

func TestFileInPlaceOfTheFolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(enterable(t), "home")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := StartPostgres(t.Context(), PostgresConfig{Dir: path})
	if err == nil || !strings.Contains(err.Error(), "is a file") {
		t.Errorf("got %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "x" {
		t.Errorf("the file now holds %q (%v)", text, err)
	}
}

func TestInterruptedInitdb(t *testing.T) {
	t.Parallel()
	home := filepath.Join(enterable(t), "home")
	mkdir(t, home, 0o700)
	partial := filepath.Join(home, partialPrefix+"abc")
	mkdir(t, partial, 0o700)
	if err := os.WriteFile(filepath.Join(home, passwordFile), []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startPostgresAt(t, home)
	if got := ask[int](t, connect(t, p.URL()), "SELECT 1"); got != 1 {
		t.Error("the server does not answer")
	}
	if p.password != "secret" {
		t.Error("the password that was written first is not the one in use")
	}
	if !gone(partial) {
		t.Error("the unfinished folder is still there")
	}
}

// A machine without the locale is told from other failures, and the next one is tried.
func TestUnknownLocale(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(enterable(t), "home")
	h, err := openHome(dir, "postgres", clusterFolder, []string{passwordFile})
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	write(t, filepath.Join(dir, passwordFile), "secret\n")
	programs, err := FindPostgres()
	if err != nil {
		t.Fatal(err)
	}
	if programs.Source == SourceFetch {
		f, err := newFetcher(orDiscard(nil))
		if err == nil {
			programs, err = f.fetch(t.Context(), programs)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c := cluster{home: h, logger: orDiscard(nil)}
	if err := c.initialize(t.Context(), programs, "tlh_QO.UTF-8"); !errors.Is(err, errNoLocale) {
		t.Errorf("got %v, want %v", err, errNoLocale)
	}
	if left, err := filepath.Glob(filepath.Join(dir, clusterFolder+"*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

// What the log said of an earlier start does not explain this one.
func TestOnlyThisStartIsExplained(t *testing.T) {
	t.Parallel()
	home, _ := skeleton(t)
	write(t, filepath.Join(home, postgresLog), "LOG:  could not bind IPv4 address, long ago\n")
	_, err := StartPostgres(t.Context(), PostgresConfig{Dir: home})
	if err == nil || errors.Is(err, errPortTaken) || strings.Contains(err.Error(), "long ago") {
		t.Errorf("got %v", err)
	}
}

func TestStalePidFile(t *testing.T) {
	t.Parallel()
	for name, pid := range map[string]int{
		"of a process that is gone": 1 << 22, // above the largest number that Linux gives
		"of another program":        os.Getpid(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home := madeHome(t)
			path := filepath.Join(home, clusterFolder, "postmaster.pid")
			text := strconv.Itoa(pid) + "\n" + filepath.Join(home, clusterFolder) + "\n1600000000\n5432\n\n127.0.0.1\n\nready\n"
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			own(t, path)
			if got := ask[int](t, connect(t, startPostgresAt(t, home).URL()), "SELECT 1"); got != 1 {
				t.Error("the server does not answer")
			}
		})
	}
}

func mkdir(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Mkdir(path, mode); err != nil {
		t.Fatal(err)
	}
	own(t, path)
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func own(t *testing.T, path string) {
	t.Helper()
	us, err := currentAccount()
	if err == nil {
		err = us.own(path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	own(t, path)
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}
