package meditation

import (
	"context"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mindspace-app/mindspace/gen/db/meditationdb"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/uid"
)

const (
	// maxLength is the longest session.
	maxLength = 24 * time.Hour
	// maxAhead is how far a phone's clock may be ahead of ours.
	maxAhead = 5 * time.Minute
	// minSkew is from when on a phone's clock is taken to be wrong: less may be the way of the message.
	minSkew = 2 * time.Minute
	// maxSkew bounds what is believed of a clock; those without a battery begin in 1970.
	maxSkew = 60 * 365 * 24 * time.Hour
	// maxNote is the longest note, in characters.
	maxNote = 4000
)

// firstStart is the earliest start that is believed.
var firstStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// skewOf tells how far a phone's clock is behind ours, to whole seconds; 0 when it is about right, or told nothing. Fault: Invalid (sentAt).
func skewOf(now time.Time, sentAt *timestamppb.Timestamp) (time.Duration, error) {
	if sentAt == nil {
		return 0, nil
	}
	skew := now.Sub(sentAt.AsTime()).Round(time.Second)
	if !sentAt.IsValid() || skew.Abs() > maxSkew {
		return 0, fault.Invalid("sentAt is no time that a clock could show").WithField("sentAt", "must be what the phone's clock says now")
	}
	if skew.Abs() < minSkew {
		return 0, nil
	}
	return skew, nil
}

// entry is a whole session that a phone tells of, checked. Its times are corrected by the skew of the phone's clock.
type entry struct {
	id, client, meditation uuid.UUID
	fact                   fact
	startedAt, endedAt     time.Time
	practiced              int32
	zone                   string
	zoneTold               bool
	date                   Day
	moodBefore, moodAfter  int16
	note                   string
}

// newEntry checks what a phone tells of one session. Faults: Invalid, NotFound (MEDITATION_NOT_FOUND), each naming the field of the session.
func (r *recording) newEntry(told *meditationv1.RecordedSession) (entry, error) {
	e := entry{note: told.GetNote(), zoneTold: told.GetTimeZone() != ""}
	var err error
	if e.client, err = uid.Parse("clientId", told.GetClientId()); err != nil {
		return e, err
	}
	if e.startedAt, err = startOf(r.now, r.skew, told.GetStartedAt()); err != nil {
		return e, err
	}
	if e.endedAt, err = endOf(r.now, r.skew, e.startedAt, told.GetEndedAt()); err != nil {
		return e, err
	}
	if e.practiced, err = practicedOf(e.startedAt, e.endedAt, told.PracticedSeconds); err != nil {
		return e, err
	}
	if e.moodBefore, e.moodAfter, err = moodsOf(told.GetMoodBefore(), told.GetMoodAfter()); err != nil {
		return e, err
	}
	if utf8.RuneCountInString(e.note) > maxNote {
		return e, fault.Invalid("note is too long").WithField("note", "must have at most 4,000 characters")
	}
	zone, err := r.me.zoneOf("timeZone", told.GetTimeZone())
	if err != nil {
		return e, err
	}
	e.zone, e.date = zone.String(), DateOf(e.startedAt, zone, r.me.dayStartHour)
	if told.GetMeditationId() != "" {
		if e.meditation, err = meditationOf("meditationId", told.GetMeditationId()); err != nil {
			return e, err
		}
		var known bool
		if e.fact, known = r.facts[e.meditation]; !known {
			return e, noMeditation("meditationId", e.meditation)
		}
	}
	e.id, err = uid.New()
	return e, err
}

// factsOf are those of the meditations that sessions are of, as far as there are such: of one from the cache, of several asked for at once.
func (s *Service) factsOf(ctx context.Context, sessions []*meditationv1.RecordedSession) (map[uuid.UUID]fact, error) {
	facts := map[uuid.UUID]fact{}
	for _, told := range sessions {
		if id, err := uuid.Parse(told.GetMeditationId()); err == nil {
			facts[id] = fact{}
		}
	}
	ids := slices.Collect(maps.Keys(facts))
	switch len(ids) {
	case 0:
		return facts, nil
	case 1:
		f, err := s.factOf(ctx, ids[0])
		if fault.KindOf(err) == fault.KindNotFound {
			return nil, nil
		}
		facts[ids[0]] = f
		return facts, err
	default:
		return s.askFacts(ctx, ids)
	}
}

