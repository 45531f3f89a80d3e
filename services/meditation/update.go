package meditation

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/meditationdb"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/uid"
)

// UpdateSession changes moods and the note of a session, also of one that is under way. With nothing to change it gives what is stored.
// Faults: Invalid (sessionId, moodBefore, moodAfter, updateMask), NotFound (SESSION_NOT_FOUND).
func (s *Service) UpdateSession(ctx context.Context, req *meditationv1.UpdateSessionRequest) (*meditationv1.UpdateSessionResponse, error) {
	me := identity.CallerFrom(ctx).UserID
	id, err := uid.Parse("sessionId", req.GetSessionId())
	if err != nil {
		return nil, err
	}
	told, err := newDescription(req)
	if err != nil {
		return nil, err
	}
	res := &meditationv1.UpdateSessionResponse{}
	err = postgres.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		q := meditationdb.New(tx)
		row, change, err := lockSession(ctx, q, me, id)
		switch {
		case err != nil:
			return err
		case row.State == stateDeleted:
			return errNoSession
		case told != (description{}):
			if row, err = s.describe(ctx, q, &row, told, change); err != nil {
				return err
			}
		}
		res.Session, err = s.withNote(ctx, q, &row)
		return err
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

// description is what a request changes of what a person says about a session; what is nil stays.
type description struct {
	moodBefore, moodAfter *int16
	note                  *string
}

// newDescription reads what a request changes: what its mask names, or what is not empty or zero. Faults: Invalid (moodBefore, moodAfter, updateMask).
func newDescription(req *meditationv1.UpdateSessionRequest) (description, error) {
	before, after, err := moodsOf(req.GetMoodBefore(), req.GetMoodAfter())
	if err != nil {
		return description{}, err
	}
	note := req.GetNote()
	if len(req.GetUpdateMask().GetPaths()) == 0 {
		d := description{moodBefore: optionalMood(before), moodAfter: optionalMood(after)}
		if note != "" {
			d.note = &note
		}
		return d, nil
	}
	var d description
	for _, field := range req.GetUpdateMask().GetPaths() {
		switch field {
		case "mood_before":
			d.moodBefore = &before
		case "mood_after":
			d.moodAfter = &after
		case "note":
			d.note = &note
		default:
			return d, fault.Invalid("updateMask: %q is no field that can be changed", field).
				WithField("updateMask", "may name moodBefore, moodAfter and note")
		}
	}
	return d, nil
}

// describe writes what a person says about a session. The session is locked.
func (s *Service) describe(ctx context.Context, q *meditationdb.Queries, row *meditationdb.MeditationSession, told description, change int64) (meditationdb.MeditationSession, error) {
	set := meditationdb.DescribeSessionParams{
		UserID: row.UserID, ID: row.ID, MoodBefore: row.MoodBefore, MoodAfter: row.MoodAfter, HasNote: row.HasNote, Change: change, Now: s.now(),
	}
	if told.moodBefore != nil {
		set.MoodBefore = optionalMood(*told.moodBefore)
	}
	if told.moodAfter != nil {
		set.MoodAfter = optionalMood(*told.moodAfter)
	}
	if told.note != nil {
		set.HasNote = *told.note != ""
		if err := s.setNote(ctx, q, row, *told.note); err != nil {
			return *row, err
		}
	}
	described, err := q.DescribeSession(ctx, set)
	if err != nil {
		return described, fmt.Errorf("describe session: %w", err)
	}
	return described, nil
}

// setNote keeps the note of a session, or takes it away when it is empty.
func (s *Service) setNote(ctx context.Context, q *meditationdb.Queries, row *meditationdb.MeditationSession, note string) error {
	if note == "" {
		if err := q.DeleteNote(ctx, meditationdb.DeleteNoteParams{UserID: row.UserID, ClientID: row.ClientID}); err != nil {
			return fmt.Errorf("delete note: %w", err)
		}
		return nil
	}
	sealed, err := s.sealNote(row.UserID, row.ClientID, note)
	if err != nil {
		return err
	}
	if err := q.PutNote(ctx, meditationdb.PutNoteParams{UserID: row.UserID, ClientID: row.ClientID, Sealed: sealed}); err != nil {
		return fmt.Errorf("put note: %w", err)
	}
	return nil
}
