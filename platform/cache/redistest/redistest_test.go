package redistest

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

// childVariable makes this test binary play another package's tests.
const childVariable = "REDISTEST_CHILD"

func TestEachTestHasItsOwnKeys(t *testing.T) {
	t.Parallel()
	a, b := Client(t), Client(t)
	if a.Options().DB == b.Options().DB || a.Options().DB == 0 || b.Options().DB == 0 {
		t.Errorf("databases %d and %d", a.Options().DB, b.Options().DB)
	}
	if err := a.Set(t.Context(), "key", 1, 0).Err(); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Exists(t.Context(), "key").Result(); err != nil || n != 0 {
		t.Errorf("another test sees the key (%v)", err)
	}
}

func TestDatabaseIsGivenBackEmpty(t *testing.T) {
	t.Parallel()
	s, err := server()
	if err != nil {
		t.Fatal(err)
	}
	var number int
	t.Run("one", func(t *testing.T) {
		c := Client(t)
		number = c.Options().DB
		if err := c.Set(t.Context(), "key", 1, 0).Err(); err != nil {
			t.Fatal(err)
		}
		if n := s.admin.Exists(t.Context(), claimPrefix+strconv.Itoa(number)).Val(); n != 1 {
			t.Error("the database is not marked as taken")
		}
	})
	// Taken again in the test's own name, so that nobody else fills it meanwhile.
	taken, err := s.admin.SetNX(t.Context(), claimPrefix+strconv.Itoa(number), "test", claimLife).Result()
	if err != nil {
		t.Fatal(err)
	}
	if !taken {
		return // another test was faster, so it was given back
	}
	defer func() {
		if err := s.release(t.Context(), number); err != nil {
			t.Error(err)
		}
	}()
	options := *s.options
	options.DB = number
	c := redis.NewClient(&options)
	defer c.Close()
	if n, err := c.DBSize(t.Context()).Result(); err != nil || n != 0 {
		t.Errorf("%d keys are left (%v)", n, err)
	}
}

// A server with few databases gives each to one test at a time, and goes round.
func TestFewDatabases(t *testing.T) {
	t.Parallel()
	s, err := server()
	if err != nil {
		t.Fatal(err)
	}
	few := *s
	few.databases = 4
	taken := map[int]bool{}
	for len(taken) < 3 {
		number, err := few.claim(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if taken[number] || number < 1 || number > 3 {
			t.Fatalf("got database %d after %v", number, taken)
		}
		taken[number] = true
	}
	claimed := make(chan int)
	go func() {
		number, err := few.claim(t.Context())
		if err != nil {
			t.Error(err)
		}
		claimed <- number
	}()
	if err := few.release(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if got := <-claimed; got != 2 {
		t.Errorf("got database %d, want the one that was given back", got)
	}
	for number := range 4 {
		if err := few.release(t.Context(), number); err != nil {
			t.Error(err)
		}
	}
}

// Packages are tested by processes of their own.
func TestManyProcesses(t *testing.T) {
	t.Parallel()
	if os.Getenv(childVariable) != "" {
		for range 20 {
			c := Client(t)
			if n, err := c.Incr(t.Context(), "key").Result(); err != nil || n != 1 {
				t.Errorf("the database is not fresh: %d (%v)", n, err)
			}
		}
		return
	}
	s, err := server()
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			command := exec.Command(os.Args[0], "-test.run=^TestManyProcesses$", "-test.v")
			command.Env = append(os.Environ(), childVariable+"=1", serverVariable+"="+s.address(0))
			if text, err := command.CombinedOutput(); err != nil || !strings.Contains(string(text), "--- PASS: TestManyProcesses") {
				t.Errorf("%v\n%s", err, text)
			}
		})
	}
	group.Wait()
}

func TestKeysDiffer(t *testing.T) {
	t.Parallel()
	if one, other := Key(), Key(); one == other {
		t.Error("two tests get the same word")
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"redis://host:6379":                  "redis://host:6379/7",
		"rediss://ana:pw@host:6379/3?db=2":   "rediss://ana:pw@host:6379/7",
		"redis://host:6379/0?dial_timeout=3": "redis://host:6379/7?dial_timeout=3",
		"unix://ana:pw@/run/redis.sock?db=1": "unix://ana:pw@/run/redis.sock?db=7",
	} {
		h, err := newHost(target)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.address(7); got != want {
			t.Errorf("%s gives %s, want %s", target, got, want)
		}
	}
}
