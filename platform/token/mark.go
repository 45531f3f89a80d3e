package token

import (
	"encoding/json"
	"iter"
	"sync"
	"time"

	"github.com/google/uuid"
)

// What a revocation is about.
const (
	ofSession = 's'
	ofUser    = 'u'
)

// horizonMillis is [Horizon] in ms.
const horizonMillis = int64(Horizon / time.Millisecond)

// mark is what is revoked: a session for good, or what a person got before a time.
type mark struct {
	kind byte
	id   uuid.UUID
}

// String is the mark's name in Redis.
func (m mark) String() string { return string(m.kind) + ":" + m.id.String() }

// parseMark reads a name in Redis; ok is false for one that no process of this kind wrote.
func parseMark(name string) (m mark, ok bool) {
	if len(name) != len("s:")+36 || (name[0] != ofSession && name[0] != ofUser) || name[1] != ':' {
		return mark{}, false
	}
	id, err := uuid.Parse(name[2:])
	return mark{kind: name[0], id: id}, err == nil
}

// marks are revocations, each with the time until which it has to be known, in ms since 1970. The one of a person refuses
// what was issued [Horizon] before that time.
type marks map[mark]int64

// add keeps the later time.
func (m marks) add(what mark, until int64) {
	if until > m[what] {
		m[what] = until
	}
}

// merge adds all of others.
func (m marks) merge(others marks) {
	for what, until := range others {
		m.add(what, until)
	}
}

// dropBefore forgets what need not be known any more.
func (m marks) dropBefore(now int64) {
	for what, until := range m {
		if until <= now {
			delete(m, what)
		}
	}
}

// batches splits them into parts of at most n.
func (m marks) batches(n int) iter.Seq[marks] {
	return func(yield func(marks) bool) {
		part := marks{}
		for what, until := range m {
			part[what] = until
			if len(part) == n {
				if !yield(part) {
					return
				}
				part = marks{}
			}
		}
		if len(part) > 0 {
			yield(part)
		}
	}
}

// entry is a mark in a message.
type entry struct {
	Mark  string `json:"m"`
	Until int64  `json:"t"`
}

func (m marks) encode() ([]byte, error) {
	entries := make([]entry, 0, len(m))
	for what, until := range m {
		entries = append(entries, entry{what.String(), until})
	}
	return json.Marshal(entries)
}

// decodeMarks reads a message. What it cannot read is not from a process of this kind.
func decodeMarks(text string) marks {
	var entries []entry
	if err := json.Unmarshal([]byte(text), &entries); err != nil {
		return nil
	}
	out := marks{}
	for _, e := range entries {
		if what, ok := parseMark(e.Mark); ok {
			out.add(what, e.Until)
		}
	}
	return out
}

// ledger is what this process knows to be revoked.
type ledger struct {
	mu    sync.RWMutex
	marks marks
}

// refuses tells whether a token of the session and person, issued at that time in ms, is revoked.
func (l *ledger) refuses(session, user uuid.UUID, issued int64) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.marks) == 0 {
		return false
	}
	if _, ended := l.marks[mark{ofSession, session}]; ended {
		return true
	}
	until, outdated := l.marks[mark{ofUser, user}]
	return outdated && issued < until-horizonMillis
}

func (l *ledger) merge(others marks) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.marks.merge(others)
}

func (l *ledger) dropBefore(now int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.marks.dropBefore(now)
}

func (l *ledger) len() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.marks)
}
