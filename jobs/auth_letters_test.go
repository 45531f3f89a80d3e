package jobs_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/mindspace-app/mindspace/jobs"
	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/limit"
	"github.com/mindspace-app/mindspace/platform/mail"
	"github.com/mindspace-app/mindspace/platform/postgres"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
	"github.com/mindspace-app/mindspace/platform/queue"
	"github.com/mindspace-app/mindspace/services/auth"
)

const publicURL = "http://localhost:8080"

// postOffice is a worker that writes letters into a folder, and knows one person.
type postOffice struct {
	t      *testing.T
	pool   *pgxpool.Pool
	client *queue.Client
	folder string
	person uuid.UUID
}

// newPostOffice opens one. wrap may put itself between the postman and the folder.
func newPostOffice(t *testing.T, email string, wrap func(mail.Sender) mail.Sender) *postOffice {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	o := &postOffice{t: t, pool: pgtest.New(t, migrations.FS), folder: t.TempDir(), person: uuid.Must(uuid.NewV7())}
	sender, err := mail.Open("file://"+o.folder, "Mind Space <hello@mindspace.test>", quiet)
	if err != nil {
		t.Fatal(err)
	}
	if wrap != nil {
		sender = wrap(sender)
	}
	o.client = startWorker(t, o.pool, jobs.Needs{Pool: o.pool, Postman: auth.NewPostman(o.pool, sender, publicURL, limit.NewShared(nil, quiet), time.Now), Logger: quiet})
	_, err = o.pool.Exec(t.Context(), `INSERT INTO auth.accounts (id, email, display_name, locale, time_zone, created_at) VALUES ($1, $2, 'Ana', 'en', 'UTC', now())`, o.person, email)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// startWorker runs jobs until the end of the test.
func startWorker(t *testing.T, pool *pgxpool.Pool, needs jobs.Needs) *queue.Client {
	t.Helper()
	client, err := queue.NewWorker(pool, queue.Config{Workers: jobs.Workers(needs), Logger: needs.Logger})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = queue.Stop(context.Background(), client, 5*time.Second) })
	return client
}

// work inserts an event and waits until its job has ended, for good or for now; a job that is to be tried again is tried at once.
func (o *postOffice) work(event river.JobArgs) *rivertype.JobRow {
	o.t.Helper()
	return work(o.t, o.pool, o.client, event)
}

func work(t *testing.T, pool *pgxpool.Pool, client *queue.Client, event river.JobArgs) *rivertype.JobRow {
	t.Helper()
	ended, stop := client.Subscribe(river.EventKindJobCompleted, river.EventKindJobCancelled, river.EventKindJobFailed)
	defer stop()
	var inserted *rivertype.JobInsertResult
	err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) (err error) {
		inserted, err = client.InsertTx(t.Context(), tx, event, nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for {
		select {
		case one := <-ended:
			if one.Job.ID != inserted.Job.ID {
				continue
			}
			if one.Kind != river.EventKindJobFailed || one.Job.State == rivertype.JobStateDiscarded {
				return one.Job
			}
			if _, err := client.JobRetry(t.Context(), one.Job.ID); err != nil {
				t.Fatal(err)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s was not worked on", event.Kind())
		}
	}
}

// letters takes what is in the folder.
func (o *postOffice) letters() []letter {
	o.t.Helper()
	names, err := filepath.Glob(filepath.Join(o.folder, "*.eml"))
	if err != nil {
		o.t.Fatal(err)
	}
	var all []letter
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			o.t.Fatal(err)
		}
		m, err := netmail.ReadMessage(file)
		if err != nil {
			o.t.Fatal(err)
		}
		body, err := io.ReadAll(m.Body)
		if err = errors.Join(err, file.Close(), os.Remove(name)); err != nil {
			o.t.Fatal(err)
		}
		all = append(all, letter{Header: m.Header, body: string(body)})
	}
	return all
}

type letter struct {
	netmail.Header
	body string
}

func (o *postOffice) securityEvent(kind string) auth.SecurityEventRecorded {
	o.t.Helper()
	event := auth.SecurityEventRecorded{AccountID: o.person, EventID: uuid.Must(uuid.NewV7())}
	_, err := o.pool.Exec(o.t.Context(), "INSERT INTO auth.security_events (account_id, id, kind, device, created_at) VALUES ($1, $2, $3, 'my phone', now())", o.person, event.EventID, kind)
	if err != nil {
		o.t.Fatal(err)
	}
	return event
}

