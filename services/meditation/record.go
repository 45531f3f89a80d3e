package meditation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/meditationdb"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/queue"
)

// RecordSessions stores what a phone kept, in one transaction and one round trip to the database, and answers each session by itself. What was stored
// before, or started here, takes more of them. Faults: Invalid (sentAt); what is wrong with a session is in its result.
func (s *Service) RecordSessions(ctx context.Context, req *meditationv1.RecordSessionsRequest) (*meditationv1.RecordSessionsResponse, error) {
	me, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	now := s.now()
	skew, err := skewOf(now, req.GetSentAt())
	if err != nil {
		return nil, err
	}
	facts, err := s.factsOf(ctx, req.GetSessions())
	if err != nil {
		return nil, err
	}
	r := recording{me: me, now: now, skew: skew, facts: facts, results: make([]*meditationv1.RecordResult, len(req.GetSessions()))}
	for i, told := range req.GetSessions() {
		r.results[i] = &meditationv1.RecordResult{ClientId: told.GetClientId()}
		e, err := r.newEntry(told)
		if err == nil {
			r.add(i, e)
		} else if r.results[i].Error, err = recordError(err); err != nil {
			return nil, err
		}
	}
	if len(r.entries) > 0 {
		if err := s.store(ctx, &r); err != nil {
			return nil, err
		}
	}
	if err := s.forgive(ctx, &r, req.GetSessions()); err != nil {
		return nil, err
	}
	return &meditationv1.RecordSessionsResponse{Results: r.results}, nil
}

// recording is what one request records.
type recording struct {
	me   person
	now  time.Time
	skew time.Duration
	// facts are of the meditations that there are.
	facts map[uuid.UUID]fact
	// entries are the sessions that are right, each client id once.
	entries []entry
	// asked are all that are right, by their place in the request.
	asked   []askedEntry
	results []*meditationv1.RecordResult
}

type askedEntry struct {
	place int
	entry entry
}

// add takes in a session. Of those with one client id the first is stored, and the others are held against it.
func (r *recording) add(place int, e entry) {
	for _, other := range r.asked {
		if other.entry.client == e.client {
			r.asked = append(r.asked, askedEntry{place, e})
			return
		}
	}
	r.entries = append(r.entries, e)
	r.asked = append(r.asked, askedEntry{place, e})
}

// store writes the entries and fills in the results of those that were asked for.
func (s *Service) store(ctx context.Context, r *recording) error {
	batch, err := s.recordBatch(ctx, r)
	if err != nil {
		return err
	}
	rows, err := postgres.SendBatch[meditationdb.MeditationSession](ctx, s.Pool, batch)
	s.practice.Invalidate(context.WithoutCancel(ctx), r.me.id.String()) // whatever became of the commit
	if err != nil {
		return fmt.Errorf("record sessions: %w", err)
	}
	byClient := make(map[uuid.UUID]*meditationdb.MeditationSession, len(r.entries))
	for i := range rows {
		byClient[rows[i].ClientID] = &rows[i]
	}
	if err := s.addStored(ctx, r, byClient); err != nil {
		return err
	}
	for _, a := range r.asked {
		if err := s.settle(ctx, r, a, byClient); err != nil {
			return err
		}
	}
	return nil
}

// addStored looks up the sessions that were there before.
func (s *Service) addStored(ctx context.Context, r *recording, byClient map[uuid.UUID]*meditationdb.MeditationSession) error {
	var missing []uuid.UUID
	for _, e := range r.entries {
		if byClient[e.client] == nil {
			missing = append(missing, e.client)
		}
	}
	rows, err := s.byClients(ctx, r.me.id, missing)
	for i := range rows {
		byClient[rows[i].ClientID] = &rows[i]
	}
	return err
}

// byClients are the stored sessions of client ids, tombstones too.
func (s *Service) byClients(ctx context.Context, person uuid.UUID, clients []uuid.UUID) ([]meditationdb.MeditationSession, error) {
	if len(clients) == 0 {
		return nil, nil
	}
	rows, err := meditationdb.New(s.Pool).ListSessionsByClientIDs(ctx, meditationdb.ListSessionsByClientIDsParams{UserID: person, ClientIds: clients})
	if err != nil {
		return nil, fmt.Errorf("list sessions by client ids: %w", err)
	}
	return rows, nil
}

// recordBatch is everything that recording writes, as one transaction: the event, and, under the person's lock, the sessions with their notes and days.
func (s *Service) recordBatch(ctx context.Context, r *recording) (*pgx.Batch, error) {
	p, err := s.recordParams(r)
	if err != nil {
		return nil, err
	}
	event := SessionsRecorded{UserID: r.me.id, SessionIDs: p.Ids}
	for _, e := range r.entries {
		if e.finished() {
			event.addCourse(e.fact)
		}
	}
	batch := &pgx.Batch{}
	if err := queue.Enqueue(ctx, batch, event); err != nil {
		return nil, err
	}
	batch.Queue(meditationdb.RecordSessions, p.UserID, p.DayStartHour, p.ClockSkewSeconds, p.Now, p.Ids, p.ClientIds, p.MeditationIds, p.CourseIds, p.StartedAts,
		p.EndedAts, p.Practiced, p.Planned, p.TimeZones, p.LocalDates, p.Finished, p.MoodsBefore, p.MoodsAfter, p.SealedNotes)
	return batch, nil
}

// recordParams spreads the entries over columns, and seals their notes.
func (s *Service) recordParams(r *recording) (meditationdb.RecordSessionsParams, error) {
	p := meditationdb.RecordSessionsParams{
		UserID: r.me.id, Now: r.now, DayStartHour: int16(r.me.dayStartHour), ClockSkewSeconds: seconds(r.skew), //nolint:gosec // an hour of the day
	}
	for _, e := range r.entries {
		p.Ids = append(p.Ids, e.id)
		p.ClientIds = append(p.ClientIds, e.client)
		p.MeditationIds = append(p.MeditationIds, e.meditation)
		p.CourseIds = append(p.CourseIds, e.fact.course)
		p.StartedAts = append(p.StartedAts, e.startedAt)
		p.EndedAts = append(p.EndedAts, e.endedAt)
		p.Practiced = append(p.Practiced, e.practiced)
		p.Planned = append(p.Planned, e.fact.seconds)
		p.TimeZones = append(p.TimeZones, e.zone)
		p.LocalDates = append(p.LocalDates, e.date.stored())
		p.Finished = append(p.Finished, e.finished())
		p.MoodsBefore = append(p.MoodsBefore, e.moodBefore)
		p.MoodsAfter = append(p.MoodsAfter, e.moodAfter)
		sealed := []byte{}
		if e.note != "" {
			var err error
			if sealed, err = s.sealNote(r.me.id, e.client, e.note); err != nil {
				return p, err
			}
		}
		p.SealedNotes = append(p.SealedNotes, sealed)
	}
	return p, nil
}

// recordError is a fault as the result of one session. What is no fault of the session is given back, and fails the whole request.
func recordError(err error) (*meditationv1.RecordError, error) {
	f, ok := fault.As(err)
	if !ok || !slices.Contains([]fault.Kind{fault.KindInvalid, fault.KindNotFound}, f.Kind()) {
		return nil, err
	}
	e := &meditationv1.RecordError{Code: f.Kind().Code().String(), Message: f.Message(), Reason: f.Reason()}
	if len(f.Fields()) > 0 {
		e.Field = f.Fields()[0].Path
	}
	return e, nil
}
