package auth

import (
	"github.com/google/uuid"
	"github.com/riverqueue/river"
)

// Events, in the past tense. They hold ids only: whoever hears of one asks for what it needs.
// VerificationRequested and PasswordResetRequested are emitted for addresses without an account too, with an id of nobody, so that both take the same time.

// AccountRegistered tells that an account was made and its address is to be verified.
type AccountRegistered struct {
	AccountID uuid.UUID `json:"account_id"`
}

// Kind is the event's name in the queue.
func (AccountRegistered) Kind() string { return "auth_account_registered" }

// InsertOpts bounds the attempts: who waits for a mail asks again long before the last one.
func (AccountRegistered) InsertOpts() river.InsertOpts { return mailOpts }

// RegistrationRepeated tells that someone wanted to register with the address of an account.
type RegistrationRepeated struct {
	AccountID uuid.UUID `json:"account_id"`
}

// Kind is the event's name in the queue.
func (RegistrationRepeated) Kind() string { return "auth_registration_repeated" }

// InsertOpts is that of [AccountRegistered].
func (RegistrationRepeated) InsertOpts() river.InsertOpts { return mailOpts }

// VerificationRequested tells that someone asked for the mail that verifies an address again.
type VerificationRequested struct {
	AccountID uuid.UUID `json:"account_id"`
}

// Kind is the event's name in the queue.
func (VerificationRequested) Kind() string { return "auth_verification_requested" }

// InsertOpts is that of [AccountRegistered].
func (VerificationRequested) InsertOpts() river.InsertOpts { return mailOpts }

// PasswordResetRequested tells that someone asked for a new password.
type PasswordResetRequested struct {
	AccountID uuid.UUID `json:"account_id"`
}

// Kind is the event's name in the queue.
func (PasswordResetRequested) Kind() string { return "auth_password_reset_requested" }

// InsertOpts is that of [AccountRegistered].
func (PasswordResetRequested) InsertOpts() river.InsertOpts { return mailOpts }

// SecurityEventRecorded tells that something happened to an account that its owner should know of.
type SecurityEventRecorded struct {
	AccountID uuid.UUID `json:"account_id"`
	EventID   uuid.UUID `json:"event_id"`
}

// Kind is the event's name in the queue.
func (SecurityEventRecorded) Kind() string { return "auth_security_event_recorded" }

// InsertOpts tries for about four days: an erasure that was asked for, perhaps by somebody else, is called off within seven.
func (SecurityEventRecorded) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 18} }

// mailOpts tries for about five hours.
var mailOpts = river.InsertOpts{MaxAttempts: 10}
