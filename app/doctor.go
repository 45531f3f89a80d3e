package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"gocloud.dev/blob"

	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/embedded"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/services/auth/password"
)

const (
	// examination is how long one examination may take.
	examination = 10 * time.Second
	// auditExamination is how long the audit chain may take: each record is read, some ten thousand a second.
	auditExamination = 10 * time.Minute
	auditChain       = "audit chain"
)

// finding is what an examination says: fine, or what to do.
type finding struct {
	detail string
	mend   string // empty when nothing is wrong
}

func fine(format string, args ...any) finding { return finding{detail: fmt.Sprintf(format, args...)} }

func wrong(mend, format string, args ...any) finding {
	return finding{detail: fmt.Sprintf(format, args...), mend: mend}
}

// Doctor prints what is wrong with this machine or configuration, and how to mend it. It changes nothing, but for probes that it removes.
// It looks at the servers that are configured, or, where none are, at what `up` would use. It fails when something is wrong.
func Doctor(ctx context.Context, config Config, data string, out io.Writer) error {
	examinations := []struct {
		name    string
		examine func(context.Context) finding
	}{
		{"time zones", examineZones},
		{"public port", func(ctx context.Context) finding { return examinePort(ctx, "--addr", config.Addr) }},
		{"metrics port", func(ctx context.Context) finding { return examinePort(ctx, "--ops-addr", config.OpsAddr) }},
		{"data folder", func(context.Context) finding { return examineFolder(data) }},
		{"PostgreSQL", func(ctx context.Context) finding { return examineDatabase(ctx, config) }},
		{auditChain, func(ctx context.Context) finding { return examineAudit(ctx, config) }},
		{"Redis", func(ctx context.Context) finding { return examineRedis(ctx, config) }},
		{"keyring", func(context.Context) finding { return examineKeys(config, data) }},
		{"passwords", examineHashing},
		{"blob store", func(ctx context.Context) finding { return examineBlobs(ctx, config) }},
	}
	problems := 0
	for _, e := range examinations {
		patience := examination
		if e.name == auditChain {
			patience = auditExamination
		}
		examining, cancel := context.WithTimeout(ctx, patience)
		f := e.examine(examining)
		cancel()
		if f.mend == "" {
			fmt.Fprintf(out, "ok     %-13s %s\n", e.name, f.detail)
			continue
		}
		problems++
		fmt.Fprintf(out, "WRONG  %-13s %s\n%22s%s\n", e.name, f.detail, "→ ", f.mend)
	}
	if problems > 0 {
		return fmt.Errorf("%d of %d things are not as they should be", problems, len(examinations))
	}
	return nil
}

func examineZones(context.Context) finding {
	for _, name := range []string{"Europe/Belgrade", "Pacific/Apia", "Asia/Kathmandu"} {
		if _, err := time.LoadLocation(name); err != nil {
			return wrong("install the time zone database (Debian: apt-get install tzdata)", "%s is unknown", name)
		}
	}
	return fine("known")
}

func examinePort(ctx context.Context, flag, addr string) finding {
	if addr == "" {
		return fine("none wanted")
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return wrong("stop the other program, or choose another address with "+flag, "%v", err)
	}
	_ = l.Close()
	return fine("%s is free", addr)
}

func examineFolder(data string) finding {
	info, err := os.Stat(data)
	switch {
	case errors.Is(err, os.ErrNotExist):
		parent := filepath.Dir(data)
		if _, err := os.Stat(parent); err != nil {
			return wrong("make the folder "+parent+", or choose another with --data", "%v", err)
		}
		return fine("%s will be made by `mindspace up`", data)
	case err != nil:
		return wrong("choose another folder with --data", "%v", err)
	case !info.IsDir():
		return wrong("move the file away, or choose another folder with --data", "%s is a file", data)
	}
	probe, err := os.CreateTemp(data, ".doctor-")
	if err != nil {
		return wrong("give yourself the right to write there (chown), or choose another folder with --data", "%v", err)
	}
	_ = probe.Close()
	_ = os.Remove(probe.Name())
	return fine("%s", data)
}

