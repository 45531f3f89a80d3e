package auth_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/cache/redistest"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
)

const (
	ownersAddress    = "192.0.2.1" // register and login come from there
	strangersAddress = "198.51.100.1"
)

// Answers to a guess.
const (
	letIn   = "let in"
	wrong   = "unauthenticated CREDENTIALS_WRONG"
	delayed = "resource_exhausted GUESSES_DELAYED"
)

// guess tries a password and gives the answer, and for how long it is delayed.
func (r *rig) guess(ctx context.Context, email, password, previous string) (answer string, wait time.Duration) {
	r.t.Helper()
	_, err := r.client.Login(ctx, &authv1.LoginRequest{Email: email, Password: password, PreviousRefreshToken: previous})
	if err == nil {
		return letIn, 0
	}
	answer = connect.CodeOf(err).String() + " " + authtest.Detail[*errdetails.ErrorInfo](err).GetReason()
	if retry := authtest.Detail[*errdetails.RetryInfo](err); retry != nil {
		wait = retry.GetRetryDelay().AsDuration()
	}
	if (wait > 0) != (answer == delayed) {
		r.t.Errorf("%s, retry after %v", answer, wait)
	}
	return answer, wait
}

// guesses gives the answers to so many wrong guesses.
func (r *rig) guesses(n int, address, email string) string {
	r.t.Helper()
	answers := make([]string, n)
	for i := range answers {
		answers[i], _ = r.guess(r.from(address), email, "wrong password", "")
	}
	return strings.Join(answers, ", ")
}

// sequence is so many of one answer and then so many of another.
func sequence(n int, first string, m int, then string) string {
	return strings.Join(slices.Concat(slices.Repeat([]string{first}, n), slices.Repeat([]string{then}, m)), ", ")
}

// Known or not, seen from the owner's network or not: an address answers alike.
func TestGuessesAreDelayedAlike(t *testing.T) {
	t.Parallel()
	var first string
	for _, c := range [][2]string{{"ana@example.org", strangersAddress}, {"nobody@example.org", strangersAddress}, {"ana@example.org", ownersAddress}, {"nobody@example.org", ownersAddress}, {"ANA@example.org", "2001:db8::1"}} {
		r := newRig(t)
		r.register("ana@example.org")
		var all strings.Builder
		for i := range 20 {
			answer, wait := r.guess(r.from(c[1]), c[0], "wrong password", "")
			fmt.Fprintln(&all, i, answer, wait)
			if want := map[bool]string{true: wrong, false: delayed}[i < 5]; i <= 5 && answer != want {
				t.Errorf("%v: guess %d: %s, want %s", c, i+1, answer, want)
			}
			if i%2 == 1 {
				r.clock.advance(wait)
			} else {
				r.clock.advance(wait / 3)
			}
		}
		if first == "" {
			first = all.String()
		}
		if all.String() != first {
			t.Errorf("%v:\n%s\nwant\n%s", c, all.String(), first)
		}
	}
}

func TestDelaysDouble(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register("ana@example.org")
	if got := r.guesses(5, strangersAddress, "ana@example.org"); got != sequence(5, wrong, 0, "") {
		t.Errorf("the first five: %s", got)
	}
	for _, seconds := range []int{2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900} {
		want := time.Duration(seconds) * time.Second
		// Guesses in the delay are not looked at, and do not prolong it.
		for at := range 4 {
			password := []string{"wrong password", goodPassword}[at%2]
			answer, wait := r.guess(r.from(strangersAddress), "ana@example.org", password, "")
			if left := want - want/4*time.Duration(at); answer != delayed || wait != left {
				t.Errorf("in a delay of %v: %s, %v left, want %v", want, answer, wait, left)
			}
			r.clock.advance(want / 4)
		}
		if answer, _ := r.guess(r.from(strangersAddress), "ana@example.org", "wrong password", ""); answer != wrong {
			t.Errorf("after %v: %s", want, answer)
		}
	}
	r.clock.advance(15 * time.Minute)
	if answer, _ := r.guess(r.from(strangersAddress), "ana@example.org", goodPassword, ""); answer != letIn {
		t.Errorf("the right one at last: %s", answer)
	}
	if got := r.guesses(6, strangersAddress, "ana@example.org"); got != sequence(5, wrong, 1, delayed) {
		t.Errorf("the right one did not begin the count anew: %s", got)
	}
}

