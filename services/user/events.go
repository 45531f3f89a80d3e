package user

import (
	"github.com/google/uuid"
	"github.com/riverqueue/river"
)

// Events, in the past tense. They hold ids only: whoever hears of one asks for what it needs.

// ExportRequested tells that a copy of what is held about a person is to be made.
type ExportRequested struct {
	UserID   uuid.UUID `json:"user_id"`
	ExportID uuid.UUID `json:"export_id"`
}

// Kind is the event's name in the queue.
func (ExportRequested) Kind() string { return "user_export_requested" }

// InsertOpts bounds the attempts: with River's pauses the last one is begun within an hour, and who waits for a copy then asks for another.
func (ExportRequested) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 5} }
