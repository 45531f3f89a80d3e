package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// repositoryVariable names another Maven repository to fetch PostgreSQL from; the library's own default otherwise.
const repositoryVariable = "MINDSPACE_POSTGRES_REPOSITORY"

// fetchableVersions are those that the library knows, newest first.
var fetchableVersions = []embeddedpostgres.PostgresVersion{
	embeddedpostgres.V18, embeddedpostgres.V17, embeddedpostgres.V16, embeddedpostgres.V15,
}

// fetcher brings PostgreSQL's programs from a Maven repository into a cache of our own.
type fetcher struct {
	cache string
	// repository is a URL; empty for the library's own default.
	repository string
	logger     *slog.Logger
}

func newFetcher(logger *slog.Logger) (fetcher, error) {
	cache, err := cacheFolder()
	if err != nil {
		return fetcher{}, err
	}
	return fetcher{cache: cache, repository: os.Getenv(repositoryVariable), logger: logger}, nil
}

// find gives the programs of the cache, or says which would be fetched into it; of any version when major is 0.
func (f fetcher) find(major int) (Binaries, error) {
	for _, version := range fetchableVersions {
		text, _, _ := strings.Cut(string(version), ".")
		n, err := strconv.Atoi(text)
		if err != nil {
			return Binaries{}, fmt.Errorf("version %s: %w", version, err)
		}
		if major != 0 && n != major {
			continue
		}
		if found, err := inspect(f.folder(string(version)), SourceCache); err == nil {
			return found, nil
		}
		return Binaries{Version: string(version), Major: n, Source: SourceFetch}, nil
	}
	return Binaries{}, fmt.Errorf("the data was made by PostgreSQL %d, of which there are no programs on this machine: "+
		"install PostgreSQL %d, set PG_BIN to its programs, or choose another data folder", major, major)
}

// folder is where the programs of a version are in the cache.
func (f fetcher) folder(version string) string {
	return filepath.Join(f.cache, "postgresql-"+version+"-"+runtime.GOOS+"-"+runtime.GOARCH, "bin")
}

// cacheFolder is where fetched programs are kept; it need not exist. Root's is open to all, as the server runs as another user;
// a home folder often is not. HOME may be unset, as in bare containers.
func cacheFolder() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/cache/mindspace", nil
	}
	if dir, err := os.UserCacheDir(); err == nil {
		return filepath.Join(dir, "mindspace"), nil
	}
	dir := filepath.Join(os.TempDir(), "mindspace-cache-"+strconv.Itoa(os.Geteuid()))
	return dir, checkOwner(dir)
}

// checkOwner refuses a folder that someone else has made: programs are run from it.
func checkOwner(dir string) error {
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cache folder: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(stat.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("cache folder %s can be written by someone else: set HOME, or remove it", dir)
	}
	return nil
}

// fetch brings the programs into the cache. Programs that ask for the same at once wait for one another.
func (f fetcher) fetch(ctx context.Context, wanted Binaries) (Binaries, error) {
	if err := os.MkdirAll(f.cache, 0o755); err != nil { //nolint:gosec // nothing secret, and another user runs it
		return Binaries{}, fmt.Errorf("cache folder: %w", err)
	}
	if err := checkOwner(f.cache); err != nil {
		return Binaries{}, err
	}
	lock, err := waitForFolder(ctx, f.cache)
	if err != nil {
		return Binaries{}, err
	}
	defer unlock(lock)

	target := f.folder(wanted.Version)
	if found, err := inspect(target, SourceCache); err == nil {
		return found, nil
	}
	f.removeUnfinished()
	f.logger.InfoContext(ctx, "fetching PostgreSQL, once, some 15 to 30 MB", "version", wanted.Version, "into", filepath.Dir(target))
	work, err := os.MkdirTemp(f.cache, unfinishedPrefix)
	if err != nil {
		return Binaries{}, fmt.Errorf("cache folder: %w", err)
	}
	defer os.RemoveAll(work)

	result := make(chan error, 1)
	go func() { result <- f.download(work, wanted.Version) }()
	select {
	case err = <-result:
	case <-ctx.Done():
		// The library cannot be interrupted; what it still writes goes with the next fetch. Until it gives up, another fetch
		// of this process waits for it.
		err = ctx.Err()
	}
	if err != nil {
		return Binaries{}, fmt.Errorf("fetch PostgreSQL %s: %w; install PostgreSQL %d or newer (Debian: apt install postgresql; macOS: brew install postgresql), "+
			"set PG_BIN to its programs, set %s to a Maven repository that can be reached, or set DATABASE_URL to a server",
			wanted.Version, err, minMajor, repositoryVariable)
	}
	programs := filepath.Join(work, "programs")
	if err := open(programs); err != nil {
		return Binaries{}, fmt.Errorf("unpack PostgreSQL %s: %w", wanted.Version, err)
	}
	if _, err := inspect(filepath.Join(programs, "bin"), SourceCache); err != nil {
		return Binaries{}, fmt.Errorf("the fetched PostgreSQL %s does not run on this machine: %w", wanted.Version, err)
	}
	// Under its final name there are never half-unpacked programs.
	if err := errors.Join(os.RemoveAll(filepath.Dir(target)), os.Rename(programs, filepath.Dir(target))); err != nil {
		return Binaries{}, fmt.Errorf("cache folder: %w", err)
	}
	return inspect(target, SourceCache)
}

const unfinishedPrefix = "fetch-"

// removeUnfinished removes what interrupted fetches left; the cache is locked.
func (f fetcher) removeUnfinished() {
	left, _ := filepath.Glob(filepath.Join(f.cache, unfinishedPrefix+"*"))
	for _, dir := range left {
		if err := os.RemoveAll(dir); err != nil {
			f.logger.Warn("left an unfinished fetch behind", "folder", dir, "error", err)
		}
	}
}

// download fetches and unpacks into work/programs. The library does that only as the first part of starting a server, which
// it cannot do as root. So it is given a data folder that looks complete and is not: it fetches, unpacks, and fails to start.
func (f fetcher) download(work, version string) error {
	data := filepath.Join(work, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte(version), 0o600); err != nil {
		return err
	}
	config := embeddedpostgres.DefaultConfig().
		Version(embeddedpostgres.PostgresVersion(version)).
		Port(0).
		CachePath(filepath.Join(work, "archive")).
		RuntimePath(filepath.Join(work, "runtime")).
		BinariesPath(filepath.Join(work, "programs")).
		DataPath(data).
		Logger(nil)
	if f.repository != "" {
		config = config.BinaryRepositoryURL(strings.TrimSuffix(f.repository, "/"))
	}
	server := embeddedpostgres.NewDatabase(config)
	err := server.Start()
	if err == nil {
		return errors.Join(errors.New("a server started on a folder without data"), server.Stop())
	}
	if strings.HasPrefix(err.Error(), "could not start postgres") {
		return nil
	}
	return err
}

// open lets every user read and run what was unpacked, whatever the umask was.
func open(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm() | 0o444
		if entry.IsDir() || mode&0o100 != 0 {
			mode |= 0o111
		}
		return root.Chmod(path, mode)
	})
}