func examineDatabase(ctx context.Context, config Config) finding {
	if config.DatabaseURL == "" {
		found, err := embedded.FindPostgres()
		switch {
		case err != nil:
			return wrong("install PostgreSQL (Debian: apt-get install postgresql), or set PG_BIN to its bin folder", "%v", err)
		case found.Source == embedded.SourceFetch:
			return fine("none installed; `mindspace up` fetches %s once, 15 to 30 MB", found.Version)
		default:
			return fine("%s in %s, for `mindspace up`", found.Version, found.Dir)
		}
	}
	conn, err := pgx.Connect(ctx, config.direct())
	if err != nil {
		return wrong("check DATABASE_URL and that the server runs and lets this machine in", "%v", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var version string
	var theirs time.Time
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_version'), clock_timestamp()").Scan(&version, &theirs); err != nil {
		return wrong("look into the server's log", "%v", err)
	}
	if skew := time.Since(theirs).Abs(); skew > 5*time.Second {
		return wrong("set both clocks by NTP", "its clock is %s off from this one", skew.Round(time.Second))
	}
	all, err := postgres.Status(ctx, config.direct(), migrations.FS)
	if err != nil {
		return wrong("give this login the right to read the migration tables, or run `mindspace migrate up`", "%v", err)
	}
	if n := len(postgres.Pending(all)); n > 0 {
		return wrong("run `mindspace migrate up`", "%s, with %d migrations pending", version, n)
	}
	return fine("%s, schema up to date", version)
}

func examineAudit(ctx context.Context, config Config) finding {
	if config.DatabaseURL == "" {
		return fine("no database is configured")
	}
	report, err := verifyAudit(ctx, config.direct())
	switch {
	case err != nil:
		return wrong("mend the database first", "%v", err)
	case !report.Intact():
		return wrong(mendAudit, "%s at %d", report.Break.Damage, report.Break.Seq)
	default:
		return fine("%d records sealed, %d waiting", report.Sealed, report.Unsealed)
	}
}

func examineRedis(ctx context.Context, config Config) finding {
	if config.RedisURL == "" {
		path, version, ok, err := embedded.FindRedis()
		switch {
		case err != nil:
			return wrong("set REDIS_BIN to a redis-server of 6.2 or newer, or unset it", "%v", err)
		case !ok:
			return fine("no redis-server installed; `mindspace up` runs one in its own process")
		default:
			return fine("%s at %s, for `mindspace up`", version, path)
		}
	}
	options, err := redis.ParseURL(config.RedisURL)
	if err != nil {
		return wrong("set REDIS_URL like redis://host:6379/0", "REDIS_URL is not a Redis address")
	}
	rdb := redis.NewClient(options)
	defer func() { _ = rdb.Close() }()
	if err := rdb.Ping(ctx).Err(); err != nil {
		return wrong("check REDIS_URL and that the server runs; without it everything works, more slowly", "%v", err)
	}
	return fine("answers")
}

func examineKeys(config Config, data string) finding {
	if config.Keys == "" && config.KeysFile == "" {
		own := filepath.Join(data, "keyring.json")
		if _, err := os.Stat(own); err != nil {
			return fine("`mindspace up` makes one in the data folder")
		}
		config.KeysFile, config.Environment = own, Demo
	}
	keys, err := loadKeys(config)
	if err != nil {
		return wrong("make a keyring with `mindspace keys create FILE`, or restore it from your backup", "%v", err)
	}
	return fine("made on %s", keys.Created().Format(time.DateOnly))
}

// examineHashing says how long it takes to hash a password here.
func examineHashing(ctx context.Context) finding {
	hasher, err := password.New(password.Parameters(), 1)
	if err != nil {
		return wrong("report this as a bug", "%v", err)
	}
	const hashes = 3
	begin := time.Now()
	for range hashes {
		if err := hasher.Dummy(ctx, "a password"); err != nil {
			return wrong("try again on a quieter machine", "%v", err)
		}
	}
	took := time.Since(begin) / hashes
	return fine("a hash takes %d ms, so each core signs in %d people a second", took.Milliseconds(), time.Second/max(took, time.Millisecond))
}

// examineBlobs writes, reads and deletes a small blob.
func examineBlobs(ctx context.Context, config Config) finding {
	if config.BlobURL == "" {
		return fine("`mindspace up` keeps files in the data folder")
	}
	const mend = "check BLOB_URL, the folder or bucket, and the credentials"
	bucket, err := blob.OpenBucket(ctx, config.BlobURL)
	if err != nil {
		return wrong(mend, "%v", err)
	}
	defer func() { _ = bucket.Close() }()
	const key = "doctor/probe"
	if err := bucket.WriteAll(ctx, key, []byte("probe"), nil); err != nil {
		return wrong(mend, "%v", err)
	}
	if got, err := bucket.ReadAll(ctx, key); err != nil || string(got) != "probe" {
		return wrong(mend, "what was written does not come back: %v", err)
	}
	if err := bucket.Delete(ctx, key); err != nil {
		return wrong(mend, "%v", err)
	}
	return fine("can be written and read")
}
