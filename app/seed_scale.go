package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/services/auth"
	"github.com/mindspace-app/mindspace/services/content/seed"
	"github.com/mindspace-app/mindspace/services/meditation"
	"github.com/mindspace-app/mindspace/services/user"
)

const (
	// scaleConnections is how many connections copy at once.
	scaleConnections = 2
	// scaleChunkSessions is how many sessions one transaction stores, about, and scaleChunkPersons how many persons at most: some ten megabytes.
	scaleChunkSessions, scaleChunkPersons = 20_000, 1000
	// scaleReport is how often progress is told.
	scaleReport = 5 * time.Second
)

// ScaleOptions say how much is made up.
type ScaleOptions struct {
	Users    int    `default:"10000" help:"How many persons there are to be: user000001@scale.test and so on, all with the demo password."`
	Sessions int    `default:"400000" help:"How many sessions they have practised in all, about."`
	Seed     uint64 `default:"1" help:"The same number makes up the same persons."`
	Until    string `help:"The date up to which they have practised, as 2026-12-31; today when empty."`
}

// scaleLoad fills in made-up persons.
type scaleLoad struct {
	people   *scalePeople
	practice *meditation.Scale
	pool     *pgxpool.Pool
	// hash is that of everybody's password.
	hash string
	out  io.Writer
}

// scaleChunk is what one transaction stores.
type scaleChunk struct {
	accounts []auth.ScaleAccount
	profiles []user.ScaleProfile
	practice []meditation.ScalePractice
}

// scaleCount is what was stored.
type scaleCount struct {
	persons, sessions int
	rows              int64
}

// SeedScale fills the configured database with made-up persons and their practice, to measure with. Persons who are there stay as they are, so a run
// that was cut short goes on when it is run again. It is for demos only: the password of these persons is public.
func SeedScale(ctx context.Context, config Config, options ScaleOptions, out io.Writer) error {
	if config.Environment != Demo {
		return errors.New("made-up persons have a public password: they are made with MINDSPACE_ENV=demo only")
	}
	if options.Users < 1 || options.Sessions < 0 {
		return errors.New("--users must be 1 at least, and --sessions must not be negative")
	}
	until := time.Now().UTC().Truncate(24 * time.Hour)
	if options.Until != "" {
		var err error
		if until, err = time.Parse(time.DateOnly, options.Until); err != nil {
			return fmt.Errorf("--until: %q is no date such as 2026-12-31", options.Until)
		}
	}
	a, err := New(ctx, config, texts(together()))
	if err != nil {
		return err
	}
	defer a.Close()
	if _, err := a.seed(ctx, SeedDemo); err != nil {
		return err
	}
	pool, err := postgres.Open(ctx, postgres.Config{URL: config.direct(), MaxConns: scaleConnections, ApplicationName: "mindspace seed", StatementTimeout: -1})
	if err != nil {
		return err
	}
	defer pool.Close()
	l := &scaleLoad{pool: pool, out: out}
	if l.hash, err = a.signIn.service.Hasher.Hash(ctx, auth.DemoPassword); err != nil {
		return err
	}
	if l.people, err = newScalePeople(options, until); err != nil {
		return err
	}
	if l.practice, err = newScalePractice(l.people); err != nil {
		return err
	}
	return l.run(ctx)
}

// newScalePractice is practice with the demo's catalogue.
func newScalePractice(p *scalePeople) (*meditation.Scale, error) {
	catalogue, err := seed.Catalogue()
	if err != nil {
		return nil, err
	}
	s := &meditation.Scale{Seed: p.Seed, Until: p.until, Zones: p.zones}
	for _, m := range catalogue.Meditations {
		s.Meditations = append(s.Meditations, meditation.ScaleMeditation{ID: m.ID, CourseID: m.CourseID, Seconds: int32(m.DurationSeconds)}) //nolint:gosec // 2700 at most
	}
	return s, nil
}

