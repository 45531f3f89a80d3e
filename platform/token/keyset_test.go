package token_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mindspace-app/mindspace/platform/token"
)

func TestRotation(t *testing.T) {
	t.Parallel()
	p := newProcess(t, nil)
	old := p.sign(t, p.claims())
	wantAccepted(t, p.verifier, old)
	p.rotate(t)
	p.add(10 * time.Second)
	fresh := p.sign(t, p.claims())
	wantAccepted(t, p.verifier, fresh) // its key was not known: loaded
	if got := p.loaded(); got != 2 {
		t.Errorf("keys were loaded %d times, want 2", got)
	}
	wantAccepted(t, p.verifier, old)
	wantAccepted(t, p.verifier, p.sign(t, p.claims()))
	if got := p.loaded(); got != 2 {
		t.Errorf("keys were loaded %d times, want 2", got)
	}
}

// A key that is taken away takes its tokens with it, remembered ones too, within about a minute.
func TestKeyTakenAway(t *testing.T) {
	t.Parallel()
	p := newProcess(t, nil)
	stolen := p.sign(t, p.claims())
	wantAccepted(t, p.verifier, stolen)
	p.rotate(t)
	p.change(func() { p.keys = p.keys[1:] })
	p.add(time.Minute + time.Second)
	eventually(t, "the token is refused", func() bool { return reasonOf(t, p.verifier, stolen) == "TOKEN_INVALID" })
	wantRefused(t, p.another(nil), stolen, "TOKEN_INVALID")
}

func TestFloodOfMadeUpKeysDoesNotReachTheSource(t *testing.T) {
	t.Parallel()
	p := newProcess(t, nil)
	wantAccepted(t, p.verifier, p.sign(t, p.claims()))
	p.add(10 * time.Second)
	hold := make(chan struct{})
	p.change(func() { p.hold = hold })
	var texts []string
	for i := range 50 {
		header, claims := p.parts()
		texts = append(texts, forge(t, jose.ES256, p.keys[0].Key, fmt.Sprint("made up ", i), header, claims))
	}
	good := p.sign(t, p.claims())
	var group sync.WaitGroup
	for _, text := range texts {
		group.Go(func() { wantRefused(t, p.verifier, text, "TOKEN_INVALID") })
	}
	eventually(t, "a load begins", func() bool { return p.loaded() == 2 })
	wantAccepted(t, p.verifier, good) // nobody with a good token waits
	close(hold)
	group.Wait()
	for _, text := range texts {
		wantRefused(t, p.verifier, text, "TOKEN_INVALID")
	}
	p.add(4 * time.Second)
	wantRefused(t, p.verifier, texts[0], "TOKEN_INVALID")
	if got := p.loaded(); got != 2 {
		t.Errorf("keys were loaded %d times, want 2", got)
	}
	p.add(2 * time.Second)
	wantRefused(t, p.verifier, texts[0], "TOKEN_INVALID")
	if got := p.loaded(); got != 3 {
		t.Errorf("keys were loaded %d times, want 3", got)
	}
}

// Old keys are loaded again without anybody waiting.
func TestOldKeysAreLoadedInTheBackground(t *testing.T) {
	t.Parallel()
	p := newProcess(t, nil)
	text := p.sign(t, p.claims())
	wantAccepted(t, p.verifier, text)
	p.add(50 * time.Second)
	wantAccepted(t, p.verifier, text)
	if got := p.loaded(); got != 1 {
		t.Errorf("keys were loaded %d times, want 1", got)
	}
	p.add(11 * time.Second)
	hold := make(chan struct{})
	p.change(func() { p.hold = hold })
	wantAccepted(t, p.verifier, text)
	eventually(t, "the keys are loaded", func() bool { return p.loaded() == 2 })
	close(hold)
}

func TestKnownKeysGoOnWithoutTheirSource(t *testing.T) {
	t.Parallel()
	p := newProcess(t, nil)
	text := p.sign(t, p.claims())
	wantAccepted(t, p.verifier, text)
	p.change(func() { p.err = errAway })
	p.add(5 * time.Minute)
	wantAccepted(t, p.verifier, text)
	wantAccepted(t, p.verifier, p.sign(t, p.claims()))
	eventually(t, "the load fails", func() bool { return p.loaded() == 2 })

	// Of a key that may be new, nobody can tell: the answer must not sign a person out.
	p.rotate(t)
	p.add(10 * time.Second)
	fresh := p.sign(t, p.claims())
	wantRefused(t, p.verifier, fresh, "KEYS_UNAVAILABLE")
	p.change(func() { p.err = nil })
	p.add(10 * time.Second)
	wantAccepted(t, p.verifier, fresh)
}

func TestStartWithoutTheSource(t *testing.T) {
	t.Parallel()
	p := newProcess(t, nil)
	p.err = errAway
	text := p.sign(t, p.claims())
	wantRefused(t, p.verifier, text, "KEYS_UNAVAILABLE")
	p.change(func() { p.err = nil })
	wantRefused(t, p.verifier, text, "KEYS_UNAVAILABLE") // not asked again at once
	p.add(2 * time.Second)
	wantAccepted(t, p.verifier, text)
}

// Who waits for keys can leave.
func TestWaitingForKeysEndsWithTheCaller(t *testing.T) {
	t.Parallel()
	p := newProcess(t, nil)
	p.hold = make(chan struct{})
	defer close(p.hold)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	text := p.sign(t, p.claims())
	go func() {
		_, err := p.verifier.Authenticate(ctx, text)
		ended <- err
	}()
	eventually(t, "the load begins", func() bool { return p.loaded() == 1 })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// A key that ES256 does not know is a mistake of the source, and does not replace those that are known.
func TestSourceGivesAnotherKindOfKey(t *testing.T) {
	t.Parallel()
	p := newProcess(t, nil)
	text := p.sign(t, p.claims())
	wantAccepted(t, p.verifier, text)
	p.change(func() { p.keys = append([]token.SigningKey{{ID: "", Key: p.keys[0].Key}}, p.keys...) })
	p.add(2 * time.Minute)
	wantAccepted(t, p.verifier, text)
	eventually(t, "the keys are loaded", func() bool { return p.loaded() == 2 })
	wantAccepted(t, p.verifier, text)
}
