package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/app"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1/authv1connect"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1/userv1connect"
	"github.com/mindspace-app/mindspace/platform/embedded"
)

const (
	// growthPerPerson is how many sessions a person has, in the small database as in the large one: only how many persons there are differs.
	growthPerPerson = 40
	// growthSmall is how many sessions the small database has.
	growthSmall = 200_000
)

// growthWorks are asked in this order for each person; the later page is the one after the first, and statistics after a change are in no cache.
var growthWorks = []string{"history", "history, later page", "statistics", "record one", "statistics, after a change"}

// growth measures whether what a person asks for gets slower as there are more persons: the same requests to the program with a small and a large
// database, in turns, one at a time, by persons chosen at random over all. The data stays in the folder, if one is given, and is used again.
func growth(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("growth", flag.ExitOnError)
	sessions := flags.Int("growth-sessions", 20_000_000, "sessions of the large database")
	dir := flags.String("growth-dir", "", "folder of the databases; empty for a throwaway one")
	rounds := flags.Int("rounds", 7, "rounds after the first, in which nothing is in memory yet")
	persons := flags.Int("growth-persons", 200, "how many persons ask")
	if err := flags.Parse(args); err != nil {
		return err
	}
	stage, stop, err := growthStage(ctx, *dir)
	defer stop()
	if err != nil {
		return err
	}
	var sides []*growthSide
	for _, size := range []int{growthSmall, *sessions} {
		side, err := stage.side(ctx, size)
		if err != nil {
			return err
		}
		defer side.stop(ctx)
		if err := side.signIn(ctx, *persons); err != nil {
			return err
		}
		sides = append(sides, side)
	}
	cold, warm := growthTimes{}, growthTimes{}
	for round := range *rounds + 1 {
		times := warm
		if round == 0 {
			times = cold
		}
		for i := range *persons {
			for turn := range sides { // who begins takes turns
				at := (turn + i + round) % len(sides)
				if err := sides[at].ask(ctx, i, func(work string, took time.Duration) { times.add(work, at, round, took) }); err != nil {
					return fmt.Errorf("%d sessions: %w", sides[at].sessions, err)
				}
			}
		}
	}
	return reportGrowth(sides, cold, warm)
}

// growthTimes are durations by work, side and round.
type growthTimes map[string]map[int]map[int][]time.Duration

func (t growthTimes) add(work string, side, round int, took time.Duration) {
	if t[work] == nil {
		t[work] = map[int]map[int][]time.Duration{0: {}, 1: {}}
	}
	t[work][side][round] = append(t[work][side][round], took)
}

// percentile is that of all rounds of one side.
func (t growthTimes) percentile(work string, side, percent int) time.Duration {
	var all []time.Duration
	for _, times := range t[work][side] {
		all = append(all, times...)
	}
	return percentile(all, percent)
}

// ratio is the 95th percentile of the large side over that of the small one, the median of rounds.
func (t growthTimes) ratio(work string) float64 {
	var ratios []float64
	for round, times := range t[work][0] {
		ratios = append(ratios, float64(percentile(t[work][1][round], 95))/float64(percentile(times, 95)))
	}
	return middle(ratios)
}

func percentile(times []time.Duration, percent int) time.Duration {
	slices.Sort(times)
	return times[len(times)*percent/100]
}

// growthStaged is where the databases of both sizes are.
type growthStaged struct {
	database, keyring string
}

func growthStage(ctx context.Context, dir string) (s growthStaged, stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, one := range slices.Backward(stops) {
			one()
		}
	}
	cluster := ""
	if dir != "" {
		cluster = filepath.Join(dir, "postgres")
	} else if dir, err = os.MkdirTemp("", "mindspace-bench-"); err != nil {
		return s, stop, err
	} else {
		stops = append(stops, func() { _ = os.RemoveAll(dir) })
	}
	db, err := embedded.StartPostgres(ctx, embedded.PostgresConfig{Dir: cluster, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return s, stop, err
	}
	stops = append(stops, func() { _ = db.Stop(context.WithoutCancel(ctx)) })
	s = growthStaged{database: db.URL(), keyring: filepath.Join(dir, "keyring.json")}
	if _, err := os.Stat(s.keyring); err == nil {
		return s, stop, nil
	}
	return s, stop, app.CreateKeys(s.keyring)
}

// growthSide is the program with a database of one size.
type growthSide struct {
	sessions int
	persons  int
	server   *server
	redis    *embedded.Redis
	// tokens are those of the persons who ask.
	tokens []string
}