// Fifty guesses at once, over two processes, are not more guesses.
func TestParallelGuesses(t *testing.T) {
	t.Parallel()
	for name, email := range map[string]string{"known": "ana@example.org", "unknown": "nobody@example.org"} {
		for _, address := range []string{ownersAddress, strangersAddress} {
			t.Run(name+" from "+address, func(t *testing.T) {
				t.Parallel()
				installation := newShared(t)
				processes := []*rig{installation.process(t), installation.process(t)}
				processes[0].register("ana@example.org")
				counts := parallel(50, func(i int) string {
					password := "wrong password"
					if i == 25 {
						password = goodPassword
					}
					answer, _ := processes[i%2].guess(processes[0].from(address), email, password, "")
					return answer
				})
				// Whoever is let in clears the guard, and makes the network known, which has a guard of its own.
				if counts[wrong] > 5+counts[letIn]*10 || counts[letIn] > 1 || counts[wrong]+counts[delayed]+counts[letIn] != 50 || name == "unknown" && (counts[letIn] != 0 || counts[wrong] != 5) {
					t.Errorf("answers: %v", counts)
				}
				// The count is one for both processes.
				for _, r := range processes {
					if answer, _ := r.guess(r.from(address), email, "wrong password", ""); counts[letIn] == 0 && answer != delayed {
						t.Errorf("afterwards: %s", answer)
					}
				}
			})
		}
	}
}

// Fifty devices of one person that sign in at once are all let in.
func TestParallelLogins(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	processes := []*rig{installation.process(t), installation.process(t)}
	processes[0].register("ana@example.org")
	counts := parallel(50, func(i int) string {
		answer, _ := processes[i%2].guess(processes[0].from(fmt.Sprintf("198.51.%d.1", i%5)), "ana@example.org", goodPassword, "")
		return answer
	})
	if counts[letIn] != 50 {
		t.Errorf("answers: %v", counts)
	}
}

// parallel calls n times at once, and counts the answers.
func parallel(n int, call func(i int) string) map[string]int {
	answers := make([]string, n)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = call(i) })
	}
	all.Wait()
	counts := map[string]int{}
	for _, answer := range answers {
		counts[answer]++
	}
	return counts
}

// A stranger who never stops keeps nobody out who was here before.
func TestStrangerDoesNotLockTheOwnerOut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.register("ana@example.org").GetTokens()
	mallory := r.register("mallory@example.org").GetTokens()
	for range 14 {
		_, wait := r.guess(r.from(strangersAddress), "ana@example.org", "wrong password", "")
		r.clock.advance(wait)
	}
	r.guess(r.from(strangersAddress), "ana@example.org", "wrong password", "")
	for name, c := range map[string]struct{ address, previous, want string }{
		"on a known network":                  {ownersAddress, "", letIn},
		"elsewhere on the known network":      {"192.0.2.77", "", letIn},
		"on a network that is new":            {"203.0.113.1", "", delayed},
		"on a new one with their device":      {"203.0.113.1", tokens.GetRefreshToken(), letIn},
		"on the stranger's with their device": {strangersAddress, tokens.GetRefreshToken(), letIn},
		"with a device of somebody else":      {"203.0.113.2", mallory.GetRefreshToken(), delayed},
		"with a forged one":                   {"203.0.113.2", forged(tokens.GetRefreshToken()), delayed},
		"with garbage":                        {"203.0.113.2", "msr_\x00", delayed},
		"with an access token":                {"203.0.113.2", tokens.GetAccessToken()[:512], delayed},
	} {
		// The networks that the owner was let in from are known from then on.
		r.exec("DELETE FROM auth.known_networks WHERE network <> '192.0.2.0/24'")
		if answer, _ := r.guess(r.from(c.address), "ana@example.org", goodPassword, c.previous); answer != c.want {
			t.Errorf("%s: %s, want %s", name, answer, c.want)
		}
	}
	r.exec("DELETE FROM auth.known_networks WHERE network <> '192.0.2.0/24'")
	if got := r.guesses(1, strangersAddress, "ana@example.org"); got != delayed {
		t.Errorf("what lets the owner in lets the stranger go on: %s", got)
	}
	// One who has signed out, or was thrown out, has their device still.
	if _, err := r.as(tokens).LogoutEverywhere(t.Context(), &authv1.LogoutEverywhereRequest{}); err != nil {
		t.Fatal(err)
	}
	if answer, _ := r.guess(r.from("203.0.113.3"), "ana@example.org", goodPassword, tokens.GetRefreshToken()); answer != letIn {
		t.Errorf("with the device of a session that has ended: %s", answer)
	}
}

// forged is a token with one character changed, well before the end: the last one does not count whole.
func forged(token string) string {
	at, other := len(token)-10, "A"
	if token[at] == 'A' {
		other = "B"
	}
	return token[:at] + other + token[at+1:]
}

