package auth

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	"github.com/mindspace-app/mindspace/migrations"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/postgres/pgtest"
	"github.com/mindspace-app/mindspace/platform/secret"
)

func TestGuardRules(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for name, c := range map[string]struct {
		rule   guardRule
		before int // wrong guesses that no delay follows
		delays []time.Duration
	}{
		"account": {accountRule, 4, []time.Duration{2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 64 * s, 128 * s, 256 * s, 512 * s, 900 * s, 900 * s}},
		"network": {networkRule, 49, []time.Duration{2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 64 * s, 128 * s, 256 * s, 300 * s, 300 * s}},
	} {
		level, delay := 0.0, time.Duration(0)
		for i := range c.before {
			if level, delay = c.rule.wrong(level, 0); delay != 0 {
				t.Errorf("%s: %v after guess %d", name, delay, i+1)
			}
		}
		for i, want := range c.delays {
			if level, delay = c.rule.wrong(level, delay); name == "account" && delay != want {
				t.Errorf("%s: %v after guess %d, want %v", name, delay, c.before+i+1, want)
			}
			if delay > want {
				t.Errorf("%s: %v after guess %d, want %v at most", name, delay, c.before+i+1, want)
			}
		}
	}
}

func TestGuardForgets(t *testing.T) {
	t.Parallel()
	level, delay := accountRule.wrong(10, 20*time.Hour)
	if level != 1 || delay != 0 {
		t.Errorf("ten guesses, twenty hours ago: level %v, %v", level, delay)
	}
	if level, delay = accountRule.wrong(8, 4*time.Hour); level != 7 || delay != 8*time.Second {
		t.Errorf("eight guesses, four hours ago: level %v, %v", level, delay)
	}
	// Month upon month of guesses, each as soon as it may be.
	level, delay = 0, 0
	for range 100_000 {
		if level, delay = accountRule.wrong(level, delay); delay > accountRule.longest || delay < 0 {
			t.Fatalf("level %v: %v", level, delay)
		}
	}
	if delay != accountRule.longest {
		t.Errorf("in the end %v", delay)
	}
}

func TestGuardRuleProperties(t *testing.T) {
	t.Parallel()
	levels := rapid.Float64Range(0, 1e6)
	idles := rapid.Int64Range(int64(-time.Hour), int64(1000*time.Hour))
	rapid.Check(t, func(t *rapid.T) {
		rule := rapid.SampledFrom([]guardRule{accountRule, networkRule}).Draw(t, "rule")
		before, idle := levels.Draw(t, "level"), time.Duration(idles.Draw(t, "idle"))
		level, delay := rule.wrong(before, idle)
		if level < 1 || level > before+1 || delay < 0 || delay > rule.longest {
			t.Fatalf("level %v, %v", level, delay)
		}
		if level >= rule.threshold && delay < firstDelay {
			t.Fatalf("no delay at level %v", level)
		}
		if _, later := rule.wrong(before, idle+time.Hour); later > delay {
			t.Fatalf("%v after an hour more, %v without it", later, delay)
		}
		if _, more := rule.wrong(before+1, idle); more < delay {
			t.Fatalf("%v after one guess more, %v without it", more, delay)
		}
		// A clock that goes back gives nothing away, and takes nothing.
		if idle < 0 {
			if same, _ := rule.wrong(before, 0); same != level {
				t.Fatalf("level %v, without the clock going back %v", level, same)
			}
		}
	})
}

func TestGuardsAreNamedApart(t *testing.T) {
	t.Parallel()
	keys, err := secret.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	g, person := newGuards(nil, keys, time.Now), uuid.Max
	seen := map[string]int{}
	for i, one := range []guard{
		g.of(accountRule, "strangers", "ana@example.org"), g.of(accountRule, "strangers", "bob@example.org"), g.of(accountRule, "strangersana@example.org"),
		g.of(accountRule, "network", "ana@example.org", "192.0.2.0/24"), g.of(accountRule, "network", "ana@example.org192.0.2.0", "/24"),
		g.of(accountRule, "network", "ana@example.org", "192.0.2.0/24", ""), g.factor(person, "code"), g.factor(person, "password"), g.factor(uuid.Nil, "code"),
	} {
		if other, found := seen[string(one.key)]; found {
			t.Errorf("%d and %d are one", other, i)
		}
		seen[string(one.key)] = i
		if bytes.Contains(one.key, []byte("ana")) {
			t.Errorf("%d says whose it is", i)
		}
	}
}

// Whoever hangs up to avoid being counted is counted.
func TestGuessIsCountedWithoutItsCaller(t *testing.T) {
	t.Parallel()
	keys, err := secret.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	g, failure := newGuards(pgtest.New(t, migrations.FS), keys, time.Now), errors.New("wrong")
	all := []guard{g.factor(uuid.Max, "code")}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range 5 {
		if err := g.wrong(gone, all, failure); !errors.Is(err, failure) {
			t.Errorf("guess %d: %v", i+1, err)
		}
	}
	if f, ok := fault.As(g.check(t.Context(), authdb.New(g.pool), all)); !ok || f.Reason() != "GUESSES_DELAYED" || f.RetryAfter() <= 0 {
		t.Errorf("the next one: %v", f)
	}
}