// side makes and fills a database, unless it is there, and starts the program with it and a Redis of its own.
func (s growthStaged) side(ctx context.Context, sessions int) (*growthSide, error) {
	name := fmt.Sprintf("sessions_%d", sessions)
	if err := s.create(ctx, name); err != nil {
		return nil, err
	}
	address, err := url.Parse(s.database)
	if err != nil {
		return nil, err
	}
	address.Path = "/" + name
	rdb, err := embedded.StartRedis(ctx, embedded.RedisConfig{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	config := app.Config{
		Environment: app.Demo, DatabaseURL: address.String(), RedisURL: rdb.URL(), BlobURL: "mem://", DatabaseMaxConns: 4,
		KeysFile: s.keyring, LimitScale: 1, LogLevel: "warn",
	}
	if err := app.Migrate(ctx, config.DatabaseURL); err != nil {
		return nil, err
	}
	side := &growthSide{sessions: sessions, persons: max(sessions/growthPerPerson, 1), redis: rdb}
	if err := app.SeedScale(ctx, config, app.ScaleOptions{Users: side.persons, Sessions: sessions, Seed: 1}, os.Stderr); err != nil {
		return nil, err
	}
	side.server, err = start(ctx, "ours", []string{"DATABASE_URL=" + config.DatabaseURL, "REDIS_URL=" + config.RedisURL, "KEYRING_FILE=" + s.keyring})
	return side, err
}

func (s *growthSide) stop(ctx context.Context) {
	s.server.stop()
	_ = s.redis.Stop(context.WithoutCancel(ctx))
}

// create makes a database, unless it is there.
func (s growthStaged) create(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, s.database)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var there bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&there); err != nil || there {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	return err
}

// signIn chooses persons at random, the same ones in each run, and signs them in.
func (s *growthSide) signIn(ctx context.Context, persons int) error {
	r := rand.New(rand.NewPCG(1, uint64(s.persons))) //nolint:gosec // the same choice in each run
	for range persons {
		body := fmt.Sprintf(`{"email":"user%06d@scale.test","password":"demo-Password-1","device":"bench"}`, 1+r.IntN(s.persons))
		token, err := tokenFrom(ctx, s.server.address+authv1connect.AuthServiceLoginProcedure, body)
		if err != nil {
			return err
		}
		s.tokens = append(s.tokens, token)
	}
	return nil
}

// ask sends one person's requests, one after the other, and tells how long each took.
func (s *growthSide) ask(ctx context.Context, person int, tell func(work string, took time.Duration)) error {
	var page struct {
		NextPageToken string `json:"nextPageToken"`
	}
	for _, work := range growthWorks {
		path, body := userv1connect.UserServiceGetStatsProcedure, `{}`
		switch work {
		case "history":
			path, body = meditationv1connect.MeditationServiceListSessionsProcedure, `{"pageSize":20}`
		case "history, later page":
			if page.NextPageToken == "" { // there is none
				continue
			}
			path, body = meditationv1connect.MeditationServiceListSessionsProcedure, fmt.Sprintf(`{"pageSize":20,"pageToken":%q}`, page.NextPageToken)
		case "record one":
			end := time.Now().UTC()
			path, body = meditationv1connect.MeditationServiceRecordSessionsProcedure, fmt.Sprintf(`{"sessions":[{"clientId":%q,"startedAt":%q,"endedAt":%q}]}`,
				uuid.NewString(), end.Add(-10*time.Minute).Format(time.RFC3339Nano), end.Format(time.RFC3339Nano))
		}
		begin := time.Now()
		answer, err := post(ctx, "http://"+s.server.address+path, s.tokens[person], body)
		if err != nil {
			return fmt.Errorf("%s: %w", work, err)
		}
		tell(work, time.Since(begin))
		if work == "history" {
			if err := json.Unmarshal(answer, &page); err != nil {
				return err
			}
		}
	}
	return nil
}

// post sends a request and reads its whole answer.
func post(ctx context.Context, address, token, body string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", res.StatusCode, answer)
	}
	return answer, err
}

// reportGrowth prints medians and 95th percentiles of both sides, in milliseconds, and how the latter compare.
func reportGrowth(sides []*growthSide, cold, warm growthTimes) error {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "work\t\t%d: p50\tp95\t%d: p50\tp95\tp95 ratio\t\n", sides[0].sessions, sides[1].sessions)
	for _, work := range growthWorks {
		for _, one := range []struct {
			name  string
			times growthTimes
		}{{"first", cold}, {"again", warm}} {
			if len(one.times[work]) == 0 {
				continue
			}
			fmt.Fprintf(table, "%s\t%s\t", work, one.name)
			for side := range sides {
				fmt.Fprintf(table, "%.2f\t%.2f\t", milliseconds(one.times.percentile(work, side, 50)), milliseconds(one.times.percentile(work, side, 95)))
			}
			fmt.Fprintf(table, "%.2f\t\n", one.times.ratio(work))
		}
	}
	return table.Flush()
}

func milliseconds(d time.Duration) float64 { return float64(d) / 1e6 }