func TestEventsLeadToLetters(t *testing.T) {
	t.Parallel()
	o := newPostOffice(t, "ana@example.test", nil)
	nobody := uuid.Must(uuid.NewV7())
	for _, test := range []struct {
		event river.JobArgs
		// says is a part of the letter; empty where none is written.
		says string
	}{
		{auth.AccountRegistered{AccountID: o.person}, publicURL + "/auth/verify?token="},
		{auth.VerificationRequested{AccountID: o.person}, publicURL + "/auth/verify?token="},
		{auth.RegistrationRepeated{AccountID: o.person}, publicURL + "/auth/reset"},
		{auth.PasswordResetRequested{AccountID: o.person}, publicURL + "/auth/reset?token="},
		{o.securityEvent("totp_enabled"), "my phone"},
		{auth.AccountRegistered{AccountID: nobody}, ""},
		{auth.VerificationRequested{AccountID: nobody}, ""},
		{auth.RegistrationRepeated{AccountID: nobody}, ""},
		{auth.PasswordResetRequested{AccountID: nobody}, ""},
		{auth.SecurityEventRecorded{AccountID: nobody, EventID: nobody}, ""},
		{auth.SecurityEventRecorded{AccountID: o.person, EventID: nobody}, ""},
	} {
		job := o.work(test.event)
		if job.State != rivertype.JobStateCompleted || job.Attempt != 1 {
			t.Errorf("%s ended %s after %d attempts: %v", job.Kind, job.State, job.Attempt, job.Errors)
		}
		letters := o.letters()
		if test.says == "" {
			if len(letters) != 0 {
				t.Errorf("%s about nobody: %d letters", job.Kind, len(letters))
			}
			continue
		}
		if len(letters) != 1 {
			t.Errorf("%s: %d letters", job.Kind, len(letters))
			continue
		}
		to, err := letters[0].AddressList("To")
		if err != nil || len(to) != 1 || to[0].Address != "ana@example.test" || !strings.Contains(letters[0].body, test.says) {
			t.Errorf("%s: to %v, %v:\n%s", job.Kind, to, err, letters[0].body)
		}
	}
}

// Nothing in the queue is a secret: whoever reads it must not be able to sign in.
func TestQueueHoldsNoToken(t *testing.T) {
	t.Parallel()
	o := newPostOffice(t, "ana@example.test", nil)
	o.work(auth.PasswordResetRequested{AccountID: o.person})
	letters := o.letters()
	_, rest, found := strings.Cut(letters[0].body, "token=")
	if !found || len(rest) < 43 {
		t.Fatalf("no token in:\n%s", letters[0].body)
	}
	var kept string
	if err := o.pool.QueryRow(t.Context(), "SELECT string_agg(to_jsonb(j)::text, ' ') FROM river.river_job j").Scan(&kept); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(kept, rest[:43]) || strings.Contains(kept, "ana@") {
		t.Errorf("the queue has %s", kept)
	}
}

// An address that is refused for good is not tried again.
func TestRefusedLetterIsCancelled(t *testing.T) {
	t.Parallel()
	o := newPostOffice(t, "no address", nil)
	for _, event := range []river.JobArgs{auth.RegistrationRepeated{AccountID: o.person}, o.securityEvent("password_changed")} {
		job := o.work(event)
		if job.State != rivertype.JobStateCancelled || job.Attempt != 1 {
			t.Errorf("%s ended %s after %d attempts", job.Kind, job.State, job.Attempt)
		}
	}
	if letters := o.letters(); len(letters) != 0 {
		t.Errorf("%d letters", len(letters))
	}
}

// failing lets a letter through and says that it did not, as often as it is told to: so does a mail server whose answer is lost.
type failing struct {
	mail.Sender
	mu   sync.Mutex
	left int
}

func (f *failing) Send(ctx context.Context, m mail.Message) error {
	if err := f.Sender.Send(ctx, m); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left > 0 {
		f.left--
		return errors.New("the answer was lost")
	}
	return nil
}

// A letter that is sent again can be told from another one.
func TestLetterKeepsItsID(t *testing.T) {
	t.Parallel()
	o := newPostOffice(t, "ana@example.test", func(s mail.Sender) mail.Sender { return &failing{Sender: s, left: 2} })
	job := o.work(auth.VerificationRequested{AccountID: o.person})
	if job.State != rivertype.JobStateCompleted || job.Attempt != 3 {
		t.Fatalf("it ended %s after %d attempts", job.State, job.Attempt)
	}
	o.work(auth.VerificationRequested{AccountID: o.person})
	ids := map[string]int{}
	for _, l := range o.letters() {
		ids[l.Get("Message-Id")]++
	}
	if len(ids) != 2 || ids[""] != 0 {
		t.Errorf("Message-IDs: %v", ids)
	}
	for id, n := range ids {
		if n != 3 && n != 1 {
			t.Errorf("%s is on %d letters", id, n)
		}
	}
}
