package embedded

import (
	"context"
	"os"
	"syscall"
	"testing"
)

// A shell's background processes begin with interrupts ignored, so a stop in the first moment would be lost.
func TestStopOfAServerThatHasJustBeenStarted(t *testing.T) {
	t.Parallel()
	us, err := selfAccount()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := program{
		account: us, home: enterable(t), log: "log", stopSignal: "INT", killSignal: syscall.SIGKILL,
		args: []string{self, lateArgument},
	}.start()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.stop(ctx); err != nil {
		t.Error(err)
	}
	if !p.ok {
		t.Error("it did not end by itself")
	}
}