// startOf reads when a session started. Fault: Invalid (startedAt).
func startOf(now time.Time, skew time.Duration, told *timestamppb.Timestamp) (time.Time, error) {
	const field = "startedAt"
	if told == nil || !told.IsValid() {
		return now, fault.Invalid("startedAt is missing").WithField(field, "must be when the session started")
	}
	at := stored(told.AsTime()).Add(skew)
	switch {
	case at.Before(firstStart):
		return at, fault.Invalid("startedAt is before 2000").WithField(field, "must be in 2000 or later")
	case at.After(now.Add(maxAhead)):
		return at, fault.Invalid("startedAt is in the future").WithField(field, "must not be in the future")
	}
	return at, nil
}

// endOf reads when a session ended that started at a time. Fault: Invalid (endedAt).
func endOf(now time.Time, skew time.Duration, startedAt time.Time, told *timestamppb.Timestamp) (time.Time, error) {
	const field = "endedAt"
	if told == nil || !told.IsValid() {
		return now, fault.Invalid("endedAt is missing").WithField(field, "must be when the session ended")
	}
	at := stored(told.AsTime()).Add(skew)
	switch {
	case at.Before(startedAt):
		return at, fault.Invalid("endedAt is before startedAt").WithField(field, "must not be before the start")
	case at.Sub(startedAt) > maxLength:
		return at, fault.Invalid("the session is longer than 24 hours").WithField(field, "must be at most 24 hours after the start")
	case at.After(now.Add(maxAhead)):
		return at, fault.Invalid("endedAt is in the future").WithField(field, "must not be in the future")
	}
	return at, nil
}

// practicedOf is the practice of a session in seconds: what was told, or all of its time. Fault: Invalid (practicedSeconds).
func practicedOf(startedAt, endedAt time.Time, told *int32) (int32, error) {
	whole := wholeSeconds(startedAt, endedAt)
	if told == nil {
		return whole, nil
	}
	if *told < 0 || *told > whole {
		return 0, fault.Invalid("practicedSeconds is not within the session").
			WithField("practicedSeconds", "must be from 0 to the seconds between start and end")
	}
	return *told, nil
}

// moodsOf reads how a person felt; 0 is not told. Fault: Invalid (moodBefore, moodAfter).
func moodsOf(before, after int32) (int16, int16, error) {
	for _, m := range []struct {
		field string
		value int32
	}{{"moodBefore", before}, {"moodAfter", after}} {
		if m.value < 0 || m.value > 5 {
			return 0, 0, fault.Invalid("%s is out of range", m.field).WithField(m.field, "must be 1 (bad) to 5 (good), or 0 when not told")
		}
	}
	return int16(before), int16(after), nil //nolint:gosec // 0 to 5
}

// same tells whether the stored session is the one that the phone tells of: what cannot change afterwards is compared, by the phone's own clock.
func (e entry) same(row *meditationdb.MeditationSession, skew time.Duration) bool {
	return row.State == stateCompleted && idOf(row.MeditationID) == e.meditation && row.StartedAt.Add(-skewOfRow(row)).Equal(e.startedAt.Add(-skew)) &&
		row.EndedAt.Sub(row.StartedAt) == e.endedAt.Sub(e.startedAt) && row.PracticedSeconds == e.practiced && (!e.zoneTold || row.TimeZone == e.zone)
}

// ends tells whether the stored session was started here, has no end from the person yet, and may be the one that the phone tells of.
func (e entry) ends(row *meditationdb.MeditationSession) bool {
	return (row.State == stateRunning || row.State == stateAbandoned) && idOf(row.MeditationID) == e.meditation
}

// adds is what the phone tells of a session beyond what is stored.
func (e entry) adds(row *meditationdb.MeditationSession) (d description) {
	if row.MoodBefore == nil {
		d.moodBefore = optionalMood(e.moodBefore)
	}
	if row.MoodAfter == nil {
		d.moodAfter = optionalMood(e.moodAfter)
	}
	if !row.HasNote && e.note != "" {
		d.note = &e.note
	}
	return d
}

// finished tells whether it finishes its meditation.
func (e entry) finished() bool { return e.fact.finished(e.practiced) }
