package app

import (
	"context"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/cache/redistest"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
	"github.com/mindspace-app/mindspace/platform/queue"
	"github.com/mindspace-app/mindspace/platform/telemetry/telemetrytest"
)

// configured is a valid configuration on a database and a Redis of the test's own.
func configured(t *testing.T) Config {
	t.Helper()
	keyring := filepath.Join(t.TempDir(), "keyring.json")
	if err := CreateKeys(keyring); err != nil {
		t.Fatal(err)
	}
	return Config{
		SignIn:      SignIn{PublicURL: "https://api.example.org", MailURL: "file://" + t.TempDir(), MailFrom: "Mind Space <hello@example.org>"},
		Environment: Production, DatabaseURL: pgtest.URL(t, migrations.FS), DatabaseMaxConns: 4, RedisURL: redistest.New(t), BlobURL: "mem://",
		KeysFile: keyring, Addr: "127.0.0.1:0", LimitScale: 1, AddressPerSecond: 100, DrainGrace: 10 * time.Second, LogLevel: "error", LogFormat: "json",
	}
}

// Every metric of a whole process is in the documentation, with its labels.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	a, err := New(t.Context(), configured(t), []string{"all"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.publicHandler(); err != nil { // registers the edge's
		t.Fatal(err)
	}
	a.health.Report(t.Context())
	telemetrytest.Documented(t, a.metrics.Registry(), "../docs/metrics.md")
}

func TestConfigurationIsCheckedAsAWhole(t *testing.T) {
	t.Parallel()
	good := configured(t)
	if err := good.check(); err != nil {
		t.Fatalf("a good one: %v", err)
	}
	for setting, spoil := range map[string]func(*Config){
		"MINDSPACE_ENV":               func(c *Config) { c.Environment = "staging" },
		"DATABASE_URL":                func(c *Config) { c.DatabaseURL = "mysql://root:hunter2@x/y" },
		"DATABASE_DIRECT_URL":         func(c *Config) { c.DatabasePooler = true },
		"DATABASE_MAX_CONNS":          func(c *Config) { c.DatabaseMaxConns = 1 },
		"REDIS_URL":                   func(c *Config) { c.RedisURL = "" },
		"BLOB_URL":                    func(c *Config) { c.BlobURL = "ftp://x" },
		"MEDIA_URL":                   func(c *Config) { c.MediaURL = "http://media.example.org" },
		"KEYRING_FILE":                func(c *Config) { c.KeysFile = "" },
		"PUBLIC_URL":                  func(c *Config) { c.PublicURL = "https://api.example.org/path" },
		"MAIL_URL":                    func(c *Config) { c.MailURL = "http://root:hunter2@mail.example.org" },
		"MAIL_FROM":                   func(c *Config) { c.MailFrom = "nobody" },
		"OIDC_PROVIDERS":              func(c *Config) { c.OidcProviders = `[{"id":"x","clientSecret":"hunter2"}]` },
		"OIDC_RETURN_URLS":            func(c *Config) { c.OidcReturnURLs = []string{"javascript:alert(1)"} },
		"ERASURE_COOLING_OFF":         func(c *Config) { c.ErasureCoolingOff = -time.Second },
		"BACKUP_HORIZON":              func(c *Config) { c.BackupHorizon = -time.Hour },
		"MINIMUM_AGE":                 func(c *Config) { c.MinimumAge = "16,Serbia=15" },
		"PASSKEY_ORIGINS":             func(c *Config) { c.PasskeyOrigins = []string{"ftp://x"} },
		"LIMIT_SCALE":                 func(c *Config) { c.LimitScale = -1 },
		"ADDRESS_PER_SECOND":          func(c *Config) { c.AddressPerSecond = -1 },
		"TRACE_RATIO":                 func(c *Config) { c.TraceRatio = 2 },
		"TRUSTED_PROXIES":             func(c *Config) { c.TrustedProxies = []string{"10.0.0.0/8", "nowhere"} },
		"LOG_FORMAT":                  func(c *Config) { c.LogFormat = "xml" },
		"OTEL_EXPORTER_OTLP_ENDPOINT": func(c *Config) { c.OTLPEndpoint = "collector:4317" },
		"ALLOWED_ORIGINS":             func(c *Config) { c.AllowedOrigins = []string{"https://app.example.org", "https://*.example.org"} },
		"LOG_LEVEL":                   func(c *Config) { c.LogLevel = "loud" },
	} {
		c := good
		spoil(&c)
		_, err := New(t.Context(), c, []string{"all"})
		if err == nil || !strings.Contains(err.Error(), setting) {
			t.Errorf("%s: got %v", setting, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error repeats a password: %v", err)
		}
	}
}

func TestMediaURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		environment, blobURL, mediaURL string
		ok                             bool
	}{
		{Production, "file:///x", "", true},
		{Production, "file:///x", "https://media.example.org", true},
		{Production, "s3://x", "https://media.example.org", true},
		{Production, "file:///x", "http://media.example.org", false},
		{Production, "file:///x", "http://localhost:8081", true},
		{Demo, "file:///x", "http://media.example.org", true},
		{Production, "s3://x?region=eu-central-1", "s3", true},
		{Production, "file:///x", "s3", false},
		{Demo, "mem://", "s3", false},
		{Demo, "s3://x", "S3", false},
		{Demo, "s3://x", "s3://x", false},
		{Demo, "file:///x", "https://media.example.org/path", false},
		{Demo, "file:///x", "https://media.example.org/", false},
		{Demo, "file:///x", "media.example.org", false},
	} {
		var problems []string
		Media{MediaURL: tt.mediaURL}.check(tt.environment == Production, tt.blobURL, func(setting, _ string, _ ...any) { problems = append(problems, setting) })
		if ok := len(problems) == 0; ok != tt.ok || !ok && !slices.Equal(problems, []string{"MEDIA_URL"}) {
			t.Errorf("%+v: %v", tt, problems)
		}
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	for names, want := range map[string]int{
		"all": 5, "gateway,auth,user,meditation": 4, "worker": 1, "worker,worker": 1, "all,worker": 5,
		"gateway": 0, "auth": 0, "user": 0, "gateway,auth,meditation": 0, "meditation": 0, "poet": 0, "": 0,
	} {
		roles, err := parseRoles(strings.Split(names, ","))
		if len(roles) != want || (err != nil) != (want == 0) {
			t.Errorf("%q: %v, %v; want %d roles", names, roles, err, want)
		}
	}
}

