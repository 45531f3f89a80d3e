package embedded

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// minMajor is the oldest PostgreSQL that the migrations and tests are written for.
const minMajor = 15

// Source says where PostgreSQL's programs come from.
type Source string

// The places, in the order in which they are tried.
const (
	SourceEnvironment Source = "PG_BIN"
	SourceSystem      Source = "system"
	SourceCache       Source = "cache"
	// SourceFetch means that there are none yet: they are fetched at the first start.
	SourceFetch Source = "fetch"
)

// Binaries are PostgreSQL's programs.
type Binaries struct {
	// Dir holds initdb and postgres; empty while they have to be fetched.
	Dir     string
	Version string
	Major   int
	Source  Source
}

// FindPostgres tells which programs [StartPostgres] would use for a new database. It fetches nothing.
func FindPostgres() (Binaries, error) {
	f, err := newFetcher(orDiscard(nil))
	if err != nil {
		return Binaries{}, err
	}
	return findPostgres(0, f, false)
}

// findPostgres finds programs of one major version, of any when it is 0. fetchedOnly passes the system's by.
func findPostgres(major int, f fetcher, fetchedOnly bool) (Binaries, error) {
	if dir := os.Getenv("PG_BIN"); dir != "" {
		found, err := inspect(dir, SourceEnvironment)
		if err != nil {
			return Binaries{}, fmt.Errorf("PG_BIN: %w", err)
		}
		if major != 0 && found.Major != major {
			return Binaries{}, fmt.Errorf("PG_BIN leads to PostgreSQL %s, and the data was made by PostgreSQL %d: "+
				"set PG_BIN to programs of that version, unset it, or choose another data folder", found.Version, major)
		}
		if found.Major < minMajor {
			return Binaries{}, fmt.Errorf("PG_BIN leads to PostgreSQL %s, and %d or newer is needed", found.Version, minMajor)
		}
		return found, nil
	}
	suitable := func(b Binaries) bool { return b.Major >= minMajor && (major == 0 || b.Major == major) }
	if !fetchedOnly {
		for _, dir := range systemFolders() {
			if found, err := inspect(dir, SourceSystem); err == nil && suitable(found) {
				return found, nil
			}
		}
	}
	return f.find(major)
}

// systemFolders are where packages put PostgreSQL's programs, newest first.
func systemFolders() []string {
	var folders []string
	glob := func(pattern string) {
		// The pattern is ours and well formed.
		found, _ := filepath.Glob(pattern)
		slices.SortFunc(found, func(a, b string) int { return cmp.Compare(majorInPath(b), majorInPath(a)) })
		folders = append(folders, found...)
	}
	glob("/usr/lib/postgresql/*/bin") // Debian
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, filepath.Dir(path))
		}
	}
	if runtime.GOOS == "darwin" { // Homebrew
		glob("/opt/homebrew/opt/postgresql*/bin")
		glob("/usr/local/opt/postgresql*/bin")
	}
	return folders
}

// majorInPath reads the number in ".../postgresql/17/bin" or ".../postgresql@17/bin"; 0 when there is none.
func majorInPath(path string) int {
	digits := regexp.MustCompile(`(\d+)/bin$`).FindStringSubmatch(path)
	if digits == nil {
		return 0
	}
	n, err := strconv.Atoi(digits[1])
	if err != nil {
		return 0
	}
	return n
}

// inspect asks the programs of a folder for their version.
func inspect(dir string, source Source) (Binaries, error) {
	// The server is started from another folder than this program's.
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Binaries{}, err
	}
	var text []byte
	for _, name := range []string{"initdb", "postgres"} {
		text, err = exec.Command(filepath.Join(dir, name), "--version").Output() //nolint:gosec,noctx // a folder that the operator chose, and a program that answers at once
		if err != nil {
			return Binaries{}, fmt.Errorf("%s in %s does not run: %w", name, dir, err)
		}
	}
	// "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)", "postgres (PostgreSQL) 19beta1"
	match := regexp.MustCompile(`\(PostgreSQL\) ((\d+)\S*)`).FindStringSubmatch(string(text))
	if match == nil {
		return Binaries{}, fmt.Errorf("postgres in %s tells no version: %q", dir, strings.TrimSpace(string(text)))
	}
	major, err := strconv.Atoi(match[2])
	if err != nil {
		return Binaries{}, fmt.Errorf("postgres in %s: %w", dir, err)
	}
	return Binaries{Dir: dir, Version: match[1], Major: major, Source: source}, nil
}

// usable makes sure that the account can run the programs.
func (b Binaries) usable(us account) error {
	if path := filepath.Join(b.Dir, "postgres"); !us.may("-x", path) {
		return fmt.Errorf("user %s, as whom PostgreSQL has to run, may not run %s: open the folders above it (chmod o+x), or unset PG_BIN", us.name, path)
	}
	return nil
}