// run makes persons up on one goroutine and stores them on others.
func (l *scaleLoad) run(ctx context.Context) error {
	begin, chunks, stored := time.Now(), make(chan scaleChunk, 1), make(chan scaleCount)
	work, working := errgroup.WithContext(ctx)
	work.Go(func() error {
		defer close(chunks)
		return l.makeUp(working, chunks)
	})
	var storing sync.WaitGroup
	for range scaleConnections {
		storing.Add(1)
		work.Go(func() error {
			defer storing.Done()
			for chunk := range chunks {
				n, err := l.store(working, chunk)
				if err != nil {
					return err
				}
				stored <- n
			}
			return nil
		})
	}
	go func() { storing.Wait(); close(stored) }()
	total := l.tell(begin, stored)
	if err := work.Wait(); err != nil {
		return fmt.Errorf("seed scale, after %d persons: %w", total.persons, err)
	}
	if total.persons == 0 {
		fmt.Fprintln(l.out, "scale data was there already")
		return nil
	}
	began := time.Now()
	if _, err := l.pool.Exec(ctx, "VACUUM (ANALYZE)"); err != nil {
		return fmt.Errorf("seed scale: %w", err)
	}
	fmt.Fprintf(l.out, "vacuumed and analysed in %s\n", time.Since(began).Round(time.Second))
	return nil
}

// makeUp hands out the persons who are missing, with what they have practised.
func (l *scaleLoad) makeUp(ctx context.Context, chunks chan<- scaleChunk) error {
	size := min(max(int(scaleChunkSessions/max(l.people.mean(), 1)), 1), scaleChunkPersons)
	for first := 1; first <= l.people.Users; first += size {
		persons := make([]scalePerson, 0, size)
		emails := make([]string, 0, size)
		for number := first; number < first+size && number <= l.people.Users; number++ {
			persons, emails = append(persons, l.people.person(number)), append(emails, scaleEmail(number))
		}
		taken, err := auth.TakenEmails(ctx, l.pool, emails)
		if err != nil {
			return err
		}
		persons = slices.DeleteFunc(persons, func(p scalePerson) bool { return taken[p.account.Email] })
		if len(persons) == 0 {
			continue
		}
		select {
		case chunks <- l.chunk(persons):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// chunk is persons as they are stored, in the order of their ids.
func (l *scaleLoad) chunk(persons []scalePerson) scaleChunk {
	slices.SortFunc(persons, func(a, b scalePerson) int { return bytes.Compare(a.account.ID[:], b.account.ID[:]) })
	var c scaleChunk
	for _, p := range persons {
		c.accounts, c.profiles, c.practice = append(c.accounts, p.account), append(c.profiles, p.profile), append(c.practice, l.practice.Practice(p.practice))
	}
	return c
}

// store writes a chunk whole or not at all: a person who has an account has everything.
func (l *scaleLoad) store(ctx context.Context, c scaleChunk) (scaleCount, error) {
	n := scaleCount{persons: len(c.accounts)}
	for i := range c.practice {
		n.sessions += c.practice[i].Sessions()
	}
	err := postgres.InTx(ctx, l.pool, func(tx pgx.Tx) error {
		// A chunk that a crash of the server takes back is made up again.
		if _, err := tx.Exec(ctx, "SET LOCAL synchronous_commit = off"); err != nil {
			return err
		}
		accounts, err := auth.CopyScale(ctx, tx, c.accounts, l.hash)
		if err != nil {
			return err
		}
		profiles, err := user.CopyScale(ctx, tx, c.profiles)
		if err != nil {
			return err
		}
		practice, err := meditation.CopyScale(ctx, tx, c.practice)
		n.rows = accounts + profiles + practice
		return err
	})
	return n, err
}

// tell counts what is stored, and says how far it is.
func (l *scaleLoad) tell(begin time.Time, stored <-chan scaleCount) (total scaleCount) {
	last := begin
	for n := range stored {
		total.persons, total.sessions, total.rows = total.persons+n.persons, total.sessions+n.sessions, total.rows+n.rows
		if time.Since(last) >= scaleReport {
			last = time.Now()
			l.line("so far", begin, total)
		}
	}
	if total.persons > 0 {
		l.line("in all", begin, total)
	}
	return total
}

func (l *scaleLoad) line(which string, begin time.Time, n scaleCount) {
	took := time.Since(begin)
	fmt.Fprintf(l.out, "%s %d persons, %d sessions, %d rows in %s: %.0f rows a second\n",
		which, n.persons, n.sessions, n.rows, took.Round(100*time.Millisecond), float64(n.rows)/took.Seconds())
}
