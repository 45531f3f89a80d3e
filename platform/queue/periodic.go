package queue

import (
	"time"

	"github.com/riverqueue/river"
)

// longestCatchUp is the longest period whose missed run is made up for.
const longestCatchUp = 24 * time.Hour

// clockTolerance is how much too early a timer may fire, since clocks are corrected while it runs, and still mean the run that is about to be due.
const clockTolerance = 500 * time.Millisecond

// Periodic describes a job that is inserted once per period, by whichever worker leads: every day at half past two is
// Periodic("audit.seal", 24*time.Hour, 2*time.Hour+30*time.Minute, …), in UTC. The periods are those of the clock, not of the worker's start,
// and a run has its due time as part of its identity, so restarts and changes of the leader repeat none.
// When nobody led at a due time (a change of the leader can take ten seconds, a night without workers longer), the last run that was missed
// is made up for by the next leader; those before it are not, and neither is one of a period longer than a day.
// The id names the schedule and is unique among all; every is at least a second, offset less than every.
// Args that are the same in two schedules with the same period are one job.
func Periodic(id string, every, offset time.Duration, args river.JobArgs) *river.PeriodicJob {
	s := schedule{every: every, offset: offset}
	return river.NewPeriodicJob(s, func() (river.JobArgs, *river.InsertOpts) {
		return args, s.options(time.Now())
	}, &river.PeriodicJobOpts{ID: id, RunOnStart: every <= longestCatchUp})
}

// schedule is due at every multiple of a period, counted from the zero time, plus an offset.
type schedule struct{ every, offset time.Duration }

// Next implements river.PeriodicSchedule.
func (s schedule) Next(now time.Time) time.Time { return s.due(now).Add(s.every) }

// due is the last time that the job was due.
func (s schedule) due(now time.Time) time.Time {
	return now.UTC().Add(-s.offset).Truncate(s.every).Add(s.offset)
}

// options make a second insertion for the same due time a duplicate, which River leaves out.
func (s schedule) options(now time.Time) *river.InsertOpts {
	return &river.InsertOpts{
		ScheduledAt: s.due(now.Add(clockTolerance)),
		UniqueOpts:  river.UniqueOpts{ByArgs: true, ByPeriod: s.every},
	}
}
