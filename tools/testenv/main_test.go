package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// programVariable makes this test binary play testenv itself.
const programVariable = "TESTENV_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) != "" {
		os.Unsetenv(programVariable)
		main()
		return
	}
	os.Exit(m.Run())
}

// testenv is the program, with a temporary folder of its own that shows what it leaves behind.
func testenv(t *testing.T, args ...string) (command *exec.Cmd, temporary string) {
	t.Helper()
	temporary, err := os.MkdirTemp("", "testenv-test-") // not t.TempDir: as root, the server's user could not enter it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(temporary) })
	if err := os.Chmod(temporary, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	command = exec.Command(os.Args[0], args...)
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "TEST_DATABASE_URL=") && !strings.HasPrefix(variable, "TEST_REDIS_URL=") {
			command.Env = append(command.Env, variable)
		}
	}
	command.Env = append(command.Env, programVariable+"=1", "TMPDIR="+temporary)
	command.Stderr = os.Stderr
	return command, temporary
}

// checkNothingLeft waits until nothing is left in the folder: what a killed testenv leaves goes within moments.
func checkNothingLeft(t *testing.T, temporary string) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		left, err := filepath.Glob(filepath.Join(temporary, "mindspace-*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("left behind: %v", left)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestRunsTheCommand(t *testing.T) {
	t.Parallel()
	command, temporary := testenv(t, "--", "sh", "-c", `echo "$TEST_DATABASE_URL"; cat; exit 7`)
	command.Stdin = strings.NewReader("passed on")
	text, err := command.Output()
	if got := command.ProcessState.ExitCode(); got != 7 {
		t.Errorf("exit code %d (%v), want the command's", got, err)
	}
	if got := string(text); !strings.HasPrefix(got, "postgres://") || !strings.HasSuffix(got, "passed on") {
		t.Errorf("the command saw %q", got)
	}
	checkNothingLeft(t, temporary)
}

func TestLeavesServersOfOthersAlone(t *testing.T) {
	t.Parallel()
	command, temporary := testenv(t, "sh", "-c", `echo "$TEST_DATABASE_URL $TEST_REDIS_URL"; ls "$TMPDIR"`)
	command.Env = append(command.Env, "TEST_DATABASE_URL=mine", "TEST_REDIS_URL=too")
	text, err := command.Output()
	if err != nil || string(text) != "mine too\n" {
		t.Errorf("the command saw %q (%v)", text, err)
	}
	checkNothingLeft(t, temporary)
}

func TestBadCommand(t *testing.T) {
	t.Parallel()
	for code, args := range map[int][]string{2: {"--"}, 127: {"no-such-command"}} {
		command, _ := testenv(t, args...)
		command.Env = append(command.Env, "TEST_DATABASE_URL=mine", "TEST_REDIS_URL=too")
		var text bytes.Buffer
		command.Stderr = &text
		err := command.Run()
		if got := command.ProcessState.ExitCode(); got != code || text.Len() == 0 {
			t.Errorf("%v: exit code %d (%v) and %q, want %d and a word about it", args, got, err, text.String(), code)
		}
	}
}

func TestEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		signal syscall.Signal
		want   int
	}{
		"interrupted": {syscall.SIGINT, 130},
		"terminated":  {syscall.SIGTERM, 143},
		"killed":      {syscall.SIGKILL, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// A program that starts another, as "go test" does. Both end with standard input, when the test does.
			command, temporary := testenv(t, "sh", "-c", `echo up; cat; :`)
			input, err := command.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer input.Close()
			output, err := command.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			reader := bufio.NewReader(output)
			if line, err := reader.ReadString('\n'); err != nil || line != "up\n" {
				t.Fatalf("the command says %q (%v)", line, err)
			}
			if err := command.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			if c.signal == syscall.SIGKILL {
				input.Close()
			}
			// The end of the output: all that the command has started is gone too.
			if _, err := io.Copy(io.Discard, reader); err != nil {
				t.Fatal(err)
			}
			_ = command.Wait()
			if got := command.ProcessState.ExitCode(); got != c.want {
				t.Errorf("exit code %d, want %d", got, c.want)
			}
			checkNothingLeft(t, temporary)
		})
	}
}

// A signal while the database is being made.
func TestEndsEarly(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			command, temporary := testenv(t, "echo", "started")
			output, err := command.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			for made := 0; made == 0; <-time.After(time.Millisecond) {
				logs, err := filepath.Glob(filepath.Join(temporary, "mindspace-*", "*.log"))
				if err != nil {
					t.Fatal(err)
				}
				made = len(logs)
			}
			if err := command.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(output)
			if err != nil || len(text) != 0 {
				t.Errorf("the command was started all the same: %q (%v)", text, err)
			}
			if err := command.Wait(); err == nil {
				t.Error("it ended as if all were well")
			}
			checkNothingLeft(t, temporary)
		})
	}
}
