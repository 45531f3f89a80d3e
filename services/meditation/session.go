package meditation

import (
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/meditationdb"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// The states of a session in the database.
const (
	stateRunning   = "running"
	stateCompleted = "completed"
	stateAbandoned = "abandoned"
	stateDeleted   = "deleted"
)

var states = map[string]meditationv1.SessionState{
	stateRunning:   meditationv1.SessionState_SESSION_STATE_RUNNING,
	stateCompleted: meditationv1.SessionState_SESSION_STATE_COMPLETED,
	stateAbandoned: meditationv1.SessionState_SESSION_STATE_ABANDONED,
}

// sessionMessage is the row as the contract shows it, without its note.
func sessionMessage(row *meditationdb.MeditationSession) *meditationv1.Session {
	m := &meditationv1.Session{
		Id: row.ID.String(), ClientId: row.ClientID.String(), Kind: meditationv1.SessionKind_SESSION_KIND_TIMER, State: states[row.State],
		StartedAt: timestamppb.New(row.StartedAt), TimeZone: row.TimeZone, LocalDate: storedDay(row.LocalDate).String(), DayStartHour: int32(row.DayStartHour),
		PracticedSeconds: row.PracticedSeconds, Finished: row.Finished, MoodBefore: mood(row.MoodBefore), MoodAfter: mood(row.MoodAfter), HasNote: row.HasNote,
		MeditationId: uid.Text(row.MeditationID), CourseId: uid.Text(row.CourseID),
	}
	if row.EndedAt != nil {
		m.EndedAt = timestamppb.New(*row.EndedAt)
	}
	if row.MeditationID != nil {
		m.Kind = meditationv1.SessionKind_SESSION_KIND_GUIDED
	}
	return m
}

// wholeSeconds are those of a session, or of a part of it.
func wholeSeconds(from, to time.Time) int32 { return int32(to.Sub(from) / time.Second) } //nolint:gosec // at most a day

// skewOfRow is by how much the times of a session were corrected, as its phone's clock is wrong by that.
func skewOfRow(row *meditationdb.MeditationSession) time.Duration {
	return time.Duration(row.ClockSkewSeconds) * time.Second
}

// seconds is a skew as the database has it.
func seconds(skew time.Duration) int32 { return int32(skew / time.Second) } //nolint:gosec // bounded by maxSkew

// mood is 0 where none was told.
func mood(stored *int16) int32 {
	if stored == nil {
		return 0
	}
	return int32(*stored)
}

// optional is nil for no id.
func optional(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// meditationOf reads the meditation in a field of a request. The id that is nobody's stands for the timer here, so it is refused.
// Faults: Invalid, NotFound (MEDITATION_NOT_FOUND), naming the field.
func meditationOf(field, text string) (uuid.UUID, error) {
	id, err := uid.Parse(field, text)
	if err == nil && id == uuid.Nil {
		err = noMeditation(field, id)
	}
	return id, err
}

// noMeditation says that the catalogue has no such meditation.
func noMeditation(field string, id uuid.UUID) error {
	return fault.NotFound("there is no meditation %s", id).WithField(field, "must be a meditation of the catalogue").WithReason("MEDITATION_NOT_FOUND")
}

// idOf is uuid.Nil for no id.
func idOf(id *uuid.UUID) uuid.UUID {
	if id == nil {
		return uuid.Nil
	}
	return *id
}

// optionalMood is nil for a mood that was not told.
func optionalMood(mood int16) *int16 {
	if mood == 0 {
		return nil
	}
	return &mood
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// earlier is the earlier of two times.
func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
