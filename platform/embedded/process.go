package embedded

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// supervisorScript runs a server as its child and stops it when standard input ends. That is the pipe from this program:
// it ends when the program closes it, and when the program dies in any way, kill -9 included. It works alike on Linux and macOS,
// which a parent-death signal does not. The terminal's signals are ignored: the program drains first, then stops the server.
// The signal is repeated, as a server that has only just been started ignores it.
// The end of the server is told on standard output; a throwaway folder goes only after standard input has ended, so that the log can be read.
const supervisorScript = `
trap '' HUP INT TERM QUIT PIPE
log=$1 signal=$2 remove=$3
shift 3
exec 3<&0
"$@" </dev/null >>"$log" 2>&1 3<&- &
server=$!
{ read -r _; while kill -s "$signal" "$server"; do sleep 1; done; } <&3 >/dev/null 2>&1 &
watcher=$!
wait "$server"
status=$?
echo "$status" 2>/dev/null
kill -s KILL "$watcher"
if [ -n "$remove" ]; then
	read -r _ <&3
	rm -rf "$remove"
fi
exit "$status"
`

// program is a server to be started.
type program struct {
	account account
	// home is its folder: it may write there.
	home string
	// log is the name of the log file in home.
	log string
	// throwaway removes home after the server has ended.
	throwaway bool
	// stopSignal, without "SIG", asks for a quick and clean end; killSignal for an immediate one.
	stopSignal string
	killSignal syscall.Signal
	args       []string
}

// process is a server under its supervisor.
type process struct {
	program program
	command *exec.Cmd
	input   io.WriteCloser
	// done is closed when the server has ended, exited when its supervisor has too.
	done, exited chan struct{}
	// ok, once done, says that the server ended with status 0.
	ok bool
	// logStart is where this server's part of the log begins.
	logStart int64
}

func (p program) start() (*process, error) {
	remove := ""
	if p.throwaway {
		remove = p.home
	}
	command := exec.Command("/bin/sh", append([]string{ //nolint:gosec,noctx // the arguments are ours, and it runs until it is stopped
		"-c", supervisorScript, "sh", filepath.Join(p.home, p.log), p.stopSignal, remove}, p.args...)...)
	p.account.prepare(command)
	input, err := command.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.args[0], err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.args[0], err)
	}
	s := &process{
		program: p, command: command, input: input,
		done: make(chan struct{}), exited: make(chan struct{}), logStart: size(p.home, p.log),
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start %s as user %s: %w", p.args[0], p.account.name, err)
	}
	go func() {
		// The status, or nothing when someone killed the supervisor alone. Then the server is still there, in the same process group.
		status, err := bufio.NewReader(output).ReadString('\n')
		if err != nil {
			s.signal(p.killSignal)
		}
		s.ok = status == "0\n"
		close(s.done)
		// The same status again.
		_ = command.Wait()
		close(s.exited)
	}()
	return s, nil
}

// stop asks the server to end and waits. When ctx ends first, the server is made to end at once.
func (s *process) stop(ctx context.Context) error {
	s.input.Close()
	var err error
	select {
	case <-s.exited:
	case <-ctx.Done():
		err = fmt.Errorf("%s did not stop in time, so it was ended: %w", filepath.Base(s.program.args[0]), ctx.Err())
		s.kill()
	}
	if s.program.throwaway {
		// The supervisor has removed what its account may remove; the folder itself can be in a folder of ours.
		err = errors.Join(err, os.RemoveAll(s.program.home))
	}
	return err
}

// abandon ends a server that did not become ready, and leaves its folder in any case.
func (s *process) abandon(ctx context.Context) error {
	if !s.program.throwaway {
		return s.stop(ctx)
	}
	s.kill()
	s.input.Close()
	return nil
}

func (s *process) kill() {
	for _, signal := range []syscall.Signal{s.program.killSignal, syscall.SIGKILL} {
		s.signal(signal)
		select {
		case <-s.done:
		case <-time.After(5 * time.Second):
		}
	}
	s.signal(syscall.SIGKILL) // the supervisor
	<-s.exited
}

// signal reaches the server, its children and the supervisor, which heeds SIGKILL only.
func (s *process) signal(signal syscall.Signal) {
	select {
	case <-s.exited:
		// Another may have the number by now.
	default:
		// No such process: all have ended, which is what the signal is for.
		_ = syscall.Kill(-s.command.Process.Pid, signal)
	}
}

// explain gives the end of what this server has written to its log, for an error.
func (s *process) explain() string { return tail(s.program.home, s.program.log, s.logStart) }
