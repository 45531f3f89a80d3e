package auth_test

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/limit"
	"github.com/mindspace-app/mindspace/platform/mail"
	"github.com/mindspace-app/mindspace/services/auth"
)

func (r *rig) postman() *auth.Postman {
	return auth.NewPostman(r.pool, r.post, publicURL, limit.NewShared(nil, slog.New(slog.DiscardHandler)), r.clock.Now)
}

// What waits in the queue holds ids, and nothing that tells who somebody is or lets anybody in.
func TestJobsHoldIDsOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.register("ana@example.org").GetTokens()
	on := newShared(t).process(t, verifiedOnly)
	for range 2 {
		on.register("ana@example.org")
	}
	for _, email := range []string{"ana@example.org", "nobody@example.org"} {
		if _, err := r.client.RequestPasswordReset(t.Context(), &authv1.RequestPasswordResetRequest{Email: email}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.client.RequestEmailVerification(t.Context(), &authv1.RequestEmailVerificationRequest{Email: email}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.as(tokens).LogoutEverywhere(t.Context(), &authv1.LogoutEverywhereRequest{}); err != nil {
		t.Fatal(err)
	}
	id := `"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"`
	shape := regexp.MustCompile(`^\w+ \{"(account_id|event_id)": ` + id + `(, "(account_id|event_id)": ` + id + `)?\}$`)
	kinds := map[string]bool{}
	for _, from := range []*rig{r, on} {
		for _, job := range from.column("SELECT kind || ' ' || args::text FROM river.river_job") {
			if !shape.MatchString(job) {
				t.Errorf("in the queue: %s", job)
			}
			kind, _, _ := strings.Cut(job, " ")
			kinds[kind] = true
		}
		if meta := from.column("SELECT metadata::text || tags::text FROM river.river_job WHERE metadata::text || tags::text ~ 'ana|@'"); len(meta) != 0 {
			t.Errorf("beside the jobs: %v", meta)
		}
	}
	if len(kinds) != 5 {
		t.Errorf("only %v were emitted, there are five kinds", kinds)
	}
}

func TestLettersAreInTheOwnersLanguage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	subjects := map[string]string{}
	for _, locale := range []string{"", "en", "ru", "sr", "sr-Latn"} {
		email := uuid.NewString() + "@example.org"
		if _, err := r.client.Register(t.Context(), &authv1.RegisterRequest{Email: email, Password: goodPassword, Locale: locale}); err != nil {
			t.Fatal(err)
		}
		letters := r.deliver(email)
		if len(letters) != 1 {
			t.Fatalf("%q: %d letters", locale, len(letters))
		}
		subjects[locale] = letters[0].Subject
	}
	if subjects[""] != subjects["en"] || subjects["sr"] != subjects["sr-Latn"] || subjects["en"] == subjects["ru"] || subjects["en"] == subjects["sr"] || subjects["ru"] == subjects["sr"] {
		t.Errorf("subjects: %v", subjects)
	}
}

// A letter names what leads to it, and has a link that works as it is.
func TestLettersLeadToPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	person := uuid.MustParse(r.register("ana@example.org").GetUserId())
	r.deliver("ana@example.org")
	for page, send := range map[string]func(context.Context, uuid.UUID, auth.Delivery) error{"/auth/verify": r.postman().SendVerification, "/auth/reset": r.postman().SendReset} {
		if err := send(t.Context(), person, auth.Delivery{ID: "job-1"}); err != nil {
			t.Fatal(err)
		}
		letter := r.post.sent[0]
		r.post.sent = nil
		token := r.tokenOf(letter)
		link := publicURL + page + "?token=" + url.QueryEscape(token)
		if letter.To != "ana@example.org" || letter.ID != "job-1" || !strings.Contains(letter.Text, link+"&lang=en") || !strings.Contains(letter.HTML, `href="`+link+`&amp;lang=en"`) {
			t.Errorf("%s: %+v", page, letter)
		}
		if strings.Count(letter.Text, token) != 2 || strings.Contains(letter.Subject, token) {
			t.Errorf("%s: the token is not there once in the link and once to be typed:\n%s", page, letter.Text)
		}
	}
}

// A mailbox is not flooded, whoever asks for letters; a letter that is tried again is no other letter.
func TestLettersAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	person := uuid.MustParse(r.register("ana@example.org").GetUserId())
	r.deliver("ana@example.org")
	postman := r.postman()
	for n := range 20 {
		if err := postman.SendReset(t.Context(), person, auth.Delivery{ID: "reset-" + strconv.Itoa(n)}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.post.sent); n != 6 {
		t.Errorf("%d letters", n)
	}
	if err := postman.SendReset(t.Context(), person, auth.Delivery{ID: "reset-0", Again: true}); err != nil || len(r.post.sent) != 7 {
		t.Errorf("a second attempt was dropped: %v", err)
	}
}

