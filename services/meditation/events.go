package meditation

import (
	"slices"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
)

// Events, in the past tense. They hold ids only: whoever hears of one asks for what it needs.

// SessionStarted tells that a session is under way. It is heard of when the session should have ended, to end it where nothing came any more.
type SessionStarted struct {
	UserID    uuid.UUID `json:"user_id"`
	SessionID uuid.UUID `json:"session_id"`
	// Course of its meditation, if it has one.
	Course *CourseFinished `json:"course,omitempty"`
}

// Kind is the event's name in the queue.
func (SessionStarted) Kind() string { return "meditation_session_started" }

// InsertOpts bounds the attempts: with River's pauses the last one is some three weeks later, since nothing else would end the session.
func (SessionStarted) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 25} }

// SessionsRecorded tells that sessions have ended, or were recorded as a whole. An id may be of a session that was not stored after all, since one of
// its client id was there already: who asks for it finds nothing.
type SessionsRecorded struct {
	UserID     uuid.UUID   `json:"user_id"`
	SessionIDs []uuid.UUID `json:"session_ids"`
	// Courses of which a meditation was finished in these sessions.
	Courses []CourseFinished `json:"courses,omitempty"`
}

// CourseFinished is a course and what has to be finished of it.
type CourseFinished struct {
	CourseID uuid.UUID `json:"course_id"`
	// MeditationIDs are the meditations that the course has now.
	MeditationIDs []uuid.UUID `json:"meditation_ids"`
}

// Kind is the event's name in the queue.
func (SessionsRecorded) Kind() string { return "meditation_sessions_recorded" }

// InsertOpts bounds the attempts.
func (SessionsRecorded) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 10} }

// courseFinished is the course of a meditation as events tell of it; nil when it stands alone.
func (f fact) courseFinished() *CourseFinished {
	if f.course == uuid.Nil {
		return nil
	}
	return &CourseFinished{CourseID: f.course, MeditationIDs: f.courseList}
}

// addCourse adds the course of a meditation that was finished, once.
func (e *SessionsRecorded) addCourse(f fact) {
	course := f.courseFinished()
	if course == nil || slices.ContainsFunc(e.Courses, func(c CourseFinished) bool { return c.CourseID == f.course }) {
		return
	}
	e.Courses = append(e.Courses, *course)
}

// SessionDeleted tells that a person has deleted a session.
type SessionDeleted struct {
	UserID    uuid.UUID `json:"user_id"`
	SessionID uuid.UUID `json:"session_id"`
}

// Kind is the event's name in the queue.
func (SessionDeleted) Kind() string { return "meditation_session_deleted" }

// InsertOpts bounds the attempts.
func (SessionDeleted) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 10} }

// MilestoneReached tells that a person has reached something, once.
type MilestoneReached struct {
	UserID uuid.UUID `json:"user_id"`
	// MilestoneKind is streak_days, sessions or minutes.
	MilestoneKind string `json:"milestone_kind"`
	Threshold     int32  `json:"threshold"`
}

// Kind is the event's name in the queue.
func (MilestoneReached) Kind() string { return "meditation_milestone_reached" }

// InsertOpts bounds the attempts.
func (MilestoneReached) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 10} }

// CourseCompleted tells that a person has finished every meditation of a course, once.
type CourseCompleted struct {
	UserID   uuid.UUID `json:"user_id"`
	CourseID uuid.UUID `json:"course_id"`
}

// Kind is the event's name in the queue.
func (CourseCompleted) Kind() string { return "meditation_course_completed" }

// InsertOpts bounds the attempts.
func (CourseCompleted) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 10} }
