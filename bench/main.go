// Command bench measures what the program costs beside the bare limit (net/http + encoding/json + pgx with the same query), in one run:
// the servers take turns, and a figure is compared only within its round. It prints medians and writes bench/out/result.json.
// These are measurements, not tests: nothing fails when a machine is slow.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/mindspace-app/mindspace/app"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1/authv1connect"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1/contentv1connect"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/probe/v1/probev1connect"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1/userv1connect"
	"github.com/mindspace-app/mindspace/platform/embedded"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case len(os.Args) == 4 && os.Args[1] == "bare":
		err = serveBare(ctx, os.Args[2])
	case len(os.Args) == 4 && os.Args[1] == "connect":
		err = servePlain(ctx, os.Args[2])
	case len(os.Args) == 4 && os.Args[1] == "ours":
		err = serveOurs(ctx, os.Args[2], os.Args[3])
	case len(os.Args) > 1 && os.Args[1] == "-growth":
		err = growth(ctx, os.Args[2:])
	default:
		err = drive(ctx)
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// signedIn is the program again, asked with an access token.
const signedIn = "ours, signed in"

// names are the servers, in the order in which they take turns: the bare limit, Connect alone, and the program.
var names = []string{"bare", "connect", "ours", signedIn}

var works = []work{
	{name: "empty", body: `{}`, paths: map[string]string{
		"bare": "/empty", "connect": probev1connect.ProbeServiceEmptyProcedure, "ours": probev1connect.ProbeServiceEmptyProcedure,
		signedIn: probev1connect.ProbeServiceEmptyProcedure,
	}},
	// The bare server checks an HMAC and copies what Redis holds.
	{name: "me", body: `{}`, paths: map[string]string{"bare": "/me", signedIn: userv1connect.UserServiceGetMeProcedure}},
	// The bare server hashes the password and does nothing else.
	{name: "login", body: login, paths: map[string]string{"bare": "/login", "ours": authv1connect.AuthServiceLoginProcedure}},
	// A session, its day and, of the program only, the event in the queue, each person under a lock of their own. The bare server inserts and rolls up in one statement.
	{name: "create", body: recordBody, paths: map[string]string{"bare": "/create", signedIn: meditationv1connect.MeditationServiceRecordSessionsProcedure}},
	// The twenty newest sessions of a person.
	{name: "history", body: `{"pageSize":20}`, paths: map[string]string{"bare": "/history", signedIn: meditationv1connect.MeditationServiceListSessionsProcedure}},
	// Nothing of this is remembered between requests: both ask PostgreSQL each time.
	{name: "get one", body: `{"id":"019b8cbd-b6d0-7e75-a467-126b36715e1a","locale":"sr"}`, paths: map[string]string{
		"bare": "/get", "ours": contentv1connect.ContentServiceGetMeditationProcedure,
	}},
	// The program remembers pages, as it does in production; the bare server asks PostgreSQL each time.
	{name: "list of 20", body: `{"pageSize":20,"locale":"en"}`, paths: map[string]string{"bare": "/list", "ours": contentv1connect.ContentServiceListMeditationsProcedure}},
}

func drive(ctx context.Context) error {
	rounds := flag.Int("rounds", 7, "rounds; each server runs once in each")
	seconds := flag.Float64("seconds", 3, "seconds a server and round")
	connections := flag.Int("connections", 32, "connections at once")
	only := flag.String("only", "", "the one work to measure")
	flag.Parse()
	env, stop, err := stage(ctx)
	defer stop()
	if err != nil {
		return err
	}
	servers := map[string]*server{}
	for _, name := range names[:3] {
		s, err := start(ctx, name, env)
		if err != nil {
			return err
		}
		defer s.stop()
		servers[name] = s
	}
	servers[signedIn] = servers["ours"]
	if err := register(ctx, servers["ours"].address, *connections); err != nil {
		return err
	}
	keys := &wallet{}
	if err := fill(ctx, servers, keys, *connections); err != nil {
		return err
	}
	all := map[string]map[string][]result{}
	for _, w := range works {
		if *only != "" && *only != w.name {
			continue
		}
		all[w.name] = map[string][]result{}
		for round := range *rounds + 1 { // the first one warms up
			for _, name := range names {
				if w.paths[name] == "" {
					continue
				}
				tokens, err := keys.of(ctx, name, servers[name].address, *connections)
				if err != nil {
					return err
				}
				r, err := measure(ctx, name, servers[name], w, tokens, time.Duration(*seconds*float64(time.Second)))
				if err != nil {
					return fmt.Errorf("%s, %s: %w", name, w.name, err)
				}
				if round > 0 {
					all[w.name][name] = append(all[w.name][name], r)
				}
			}
		}
	}
	return report(all)
}

