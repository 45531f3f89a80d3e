package app

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1/authv1connect"
	meditationv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1/userv1connect"
	"github.com/mindspace-app/mindspace/services/auth"
)

// count gives how many rows a query finds.
func (r *running) count(query string) (n int) {
	r.t.Helper()
	if err := r.pool.QueryRow(r.t.Context(), query).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

func TestScaleIsSeeded(t *testing.T) {
	t.Parallel()
	r := run(t)
	seed := func(users int) string {
		t.Helper()
		var out strings.Builder
		if err := SeedScale(t.Context(), r.config, ScaleOptions{Users: users, Sessions: 30 * users, Seed: 1}, &out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	seed(20)
	const sessions, accounts = "SELECT count(*) FROM meditation.sessions", "SELECT count(*) FROM auth.accounts WHERE email LIKE '%@scale.test'"
	first := r.count(sessions)
	if out := seed(20); !strings.Contains(out, "there already") || r.count(sessions) != first || r.count(accounts) != 20 {
		t.Errorf("a second time: %s, %d sessions after %d, %d accounts", out, r.count(sessions), first, r.count(accounts))
	}
	if out := seed(60); !strings.Contains(out, "in all 40 persons") || r.count(accounts) != 60 {
		t.Errorf("more of them: %s, %d accounts", out, r.count(accounts))
	}
	// One that is missing, as of a run that was cut short, is made up again.
	r.exec("DELETE FROM meditation.sessions WHERE user_id = (SELECT id FROM auth.accounts WHERE email = $1)", scaleEmail(7))
	for _, table := range []string{"meditation.days", "meditation.people", "meditation.milestones", "meditation.streak_records", "users.profiles"} {
		r.exec("DELETE FROM "+table+" WHERE user_id = (SELECT id FROM auth.accounts WHERE email = $1)", scaleEmail(7))
	}
	r.exec("DELETE FROM auth.accounts WHERE email = $1", scaleEmail(7))
	if out := seed(60); !strings.Contains(out, "in all 1 persons") || r.count(accounts) != 60 {
		t.Errorf("the missing one: %s, %d accounts", out, r.count(accounts))
	}
	seen := 0
	for _, number := range []int{1, 7, 60} {
		seen += len(r.sessionsOf(scaleEmail(number)))
	}
	if seen == 0 {
		t.Error("nobody has practised")
	}
}

// sessionsOf signs a made-up person in and asks for their history.
func (r *running) sessionsOf(email string) []*meditationv1.Session {
	r.t.Helper()
	ctx := r.t.Context()
	res := must[*authv1.LoginResponse](r.t)(authv1connect.NewAuthServiceClient(r.client("")).Login(ctx, &authv1.LoginRequest{Email: email, Password: auth.DemoPassword}))
	client := r.client(res.GetTokens().GetAccessToken())
	me := must[*userv1.GetMeResponse](r.t)(userv1connect.NewUserServiceClient(client).GetMe(ctx, &userv1.GetMeRequest{}))
	if me.GetUser().GetEmail() != email || me.GetUser().GetCountryCode() == "" {
		r.t.Errorf("%s is %v", email, me)
	}
	list := must[*meditationv1.ListSessionsResponse](r.t)(meditationv1connect.NewMeditationServiceClient(client).ListSessions(ctx, &meditationv1.ListSessionsRequest{}))
	return list.GetSessions()
}

func TestScaleIsRefused(t *testing.T) {
	t.Parallel()
	for says, change := range map[string]func(*Config, *ScaleOptions){
		"MINDSPACE_ENV=demo": func(c *Config, _ *ScaleOptions) { c.Environment = Production },
		"--users":            func(_ *Config, o *ScaleOptions) { o.Users = 0 },
		"--sessions":         func(_ *Config, o *ScaleOptions) { o.Sessions = -1 },
		"--until":            func(_ *Config, o *ScaleOptions) { o.Until = "yesterday" },
	} {
		config, options := Config{Environment: Demo}, ScaleOptions{Users: 1, Sessions: 1}
		change(&config, &options)
		if err := SeedScale(context.Background(), config, options, &strings.Builder{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// Persons follow each other, and have the sessions that were asked for.
func TestScalePersons(t *testing.T) {
	t.Parallel()
	until := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	p, err := newScalePeople(ScaleOptions{Users: 5000, Sessions: 200_000, Seed: 1}, until)
	if err != nil {
		t.Fatal(err)
	}
	expected, last := 0.0, scalePerson{}
	for number := 1; number <= p.Users; number++ {
		person := p.person(number)
		if again := p.person(number); again != person {
			t.Fatalf("person %d is another the second time", number)
		}
		if number > 1 && person.account.ID.String() <= last.account.ID.String() || person.account.CreatedAt.After(until) {
			t.Fatalf("person %d does not follow the one before, or is of the future: %s", number, person.account.CreatedAt)
		}
		expected, last = expected+person.practice.Expected, person
	}
	if got := fmt.Sprintf("%.0f", expected); got != "200000" {
		t.Errorf("%s sessions are expected", got)
	}
}
