package embedded

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// selfAccount is this very process's user, root included.
func selfAccount() (account, error) {
	us, err := user.Current()
	if err != nil {
		return account{}, err
	}
	return account{name: us.Username, uid: os.Geteuid(), gid: os.Getegid()}, nil
}

// ordinaryAccount is a user that is not root.
func ordinaryAccount(t *testing.T) account {
	t.Helper()
	if os.Geteuid() == 0 {
		nobody, err := user.Lookup("nobody")
		if err != nil {
			t.Fatal(err)
		}
		uid, err := strconv.Atoi(nobody.Uid)
		if err != nil {
			t.Fatal(err)
		}
		gid, err := strconv.Atoi(nobody.Gid)
		if err != nil {
			t.Fatal(err)
		}
		return account{name: "nobody", uid: uid, gid: gid, lesser: true}
	}
	us, err := selfAccount()
	if err != nil {
		t.Fatal(err)
	}
	return us
}

// An ordinary user without HOME, as in a bare container.
func TestOrdinaryUser(t *testing.T) {
	t.Parallel()
	us := ordinaryAccount(t)
	dir := enterable(t)
	if err := us.own(dir); err != nil {
		t.Fatal(err)
	}
	_, report := startChild(t, childConfig{Dir: filepath.Join(dir, "state", "postgres"), Durable: true}, us, "HOME=", "XDG_CACHE_HOME=")
	if report.Error != "" {
		t.Fatal(report.Error)
	}
	execute(t, connect(t, report.URL), "CREATE TABLE kept AS SELECT 7 AS n")
	info, err := os.Stat(filepath.Join(report.Home, clusterFolder))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ownerOf(report.Home, info); os.Geteuid() == us.uid && err != nil {
		t.Error(err)
	}

	// Nobody else touches what belongs to this user: root runs the server as its owner, others are refused.
	if os.Geteuid() == 0 {
		owner, err := ownerOf(report.Home, info)
		if err != nil || owner.uid != us.uid || !owner.lesser {
			t.Errorf("root would run the server as %+v (%v), want %s", owner, err, us.name)
		}
	}
}

func TestDataOfSomeoneElseIsRefused(t *testing.T) {
	t.Parallel()
	us := ordinaryAccount(t)
	if us.lesser {
		// root's folder, entered by nobody
		dir := filepath.Join(enterable(t), "home")
		mkdir(t, dir, 0o755)
		if err := os.Chown(dir, 0, 0); err != nil {
			t.Fatal(err)
		}
		_, report := startChild(t, childConfig{Dir: dir}, us, "HOME=")
		if !strings.Contains(report.Error, "choose another data folder") {
			t.Errorf("got %q, want advice", report.Error)
		}
		return
	}
	// root's folder, entered by this user
	_, err := StartPostgres(t.Context(), PostgresConfig{Dir: "/mindspace-of-root"})
	if err == nil {
		t.Error("a folder was made where this user may not write")
	}
}

// Root's data folder is often in a home that is closed to others, where the server's lesser user cannot go.
func TestClosedParentOfRoot(t *testing.T) {
	t.Parallel()
	closed := t.TempDir()
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(closed, "clone", ".mindspace", "postgres")
	p := startPostgresAt(t, dir)
	execute(t, connect(t, p.URL()), "CREATE TABLE kept AS SELECT 7 AS n")
	stopPostgres(t, p)
	if root := os.Geteuid() == 0; root != p.home.redirected {
		t.Errorf("redirected: %v, as root: %v", p.home.redirected, root)
	}
	if p.home.redirected {
		t.Cleanup(func() { os.RemoveAll(p.home.dir) })
		if got, err := readFile(p.home.dir, originFile); err != nil || got != dir {
			t.Errorf("the folder says that it belongs to %q (%v), want %q", got, err, dir)
		}
	}
	again := startPostgresAt(t, dir)
	if again.home.dir != p.home.dir {
		t.Errorf("the second start uses %s, the first %s", again.home.dir, p.home.dir)
	}
	if got := ask[int](t, connect(t, again.URL()), "SELECT n FROM kept"); got != 7 {
		t.Errorf("kept %d, want 7", got)
	}
}

// Files that a less trusted owner of the folder may have put there lead root nowhere.
func TestLinksOutOfTheFolderAreNotFollowed(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{postgresLog, pidFile, pidFile + ".new"} {
		if err := os.Symlink(outside, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if got := tail(dir, postgresLog, 0); got != "" {
		t.Errorf("the log shows %q", got)
	}
	if got, err := readFile(dir, pidFile); err == nil {
		t.Errorf("the file shows %q", got)
	}
	if err := writeFile(dir, pidFile, "1\n"); err == nil {
		t.Error("a file was written through a link")
	}
	if text, err := os.ReadFile(outside); err != nil || string(text) != "secret" {
		t.Errorf("the file outside now holds %q (%v)", text, err)
	}
}
