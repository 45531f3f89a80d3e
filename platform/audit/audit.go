// Package audit records who did what to whom, in the transaction that does it, and proves later that no record was
// changed or removed. Personal values in a record are encrypted under a key of that person, so that erasing the person
// is destroying the key: the record and the chain stay whole.
//
// Records are inserted without touching the chain; [Seal], called by one job, appends them to it, so that auditing
// never makes one transaction wait for another. This package never updates or deletes a record, and shows none: lists
// are the console's business.
package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/tink-crypto/tink-go/v2/tink"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/mindspace-app/mindspace/gen/db/auditdb"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/secret"
)

const (
	maxActionSize    = 100
	maxSubjectIDSize = 200
	maxRequestIDSize = 128
	// MaxValueSize is how long the JSON of Before or After may be, in bytes.
	MaxValueSize = 1 << 20
)

var (
	actionPattern      = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$`)
	subjectTypePattern = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// Entry is what was done. Who did it, and in which request, is taken from the context.
type Entry struct {
	// Action is domain, thing and verb in lower snake case with dots, for example "content.meditation.publish".
	Action string
	// SubjectType is what kind of thing it was done to, in lower snake case, for example "meditation".
	SubjectType string
	// SubjectID is the thing's id. It stays readable after an erasure, so it is an id and nothing else.
	SubjectID string
	// Person is whose personal values Before and After hold; uuid.Nil when they hold none. With a person, both are
	// stored encrypted under that person's key. Values of nobody's stay readable for ever.
	Person uuid.UUID
	// Before and After are the subject, or what changed of it: anything that encodes as JSON, or a protobuf message.
	// nil when there is nothing to say, as Before is for something new.
	Before, After any
}

func (e Entry) validate() error {
	switch {
	case len(e.Action) > maxActionSize || !actionPattern.MatchString(e.Action):
		return fmt.Errorf("action %q is not lower snake case with dots, at most %d bytes", e.Action, maxActionSize)
	case len(e.SubjectType) > maxActionSize || !subjectTypePattern.MatchString(e.SubjectType):
		return fmt.Errorf("subject type %q is not lower snake case, at most %d bytes", e.SubjectType, maxActionSize)
	case e.SubjectID == "":
		return errors.New("subject id is empty")
	case len(e.SubjectID) > maxSubjectIDSize:
		return fmt.Errorf("subject id is longer than %d bytes", maxSubjectIDSize)
	case !utf8.ValidString(e.SubjectID) || strings.ContainsFunc(e.SubjectID, unicode.IsControl):
		return errors.New("subject id holds control characters or invalid UTF-8")
	}
	return nil
}

// Log writes audit records. It is safe for use by several goroutines.
type Log struct {
	aead tink.AEAD
}

// New gives a log that wraps persons' keys with the keyring.
func New(k *secret.Keyring) *Log { return &Log{aead: k.AEAD()} }

// Record inserts a record in the caller's transaction: when that rolls back, nothing was recorded. The actor is the
// caller of the context, the system itself when there is neither a caller nor a request. Its errors are ours, never the caller's:
// none of them is a fault.
func (l *Log) Record(ctx context.Context, tx pgx.Tx, e Entry) error {
	if err := e.validate(); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("audit: make an id: %w", err)
	}
	before, err := encodeValue(e.Before)
	if err != nil {
		return fmt.Errorf("audit %s: before: %w", e.Action, err)
	}
	after, err := encodeValue(e.After)
	if err != nil {
		return fmt.Errorf("audit %s: after: %w", e.Action, err)
	}
	by := actorFrom(ctx)
	request := identity.RequestFrom(ctx)
	row := auditdb.InsertRecordParams{
		ID:            id,
		ActorKind:     by.kind,
		ActorID:       by.id,
		ActorRoles:    by.roles,
		Action:        e.Action,
		SubjectType:   e.SubjectType,
		SubjectID:     e.SubjectID,
		Before:        before,
		After:         after,
		RequestID:     clean(request.ID, maxRequestIDSize),
		AddressPrefix: request.Network(),
	}
	q := auditdb.New(tx)
	if e.Person != uuid.Nil {
		row.PersonID = &e.Person
		if before != nil || after != nil {
			key, err := l.personKey(ctx, q, e.Person)
			if err != nil {
				return fmt.Errorf("audit %s: %w", e.Action, err)
			}
			row.KeyID = &key.id
			row.Before = key.seal(before, id, fieldBefore)
			row.After = key.seal(after, id, fieldAfter)
		}
	}
	if err := q.InsertRecord(ctx, row); err != nil {
		return fmt.Errorf("audit %s: insert the record: %w", e.Action, err)
	}
	mark(ctx)
	return nil
}

// encodeValue gives the JSON of a value; nil for nil and for what encodes as null.
func encodeValue(v any) ([]byte, error) {
	var out []byte
	var err error
	switch v := v.(type) {
	case nil:
		return nil, nil
	case proto.Message:
		if !v.ProtoReflect().IsValid() {
			return nil, nil
		}
		if out, err = protojson.Marshal(v); err == nil {
			// protojson varies its blanks on purpose; equal values shall be equal bytes.
			var compact bytes.Buffer
			err = json.Compact(&compact, out)
			out = compact.Bytes()
		}
	default:
		out, err = json.Marshal(v)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("encode as JSON: %w", err)
	case len(out) > MaxValueSize:
		return nil, fmt.Errorf("JSON of %d bytes is longer than %d", len(out), MaxValueSize)
	case string(out) == "null":
		return nil, nil
	}
	return out, nil
}