// stage starts a database with the demo catalogue and a Redis, and tells the servers where they are.
func stage(ctx context.Context) (env []string, stop func(), err error) {
	quiet, stops := slog.New(slog.DiscardHandler), []func(){}
	stop = func() {
		for _, one := range slices.Backward(stops) {
			one()
		}
	}
	db, err := embedded.StartPostgres(ctx, embedded.PostgresConfig{Logger: quiet})
	if err != nil {
		return nil, stop, err
	}
	stops = append(stops, func() { _ = db.Stop(context.WithoutCancel(ctx)) })
	rdb, err := embedded.StartRedis(ctx, embedded.RedisConfig{Logger: quiet})
	if err != nil {
		return nil, stop, err
	}
	stops = append(stops, func() { _ = rdb.Stop(context.WithoutCancel(ctx)) })
	dir, err := os.MkdirTemp("", "mindspace-bench-")
	if err != nil {
		return nil, stop, err
	}
	stops = append(stops, func() { _ = os.RemoveAll(dir) })
	keyring := filepath.Join(dir, "keyring.json")
	if err := app.CreateKeys(keyring); err != nil {
		return nil, stop, err
	}
	if err := app.Migrate(ctx, db.URL()); err != nil {
		return nil, stop, err
	}
	config := app.Config{
		Environment: app.Demo, DatabaseURL: db.URL(), RedisURL: rdb.URL(), BlobURL: "mem://", DatabaseMaxConns: 4,
		KeysFile: keyring, LimitScale: 1, LogLevel: "warn",
	}
	if err := app.Seed(ctx, config, app.SeedDemo, os.Stderr); err != nil {
		return nil, stop, err
	}
	return []string{"DATABASE_URL=" + db.URL(), "REDIS_URL=" + rdb.URL(), "KEYRING_FILE=" + keyring}, stop, nil
}

func measure(ctx context.Context, name string, s *server, w work, tokens []string, d time.Duration) (result, error) {
	before, err := s.used(ctx)
	if err != nil {
		return result{}, err
	}
	begin := time.Now()
	n, p99, err := load(s.address, w.paths[name], w.body, tokens, d)
	if err != nil {
		return result{}, err
	}
	took := time.Since(begin)
	after, err := s.used(ctx)
	if err != nil {
		return result{}, err
	}
	used := after.minus(before)
	return result{
		requests: n, perSecond: float64(n) / took.Seconds(), p99: p99,
		cpu: used.CPU / time.Duration(n), allocs: float64(used.Allocs) / float64(n), bytes: float64(used.Bytes) / float64(n),
	}, nil
}

// row is one line of the report: medians of one server, and its ratios to the bare limit, each paired within a round.
type row struct {
	Work          string  `json:"work"`
	Server        string  `json:"server"`
	PerSecond     float64 `json:"requests_per_second"`
	PerSecondOver float64 `json:"requests_ratio"`
	CPUMicros     float64 `json:"cpu_us"`
	CPUOver       float64 `json:"cpu_ratio"`
	Allocs        float64 `json:"allocs"`
	Bytes         float64 `json:"allocated_bytes"`
	P99Millis     float64 `json:"p99_ms"`
}

func report(all map[string]map[string][]result) error {
	var rows []row
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "work\tserver\treq/s\t× bare\tCPU µs\t× bare\tallocs\tbytes\tp99\t")
	for _, w := range works {
		bare := all[w.name]["bare"]
		for _, name := range names {
			these := all[w.name][name]
			if len(these) == 0 {
				continue
			}
			r := row{
				Work: w.name, Server: name,
				PerSecond: median(these, perSecond), PerSecondOver: paired(bare, these, perSecond),
				CPUMicros: median(these, cpuMicros), CPUOver: paired(bare, these, cpuMicros),
				Allocs:    median(these, func(r result) float64 { return r.allocs }),
				Bytes:     median(these, func(r result) float64 { return r.bytes }),
				P99Millis: median(these, func(r result) float64 { return float64(r.p99) / 1e6 }),
			}
			rows = append(rows, r)
			fmt.Fprintf(table, "%s\t%s\t%.0f\t%.2f\t%.1f\t%.2f\t%.0f\t%.0f\t%.1f ms\t\n",
				r.Work, r.Server, r.PerSecond, r.PerSecondOver, r.CPUMicros, r.CPUOver, r.Allocs, r.Bytes, r.P99Millis)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	encoded, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll("bench/out", 0o750); err != nil {
		return err
	}
	return os.WriteFile("bench/out/result.json", encoded, 0o600)
}

func perSecond(r result) float64 { return r.perSecond }
func cpuMicros(r result) float64 { return float64(r.cpu) / 1e3 }

func median(results []result, figure func(result) float64) float64 {
	values := make([]float64, 0, len(results))
	for _, r := range results {
		values = append(values, figure(r))
	}
	return middle(values)
}

// paired is the median of these over bare, each within its round.
func paired(bare, these []result, figure func(result) float64) float64 {
	values := make([]float64, 0, len(bare))
	for i := range bare {
		values = append(values, figure(these[i])/figure(bare[i]))
	}
	return middle(values)
}

func middle(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
