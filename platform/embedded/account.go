package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// account is the user that the servers run as: this program's own, or a lesser one when that is root, as which PostgreSQL
// refuses to run.
type account struct {
	name     string
	uid, gid int
	// lesser says that the program is root and becomes this user for the servers.
	lesser bool
}

// currentAccount chooses the user for new data.
func currentAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{name: userName(os.Geteuid()), uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	for _, name := range []string{"postgres", "_postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		// 64 bits: macOS numbers nobody -2.
		uid, err1 := strconv.ParseInt(found.Uid, 10, 64)
		gid, err2 := strconv.ParseInt(found.Gid, 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return account{}, fmt.Errorf("user %s: %w", name, err)
		}
		return account{name: name, uid: int(uint32(uid)), gid: int(uint32(gid)), lesser: true}, nil //nolint:gosec // ids have 32 bits
	}
	return account{}, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody: " +
		"start the program as an ordinary user, or add the user postgres")
}

// ownerOf is the account for data that exists: its owner, so that data made by one user is never taken over by another.
func ownerOf(path string, info fs.FileInfo) (account, error) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return account{}, fmt.Errorf("cannot tell who owns %s", path)
	}
	owner := account{name: userName(int(stat.Uid)), uid: int(stat.Uid), gid: int(stat.Gid)}
	switch us := os.Geteuid(); {
	case us == owner.uid && us == 0:
		return account{}, fmt.Errorf("%s belongs to root, and PostgreSQL does not run as root: give it to another user (chown -R postgres %s)", path, path)
	case us == owner.uid:
	case us == 0:
		owner.lesser = true
	default:
		return account{}, fmt.Errorf("%s belongs to user %s: start the program as that user, or choose another data folder", path, owner.name)
	}
	return owner, nil
}

func userName(uid int) string {
	if found, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return found.Username
	}
	return strconv.Itoa(uid)
}

// prepare makes a command run as this account, in a process group of its own, with a bare environment in a folder that everyone may enter:
// PGDATA, PGPORT and the like of the caller do not reach the server.
func (a account) prepare(command *exec.Cmd) {
	command.Dir = "/"
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=/"}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if a.lesser {
		command.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)} //nolint:gosec // ids have 32 bits
	}
}

// own gives a file or folder to the account.
func (a account) own(path string) error {
	if !a.lesser {
		return nil
	}
	return os.Lchown(path, a.uid, a.gid)
}

// may tells whether the account passes a test of sh ("-x", "-w" …) on a path, asked as that very user: access lists and
// mount options count as well as modes.
func (a account) may(test, path string) bool {
	command := exec.Command("/bin/sh", "-c", `[ "$0" "$1" ]`, test, path) //nolint:gosec,noctx // the arguments are ours, and it answers at once
	a.prepare(command)
	return command.Run() == nil
}