// A job that runs again sends the same letter under the same name; the tokens of both are good.
func TestLetterIsSentAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	person := uuid.MustParse(r.register("ana@example.org").GetUserId())
	r.deliver("ana@example.org")
	away := &awayOnce{to: r.post}
	postman := auth.NewPostman(r.pool, away, publicURL, limit.NewShared(nil, slog.New(slog.DiscardHandler)), r.clock.Now)
	if err := postman.SendReset(t.Context(), person, auth.Delivery{ID: "job-1"}); !errors.Is(err, errAway) {
		t.Fatalf("the server is away: %v", err)
	}
	for range 2 {
		if err := postman.SendReset(t.Context(), person, auth.Delivery{ID: "job-1"}); err != nil {
			t.Fatal(err)
		}
	}
	if sent := r.post.sent; len(sent) != 2 || sent[0].ID != "job-1" || sent[1].ID != "job-1" {
		t.Fatalf("sent: %+v", sent)
	}
	if err := r.reset(r.tokenOf(r.post.sent[0]), newPassword); err != nil {
		t.Errorf("the token of the first copy: %v", err)
	}
}

var errAway = errors.New("the mail server is away")

// awayOnce fails at the first letter.
type awayOnce struct {
	to   mail.Sender
	came bool
}

func (a *awayOnce) Send(ctx context.Context, m mail.Message) error {
	if !a.came {
		a.came = true
		return errAway
	}
	return a.to.Send(ctx, m)
}

// No letter goes to nobody, or about what was done already.
func TestNoLetter(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	verified := r.register("ana@example.org")
	r.verifyAddress("ana@example.org")
	nobody := uuid.Must(uuid.NewV7())
	for letter, err := range map[string]error{
		"verification": r.postman().SendVerification(t.Context(), nobody, auth.Delivery{ID: "1"}),
		"reset":        r.postman().SendReset(t.Context(), nobody, auth.Delivery{ID: "2"}),
		"registered":   r.postman().SendAlreadyRegistered(t.Context(), nobody, auth.Delivery{ID: "3"}),
		"alert":        r.postman().SendAlert(t.Context(), nobody, uuid.Must(uuid.NewV7()), auth.Delivery{ID: "4"}),
	} {
		if err != nil {
			t.Errorf("%s: %v", letter, err)
		}
	}
	ana := uuid.MustParse(verified.GetUserId())
	if err := errors.Join(r.postman().SendVerification(t.Context(), ana, auth.Delivery{ID: "5"}), r.postman().SendAlert(t.Context(), ana, uuid.Must(uuid.NewV7()), auth.Delivery{ID: "6"})); err != nil {
		t.Error(err)
	}
	if len(r.post.sent) != 0 {
		t.Errorf("sent: %+v", r.post.sent)
	}
	if n := r.column("SELECT count(*)::text FROM auth.email_tokens"); n[0] != "0" {
		t.Errorf("%s tokens were made", n[0])
	}
}

// An alert tells when in the owner's own zone, and where and on what. Its greeting has no name that a stranger may have chosen.
func TestAlertTellsWhatHappened(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.clock.advance(time.Date(2031, 7, 1, 12, 30, 0, 0, time.UTC).Sub(r.clock.Now()))
	_, err := r.client.Register(r.from("192.0.2.1"), &authv1.RegisterRequest{
		Email: "ana@example.org", Password: goodPassword, DisplayName: "Anastasia", TimeZone: "Europe/Belgrade",
	})
	if err != nil {
		t.Fatal(err)
	}
	letters := r.deliver("ana@example.org")
	elsewhere := func(address string) mail.Message {
		t.Helper()
		if _, err := r.client.Login(r.from(address), &authv1.LoginRequest{Email: "ana@example.org", Password: goodPassword, Device: "Firefox <b>143.0</b>"}); err != nil {
			t.Fatal(err)
		}
		letters := r.deliver("ana@example.org")
		if len(letters) != 1 {
			t.Fatalf("%d letters", len(letters))
		}
		return letters[0]
	}
	alert := elsewhere("203.0.113.77")
	for _, want := range []string{"2031-07-01 14:30 (UTC+02:00)", "203.0.113.0/24", "Firefox", publicURL + "/auth/reset"} {
		if !strings.Contains(alert.Text, want) || !strings.Contains(alert.HTML, strings.ReplaceAll(want, "+", "&#43;")) {
			t.Errorf("%q is not in\n%s\n%s", want, alert.Text, alert.HTML)
		}
	}
	if strings.Contains(alert.Text, "Anastasia") || strings.Contains(alert.Text, "203.0.113.77") || strings.Contains(alert.HTML, "<b>143") || linkToken.MatchString(alert.Text) {
		t.Errorf("the letter tells too much:\n%s", alert.Text)
	}
	if err := r.verify(r.tokenOf(letters[0])); err != nil {
		t.Fatal(err)
	}
	// A zone that this build does not know does not keep the letter back.
	r.exec("UPDATE auth.accounts SET time_zone = 'Mars/Olympus'")
	if alert := elsewhere("198.51.100.1"); !strings.Contains(alert.Text, "Anastasia") || !strings.Contains(alert.Text, "12:30 (UTC+00:00)") {
		t.Errorf("once the address is verified:\n%s", alert.Text)
	}
}
