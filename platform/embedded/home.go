package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// locationFile, in the folder that was asked for, says where the server's files really are.
	locationFile = "location"
	// originFile, in the real folder, says which folder was asked for.
	originFile = "origin"
	// pidFile says who uses the folder.
	pidFile = "pid"
	// systemState is where root's servers keep their files when the folder that was asked for cannot be entered by the server's user.
	systemState = "/var/lib/mindspace"
)

// home is the folder of one server.
type home struct {
	// dir is where the server's files are.
	dir string
	// redirected says that they are not where they were asked for.
	redirected bool
	account    account
	// throwaway homes are removed with the server.
	throwaway bool
	lock      *os.File
}

// openHome finds or makes the folder of a server and locks it. known are the names that the server's files may have,
// besides those of this file; state is the name among them that holds the server's data. An empty dir asks for a throwaway folder.
func openHome(dir, server, state string, known []string) (*home, error) {
	us, err := currentAccount()
	if err != nil {
		return nil, err
	}
	if dir == "" {
		return throwawayHome(server, us)
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if err := makeFolder(dir); err != nil {
		return nil, err
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	h, err := placeHome(dir, server, state, known, us)
	if err != nil {
		unlock(lock)
		return nil, err
	}
	h.lock = lock
	return h, nil
}

// close lets others use the folder.
func (h *home) close() {
	if h.lock != nil {
		unlock(h.lock)
	}
}

// tell says where the files are when that is not where they were asked for.
func (h *home) tell(ctx context.Context, logger *slog.Logger) {
	if h.redirected {
		logger.InfoContext(ctx, "the server's files are in another folder, as its user cannot enter the one that was asked for", "folder", h.dir, "user", h.account.name)
	}
}

// discard is close for a folder whose server did not start: a throwaway one goes.
func (h *home) discard() error {
	h.close()
	if h.throwaway {
		return os.RemoveAll(h.dir)
	}
	return nil
}

func throwawayHome(server string, us account) (*home, error) {
	// The user's own temporary folder may be closed to a lesser account.
	for _, parent := range []string{os.TempDir(), "/var/tmp", "/tmp"} {
		if !us.may("-x", parent) {
			continue
		}
		dir, err := os.MkdirTemp(parent, "mindspace-"+server+"-")
		if err != nil {
			continue
		}
		if err := us.own(dir); err != nil {
			return nil, errors.Join(fmt.Errorf("temporary folder: %w", err), os.Remove(dir))
		}
		return &home{dir: dir, account: us, throwaway: true}, nil
	}
	return nil, fmt.Errorf("user %s can use none of the temporary folders; set TMPDIR to one", us.name)
}

// makeFolder makes dir unless it exists. Its parents stay as open as the umask allows: they may be the user's own.
func makeFolder(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return fmt.Errorf("%s is a file, and a folder is needed there: move it away, or choose another data folder", dir)
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("data folder: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil { //nolint:gosec // the leaf is private
		return fmt.Errorf("data folder: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return nil
}

func placeHome(dir, server, state string, known []string, us account) (*home, error) {
	location, err := readFile(dir, locationFile)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w; change its permissions, or choose another data folder", err)
	}
	place := dir
	if location != "" {
		if _, err := os.Stat(location); err != nil {
			return nil, fmt.Errorf("%s says that the files are in %s, and they cannot be read there (%w): restore them, "+
				"or move %s away to begin anew", filepath.Join(dir, locationFile), location, err, dir)
		}
		place = location
	}
	if err := checkNames(place, append([]string{state}, known...)); err != nil {
		return nil, err
	}
	info, err := os.Stat(filepath.Join(place, state))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return newHome(dir, place, server, us)
	case err != nil:
		return nil, fmt.Errorf("data folder: %w; change its permissions, or choose another data folder", err)
	}
	owner, err := ownerOf(filepath.Join(place, state), info)
	if err != nil {
		return nil, err
	}
	if !owner.may("-w", place) {
		return nil, fmt.Errorf("user %s owns %s, so the server runs as that user, who may not write in %s: "+
			"open the folders above it (chmod o+x) or give it to that user (chown -R %s %s), or choose another data folder",
			owner.name, filepath.Join(place, state), place, owner.name, place)
	}
	return &home{dir: place, account: owner, redirected: place != dir}, nil
}

// checkNames refuses a folder that holds anything else than a server's files, lest they mix with a person's.
func checkNames(dir string, known []string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("data folder: %w; change its permissions, or choose another data folder", err)
	}
	known = append(known, locationFile, originFile, pidFile)
	for _, entry := range entries {
		// A prefix: files are written as name.new, logs are kept as name.1, and so on.
		ours := func(prefix string) bool { return strings.HasPrefix(entry.Name(), prefix) }
		if !slices.ContainsFunc(known, ours) {
			return fmt.Errorf("%s holds %s, which is not of this program: choose an empty data folder", dir, entry.Name())
		}
	}
	return nil
}

// newHome is a folder without data yet.
func newHome(dir, place, server string, us account) (*home, error) {
	if us.lesser && place == dir && !us.may("-x", filepath.Dir(dir)) {
		return redirectHome(dir, server, us)
	}
	if err := us.own(place); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if !us.may("-w", place) {
		return nil, fmt.Errorf("user %s may not write in %s: change its permissions, or choose another data folder", us.name, place)
	}
	return &home{dir: place, account: us, redirected: place != dir}, nil
}

// redirectHome makes a folder that the lesser account can enter, and notes it in the folder that was asked for. Its name is random:
// who deletes the data folder and begins anew gets new data.
func redirectHome(dir, server string, us account) (*home, error) {
	if err := os.MkdirAll(systemState, 0o755); err != nil { //nolint:gosec // the leaf is private
		return nil, fmt.Errorf("folder for the files of user %s: %w", us.name, err)
	}
	target, err := os.MkdirTemp(systemState, server+"-")
	if err != nil {
		return nil, fmt.Errorf("folder for the files of user %s: %w", us.name, err)
	}
	err = writeFile(target, originFile, dir+"\n")
	if err == nil {
		err = us.own(target)
	}
	if err == nil && !us.may("-w", target) {
		err = fmt.Errorf("user %s may not write there", us.name)
	}
	if err == nil {
		err = writeFile(dir, locationFile, target+"\n")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("folder %s for the server's files: %w", target, err), os.RemoveAll(target))
	}
	return &home{dir: target, account: us, redirected: true}, nil
}
