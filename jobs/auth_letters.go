package jobs

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/riverqueue/river"

	"github.com/mindspace-app/mindspace/platform/mail"
	"github.com/mindspace-app/mindspace/services/auth"
)

// writeLetter works on an event that leads to a letter.
type writeLetter[E river.JobArgs] struct {
	river.WorkerDefaults[E]
	write func(ctx context.Context, event E, d auth.Delivery) error
}

// Timeout is more than a mail server may take.
func (w *writeLetter[E]) Timeout(*river.Job[E]) time.Duration { return 40 * time.Second }

// Work sends the letter. It has the same id in each attempt. An address that the mail server refuses for good is not tried again.
func (w *writeLetter[E]) Work(ctx context.Context, job *river.Job[E]) error {
	err := w.write(ctx, job.Args, auth.Delivery{ID: job.Kind + "-" + strconv.FormatInt(job.ID, 10), Again: job.Attempt > 1})
	if errors.Is(err, mail.ErrRefused) {
		return river.JobCancel(err)
	}
	return err
}

// addLetters registers who writes which letter.
func addLetters(workers *river.Workers, p *auth.Postman) {
	river.AddWorker(workers, &writeLetter[auth.AccountRegistered]{write: func(ctx context.Context, e auth.AccountRegistered, d auth.Delivery) error {
		return p.SendVerification(ctx, e.AccountID, d)
	}})
	river.AddWorker(workers, &writeLetter[auth.VerificationRequested]{write: func(ctx context.Context, e auth.VerificationRequested, d auth.Delivery) error {
		return p.SendVerification(ctx, e.AccountID, d)
	}})
	river.AddWorker(workers, &writeLetter[auth.RegistrationRepeated]{write: func(ctx context.Context, e auth.RegistrationRepeated, d auth.Delivery) error {
		return p.SendAlreadyRegistered(ctx, e.AccountID, d)
	}})
	river.AddWorker(workers, &writeLetter[auth.PasswordResetRequested]{write: func(ctx context.Context, e auth.PasswordResetRequested, d auth.Delivery) error {
		return p.SendReset(ctx, e.AccountID, d)
	}})
	river.AddWorker(workers, &writeLetter[auth.SecurityEventRecorded]{write: func(ctx context.Context, e auth.SecurityEventRecorded, d auth.Delivery) error {
		return p.SendAlert(ctx, e.AccountID, e.EventID, d)
	}})
}