// A device and a known network have guesses of their own, no more of them than anybody, and are of no use for other accounts.
func TestOwnersGuessesAreDelayedToo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := r.register("ana@example.org").GetTokens()
	r.register("bob@example.org")
	for name, previous := range map[string]string{"device": tokens.GetRefreshToken(), "network": ""} {
		var answers []string
		for range 6 {
			answer, _ := r.guess(r.from(ownersAddress), "ana@example.org", "wrong password", previous)
			answers = append(answers, answer)
		}
		if got := strings.Join(answers, ", "); got != sequence(5, wrong, 1, delayed) {
			t.Errorf("%s: %s", name, got)
		}
	}
	if answer, _ := r.guess(r.from(ownersAddress), "bob@example.org", goodPassword, ""); answer != letIn {
		t.Errorf("somebody else of the household: %s", answer)
	}
	for i := range 6 {
		answer, _ := r.guess(r.from("203.0.113.1"), "bob@example.org", "wrong password", tokens.GetRefreshToken())
		if want := map[bool]string{true: wrong, false: delayed}[i < 5]; answer != want {
			t.Errorf("bob with the device of ana, guess %d: %s", i+1, answer)
		}
	}
	if got := r.guesses(1, "203.0.113.1", "bob@example.org"); got != delayed {
		t.Errorf("a device of somebody else is counted apart: %s", got)
	}
}

// Whoever reads the mail need not wait for the end of a delay that their own guesses have brought, wherever they made them.
func TestResetEndsTheDelay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, email := range []string{"ana@example.org", "bob@example.org"} {
		r.register(email)
		if answer, _ := r.guess(r.from("203.0.113.9"), email, goodPassword, ""); answer != letIn { // where resets are done from, too
			t.Fatal(answer)
		}
		for _, address := range []string{strangersAddress, "203.0.113.9"} {
			if got := r.guesses(6, address, email); got != sequence(5, wrong, 1, delayed) {
				t.Fatalf("%s from %s: %s", email, address, got)
			}
		}
	}
	if err := r.reset(r.resetToken("ana@example.org"), newPassword); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{strangersAddress, "203.0.113.9"} {
		if answer, _ := r.guess(r.from(address), "ana@example.org", newPassword, ""); answer != letIn {
			t.Errorf("from %s: %s", address, answer)
		}
		if answer, _ := r.guess(r.from(address), "bob@example.org", goodPassword, ""); answer != delayed {
			t.Errorf("somebody else from %s: %s", address, answer)
		}
	}
}

// One address that tries many accounts is delayed for all of them.
func TestManyAccountsFromOneAddress(t *testing.T) {
	t.Parallel()
	for name, beside := range map[string][2]string{"IPv4": {"198.51.100.1", "198.51.100.2"}, "IPv6": {"2001:db8:1:2::1", "2001:db8:1:3::1"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			tokens := r.register("ana@example.org").GetTokens()
			for i := range 50 {
				if got := r.guesses(1, beside[0], fmt.Sprintf("person%d@example.org", i)); got != wrong {
					t.Fatalf("account %d: %s", i+1, got)
				}
			}
			if got := r.guesses(1, beside[0], "person50@example.org"); got != delayed {
				t.Errorf("account 51: %s", got)
			}
			if name == "IPv6" {
				if got := r.guesses(1, "2001:db8:1:2:ffff::1", "person50@example.org"); got != delayed {
					t.Errorf("another address of one home: %s", got)
				}
			}
			if got := r.guesses(1, beside[1], "person51@example.org"); got != wrong {
				t.Errorf("the neighbour: %s", got)
			}
			if answer, _ := r.guess(r.from(beside[0]), "ana@example.org", goodPassword, tokens.GetRefreshToken()); answer != letIn {
				t.Errorf("a device that was here before: %s", answer)
			}
			// A right guess, at an account of the guesser's own perhaps, does not begin the count anew.
			r.clock.advance(2 * time.Second)
			if answer, _ := r.guess(r.from(beside[0]), "ana@example.org", goodPassword, ""); answer != letIn {
				t.Errorf("after the delay: %s", answer)
			}
			if got := r.guesses(2, beside[0], "person52@example.org"); got != sequence(1, wrong, 1, delayed) {
				t.Errorf("after a right one: %s", got)
			}
			// A guess is forgotten every half a minute.
			r.clock.advance(10 * time.Minute)
			for i := range 19 {
				if got := r.guesses(1, beside[0], fmt.Sprintf("later%d@example.org", i)); got != wrong {
					t.Errorf("ten minutes later, account %d: %s", i+1, got)
				}
			}
			if got := r.guesses(1, beside[0], "later19@example.org"); got != delayed {
				t.Errorf("nineteen guesses later: %s", got)
			}
		})
	}
}

// An emptied Redis gives no new guesses, and neither does a restart: what was guessed is kept in the database.
func TestGuessesOutliveRedis(t *testing.T) {
	t.Parallel()
	installation := newShared(t)
	r := installation.process(t)
	r.register("ana@example.org")
	r.guesses(5, strangersAddress, "ana@example.org")
	installation.prefix = redistest.Key() // where nothing is
	after := installation.process(t)
	if got := after.guesses(2, strangersAddress, "ana@example.org"); got != sequence(2, delayed, 0, "") {
		t.Errorf("after the restart: %s", got)
	}
	if kept := r.column("SELECT count(*)::text FROM auth.guards WHERE position('ana'::bytea IN key) > 0"); kept[0] != "0" {
		t.Error("a guard says whose it is")
	}
}