// Each set of roles that may run by itself is a whole: nothing in it waits for a room that is elsewhere.
func TestEverySetOfRolesStarts(t *testing.T) {
	t.Parallel()
	for _, roles := range [][]string{{"all"}, texts(together()), {"worker"}} {
		config := configured(t)
		a, err := New(t.Context(), config, roles)
		if err != nil {
			t.Errorf("%v: %v", roles, err)
			continue
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		if !a.awaitReady(t.Context()) {
			t.Errorf("%v: never ready", roles)
		}
		stop()
		if err := <-done; err != nil {
			t.Errorf("%v: %v", roles, err)
		}
		a.Close()
	}
}

// The database roles hold what the program needs and nothing more.
func TestDatabaseRoles(t *testing.T) {
	t.Parallel()
	database := pgtest.URL(t, migrations.FS)
	for range 2 { // again, since it is run after each migration
		if err := DatabaseRoles(t.Context(), database, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	asRoleReady(t, database)
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	may := func(role, statement string) bool {
		t.Helper()
		err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), "SET LOCAL ROLE "+role); err != nil {
				t.Fatal(err)
			}
			_, err := tx.Exec(t.Context(), statement)
			return err
		})
		return err == nil
	}
	for _, tt := range []struct {
		role, statement string
		want            bool
	}{
		{"mindspace_meditation", "SELECT * FROM content.meditations", true},
		{"mindspace_meditation", "UPDATE content.meditations SET level = 'beginner'", true},
		{"mindspace_meditation", "DELETE FROM rpc.idempotency_keys", true},
		{"mindspace_meditation", "INSERT INTO audit.unsealed (record_id) VALUES (gen_random_uuid())", true},
		{"mindspace_meditation", "DELETE FROM audit.unsealed", false},
		{"mindspace_meditation", "INSERT INTO audit.links (seq, record_id, hash) VALUES (1, gen_random_uuid(), sha256('x'))", false},
		{"mindspace_meditation", "DELETE FROM audit.person_keys", false},
		{"mindspace_meditation", "SELECT * FROM river.river_queue", false},
		{"mindspace_meditation", "CREATE TABLE content.x (a int)", false},
		{"mindspace_auth", "UPDATE auth.sessions SET device = ''", true},
		{"mindspace_auth", "SELECT * FROM content.meditations", false},
		{"mindspace_meditation", "SELECT * FROM auth.accounts", false},
		{"mindspace_meditation", "SELECT * FROM users.consents", false},
		{"mindspace_auth", "SELECT * FROM users.health_profiles", false},
		{"mindspace_user", "UPDATE users.profiles SET units = 'metric'", true},
		{"mindspace_user", "SELECT * FROM auth.accounts", false},
		{"mindspace_user", "DELETE FROM audit.person_keys", false},
		{"mindspace_worker", "DELETE FROM audit.person_keys", true},
		{"mindspace_worker", "DELETE FROM users.health_profiles", true},
		{"mindspace_worker", "DELETE FROM auth.guards", true},
		{"mindspace_worker", "DELETE FROM audit.unsealed", true},
		{"mindspace_worker", "UPDATE river.river_job SET priority = 1", true},
		{"mindspace_worker", "DROP TABLE content.meditations", false},
		{"mindspace_worker", "UPDATE audit.records SET action = 'a.b'", false},
	} {
		if got := may(tt.role, tt.statement); got != tt.want {
			t.Errorf("%s may %q: %v, want %v", tt.role, tt.statement, got, tt.want)
		}
	}
}

// asRoleReady is what readiness asks, asked with the rights of each role.
func asRoleReady(t *testing.T, database string) {
	t.Helper()
	for _, role := range databaseRoles {
		config, err := pgxpool.ParseConfig(database)
		if err != nil {
			t.Fatal(err)
		}
		config.ConnConfig.RuntimeParams["role"] = role.name
		pool, err := pgxpool.NewWithConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		all, err := postgres.PoolStatus(t.Context(), pool, migrations.FS)
		if err != nil || len(postgres.Pending(all)) > 0 {
			t.Errorf("%s cannot see that the schema is up to date: %v", role.name, err)
		}
		if err := queue.Ready(t.Context(), pool); err != nil {
			t.Errorf("%s cannot see the queue: %v", role.name, err)
		}
		pool.Close()
	}
}

func TestProxiesAreNetworksOrAddresses(t *testing.T) {
	t.Parallel()
	prefixes, err := Config{TrustedProxies: []string{"10.0.0.0/8", "192.0.2.7", "2001:db8::/32"}}.proxies()
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, p := range prefixes {
		texts = append(texts, p.String())
	}
	if want := []string{"10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"}; !slices.Equal(texts, want) {
		t.Errorf("got %v, want %v", texts, want)
	}
}

// A program whose servers are configured runs with nothing of `up`.
func TestConfiguredProgramServes(t *testing.T) {
	t.Parallel()
	config := configured(t)
	a, err := New(t.Context(), config, []string{"all"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	if !a.awaitReady(t.Context()) {
		t.Fatal("never ready")
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}
