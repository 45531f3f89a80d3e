package content

import (
	"github.com/google/uuid"
	"github.com/riverqueue/river"
)

// Events hold ids only: whoever hears of one asks for what it needs.

// RevisionDue tells that the time of a scheduled revision has come.
type RevisionDue struct {
	RevisionID uuid.UUID `json:"revision_id"`
	// Schedule is the number of the schedule that the event belongs to: it grows with each scheduling of the revision.
	Schedule int32 `json:"schedule"`
}

// Kind is the event's name in the queue.
func (RevisionDue) Kind() string { return "content_revision_due" }

// InsertOpts tries for about six days: a text that is late is better than one that never comes.
func (RevisionDue) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 20} }
