package queue

import (
	"context"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"pgregory.net/rapid"

	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
)

// eventually waits until it is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline, tick := time.After(time.Minute), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-deadline:
			t.Fatalf("not so after a minute: %s", what)
		case <-tick.C:
		}
	}
}

type tickArgs struct{}

func (tickArgs) Kind() string { return "test.tick" }

// ticker starts a worker that ticks every second.
func ticker(t *testing.T, pool *pgxpool.Pool) (stop func()) {
	t.Helper()
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[tickArgs]) error { return nil }))
	client, err := NewWorker(pool, Config{
		Workers:  workers,
		Periodic: []*river.PeriodicJob{Periodic("test.tick", time.Second, time.Second/4, tickArgs{})},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := Stop(ctx, client, time.Minute); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// dueTimes gives when the jobs that are there were due, in order, and how many there are.
func dueTimes(t *testing.T, pool *pgxpool.Pool) (due []time.Time) {
	t.Helper()
	rows, err := pool.Query(t.Context(), "SELECT scheduled_at FROM river.river_job WHERE kind = 'test.tick' ORDER BY scheduled_at")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var at time.Time
		if err := rows.Scan(&at); err != nil {
			t.Fatal(err)
		}
		due = append(due, at)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return due
}

func wantTicks(t *testing.T, pool *pgxpool.Pool, atLeast int) {
	t.Helper()
	eventually(t, "enough ticks", func() bool { return len(dueTimes(t, pool)) >= atLeast })
}

func TestPeriodicJobIsInsertedOncePerPeriodByAllWorkersTogether(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t, fstest.MapFS{})
	stops := []func(){ticker(t, pool), ticker(t, pool)}
	wantTicks(t, pool, 2)
	// The leader goes, whichever it is, and the other one takes over; then a new one comes, and may lead in the same period.
	stops[0]()
	wantTicks(t, pool, 3)
	ticker(t, pool)
	stops[1]()
	wantTicks(t, pool, 5)
	due := dueTimes(t, pool)
	for i := 1; i < len(due); i++ {
		if pause := due[i].Sub(due[i-1]); pause <= 0 || pause%time.Second != 0 {
			t.Errorf("ticks %d and %d were due %v apart, want whole periods", i-1, i, pause)
		}
	}
	if at := due[0].Add(-time.Second / 4); !at.Truncate(time.Second).Equal(at) {
		t.Errorf("a tick was due at %v, want a quarter of a second after a period's begin", due[0])
	}
}

func TestMissedRunIsMadeUpForOnce(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t, fstest.MapFS{})
	now := time.Now()
	daily := schedule{every: 24 * time.Hour, offset: now.Add(time.Hour).Sub(now.UTC().Truncate(24 * time.Hour)).Truncate(time.Second)} // due again in an hour
	daily.offset %= daily.every
	for range 2 { // two starts within the period
		workers := river.NewWorkers()
		river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[tickArgs]) error { return nil }))
		river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[afterArgs]) error { return nil }))
		client, err := NewWorker(pool, Config{
			Workers:  workers,
			Periodic: []*river.PeriodicJob{Periodic("test.tick", daily.every, daily.offset, tickArgs{})},
		})
		if err != nil {
			t.Fatal(err)
		}
		completed, unsubscribe := client.Subscribe(river.EventKindJobCompleted)
		if err := client.Start(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		if len(dueTimes(t, pool)) == 0 {
			select {
			case <-completed:
			case <-time.After(time.Minute):
				t.Error("the missed run was not made up for")
			}
		} else {
			leads(t, pool, client)
		}
		unsubscribe()
		if err := Stop(t.Context(), client, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if due := dueTimes(t, pool); len(due) != 1 || !due[0].Equal(daily.due(now)) {
		t.Errorf("made up for %v, want %v", due, daily.due(now))
	}
}

// leads waits until the client leads: it adds another periodic job and sees it inserted, which comes after or with what was there from the start.
func leads(t *testing.T, pool *pgxpool.Pool, client *Client) {
	t.Helper()
	handle := client.PeriodicJobs().Add(Periodic("test.after", time.Second, 0, afterArgs{}))
	defer client.PeriodicJobs().Remove(handle)
	eventually(t, "the second start leads", func() bool {
		var n int
		return pool.QueryRow(t.Context(), "SELECT 1 FROM river.river_job WHERE kind = 'test.after' LIMIT 1").Scan(&n) == nil
	})
}

type afterArgs struct{}

func (afterArgs) Kind() string { return "test.after" }

func TestScheduleDependsOnTheClockAlone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := schedule{every: time.Duration(rapid.Int64Range(1, 40*24*3600).Draw(t, "every")) * time.Second}
		s.offset = time.Duration(rapid.Int64Range(0, int64(s.every)-1).Draw(t, "offset"))
		now := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "seconds"), rapid.Int64Range(0, 1e9-1).Draw(t, "nanoseconds"))
		due, next := s.due(now), s.Next(now)
		if due.After(now) || !next.After(now) || next.Sub(due) != s.every {
			t.Fatalf("now %v: due %v, next %v, every %v", now, due, next, s.every)
		}
		if !s.Next(due).Equal(next) || !s.due(next.Add(-1)).Equal(due) || !s.due(next).Equal(next) {
			t.Fatalf("now %v: other instants of the period see other runs", now)
		}
		if !next.Add(-s.offset).Truncate(s.every).Equal(next.Add(-s.offset)) {
			t.Fatalf("next %v is not at the offset %v", next, s.offset)
		}
	})
}

func TestTimerThatFiresEarlyMeansTheComingRun(t *testing.T) {
	t.Parallel()
	s := schedule{every: time.Minute, offset: time.Second}
	next := s.Next(time.Now())
	for _, early := range []time.Duration{0, time.Millisecond, 200 * time.Millisecond} {
		if got := s.options(next.Add(-early)).ScheduledAt; !got.Equal(next) {
			t.Errorf("fired %v early, the run is that of %v, want %v", early, got, next)
		}
	}
}
